//! [`Account`] and [`SignedIn`]: who has signed in, and with what result.

use std::fmt;

use countersign_protocol::TenantSegment;
use countersign_token::{TenantId, base64_decode_lenient};
use secrecy::{ExposeSecret, SecretString};

use crate::access_token::AccessToken;
use crate::authority::Authority;
use crate::error::AcquireError;
use crate::exchange::{Exchange, Issuer};
use crate::id_token::{Expected, IdClaims, IdTokenFault};
use crate::key::Subject;
use crate::question::{Granted, Question};
use crate::renewal::{self, Begun};

/// A user who has signed in with this client: the name under which the tokens are kept.
///
/// Identity is the home account id, `{oid}.{tid}` of the user's home tenant. The user name may change and may be given to
/// somebody else; show it, and decide nothing by it (`pitfalls` 15).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    home_account_id: String,
    tenant_id: Option<String>,
    username: Option<String>,
    name: Option<String>,
}

impl Account {
    /// The account of a home account id that was kept from an earlier sign-in, for example in the user's web session.
    #[must_use]
    pub fn from_home_account_id(id: impl Into<String>) -> Self {
        Self { home_account_id: id.into(), tenant_id: None, username: None, name: None }
    }

    /// `{oid}.{tid}` of the home tenant.
    #[must_use]
    pub fn home_account_id(&self) -> &str {
        &self.home_account_id
    }

    /// The tenant that the user signed in to, a GUID.
    #[must_use]
    pub fn tenant_id(&self) -> Option<&str> {
        self.tenant_id.as_deref()
    }

    /// What the user calls himself: `alice@contoso.com`. To be shown, not to be trusted.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The display name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) fn subject(&self) -> Subject {
        Subject::of("account", self.home_account_id.as_bytes())
    }

    /// The tenant that an alias stands for with this user: the one signed in to, else the home tenant, as the account's
    /// id names it. The same for an account as it was signed in and as it is read from a web session, so that both find
    /// the same tokens; and none for a tenant that is asked for by name.
    pub(crate) fn tenant_at(&self, authority: &Authority, asked: &TenantSegment) -> Option<TenantSegment> {
        asked.alias()?;
        let home = self.home_account_id.rsplit_once('.').map(|(_, tenant)| tenant);
        let known: TenantId = [self.tenant_id.as_deref(), home].into_iter().flatten().find_map(|id| id.parse().ok())?;
        Some(TenantSegment::Id(known)).filter(|known| authority.may_narrow(asked, known))
    }
}

/// The result of a sign-in. `Debug` shows no token.
pub struct SignedIn {
    token: AccessToken,
    account: Account,
    id_token: Option<SecretString>,
    scope: Option<String>,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn")
            .field("account", &self.account)
            .field("token", &self.token)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl SignedIn {
    /// The token for the scopes that were asked for.
    #[must_use]
    pub fn token(&self) -> &AccessToken {
        &self.token
    }

    /// Who signed in.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The id_token, a compact JWS. Its audience, issuer, nonce and time have been checked, its signature was not needed.
    #[must_use]
    pub fn id_token(&self) -> Option<&SecretString> {
        self.id_token.as_ref()
    }

    /// What was granted, as the authority writes it.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }
}

/// Sends a sign-in's question at once (nobody shares it), and keeps token and refresh token under the account.
pub(crate) async fn sign_in(
    exchange: &Exchange,
    mut question: Question,
    nonce: Option<&str>,
) -> Result<SignedIn, AcquireError> {
    exchange.health(&question.grant).admit(exchange.clock.now(), &*exchange.randomness)?;
    let Issuer::Authority(authority, _) = &exchange.issuer else { return Err(AcquireError::NoCredential) };
    // A code can be redeemed once and a password should not be tried twice: no second attempt.
    let granted = exchange.request(&question, None, true).await?;
    let account = account_of(exchange, authority, &question.tenant, &granted, nonce)?;
    question.subject = account.subject();
    if let Some(home) = account.tenant_at(authority, &question.tenant) {
        question.tenant = home;
    }
    let key = question.lookup(&exchange.identity).to_key();
    exchange.store.keep(key.clone(), granted.token.clone(), exchange.clock.now());
    if let Some(refresh_token) = granted.refresh_token {
        let session = exchange.session(&question.subject);
        renewal::begin(exchange, session, Begun::default(), refresh_token, &key, &granted.token).await;
    }
    Ok(SignedIn { token: granted.token, account, id_token: granted.id_token, scope: granted.scope })
}

fn account_of(
    exchange: &Exchange,
    authority: &Authority,
    tenant: &TenantSegment,
    granted: &Granted,
    nonce: Option<&str>,
) -> Result<Account, AcquireError> {
    let expected = Expected {
        host: &authority.host,
        version: authority.version,
        client_id: authority.client_id,
        tenant,
        nonce,
        now: exchange.clock.now(),
    };
    let claims = match &granted.id_token {
        // A nonce was sent so that it comes back.
        None if nonce.is_some() => return Err(AcquireError::IdToken(IdTokenFault::Missing)),
        None => None,
        Some(token) => Some(IdClaims::read(token.expose_secret(), &expected).map_err(AcquireError::IdToken)?),
    };
    let claim = |names: &[&str]| {
        let claims = claims.as_ref()?;
        names.iter().find_map(|name| claims.text(name)).map(str::to_owned)
    };
    let from_claims = || match (claim(&["oid"]), claim(&["tid"])) {
        (Some(oid), Some(tid)) => Some(format!("{oid}.{tid}")),
        _ => claim(&["sub"]),
    };
    let home_account_id = granted.client_info.as_deref().and_then(home_of).or_else(from_claims);
    Ok(Account {
        home_account_id: home_account_id.ok_or(AcquireError::IdToken(IdTokenFault::Missing))?,
        tenant_id: claim(&["tid"]),
        username: claim(&["preferred_username", "upn", "unique_name"]),
        name: claim(&["name"]),
    })
}

/// `{uid}.{utid}` of a `client_info`, base64url of JSON.
fn home_of(client_info: &str) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(&base64_decode_lenient(client_info).ok()?).ok()?;
    let member = |name: &str| json.get(name)?.as_str().filter(|text| !text.is_empty());
    Some(format!("{}.{}", member("uid")?, member("utid")?))
}
