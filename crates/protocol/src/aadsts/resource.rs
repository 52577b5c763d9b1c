//! What is asked for: the resource, the scope, and whether anybody consented.

aadsts! {
    RESOURCE_NOT_FOUND = 500011, invalid_resource, 400;
    "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant."
    => "The client's developer checks the resource's App ID URI; an administrator makes sure that the API has a service principal in the tenant.";

    RESOURCE_DISABLED = 50001, invalid_resource, 400;
    "The resource {resource} is disabled or does not exist in the tenant named {tenant}."
    => "An administrator of the tenant checks that the API's service principal exists and is enabled.";

    CLIENT_NOT_ASSIGNED = 501051, invalid_grant, 400;
    "Application '{app_id}'({app_name}) is not assigned to a role for the application '{resource_id}'({resource_name})."
    => "An administrator grants the client an app role of the API, or the API's owner no longer requires an assignment.";

    USER_NOT_ASSIGNED = 50105, invalid_grant, 400;
    "Your administrator has configured the application {app_name} ('{app_id}') to block users unless they are specifically granted ('assigned') access to the application."
    => "An administrator assigns the user or one of the user's groups to the application.";

    CONSENT_REQUIRED = 65001, invalid_grant, 400, suberror("consent_required");
    "The user or administrator has not consented to use the application with ID '{app_id}' named '{app_name}'. Send an interactive authorization request for this user and resource."
    => "The user consents interactively, or an administrator consents for the whole tenant.";

    /// The word used at the authorization endpoint, with prompt=none.
    CONSENT_REQUIRED_AT_AUTHORIZE = 65001, consent_required, 400;
    "The user or administrator has not consented to use the application with ID '{app_id}' named '{app_name}'. Send an interactive authorization request for this user and resource."
    => "The client asks again without prompt=none, so that the user can consent.";

    CONSENT_DECLINED = 65004, access_denied, 400;
    "User declined to consent to access the app."
    => "The user consents, or the client does without the permission.";

    /// The word used by the admin-consent endpoint.
    ADMIN_CONSENT_DECLINED = 65004, consent_required, 400;
    "User declined to consent to access the app."
    => "An administrator consents, or the client does without the permission.";

    RESOURCE_NOT_REQUIRED = 65005, invalid_resource, 400;
    "Misconfigured application. The application's required resource access list does not contain the resource '{resource}'."
    => "The application's owner adds the API to the application's permissions.";

    SERVICE_PRINCIPAL_LACKING = 650052, invalid_client, 401;
    "The app is trying to access a service '{resource_id}'({resource_name}) that your organization '{tenant}' lacks a service principal for. Contact your IT Admin to review the configuration of your service subscriptions or consent to the application in order to create the required service principal."
    => "An administrator of the tenant consents to the API or subscribes to the service.";

    /// Shown on a page; the word is the default of unknown codes.
    SCOPE_DOES_NOT_EXIST = 650053, invalid_request, 400;
    "The application '{app_name}' asked for scope '{scope}' that doesn't exist on the resource '{resource}'. Contact the app vendor."
    => "The client's developer asks for a scope that the API publishes.";

    /// Shown on a page; the word is the default of unknown codes.
    MISCONFIGURED_RESOURCE = 650054, invalid_request, 400;
    "The application '{app_name}' asked for permissions to access a resource that has been removed or is no longer available. Contact the app vendor."
    => "The application's owner removes the permissions of the API that no longer exists.";

    /// Shown on a page; the word is the default of unknown codes.
    MISCONFIGURED_APPLICATION = 650056, invalid_request, 400;
    "Misconfigured application. This could be due to one of the following: the client has not listed any permissions for '{resource}' in the requested permissions in the client's application registration. Or, the admin has not consented in the tenant. Or, check the application identifier in the request to ensure it matches the configured client application identifier."
    => "The application's owner adds the API's permissions, and an administrator consents to them.";

    RESOURCE_NOT_LISTED = 650057, invalid_resource, 400;
    "Invalid resource. The client has requested access to a resource which is not listed in the requested permissions in the client's application registration. Client app ID: {app_id}. Resource value from request: {resource}. Resource app ID: {resource_id}. List of valid resources from app registration: {resources}."
    => "The application's owner adds the API to the application's permissions.";

    INVALID_SCOPE = 70011, invalid_scope, 400;
    "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
    => "The client's developer asks for the scopes of one resource, spelled as the API publishes them.";

    DEFAULT_SCOPE_COMBINED = 70011, invalid_scope, 400;
    "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid. .default scope can't be combined with resource-specific scopes."
    => "The client's developer asks for <App ID URI>/.default or for single scopes, not for both.";

    SCOPE_NOT_DEFAULT = 1002012, invalid_scope, 400;
    "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
    => "The client's developer asks for <App ID URI>/.default; single permissions are granted to the application, not asked for.";

    SEVERAL_RESOURCES = 28000, invalid_request, 400;
    "Provided value for the input parameter scope is not valid because it contains more than one resource. Scope {scope} is not valid."
    => "The client's developer asks once per resource.";

    SCOPE_INVALID_ON_REDEMPTION = 28002, invalid_scope, 400;
    "Provided value for the input parameter scope '{scope}' is not valid when requesting an access token. Please specify a valid scope."
    => "The client's developer asks for scopes that the API publishes.";

    SCOPE_EMPTY_ON_REDEMPTION = 28003, invalid_request, 400;
    "Provided value for the input parameter scope cannot be empty when requesting an access token using the provided authorization code."
    => "The client's developer sends a scope when redeeming the code.";

    TOO_MANY_SCOPES = 28004, invalid_scope, 400;
    "Provided value for the input parameter scope is not valid because it contains too many scopes."
    => "The client's developer asks for fewer scopes at once, or for <App ID URI>/.default.";

    /// Shown on a page; the word is the default of unknown codes.
    SEVERAL_RESOURCES_AT_AUTHORIZE = 700022, invalid_request, 400;
    "Provided value for the input parameter scope is not valid because it contains more than one resource. Scope {scope} is not valid."
    => "The client's developer asks once per resource.";

    NOT_PREAUTHORIZED = 65002, invalid_grant, 400;
    "Consent between first party application '{app_id}' and first party resource '{resource_id}' must be configured via preauthorization - applications owned and operated by Microsoft must get approval from the API owner before requesting tokens for that API."
    => "The API's owner pre-authorises the client.";

    ADMIN_CONSENT_REQUIRED = 90094, consent_required, 400;
    "{app_name} needs permission to access resources in your organization that only an admin can grant. Please ask an admin to grant permission to this app before you can use it."
    => "An administrator of the tenant consents to the application.";

    ADMIN_CONSENT_WORKFLOW = 90095, consent_required, 400;
    "Admin consent is required. The user was shown the consent request form."
    => "The user asks for approval, and an administrator of the tenant decides.";

    SELF_TOKEN_NEEDS_SIGN_IN = 90008, invalid_request, 400;
    "The user or administrator has not consented to use the application with ID '{app_id}'. This happened because application is misconfigured: it must require access to Windows Azure Active Directory by specifying at least 'Sign in and read user profile' permission."
    => "The application's owner adds the permission to sign in and read the user's profile.";

    ID_TOKEN_NOT_ENABLED = 700054, unsupported_response_type, 400;
    "response_type 'id_token' is not enabled for the application."
    => "The application's owner enables id_tokens for the implicit and hybrid flows, or the developer uses the code flow.";

    TOKEN_NOT_ENABLED = 700051, unsupported_response_type, 400;
    "response_type 'token' is not enabled for the application."
    => "The application's owner enables access tokens for the implicit flow, or the developer uses the code flow.";

    UNSUPPORTED_RESPONSE_TYPE = 70005, unsupported_response_type, 400;
    "The response type '{response_type}' is not supported for this application."
    => "The client's developer uses response_type=code.";

    /// The number and its text are Entra's, the word is that of other malformed requests (unconfirmed).
    UNSUPPORTED_RESPONSE_MODE = 70007, invalid_request, 400;
    "'{response_mode}' is not a supported value of 'response_mode' when requesting a token."
    => "The client's developer uses fragment or form_post for tokens, and any mode for a code.";

    GRANT_FOR_ANOTHER_TENANT = 700005, invalid_grant, 400;
    "The provided authorization code or refresh token is intended to be used against other tenant, thus rejected."
    => "The client redeems codes and refresh tokens at the tenant that issued them.";

    ON_BEHALF_OF_NOT_ALLOWED = 7000114, invalid_grant, 400;
    "Application '{app_id}'({app_name}) is not allowed to make application on-behalf-of calls."
    => "The client's developer sends a user's token as the assertion; for an application's own calls client credentials are right.";
}
