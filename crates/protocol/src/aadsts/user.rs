//! Users, multi-factor authentication and policies, and a few old codes about signing keys.

aadsts! {
    USER_NOT_FOUND = 50034, invalid_grant, 400, suberror("bad_token");
    "The user account {user} does not exist in the {tenant} directory. To sign into this application, the account must be added to the directory."
    => "The user checks the name, or an administrator creates the account.";

    WRONG_PASSWORD = 50126, invalid_grant, 400;
    "Error validating credentials due to invalid username or password."
    => "The user enters name and password again.";

    ACCOUNT_LOCKED = 50053, invalid_grant, 400;
    "The account is locked, you've tried to sign in too many times with an incorrect user ID or password."
    => "The user waits, or an administrator unlocks the account.";

    PASSWORD_EXPIRED = 50055, invalid_grant, 400, suberror("user_password_expired");
    "The password is expired."
    => "The user changes the password.";

    NO_PASSWORD = 50056, invalid_grant, 400;
    "Invalid or null password: password does not exist in the directory for this user."
    => "The user signs in where the password is kept, or an administrator sets one.";

    ACCOUNT_DISABLED = 50057, invalid_grant, 400;
    "The user account is disabled."
    => "An administrator enables the account, if the user may sign in.";

    NO_SESSION = 50058, login_required, 400;
    "A silent sign-in request was sent but no user is signed in."
    => "The client signs the user in interactively.";

    SESSION_NOT_VALID = 50132, invalid_grant, 400;
    "The session is not valid due to the following reasons: password expiration or recent password change, SSO Artifact is invalid or expired, session is not fresh enough for application, or a silent sign-in request was sent but the user's session with Azure AD is invalid or has expired."
    => "The client signs the user in again.";

    /// An interruption, not a failure; seen in sign-in logs.
    KEEP_ME_SIGNED_IN = 50140, interaction_required, 400;
    "This occurred due to 'Keep me signed in' interrupt when the user was signing in."
    => "The user answers the question whether to stay signed in.";

    MFA_ENROLMENT_REQUIRED = 50072, invalid_grant, 400, suberror("basic_action");
    "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '{resource}'."
    => "The user signs in interactively and enrols in multi-factor authentication.";

    /// The word used for on-behalf-of and at the authorize endpoint.
    MFA_FIRST_ENROLMENT_ON_BEHALF_OF = 50072, interaction_required, 400, suberror("basic_action");
    "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '{resource}'."
    => "The middle-tier API passes the claims on to its caller, which signs the user in with them.";

    MFA_NEEDED = 50074, invalid_grant, 400, suberror("basic_action");
    "Strong Authentication is required."
    => "The user signs in interactively with multi-factor authentication.";

    /// The word used for on-behalf-of and at the authorize endpoint.
    MFA_NEEDED_ON_BEHALF_OF = 50074, interaction_required, 400, suberror("basic_action");
    "Strong Authentication is required."
    => "The middle-tier API passes the claims on to its caller, which signs the user in with them.";

    MFA_REQUIRED = 50076, invalid_grant, 400, suberror("basic_action");
    "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '{resource}'."
    => "The user signs in interactively with multi-factor authentication.";

    /// The word used for on-behalf-of and at the authorize endpoint.
    MFA_REQUIRED_ON_BEHALF_OF = 50076, interaction_required, 400, suberror("basic_action");
    "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '{resource}'."
    => "The middle-tier API passes the claims on to its caller, which signs the user in with them.";

    MFA_EXPIRED = 50078, invalid_grant, 400, suberror("basic_action");
    "Presented multi-factor authentication has expired due to policies configured by your administrator, you must refresh your multi-factor authentication to access '{resource}'."
    => "The user signs in interactively with multi-factor authentication.";

    /// The word used for on-behalf-of and at the authorize endpoint.
    MFA_EXPIRED_ON_BEHALF_OF = 50078, interaction_required, 400, suberror("basic_action");
    "Presented multi-factor authentication has expired due to policies configured by your administrator, you must refresh your multi-factor authentication to access '{resource}'."
    => "The middle-tier API passes the claims on to its caller, which signs the user in with them.";

    MFA_ENROLMENT_REQUIRED_BY_POLICY = 50079, invalid_grant, 400, suberror("basic_action");
    "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '{resource}'."
    => "The user signs in interactively and enrols in multi-factor authentication.";

    /// The word used for on-behalf-of and at the authorize endpoint.
    MFA_ENROLMENT_REQUIRED_ON_BEHALF_OF = 50079, interaction_required, 400, suberror("basic_action");
    "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '{resource}'."
    => "The middle-tier API passes the claims on to its caller, which signs the user in with them.";

    DEVICE_AUTHENTICATION_REQUIRED = 50097, interaction_required, 400;
    "Device authentication is required."
    => "The user signs in interactively from a registered device.";

    EXTERNAL_CHALLENGE = 50158, interaction_required, 400;
    "External security challenge was not satisfied."
    => "The user signs in interactively and satisfies the external challenge.";

    DEVICE_NOT_COMPLIANT = 53000, invalid_grant, 400, suberror("message_only");
    "Device is not in required device state: {state}. Conditional Access policy requires a compliant device, and the device is not compliant."
    => "The user enrols the device with the organisation's device management.";

    /// The word used for on-behalf-of and at the authorize endpoint.
    DEVICE_NOT_COMPLIANT_ON_BEHALF_OF = 53000, interaction_required, 400, suberror("message_only");
    "Device is not in required device state: {state}. Conditional Access policy requires a compliant device, and the device is not compliant."
    => "The middle-tier API passes the claims on to its caller, which signs the user in with them.";

    DEVICE_NOT_JOINED = 53001, invalid_grant, 400, suberror("message_only");
    "Device is not in required device state: {state}. Conditional Access policy requires a domain joined device, and the device is not domain joined."
    => "The user uses a device that is joined to the domain.";

    /// The word used for on-behalf-of and at the authorize endpoint.
    DEVICE_NOT_JOINED_ON_BEHALF_OF = 53001, interaction_required, 400, suberror("message_only");
    "Device is not in required device state: {state}. Conditional Access policy requires a domain joined device, and the device is not domain joined."
    => "The middle-tier API passes the claims on to its caller, which signs the user in with them.";

    APPLICATION_NOT_APPROVED = 53002, invalid_grant, 400, suberror("message_only");
    "Application used is not an approved application for Conditional Access."
    => "The user uses an application that the administrator approved.";

    /// The word used for on-behalf-of and at the authorize endpoint.
    APPLICATION_NOT_APPROVED_ON_BEHALF_OF = 53002, interaction_required, 400, suberror("message_only");
    "Application used is not an approved application for Conditional Access."
    => "The middle-tier API passes the claims on to its caller, which signs the user in with them.";

    BLOCKED_BY_CONDITIONAL_ACCESS = 53003, invalid_grant, 400, suberror("message_only");
    "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."
    => "An administrator reads the sign-in log to see which policy blocked, and decides whether it should.";

    /// The word used for on-behalf-of and at the authorize endpoint.
    BLOCKED_BY_CONDITIONAL_ACCESS_ON_BEHALF_OF = 53003, interaction_required, 400, suberror("message_only");
    "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."
    => "The middle-tier API passes the claims on to its caller, which signs the user in with them.";

    PROOF_UP_BLOCKED = 53004, invalid_grant, 400, suberror("message_only");
    "User needs to complete multi-factor authentication registration process before accessing this content. User should register for multi-factor authentication."
    => "The user registers for multi-factor authentication from a trusted place.";

    /// The word used for on-behalf-of and at the authorize endpoint.
    PROOF_UP_BLOCKED_ON_BEHALF_OF = 53004, interaction_required, 400, suberror("message_only");
    "User needs to complete multi-factor authentication registration process before accessing this content. User should register for multi-factor authentication."
    => "The middle-tier API passes the claims on to its caller, which signs the user in with them.";

    BLOCKED_BY_TENANT_POLICY = 530032, invalid_grant, 400;
    "Access blocked by tenant security policy."
    => "An administrator of the tenant checks its security policy.";

    DELEGATED_ADMINISTRATOR_BLOCKED = 530034, invalid_grant, 400;
    "A delegated administrator was blocked from accessing the tenant due to account risk in their home tenant."
    => "An administrator of the home tenant resolves the account's risk.";

    BLOCKED_BY_SECURITY_DEFAULTS = 530035, invalid_grant, 400;
    "Access has been blocked by security defaults."
    => "The user signs in with a modern client, or an administrator reviews security defaults.";

    ACCOUNT_SELECTION_REQUIRED = 16000, interaction_required, 400;
    "Either multiple user identities are available for the current request or selected account is not supported for the scenario."
    => "The user picks an account interactively.";

    USER_NOT_PROVISIONED = 16003, interaction_required, 400;
    "User hasn't been explicitly added to the tenant."
    => "An administrator adds the user to the tenant.";

    EXTERNAL_USER_NOT_INVITED = 90072, interaction_required, 400;
    "User account '{user}' from identity provider '{issuer}' does not exist in tenant '{tenant}' and cannot access the application '{app_id}'({app_name}) in that tenant. The account needs to be added as an external user in the tenant first. Sign out and sign in again with a different Azure Active Directory user account."
    => "An administrator of the tenant invites the user as a guest, or the user picks another account.";

    SIGNING_KEY_NOT_CONFIGURED = 50003, invalid_request, 400;
    "SSO failed because of missing signing key or certificate."
    => "The application's owner configures a signing key or certificate.";

    SIGNATURE_INVALID = 50006, invalid_request, 400;
    "Signature verification failed because of an invalid signature."
    => "The client's developer signs the request with the key that is registered.";

    AUDIENCE_FOR_REDIRECT_ONLY = 50171, invalid_request, 400;
    "The given audience can only be used in Mutual-TLS token calls."
    => "The client's developer uses the audience in the flow that it is meant for.";
}
