//! Grants, codes, refresh tokens and assertions of users; load and faults of the service.

aadsts! {
    UNSUPPORTED_GRANT_TYPE = 70003, unsupported_grant_type, 400, no_error_uri;
    "The app requested an unsupported grant type '{grant_type}'."
    => "The client's developer corrects grant_type.";

    INVALID_GRANT = 70000, invalid_grant, 400;
    "Provided grant is invalid or malformed."
    => "The client drops the code or refresh token and signs the user in again.";

    GRANT_EXPIRED = 70008, invalid_grant, 400;
    "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource."
    => "The client signs the user in again; codes live for some minutes.";

    REFRESH_TOKEN_INACTIVE = 700082, invalid_grant, 400;
    "The refresh token has expired due to inactivity. The token was issued on {issued} and was inactive for {inactive}."
    => "The client signs the user in again.";

    SPA_REFRESH_TOKEN_EXPIRED = 700084, invalid_grant, 400;
    "The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of {lifetime}, which cannot be extended. It is now expired and a new sign in request must be sent by the SPA to the sign in page."
    => "The single-page application signs the user in again; its refresh tokens live for a day.";

    SIGN_IN_FREQUENCY = 70043, invalid_grant, 400, suberror("bad_token");
    "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access. The token was issued on {issued} and the maximum allowed lifetime for this request is {lifetime}."
    => "The client signs the user in again; an administrator decides how often.";

    GRANT_REVOKED = 50173, invalid_grant, 400, suberror("bad_token");
    "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password. The grant was issued on '{issued}' and the TokensValidFrom date (before which tokens are not valid) for this user is '{valid_from}'."
    => "The client drops the refresh token and signs the user in again.";

    FLOW_TOKEN_EXPIRED = 50089, invalid_grant, 400;
    "Authentication failed due to flow token expired."
    => "The user starts the sign-in again.";

    CODE_ALREADY_REDEEMED = 54005, invalid_grant, 400, no_error_uri;
    "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token."
    => "The client's developer redeems each code once; a second redemption may also mean that a code was stolen.";

    CODE_VERIFIER_MISMATCH = 501481, invalid_grant, 400;
    "The Code_Verifier does not match the code_challenge supplied in the authorization request."
    => "The client's developer keeps the code_verifier of the request that the code answers.";

    CODE_CHALLENGE_INVALID = 50147, invalid_request, 400;
    "Missing code challenge. The size of the code challenge parameter is not valid."
    => "The client's developer sends a code_challenge of 43 to 128 characters.";

    CODE_VERIFIER_INVALID = 501491, invalid_request, 400;
    "Invalid size of Code_Verifier parameter."
    => "The client's developer sends a code_verifier of 43 to 128 characters.";

    /// What the authorization endpoint says to a challenge of the wrong length or alphabet.
    CODE_CHALLENGE_SIZE = 501491, invalid_request, 400;
    "Invalid size of Code_Challenge parameter."
    => "The client's developer sends the SHA-256 of the code_verifier as base64url without padding: 43 characters.";

    FOREIGN_ASSERTION_ISSUER = 50107, invalid_request, 400;
    "Requested federation realm object '{issuer}' does not exist."
    => "The client's developer sends an access token of this authority as the assertion.";

    REDIRECT_URI_MISMATCH = 50011, invalid_request, 400;
    "The redirect URI '{redirect_uri}' specified in the request does not match the redirect URIs configured for the application '{app_id}'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about how to fix this."
    => "The application's owner registers exactly this redirect URI, or the developer sends the registered one.";

    REDIRECT_URI_CHANGED = 500112, invalid_client, 401;
    "The reply address '{redirect_uri}' does not match the reply address '{expected}' provided when requesting Authorization code."
    => "The client's developer sends the same redirect_uri to both endpoints.";

    /// Shown on a page; the word is the default of unknown codes.
    NO_REPLY_ADDRESS_REGISTERED = 500113, invalid_request, 400;
    "No reply address is registered for the application."
    => "The application's owner registers a redirect URI.";

    PKCE_REQUIRED = 9002325, invalid_request, 400;
    "Proof Key for Code Exchange is required for cross-origin authorization code redemption."
    => "The client's developer uses PKCE.";

    CROSS_ORIGIN_NOT_PERMITTED = 9002326, invalid_request, 400;
    "Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type. Request origin: '{origin}'."
    => "The application's owner registers the redirect URI under the single-page application platform.";

    CROSS_ORIGIN_REQUIRED = 9002327, invalid_request, 400;
    "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin requests."
    => "The application's owner registers the redirect URI under the web or mobile platform if a server redeems the code.";

    ASSERTION_SIGNATURE_FAILED = 50013, invalid_grant, 400;
    "Assertion failed signature validation. [Reason - The key was not found., Thumbprint of key used by client: '{thumbprint}']"
    => "The client's developer sends the access token as it was received; tokens for Microsoft Graph cannot be used as assertions.";

    ASSERTION_AUDIENCE_NOT_CLIENT = 500131, invalid_grant, 400;
    "Assertion audience does not match the Client app presenting the assertion. The audience in the assertion was '{audience}' and the expected audience is '{expected}' or one of the Application Ids of this app with App ID '{app_id}'({app_name}). The downstream client must request a token for the expected audience (the application that made the OBO request) and this application should use that token as the assertion."
    => "The caller of the middle-tier API asks for a token to that API, not to the one behind it.";

    ASSERTION_EXPIRED = 500133, invalid_grant, 400;
    "Assertion is not within its valid time range. Ensure that the access token is not expired before using it for user assertion, or request a new token. Current time: {now}, expiry time of assertion {expires}."
    => "The middle-tier API exchanges a token before it expires; its caller sends a fresh one.";

    ID_TOKEN_AS_ASSERTION = 240002, invalid_request, 400;
    "Input id_token cannot be used as 'urn:ietf:params:oauth:grant-type:jwt-bearer' grant."
    => "The caller of the middle-tier API sends an access token, not an id_token.";

    /// The other word seen with this code.
    ID_TOKEN_AS_GRANT = 240002, invalid_grant, 400;
    "Input id_token cannot be used as 'urn:ietf:params:oauth:grant-type:jwt-bearer' grant."
    => "The caller of the middle-tier API sends an access token, not an id_token.";

    TLS_CERTIFICATE_NOT_USABLE = 500181, invalid_grant, 400;
    "The TLS certificate provided does not match the certificate in the assertion."
    => "The client's operator presents the certificate to which the token is bound.";

    ACCOUNT_TYPE_NOT_USABLE = 500207, invalid_grant, 400;
    "The account type can't be used for the resource you're trying to access."
    => "The user signs in with an account of another type.";

    DOMAIN_NOT_USABLE = 500208, invalid_grant, 400;
    "The domain is not a valid login domain for the account type."
    => "The user signs in with an account of the right domain.";

    AUTHORIZATION_PENDING = 70016, authorization_pending, 400;
    "OAuth 2.0 device flow error. Authorization is pending. Continue polling."
    => "The user opens the page, enters the code and signs in; the client goes on polling.";

    /// The word of RFC 8628 §3.5 for a device that asks too often; Entra is not known to send it.
    SLOW_DOWN = 70016, slow_down, 400;
    "OAuth 2.0 device flow error. Authorization is pending. Continue polling."
    => "The client waits five seconds longer between two polls.";

    INVALID_VERIFICATION_CODE = 70018, invalid_grant, 400;
    "Invalid verification code due to User typing in wrong user code for device code flow."
    => "The user types the code again, exactly as the device shows it.";

    /// The word used while polling for a device code that nobody knows (unconfirmed).
    BAD_VERIFICATION_CODE = 70018, bad_verification_code, 400;
    "Invalid verification code due to User typing in wrong user code for device code flow."
    => "The client starts the device code flow again.";

    VERIFICATION_CODE_EXPIRED = 70019, expired_token, 400;
    "Verification code expired."
    => "The client starts the device code flow again.";

    /// The word used on the device code's page.
    VERIFICATION_CODE_EXPIRED_ON_PAGE = 70019, code_expired, 400;
    "Verification code expired."
    => "The user starts again at the device and enters the new code.";

    /// What the client is told when the user declines on the device code's page.
    AUTHORIZATION_DECLINED = 65004, authorization_declined, 400;
    "User declined to consent to access the app."
    => "The user consents, or the client does without.";

    DEVICE_CODE_EXPIRED = 70020, expired_token, 400;
    "The provided value for the input parameter 'device_code' is not valid. This device code has expired."
    => "The client starts the device code flow again.";

    REQUEST_LOOP = 50196, invalid_grant, 400;
    "The server terminated an operation because it encountered a client request loop. Please contact your app vendor."
    => "The client's developer caches tokens instead of asking for the same one again and again.";

    TRANSIENT_ERROR = 90033, temporarily_unavailable, 503, retryable;
    "A transient error has occurred. Please try again."
    => "The client waits a moment and tries again.";

    THROTTLED = 90055, temporarily_unavailable, 429, retryable;
    "The server is busy because of too many requests from this tenant. Please try again later."
    => "The client waits as long as Retry-After says; its developer caches tokens.";

    DEVICE_DELETED = 700003, invalid_grant, 400;
    "Your organization has deleted this device. To fix this, contact your system administrator and provide the device id: {device_id}."
    => "An administrator registers the device again.";
}
