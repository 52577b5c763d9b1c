//! The request's form, its tenant, and the endpoint it was sent to.

aadsts! {
    TENANT_NOT_FOUND = 90002, invalid_request, 400;
    "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
    => "The client's operator corrects the tenant id or domain, or the authority's host if the tenant lives in another cloud.";

    /// The word used by metadata and key endpoints.
    TENANT_NOT_FOUND_IN_DISCOVERY = 90002, invalid_tenant, 400;
    "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
    => "The client's operator corrects the tenant id or domain, or the authority's host if the tenant lives in another cloud.";

    INVALID_TENANT_NAME = 900023, invalid_request, 400;
    "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain."
    => "The client's operator writes the tenant as a GUID or as a verified domain.";

    EMPTY_TENANT_ID = 900021, invalid_request, 400;
    "Requested tenant identifier '{tenant}' is not valid. Tenant identifiers may not be an empty GUID."
    => "The client's operator sets the tenant id; the one that was sent is a placeholder.";

    /// The word used by metadata and key endpoints.
    EMPTY_TENANT_ID_IN_DISCOVERY = 900021, invalid_tenant, 400;
    "Requested tenant identifier '{tenant}' is not valid. Tenant identifiers may not be an empty GUID."
    => "The client's operator sets the tenant id; the one that was sent is a placeholder.";

    MISSING_PARAMETER = 900144, invalid_request, 400;
    "The request body must contain the following parameter: '{name}'."
    => "The client's developer adds the parameter that is named; at the v1.0 endpoint it is resource, at v2.0 scope.";

    POST_REQUIRED = 900561, invalid_request, 400;
    "The endpoint only accepts POST requests. Received a {method} request."
    => "The client's developer sends the parameters in the body of a POST; a redirect on the way may have turned it into a GET.";

    MALFORMED_REQUEST = 9002313, invalid_request, 400;
    "Invalid request. Request is malformed or invalid."
    => "The client's developer sends a form body in which every parameter stands once and is encoded rightly.";

    /// The word used when a code or refresh token cannot be read (recorded 2020).
    MALFORMED_GRANT = 9002313, invalid_grant, 400, suberror("bad_token");
    "Invalid request. Request is malformed or invalid."
    => "The client drops the code or refresh token and signs the user in again.";

    DUPLICATE_PARAMETER = 9000411, invalid_request, 400;
    "The request is not properly formatted. The parameter '{name}' is duplicated."
    => "The client's developer sends each parameter once.";

    NO_REPLY_ADDRESS = 900971, invalid_request, 400;
    "No reply address provided."
    => "The client's developer sends redirect_uri, or the application's owner registers one.";

    INVALID_JWT_IN_REQUEST = 900384, invalid_request, 400;
    "JWT token failed signature validation or is malformed."
    => "The client's developer sends the token as it was received, unaltered.";

    GRANT_NOT_SUPPORTED_ON_ALIAS = 90010, invalid_request, 400;
    "The request is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint."
    => "The client's operator names a tenant in the authority's URL.";

    GRANT_TYPE_NOT_SUPPORTED_ON_ALIAS = 9001023, invalid_request, 400;
    "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint."
    => "The client's operator names a tenant in the authority's URL.";

    RESOURCE_PARAMETER_NOT_SUPPORTED = 901002, invalid_request, 400;
    "The 'resource' request parameter is not supported."
    => "The client's developer sends scope to the v2.0 endpoint; resource belongs to v1.0.";

    /// The same for any other parameter, `request` and `request_uri` among them.
    PARAMETER_NOT_SUPPORTED = 901002, invalid_request, 400;
    "The '{name}' request parameter is not supported."
    => "The client's developer leaves the parameter out.";

    NO_TENANT_INFORMATION = 90019, invalid_request, 400;
    "No tenant-identifying information found in either the request or implied by any provided credentials."
    => "The client's operator names a tenant in the authority's URL.";

    INVALID_INPUT = 90013, invalid_request, 400;
    "Invalid input received from the user."
    => "The client's developer checks the parameters against the documentation of the grant.";

    INVALID_STS_REQUEST = 90023, invalid_request, 400;
    "Invalid STS request."
    => "The client's developer checks the parameters against the documentation of the grant.";

    /// What the authorization endpoint says to an unknown prompt, or to two.
    UNSUPPORTED_PROMPT = 90023, invalid_request, 400;
    "Unsupported 'prompt' value."
    => "The client's developer sends one of login, none, consent, select_account and create.";

    REQUEST_BUDGET_EXCEEDED = 90024, temporarily_unavailable, 400, retryable;
    "Request budget exceeded. A transient error has occurred. Please try again."
    => "The client waits a moment and tries again.";

    V1_ENDPOINT_FOR_PERSONAL_ACCOUNTS = 90027, invalid_request, 400;
    "We are unable to issue tokens from this API version on the MSA tenant. Please contact the application vendor as they need to use version 2.0 of the protocol to support this."
    => "The client's developer uses the v2.0 endpoint for personal accounts.";

    BAD_RESOURCE_REQUEST = 90056, invalid_request, 400;
    "This endpoint only accepts POST, OPTIONS requests. Received a {method} request."
    => "The client's developer sends the parameters in the body of a POST to the token endpoint.";

    CROSS_CLOUD_NOT_ALLOWED = 900382, invalid_client, 401;
    "Confidential Client is not supported in Cross Cloud request."
    => "The client's operator uses the authority of the cloud in which the application is registered.";

    CROSS_CLOUD_CLIENT_NOT_SUPPORTED = 900432, invalid_client, 401;
    "Confidential Client is not supported in Cross Cloud request."
    => "The client's operator uses the authority of the cloud in which the application is registered.";

    RESOURCE_NOT_SUPPORTED_ON_ALIAS = 90124, invalid_request, 400;
    "Resource '{resource}' is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint."
    => "The client's operator names a tenant in the authority's URL.";

    INVALID_PARAMETER = 90100, invalid_request, 400;
    "The '{name}' parameter is empty or not valid."
    => "The client's developer corrects the parameter that is named.";

    APPLICATION_NOT_SUPPORTED_ON_ALIAS = 90130, invalid_request, 400;
    "Application '{app_id}'({app_name}) is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint."
    => "The client's operator names a tenant in the authority's URL.";

    UNKNOWN_INSTANCE = 50049, invalid_instance, 400;
    "Unknown or invalid instance."
    => "The client's operator corrects the authority's host, or turns instance discovery off for an authority that is not Microsoft's.";

    MALFORMED_INSTANCE = 50050, invalid_instance, 400;
    "The request is malformed: the authorization endpoint is not that of an authority."
    => "The client's developer sends authorization_endpoint as a full https URL ending in /oauth2/authorize or /oauth2/v2.0/authorize.";

    NO_TENANT_IDENTIFYING_INFORMATION = 50059, invalid_request, 400;
    "No tenant-identifying information found in either the request or implied by any provided credentials."
    => "The client's operator names a tenant in the authority's URL.";

    INVALID_DOMAIN_NAME = 50128, invalid_request, 400;
    "Invalid domain name - No tenant-identifying information found in either the request or implied by any provided credentials."
    => "The client's operator writes the tenant as a GUID or as a verified domain.";

    NOT_MULTI_TENANT = 50194, unauthorized_client, 400;
    "Application '{app_id}'({app_name}) is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps created after '10/15/2018'. Use a tenant-specific endpoint or configure the application to be multi-tenant."
    => "The client's operator names the application's own tenant in the URL, or the application's owner makes it multi-tenant.";

    USER_NOT_IN_TENANT = 50020, invalid_grant, 400;
    "User account '{user}' from identity provider '{issuer}' does not exist in tenant '{tenant}' and cannot access the application '{app_id}'({app_name}) in that tenant. The account needs to be added as an external user in the tenant first. Sign out and sign in again with a different Azure Active Directory user account."
    => "An administrator of the tenant invites the user as a guest, or the user picks another account.";

    REGION_NOT_SUPPORTED = 100007, invalid_request, 400;
    "Only managed identities and Microsoft internal service identities are supported by the regional endpoint."
    => "The client's operator turns regional endpoints off.";

    WORK_APPLICATION_ON_CONSUMERS = 9002332, invalid_request, 400;
    "Application '{app_id}'({app_name}) is configured for use by Azure Active Directory users only. Please do not use the /consumers endpoint to serve this request."
    => "The client's operator uses /organizations or a tenant instead of /consumers.";

    SIGNING_KEY_REQUIRED = 50146, invalid_request, 400;
    "This application is required to be configured with an application-specific signing key. It is either not configured with one, or the key has expired or is not yet valid."
    => "The application's owner configures a signing key of its own, because claims mapping needs one.";

    MAPPED_CLAIMS_NOT_ACCEPTED = 501461, invalid_request, 400;
    "AcceptMappedClaims is only supported for a token audience matching the application GUID or an audience within the tenant's verified domains. Either change the resource identifier, or use an application-specific signing key."
    => "The application's owner changes the App ID URI to one under a verified domain, or configures a signing key of its own.";
}
