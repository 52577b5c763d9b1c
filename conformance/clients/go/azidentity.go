package main

import (
	"context"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

func azureIdentity(ctx context.Context, wanted attempt) (outcome, error) {
	source, isPerson, err := azureCredential(wanted)
	if err != nil {
		return nil, err
	}
	options := policy.TokenRequestOptions{Scopes: []string{wanted.Scope}}
	first, err := source.GetToken(ctx, options)
	if err != nil {
		return nil, err
	}
	again, err := source.GetToken(ctx, options)
	if err != nil {
		return nil, err
	}
	result := outcome{"token": first.Token, "again_from": from(first.Token, again.Token)}
	if isPerson {
		if err := advance(wanted); err != nil {
			return nil, err
		}
		options.Scopes = []string{wanted.OtherScope}
		renewed, err := source.GetToken(ctx, options)
		if err != nil {
			return nil, err
		}
		result["renewed"] = renewed.Token
	}
	return result, nil
}

// The credential, and whether it renews by a refresh token.
func azureCredential(wanted attempt) (azcore.TokenCredential, bool, error) {
	common := azcore.ClientOptions{}
	if !config.Default {
		common.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: config.Authority + "/"}
		common.Retry = policy.RetryOptions{MaxRetries: -1}
	}
	tenant, client, given := wanted.Tenant, wanted.ClientID, wanted.Credential
	assertion := func(context.Context) (string, error) { return given.Assertion, nil }
	switch wanted.Flow {
	case "client_credentials":
		if given.Secret != "" {
			source, err := azidentity.NewClientSecretCredential(tenant, client, given.Secret,
				&azidentity.ClientSecretCredentialOptions{ClientOptions: common, DisableInstanceDiscovery: !config.Default})
			return source, false, err
		}
		if given.Assertion != "" {
			source, err := azidentity.NewClientAssertionCredential(tenant, client, assertion,
				&azidentity.ClientAssertionCredentialOptions{ClientOptions: common, DisableInstanceDiscovery: !config.Default})
			return source, false, err
		}
		chain, key, err := azidentity.ParseCertificates([]byte(given.Certificate+given.PrivateKey), nil)
		if err != nil {
			return nil, false, err
		}
		source, err := azidentity.NewClientCertificateCredential(tenant, client, chain, key,
			&azidentity.ClientCertificateCredentialOptions{
				ClientOptions: common, DisableInstanceDiscovery: !config.Default, SendCertificateChain: given.Style == "chain",
			})
		return source, false, err
	case "on_behalf_of":
		options := &azidentity.OnBehalfOfCredentialOptions{ClientOptions: common, DisableInstanceDiscovery: !config.Default}
		if given.Secret != "" {
			source, err := azidentity.NewOnBehalfOfCredentialWithSecret(
				tenant, client, wanted.Assertion, given.Secret, options)
			return source, false, err
		}
		if given.Assertion != "" {
			source, err := azidentity.NewOnBehalfOfCredentialWithClientAssertions(
				tenant, client, wanted.Assertion, assertion, options)
			return source, false, err
		}
		chain, key, err := azidentity.ParseCertificates([]byte(given.Certificate+given.PrivateKey), nil)
		if err != nil {
			return nil, false, err
		}
		source, err := azidentity.NewOnBehalfOfCredentialWithCertificate(
			tenant, client, wanted.Assertion, chain, key, options)
		return source, false, err
	case "managed_identity":
		options := &azidentity.ManagedIdentityCredentialOptions{}
		if client != "" {
			options.ID = azidentity.ClientID(client)
		}
		source, err := azidentity.NewManagedIdentityCredential(options)
		return source, false, err
	case "device_code":
		source, err := azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
			ClientOptions: common, DisableInstanceDiscovery: !config.Default, TenantID: tenant, ClientID: client,
			UserPrompt: func(_ context.Context, message azidentity.DeviceCodeMessage) error {
				_, err := ask("/device", map[string]string{"user_code": message.UserCode})
				return err
			},
		})
		return source, true, err
	case "password":
		source, err := azidentity.NewUsernamePasswordCredential(
			tenant, client, wanted.Login, wanted.Password,
			&azidentity.UsernamePasswordCredentialOptions{ClientOptions: common, DisableInstanceDiscovery: !config.Default})
		return source, true, err
	}
	return nil, false, fmt.Errorf("no flow %s in azidentity", wanted.Flow)
}
