//! Whether a user may be let in at all: asked at every step of every user's flow, not only where the password was typed
//! (pitfalls B48, B88).

use countersign_directory::{Directory, ServicePrincipal, Tenant};
use countersign_protocol::{AadSts, ClaimsRequest};
use countersign_token::Timestamp;

use super::password::refuse_if_locked;
use crate::core::Core;
use crate::refused::Refused;
use crate::registry::{Client, Resource};
use crate::subject::{SessionFacts, Subject};

/// Where in a flow the question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// On the pages, by whatever means the user signed in.
    SignIn,
    /// The password grant.
    Password,
    /// The redemption of an authorization code.
    Code,
    /// The redemption of a refresh token.
    Refresh,
    /// On behalf of: nobody is there who could be asked for more.
    OnBehalfOf,
    /// The redemption of a device code.
    Device,
}

impl Stage {
    /// Entra's word for "the user must do more" depends on who hears it.
    const fn mfa_required(self) -> &'static AadSts {
        match self {
            Self::SignIn | Self::OnBehalfOf => AadSts::MFA_REQUIRED_ON_BEHALF_OF,
            Self::Password | Self::Code | Self::Refresh | Self::Device => AadSts::MFA_REQUIRED,
        }
    }
}

/// The parties of a request: who asks, for what.
#[derive(Clone, Copy)]
pub(crate) struct Parties<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) client: &'a Client,
    pub(crate) client_principal: &'a ServicePrincipal,
    /// Absent while nobody has asked for a token yet.
    pub(crate) resource: Option<&'a Resource>,
}

/// Lets a user in, or says why not.
///
/// # Errors
/// AADSTS50057 disabled, 50053 locked, 50055 password expired, 50173 revoked since the sign-in, 53003 blocked, 50076 more
/// than a password is needed, 50105 not assigned to the client or the resource.
pub(crate) async fn admit<D: Directory>(
    core: &Core<D>,
    parties: Parties<'_>,
    subject: &Subject,
    stage: Stage,
    now: Timestamp,
) -> Result<(), Refused> {
    let (tenant, user) = (parties.tenant, &*subject.user);
    if !user.account_enabled {
        return Err(Refused::new(AadSts::ACCOUNT_DISABLED));
    }
    // A lock keeps guesses out. Who holds a refresh token or somebody's access token has guessed nothing, and would be
    // kept out by whoever else guesses.
    if matches!(stage, Stage::Code | Stage::Device) {
        refuse_if_locked(core, tenant, user, now).await?;
    }
    let signed_in = Timestamp::from_unix_seconds(subject.session.auth_time);
    if signed_in < user.tokens_valid_from {
        return Err(Refused::new(AadSts::GRANT_REVOKED)
            .with("issued", iso(signed_in))
            .with("valid_from", iso(user.tokens_valid_from)));
    }
    if user.password_expired && stage != Stage::OnBehalfOf {
        return Err(Refused::new(AadSts::PASSWORD_EXPIRED));
    }
    if user.blocked_by_policy {
        return Err(Refused::new(AadSts::BLOCKED_BY_CONDITIONAL_ACCESS));
    }
    let for_what = parties.resource.map_or(&parties.client.application, |resource| &resource.application);
    if user.mfa_required && !subject.session.methods.iter().any(|method| method == "mfa") {
        let policy = format!(
            r#"{{"access_token":{{"polids":{{"essential":true,"values":["{}"]}}}}}}"#,
            uuid::Uuid::new_v5(&tenant.id.as_uuid(), b"multi-factor authentication")
        );
        let refused = Refused::new(stage.mfa_required()).with("resource", for_what.app_id().to_string());
        return Err(refused.challenge(policy));
    }
    let resource = parties.resource.map(|resource| (&resource.service_principal, &resource.application));
    for (principal, application) in
        [(parties.client_principal, &parties.client.application)].into_iter().chain(resource)
    {
        if principal.app_role_assignment_required
            && !core.registry.granted(tenant.id, user.object_id, principal.object_id).await?.assigned
        {
            return Err(Refused::new(AadSts::USER_NOT_ASSIGNED)
                .with("app_id", application.app_id().to_string())
                .with("app_name", application.display_name().to_owned()));
        }
    }
    Ok(())
}

/// Reads the `claims` parameter, and refuses an authentication context that the session lacks. A token from after a
/// revocation (`nbf`) needs nothing here: [`admit`] lets no session in that the revocation has ended.
///
/// # Errors
/// AADSTS90100 for text that is no claims request; AADSTS50076 with the claims that the next sign-in must bring.
pub(crate) fn satisfied_claims(
    claims: Option<&str>,
    session: &SessionFacts,
    resource: &Resource,
) -> Result<ClaimsRequest, Refused> {
    let Some(text) = claims else { return Ok(ClaimsRequest::default()) };
    let request = parsed_claims(text)?;
    if let Some(context) = request.authentication_context()
        && context.essential
        && !context.values.iter().any(|value| session.contexts.contains(value))
    {
        return Err(Refused::new(AadSts::MFA_REQUIRED_ON_BEHALF_OF)
            .with("resource", resource.application.app_id().to_string())
            .challenge(text));
    }
    Ok(request)
}

/// Reads a `claims` parameter.
pub(crate) fn parsed_claims(text: &str) -> Result<ClaimsRequest, Refused> {
    ClaimsRequest::parse(text).map_err(|error| {
        let (name, value) = error.insertion();
        Refused::new(error.aadsts()).with(name, value).because(error.to_string())
    })
}

/// `2026-01-31T10:00:00.1234567Z`
pub(crate) fn iso(timestamp: Timestamp) -> String {
    let timestamp = jiff::Timestamp::from_nanosecond(i128::from(timestamp.as_nanos())).unwrap_or_default();
    format!("{timestamp:.7}")
}
