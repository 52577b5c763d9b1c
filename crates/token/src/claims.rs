//! The claims of an access token, as text in one buffer.
//!
//! Claims are kept as places in the decoded payload, so that verifying allocates once and reading allocates nothing.
//! Claims that no rule here reads stay in the payload and are parsed when somebody asks ([`Claims::claim`]).

mod visitor;

use std::fmt;

use serde::de::Deserializer as _;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use self::visitor::ClaimsVisitor;
use crate::json::{NESTED_DUPLICATE, parse_strict_object};
use crate::{ClientId, NumericDate, ObjectId, Rejection, TenantId};

/// Claim `ver`: decided by the resource's registration, not by the endpoint called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TokenVersion {
    /// `1.0`: issuer `https://sts.windows.net/{tid}/`, caller in `appid`.
    #[serde(rename = "1.0")]
    V1,
    /// `2.0`: issuer `https://login.microsoftonline.com/{tid}/v2.0`, caller in `azp`.
    #[serde(rename = "2.0")]
    V2,
}

impl TokenVersion {
    /// The claim's text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V2 => "2.0",
        }
    }
}

/// On whose behalf a token speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// An application as itself (client credentials); permissions in `roles`.
    App,
    /// An application on behalf of a user; permissions in `scp`.
    User,
}

/// How an application proved itself to the authority: claims `azpacr` (v2.0) and `appidacr` (v1.0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// `0`: not at all. A public client; anybody can claim to be it.
    None,
    /// `1`: by a secret.
    Secret,
    /// `2`: by a certificate or a federated credential.
    Certificate,
}

/// A piece of the buffer. Sixteen bits are enough: a token has at most 16 kB, and unescaped text is shorter than escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u16,
    length: u16,
}

/// The claims of an access token whose form was checked.
///
/// Only [`crate::verify`] and [`crate::authenticate`] hand them out, inside [`crate::Verified`].
#[derive(Clone)]
pub struct Claims {
    raw: RawClaims,
    pub(crate) identity: Identity,
}

/// A claim set that parsed, before any rule was applied.
#[derive(Clone)]
pub(crate) struct RawClaims {
    /// The payload, followed by the unescaped text of claims that were written with escapes.
    buffer: Box<str>,
    payload_length: u16,
    pub(crate) fields: Fields,
}

/// What is known of a token once its rules were applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    pub(crate) tenant: TenantId,
    pub(crate) client: ClientId,
    pub(crate) version: TokenVersion,
    pub(crate) kind: TokenKind,
}

#[derive(Clone, Default)]
pub(crate) struct Fields {
    texts: [Option<Span>; TEXTS],
    roles: SmallVec<[Span; 4]>,
    groups: Vec<Span>,
    contexts: Vec<Span>,
    pub(crate) expires: Option<i64>,
    pub(crate) not_before: Option<i64>,
    pub(crate) issued: Option<i64>,
    account: Option<i64>,
    pub(crate) for_sign_in: bool,
    pub(crate) wraps_actor: bool,
    groups_elsewhere: bool,
    bound: bool,
}

/// The claims with a text that rules read. The number is the place in [`Fields::texts`] and the bit in the set of seen
/// names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Text {
    Audience,
    Issuer,
    Tenant,
    Version,
    AuthorizedParty,
    ApplicationId,
    AuthorizedPartyAcr,
    ApplicationIdAcr,
    Object,
    Subject,
    Scopes,
    IdentityType,
    TokenId,
    IdentityProvider,
}

const TEXTS: usize = 14;

impl Text {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Audience => "aud",
            Self::Issuer => "iss",
            Self::Tenant => "tid",
            Self::Version => "ver",
            Self::AuthorizedParty => "azp",
            Self::ApplicationId => "appid",
            Self::AuthorizedPartyAcr => "azpacr",
            Self::ApplicationIdAcr => "appidacr",
            Self::Object => "oid",
            Self::Subject => "sub",
            Self::Scopes => "scp",
            Self::IdentityType => "idtyp",
            Self::TokenId => "uti",
            Self::IdentityProvider => "idp",
        }
    }
}

impl RawClaims {
    pub(crate) fn parse(payload: Vec<u8>) -> Result<Self, Rejection> {
        let mut buffer = String::from_utf8(payload).map_err(|_| Rejection::ClaimsMalformed)?;
        // Half of what a span can address: what was written with escapes is copied behind the payload.
        let payload_length = u16::try_from(buffer.len()).ok().filter(|&length| length <= u16::MAX / 2);
        let payload_length = payload_length.ok_or(Rejection::TooLarge)?;
        let mut extra = String::new();
        let mut refusal = Rejection::ClaimsMalformed;
        let mut deserializer = serde_json::Deserializer::from_str(&buffer);
        let visitor =
            ClaimsVisitor { start: buffer.as_ptr() as usize, payload_length, extra: &mut extra, refusal: &mut refusal };
        let fields = deserializer.deserialize_map(visitor);
        let fields = match fields {
            Ok(fields) if deserializer.end().is_ok() => fields,
            Ok(_) => return Err(Rejection::ClaimsMalformed),
            // A type error names its claim; a syntax error inside that claim's value is still bad JSON.
            Err(error) if error.is_data() => {
                return Err(if error.to_string().starts_with(NESTED_DUPLICATE) {
                    Rejection::ClaimDuplicate
                } else {
                    refusal
                });
            }
            Err(_) => return Err(Rejection::ClaimsMalformed),
        };
        buffer.push_str(&extra);
        Ok(Self { buffer: buffer.into_boxed_str(), payload_length, fields })
    }

    fn at(&self, span: Span) -> &str {
        let start = usize::from(span.start);
        &self.buffer[start..start + usize::from(span.length)]
    }

    pub(crate) fn text(&self, claim: Text) -> Option<&str> {
        self.fields.texts[claim as usize].map(|span| self.at(span))
    }

    pub(crate) fn required(&self, claim: Text) -> Result<&str, Rejection> {
        self.text(claim).ok_or(Rejection::ClaimMissing(claim.name()))
    }

    pub(crate) fn roles(&self) -> impl Iterator<Item = &str> {
        self.fields.roles.iter().map(|&span| self.at(span))
    }

    pub(crate) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.text(Text::Scopes).unwrap_or_default().split(' ').filter(|scope| !scope.is_empty())
    }
}

impl Claims {
    pub(crate) fn new(raw: RawClaims, identity: Identity) -> Self {
        Self { raw, identity }
    }

    pub(crate) fn raw(&self) -> &RawClaims {
        &self.raw
    }

    fn text(&self, claim: Text) -> Option<&str> {
        self.raw.text(claim)
    }

    /// Claim `tid`.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.identity.tenant
    }

    /// The calling application: `azp` (v2.0) or `appid` (v1.0).
    #[must_use]
    pub fn client(&self) -> ClientId {
        self.identity.client
    }

    /// Claim `ver`.
    #[must_use]
    pub fn version(&self) -> TokenVersion {
        self.identity.version
    }

    /// Whether an application calls as itself or on behalf of a user.
    #[must_use]
    pub fn kind(&self) -> TokenKind {
        self.identity.kind
    }

    /// Claim `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.text(Text::Issuer).unwrap_or_default()
    }

    /// Claim `aud`: the client id (v2.0) or the App ID URI (v1.0) of the API.
    #[must_use]
    pub fn audience(&self) -> &str {
        self.text(Text::Audience).unwrap_or_default()
    }

    /// Claim `sub`: pairwise for users; equal to `oid` for applications.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.text(Text::Subject).unwrap_or_default()
    }

    /// Claim `oid`: the user, or the calling application's service principal.
    #[must_use]
    pub fn object_id(&self) -> Option<ObjectId> {
        self.text(Text::Object)?.parse().ok()
    }

    /// Claim `uti`, the token's own identifier, as the sign-in log has it.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.text(Text::TokenId)
    }

    /// How the calling application proved itself (`azpacr` or `appidacr`): `0` not at all (a public client), `1` by
    /// secret, `2` by certificate or federated credential.
    #[must_use]
    pub fn client_authentication(&self) -> Option<&str> {
        self.text(Text::AuthorizedPartyAcr).or_else(|| self.text(Text::ApplicationIdAcr))
    }

    /// [`Claims::client_authentication`] as one of the three things it can be; none if absent or something else.
    #[must_use]
    pub fn client_authenticated_by(&self) -> Option<ClientAuthentication> {
        match self.client_authentication()? {
            "0" => Some(ClientAuthentication::None),
            "1" => Some(ClientAuthentication::Secret),
            "2" => Some(ClientAuthentication::Certificate),
            _ => None,
        }
    }

    /// Whether the user is a guest of the tenant: claim `acct` where the API asked for it as an optional claim, or else
    /// an `idp` other than the tenant's own issuer. Never so for an application.
    ///
    /// Entra leaves `idp` out, or repeats `iss` in it, for users of the tenant itself. A v2.0 token may name the tenant's
    /// v1.0 issuer there, which is the same place.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        if self.kind() == TokenKind::App {
            return false;
        }
        match (self.raw.fields.account, self.text(Text::IdentityProvider)) {
            (Some(account), _) => account != 0,
            (None, None) => false,
            (None, Some(provider)) => {
                let tenant = self.text(Text::Tenant).unwrap_or_default();
                let own = provider.strip_prefix("https://sts.windows.net/").and_then(|rest| rest.strip_suffix('/'));
                provider != self.issuer() && own != Some(tenant)
            }
        }
    }

    /// The values of claim `groups`: object ids, unless the registration asks for names.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.raw.fields.groups.iter().map(|&span| self.raw.at(span))
    }

    /// Whether the user is in more groups than a token holds (200; 6 in the implicit flow), so that `groups` is left out
    /// and somebody would have to ask Microsoft Graph: claims `_claim_names` and `hasgroups`.
    #[must_use]
    pub fn groups_are_elsewhere(&self) -> bool {
        self.raw.fields.groups_elsewhere
    }

    /// The authentication contexts that were satisfied at sign-in: claim `acrs`.
    pub fn authentication_contexts(&self) -> impl Iterator<Item = &str> {
        self.raw.fields.contexts.iter().map(|&span| self.raw.at(span))
    }

    /// Whether the token is bound to a key (claim `cnf`, RFC 7800): who presents it must prove that he has that key.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.raw.fields.bound
    }

    /// Claim `exp`.
    #[must_use]
    pub fn expires_at(&self) -> NumericDate {
        NumericDate(self.raw.fields.expires.unwrap_or_default())
    }

    /// Claim `nbf`.
    #[must_use]
    pub fn not_before(&self) -> Option<NumericDate> {
        self.raw.fields.not_before.map(NumericDate)
    }

    /// Claim `iat`.
    #[must_use]
    pub fn issued_at(&self) -> Option<NumericDate> {
        self.raw.fields.issued.map(NumericDate)
    }

    /// The values of claim `roles`.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.raw.roles()
    }

    /// The values of claim `scp`, split at blanks.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.raw.scopes()
    }

    /// Any claim by name, parsed anew at each call.
    ///
    /// Never authorise on `email`, `upn`, `preferred_username`, `unique_name` or `name`: their owners can change them.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<serde_json::Value> {
        // Strictly, as everything else was read: serde_json alone gives one name of its own a meaning.
        parse_strict_object(self.payload()).ok()?.remove(name)
    }

    /// The payload as it was signed: a JSON object.
    #[must_use]
    pub fn payload(&self) -> &str {
        &self.raw.buffer[..usize::from(self.raw.payload_length)]
    }

    /// How many bytes this value occupies, for caches that count.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + self.raw.buffer.len()
            + (self.raw.fields.groups.capacity() + self.raw.fields.contexts.capacity()) * size_of::<Span>()
            + if self.raw.fields.roles.spilled() { self.raw.fields.roles.capacity() * size_of::<Span>() } else { 0 }
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Claims are personal data; who and where is enough to follow a request.
        f.debug_struct("Claims")
            .field("tid", &self.text(Text::Tenant))
            .field("caller", &self.text(Text::AuthorizedParty).or_else(|| self.text(Text::ApplicationId)))
            .field("uti", &self.token_id())
            .finish_non_exhaustive()
    }
}
