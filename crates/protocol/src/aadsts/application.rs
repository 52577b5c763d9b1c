//! Who the client is: unknown, disabled, without a credential, with the wrong one.

aadsts! {
    INVALID_CLIENT_SECRET = 7000215, invalid_client, 401;
    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{app_id}'."
    => "The client's operator configures the secret's value, which was shown once when the secret was created, not its ID; if the value is lost, the application's owner adds a new secret.";

    EXPIRED_CLIENT_SECRET = 7000222, invalid_client, 401;
    "The provided client secret keys for app '{app_id}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds."
    => "The application's owner adds a new secret or a certificate, and the client's operator puts it into the client's configuration.";

    MISSING_CLIENT_CREDENTIAL = 7000216, invalid_client, 401;
    "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type."
    => "The client's developer sends a client secret or a client assertion with the right client_assertion_type.";

    CONFIDENTIAL_CLIENT_WITHOUT_CREDENTIAL = 7000218, invalid_client, 401;
    "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
    => "The client's developer sends a credential, or the application's owner allows public client flows if the client cannot keep a secret.";

    APPLICATION_NOT_FOUND = 700016, unauthorized_client, 400;
    "Application with identifier '{app_id}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."
    => "The client's operator checks the client id and the tenant; if both are right, an administrator of that tenant consents to the application.";

    INVALID_APPLICATION_IDENTIFIER = 700038, unauthorized_client, 400, no_error_uri;
    "{app_id} is not a valid application identifier."
    => "The client's operator sets the application's client id; the one that was sent is a placeholder.";

    SERVICE_PRINCIPAL_MISSING = 7000229, invalid_client, 401;
    "The client application {app_id} is missing service principal in the tenant {tenant}. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119"
    => "An administrator of the tenant creates the service principal, for example with: az ad sp create --id <client id>.";

    PUBLIC_CLIENT_WITH_CREDENTIAL = 700025, invalid_client, 401;
    "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."
    => "The client's developer leaves the credential out, or the application's owner registers the redirect URI under the web platform.";

    APPLICATION_DISABLED = 7000112, unauthorized_client, 400;
    "Application '{app_id}'({app_name}) is disabled."
    => "An administrator of the tenant enables the application's service principal again, if it may sign in.";

    UNAUTHORIZED_APPLICATION = 70001, unauthorized_client, 400;
    "Application with identifier '{app_id}' was not found in the directory {tenant} or is disabled."
    => "The client's operator checks the client id and the tenant; an administrator checks that the application is enabled.";

    APPLICATION_NOT_FOUND_IN_ORGANIZATION = 700011, unauthorized_client, 400;
    "Application with identifier '{app_id}' was not found in the directory '{tenant}'."
    => "The client's operator checks the client id and the tenant; an administrator of the tenant consents to the application.";

    INTERACTION_REQUIRED = 700020, interaction_required, 400;
    "The access grant requires interaction."
    => "The client signs the user in interactively instead of silently.";

    CERTIFICATE_SUBJECT_NOT_AUTHORIZED = 700030, invalid_client, 401;
    "Invalid certificate - subject name in certificate is not authorized. SubjectNames/SubjectAlternativeNames (up to 10) in token certificate are: {subjects}."
    => "The application's owner adds the certificate's subject name and issuer to the trusted ones, or the client uses another certificate.";

    CLIENT_AUTHENTICATION_FAILED = 50012, invalid_client, 401;
    "Authentication failed."
    => "The client's operator checks the credential; the application's owner checks which credentials are registered.";

    INVALID_CREDENTIALS = 70002, invalid_client, 401;
    "Error validating credentials."
    => "The client's operator checks the credential that is sent.";

    SELF_TOKEN_NEEDS_GUID = 90009, invalid_request, 400;
    "Application '{app_id}'({app_name}) is requesting a token for itself. This scenario is supported only if resource is specified using the GUID based App Identifier."
    => "The client's developer names the resource by its client id instead of its App ID URI.";

    ONLY_APP_TOKENS_AS_ASSERTION = 700229, invalid_client, 401;
    "Only app tokens can be used as Federated Identity Credentials for Microsoft Entra issuer."
    => "The client's developer presents a token of an application or a managed identity, not one of a user.";

    CLIENT_CERTIFICATE_MISSING = 392200, invalid_client, 401;
    "Client certificate is missing from the request."
    => "The client's operator presents a client certificate on the TLS connection.";

    CLIENT_CERTIFICATE_INVALID = 392204, invalid_client, 401;
    "Client certificate is not valid for this request."
    => "The client's operator presents the certificate that is registered on the application.";

    FEATURE_DISABLED = 51000, invalid_request, 412;
    "The required feature is disabled."
    => "An administrator of the tenant enables the feature that the request needs.";
}
