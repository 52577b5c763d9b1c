//! Client assertions: JWTs by which a client proves itself, signed with its certificate's key or by a federated issuer.

aadsts! {
    ASSERTION_CLIENT_MISMATCH = 700021, invalid_client, 401;
    "Client assertion application identifier doesn't match 'client_id' parameter. Review the documentation at https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials ."
    => "The client's developer sets the assertion's iss and sub to the client id that is sent.";

    ASSERTION_AUDIENCE_MISMATCH = 700023, invalid_client, 401;
    "Client assertion audience claim does not match Realm issuer. Review the documentation at https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials ."
    => "The client's developer sets the assertion's aud to the token endpoint of the tenant that is asked.";

    ASSERTION_TIME_RANGE = 700024, invalid_client, 401;
    "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {not_before}, expiry time of assertion {expires}. Review the documentation at https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials ."
    => "The client's operator sets the machine's clock; the developer makes a new assertion for each request and does not keep old ones.";

    CERTIFICATE_NOT_REGISTERED = 700027, invalid_client, 401;
    "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found., Thumbprint of key used by client: '{thumbprint}', Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '{app_id}'. Review the documentation at https://docs.microsoft.com/en-us/graph/deployments to determine the corresponding service endpoint and https://docs.microsoft.com/en-us/graph/api/application-get?view=graph-rest-1.0&tabs=http to build a query request URL, such as 'https://graph.microsoft.com/beta/applications/{app_id}']."
    => "The application's owner uploads the client's certificate to the application, or the client's operator configures the one that is registered.";

    CERTIFICATE_EXPIRED = 700027, invalid_client, 401;
    "Client assertion contains an invalid signature. [Reason - The key used is expired., Thumbprint of key used by client: '{thumbprint}', Found key 'Start={start}, End={end}', Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '{app_id}'.]"
    => "The application's owner uploads a new certificate, and the client's operator configures it.";

    ASSERTION_SIGNATURE_INVALID = 700027, invalid_client, 401;
    "Client assertion contains an invalid signature. [Reason - The provided signature value did not match the expected signature value., Thumbprint of key used by client: '{thumbprint}', Found key 'Start={start}, End={end}', Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '{app_id}'.]"
    => "The client's operator checks that private key and certificate belong together.";

    CERTIFICATE_REVOKED = 7000214, invalid_client, 401;
    "Certificate has been revoked."
    => "The application's owner replaces the certificate.";

    CERTIFICATE_REVOKED_BY_ISSUER = 7000277, invalid_client, 401;
    "The certificate used to sign the client assertion has been revoked."
    => "The application's owner replaces the certificate.";

    ASSERTION_SIGNATURE_MISMATCH = 7000274, invalid_client, 401;
    "Client assertion contains an invalid signature."
    => "The client's operator checks that private key and certificate belong together.";

    CERTIFICATE_OUTSIDE_VALIDITY = 1000502, invalid_client, 401;
    "The provided certificate is not within its specified validity window."
    => "The application's owner uploads a certificate that is valid today, and the client's operator configures it.";

    ASSERTION_WITHOUT_THUMBPRINT = 5002723, invalid_client, 401;
    "Invalid JWT token. No certificate thumbprint certificate specified in token header."
    => "The client's developer puts the certificate's thumbprint into the header as x5t#S256, x5t or kid.";

    ASSERTION_TYPE_HEADER_INVALID = 5002727, invalid_client, 401;
    "Invalid JWT header type specified. Allowed types: 'JWT','http://openid.net/specs/jwt/1.0'."
    => "The client's developer sets the header's typ to JWT.";

    ASSERTION_ALGORITHM_UNSUPPORTED = 5002738, invalid_client, 401;
    "Invalid JWT token. '{algorithm}' is not a supported signature algorithm. Supported signing algorithms are: 'RS256,RS384,RS512,PS256,PS384,PS512'."
    => "The client's developer signs with PS256 or RS256.";

    NO_MATCHING_FEDERATED_CREDENTIAL = 70021, invalid_client, 401;
    "No matching federated identity record found for presented assertion. Assertion Issuer: '{issuer}'. Assertion Subject: '{subject}'. Assertion Audience: '{audience}'. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
    => "The application's owner makes issuer, subject and audience of the federated credential equal to those of the token; a new credential takes some minutes to be known.";

    FEDERATED_ISSUER_MISMATCH = 700211, invalid_client, 401;
    "No matching federated identity record found for presented assertion issuer '{issuer}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
    => "The application's owner sets the federated credential's issuer to exactly this text, trailing slash included.";

    FEDERATED_AUDIENCE_MISMATCH = 700212, invalid_client, 401;
    "No matching federated identity record found for presented assertion audience '{audience}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
    => "The workload asks its issuer for a token with the audience of the federated credential, usually api://AzureADTokenExchange.";

    FEDERATED_SUBJECT_MISMATCH = 700213, invalid_client, 401;
    "No matching federated identity record found for presented assertion subject '{subject}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
    => "The application's owner sets the federated credential's subject to exactly this text, case included.";

    NO_FEDERATED_CREDENTIAL = 70025, invalid_client, 401;
    "The client '{app_id}'({app_name}) has no configured federated identity credentials."
    => "The application's owner adds a federated credential, or the client's operator corrects the client id.";

    MALFORMED_JWT = 50027, invalid_request, 400;
    "JWT token is invalid or malformed."
    => "The client's developer sends a compact JWS: three base64url parts with dots between them.";

    MISSING_CREDENTIAL_FIELD = 90014, invalid_request, 400;
    "The required field '{name}' is missing from the credential. Ensure that you have all the necessary parameters for the login request."
    => "The client's developer adds the claim or parameter that is named.";

    ASSERTION_SUBJECT_MISMATCH = 50048, invalid_client, 401;
    "Subject doesn't match Issuer claim in the client assertion."
    => "The client's developer sets both iss and sub of the assertion to the client id.";
}
