package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"
)

func msal(ctx context.Context, wanted attempt) (outcome, error) {
	authority := config.Authority + "/" + wanted.Tenant
	if wanted.Credential == nil {
		app, err := public.New(
			wanted.ClientID, public.WithAuthority(authority), public.WithInstanceDiscovery(config.Default))
		if err != nil {
			return nil, err
		}
		return publicFlow(ctx, app, wanted)
	}
	proof, err := msalCredential(*wanted.Credential)
	if err != nil {
		return nil, err
	}
	options := []confidential.Option{confidential.WithInstanceDiscovery(config.Default)}
	if wanted.Credential.Style == "chain" {
		options = append(options, confidential.WithX5C())
	}
	app, err := confidential.New(authority, wanted.ClientID, proof, options...)
	if err != nil {
		return nil, err
	}
	return confidentialFlow(ctx, app, wanted)
}

func msalCredential(given credential) (confidential.Credential, error) {
	if given.Secret != "" {
		return confidential.NewCredFromSecret(given.Secret)
	}
	if given.Assertion != "" {
		return confidential.NewCredFromAssertionCallback(
			func(context.Context, confidential.AssertionRequestOptions) (string, error) {
				return given.Assertion, nil
			}), nil
	}
	chain, key, err := confidential.CertFromPEM([]byte(given.Certificate+given.PrivateKey), "")
	if err != nil {
		return confidential.Credential{}, err
	}
	return confidential.NewCredFromCert(chain, key)
}

func confidentialFlow(ctx context.Context, app confidential.Client, wanted attempt) (outcome, error) {
	scopes := []string{wanted.Scope}
	switch wanted.Flow {
	case "client_credentials":
		first, err := app.AcquireTokenByCredential(ctx, scopes)
		if err != nil {
			return nil, err
		}
		again, err := app.AcquireTokenByCredential(ctx, scopes)
		if err != nil {
			return nil, err
		}
		return outcome{"token": first.AccessToken, "again_from": from(first.AccessToken, again.AccessToken)}, nil
	case "on_behalf_of":
		first, err := app.AcquireTokenOnBehalfOf(ctx, wanted.Assertion, scopes)
		if err != nil {
			return nil, err
		}
		again, err := app.AcquireTokenOnBehalfOf(ctx, wanted.Assertion, scopes)
		if err != nil {
			return nil, err
		}
		return outcome{"token": first.AccessToken, "again_from": from(first.AccessToken, again.AccessToken)}, nil
	case "authorization_code":
		address, err := app.AuthCodeURL(ctx, wanted.ClientID, wanted.RedirectURI, scopes)
		if err != nil {
			return nil, err
		}
		verifier := rand.Text() + rand.Text()
		challenge := sha256.Sum256([]byte(verifier))
		address += "&code_challenge_method=S256&code_challenge=" +
			url.QueryEscape(base64.RawURLEncoding.EncodeToString(challenge[:]))
		code, err := signIn(address)
		if err != nil {
			return nil, err
		}
		first, err := app.AcquireTokenByAuthCode(
			ctx, code, wanted.RedirectURI, scopes, confidential.WithChallenge(verifier))
		if err != nil {
			return nil, err
		}
		silent := confidential.WithSilentAccount(first.Account)
		again, err := app.AcquireTokenSilent(ctx, scopes, silent)
		if err != nil {
			return nil, err
		}
		if err := advance(wanted); err != nil {
			return nil, err
		}
		renewed, err := app.AcquireTokenSilent(ctx, []string{wanted.OtherScope}, silent)
		if err != nil {
			return nil, err
		}
		return signedIn(first, again, renewed), nil
	}
	return nil, fmt.Errorf("no flow %s for a confidential client", wanted.Flow)
}

func publicFlow(ctx context.Context, app public.Client, wanted attempt) (outcome, error) {
	scopes := []string{wanted.Scope}
	var first public.AuthResult
	var err error
	switch wanted.Flow {
	case "password":
		first, err = app.AcquireTokenByUsernamePassword(ctx, scopes, wanted.Login, wanted.Password)
	case "device_code":
		var device public.DeviceCode
		if device, err = app.AcquireTokenByDeviceCode(ctx, scopes); err != nil {
			return nil, err
		}
		if _, err = ask("/device", map[string]string{"user_code": device.Result.UserCode}); err != nil {
			return nil, err
		}
		first, err = device.AuthenticationResult(ctx)
	default:
		err = fmt.Errorf("no flow %s for a public client", wanted.Flow)
	}
	if err != nil {
		return nil, err
	}
	silent := public.WithSilentAccount(first.Account)
	again, err := app.AcquireTokenSilent(ctx, scopes, silent)
	if err != nil {
		return nil, err
	}
	if err := advance(wanted); err != nil {
		return nil, err
	}
	renewed, err := app.AcquireTokenSilent(ctx, []string{wanted.OtherScope}, silent)
	if err != nil {
		return nil, err
	}
	return signedIn(first, again, renewed), nil
}

func signedIn(first, again, renewed public.AuthResult) outcome {
	return outcome{
		"token":      first.AccessToken,
		"account":    first.Account.PreferredUsername,
		"home":       first.Account.HomeAccountID,
		"claims":     first.IDToken,
		"again_from": from(first.AccessToken, again.AccessToken),
		"renewed":    renewed.AccessToken,
	}
}

func from(first, again string) string {
	if first == again {
		return "cache"
	}
	return "network"
}
