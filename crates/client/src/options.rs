//! [`RequestOptions`]: what one call may ask for beyond its scopes.

use std::borrow::Cow;

use countersign_protocol::TenantSegment;
use uuid::Uuid;

use crate::access_token::AccessToken;
use crate::claims::ClaimsRequest;

/// Options of one call. The default asks in the client's own tenant, without claims, and takes a token at hand.
///
/// ```
/// use countersign_client::{ClaimsRequest, RequestOptions};
/// use countersign_protocol::TenantSegment;
///
/// let options = RequestOptions::new()
///     .tenant(TenantSegment::parse("fabrikam.com")?)
///     .claims(ClaimsRequest::from_json(r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#)?);
/// # drop(options);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct RequestOptions {
    pub(crate) tenant: Option<TenantSegment>,
    pub(crate) claims: Option<ClaimsRequest>,
    pub(crate) refused: Option<AccessToken>,
    pub(crate) correlation_id: Option<Uuid>,
    pub(crate) query: Vec<(String, String)>,
}

/// No options: what the short forms of the calls use.
pub(crate) static NO_OPTIONS: RequestOptions =
    RequestOptions { tenant: None, claims: None, refused: None, correlation_id: None, query: Vec::new() };

impl RequestOptions {
    /// No options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks in this tenant instead of the client's own. For user grants an alias such as `organizations` is allowed.
    pub fn tenant(mut self, tenant: TenantSegment) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Asks for a token with these claims. It is kept apart from the tokens without them.
    pub fn claims(mut self, claims: ClaimsRequest) -> Self {
        self.claims = Some(claims);
        self
    }

    /// Answers an API's claims challenge: asks for a successor of `refused` that carries the challenge's claims, and puts
    /// it in the refused token's place. Other tokens are untouched, and if somebody else has replaced the refused token
    /// meanwhile, that replacement is the answer and nothing is sent (`pitfalls` C23).
    pub fn challenge(mut self, claims: ClaimsRequest, refused: &AccessToken) -> Self {
        self.refused = Some(refused.clone());
        self.claims(claims)
    }

    /// Does not take `refused` for an answer, though it is at hand: for an API that refuses it without saying why.
    pub fn instead_of(mut self, refused: &AccessToken) -> Self {
        self.refused = Some(refused.clone());
        self
    }

    /// Sends this `client-request-id`, which becomes the authority's `correlation_id`. A token at hand sends nothing, and
    /// callers who share one request share the id of whoever came first.
    pub fn correlation_id(mut self, id: Uuid) -> Self {
        self.correlation_id = Some(id);
        self
    }

    /// Adds a parameter to the token endpoint's query, percent-encoded here. Tokens asked for with other parameters are
    /// kept apart, so this is no place for what changes with each call.
    pub fn query_parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    pub(crate) fn tenant_or<'a>(&'a self, own: &'a TenantSegment) -> &'a TenantSegment {
        self.tenant.as_ref().unwrap_or(own)
    }

    /// The claims that part this question from the plain one. Those of a challenge do not: its answer takes the place of
    /// the token that was refused.
    pub(crate) fn parting_claims(&self) -> Option<&str> {
        if self.refused.is_some() { None } else { self.claims.as_ref().map(ClaimsRequest::as_json) }
    }
}

/// `query` behind `endpoint`, encoded.
pub(crate) fn with_query<'a>(endpoint: &'a str, query: &[&[(String, String)]]) -> Cow<'a, str> {
    let mut form = countersign_protocol::FormEncoder::new();
    let mut any = false;
    for (name, value) in query.iter().copied().flatten() {
        form = form.field(name, value);
        any = true;
    }
    if !any {
        return Cow::Borrowed(endpoint);
    }
    let joint = if endpoint.contains('?') { '&' } else { '?' };
    Cow::Owned(format!("{endpoint}{joint}{}", String::from_utf8_lossy(&form.finish())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c09_a_parameter_cannot_break_out_of_the_query() {
        let query = [("a&b".to_owned(), "c#d=e".to_owned()), ("slice".to_owned(), "1".to_owned())];
        assert_eq!(with_query("https://a/token", &[&query]), "https://a/token?a%26b=c%23d%3De&slice=1");
        assert_eq!(with_query("https://a/token?x=1", &[&[], &query[1..]]), "https://a/token?x=1&slice=1");
        assert_eq!(with_query("https://a/token", &[&[], &[]]), "https://a/token");
    }
}
