//! Tokens to order against your own policy, without network: for the tests of services that use the guard.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! use countersign_guard::test_kit::TestAuthority;
//! use countersign_guard::{Guard, Policy};
//!
//! let policy: Policy = serde_json::from_str(r#"{
//!     "tenants": ["6babcaad-604b-40ac-a9d7-9fd97c0b779f"],
//!     "issuers": ["https://login.microsoftonline.com/{tenantid}/v2.0"],
//!     "audiences": ["a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11"],
//!     "app_roles": ["Orders.Read"], "scopes": ["access_as_user"]
//! }"#)?;
//! let authority = TestAuthority::of(&policy);
//! let guard = Guard::builder(authority.keys(), &policy)?.build();
//!
//! // One line for each token.
//! assert!(guard.verifier().verify(&authority.app(["Orders.Read"]).token()).await.is_ok());
//! assert!(guard.verifier().verify(&authority.user(["access_as_user"]).token()).await.is_ok());
//! let refusal = guard.verifier().verify(&authority.app(["Other"]).token()).await.unwrap_err();
//! assert_eq!(refusal.code(), "role_missing");
//! let refusal = guard.verifier().verify(&authority.app(["Orders.Read"]).expired().token()).await.unwrap_err();
//! assert_eq!(refusal.code(), "expired");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![expect(clippy::expect_used, reason = "a kit for tests stops the test that it cannot serve")]

use std::fmt;
use std::sync::Arc;

use countersign_discovery::KeySource;
use countersign_token::{ClientId, Clock, ObjectId, Policy, SystemClock, TenantId, TokenKind};
use serde_json::{Map, Value};

use crate::forge::Forge;

/// An issuer of tokens that fit a policy, with a key that is made when it is.
#[derive(Clone)]
pub struct TestAuthority {
    forge: Arc<Forge>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for TestAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestAuthority").finish_non_exhaustive()
    }
}

impl TestAuthority {
    /// The authority of this policy.
    ///
    /// # Panics
    /// If no key can be made, which takes a system without randomness.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        let forge = Forge::new(policy).expect("a key can be made");
        Self { forge: Arc::new(forge), clock: Arc::new(SystemClock) }
    }

    /// Issues by this clock; give the guard the same.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Its keys, for the guard's builder.
    ///
    /// # Panics
    /// Never: the keys were made here.
    #[must_use]
    pub fn keys(&self) -> KeySource {
        self.forge.keys().expect("a key set of our own can be read")
    }

    /// Its keys as an issuer publishes them, for `verify --jwks`, a fake endpoint, or another language.
    #[must_use]
    pub fn jwks(&self) -> String {
        self.forge.jwks().to_string()
    }

    /// An order for an application's token with these app roles.
    ///
    /// # Panics
    /// If no token can fit the policy: it names no tenant, no issuer, no audience, or an empty list of clients.
    pub fn app<I: IntoIterator<Item = S>, S: Into<String>>(&self, roles: I) -> TokenOrder {
        let roles: Vec<String> = roles.into_iter().map(Into::into).collect();
        let order = self.order(TokenKind::App);
        if roles.is_empty() { order } else { order.claim("roles", roles) }
    }

    /// An order for a user's token with these scopes.
    ///
    /// # Panics
    /// As [`TestAuthority::app`].
    pub fn user<I: IntoIterator<Item = S>, S: Into<String>>(&self, scopes: I) -> TokenOrder {
        let scopes: Vec<String> = scopes.into_iter().map(Into::into).collect();
        self.order(TokenKind::User).claim("scp", scopes.join(" "))
    }

    fn order(&self, kind: TokenKind) -> TokenOrder {
        let now = self.clock.now().as_unix_seconds();
        let claims = self.forge.claims(kind, now).expect("some token fits the policy");
        TokenOrder { authority: self.clone(), claims, now }
    }
}

/// A token that is being ordered: good unless it is told otherwise.
#[derive(Debug, Clone)]
#[must_use]
pub struct TokenOrder {
    authority: TestAuthority,
    claims: Map<String, Value>,
    now: i64,
}

impl TokenOrder {
    /// With this claim, in place of any of the same name.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Without this claim.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Called by this application.
    pub fn client(self, client: ClientId) -> Self {
        let name = if self.claims.contains_key("azp") { "azp" } else { "appid" };
        self.claim(name, client.to_string())
    }

    /// Issued in this tenant, by that tenant's issuer.
    pub fn tenant(self, tenant: TenantId) -> Self {
        let old = self.claims.get("tid").and_then(Value::as_str).unwrap_or_default().to_owned();
        let issuer =
            self.claims.get("iss").and_then(Value::as_str).unwrap_or_default().replace(&old, &tenant.to_string());
        self.claim("tid", tenant.to_string()).claim("iss", issuer)
    }

    /// Of this user or service principal.
    pub fn object(self, object: ObjectId) -> Self {
        let is_app = self.claims.get("sub") == self.claims.get("oid");
        let order = self.claim("oid", object.to_string());
        if is_app { order.claim("sub", object.to_string()) } else { order }
    }

    /// Out of its time: it ended an hour ago.
    pub fn expired(self) -> Self {
        let now = self.now;
        self.claim("iat", now - 7_200).claim("nbf", now - 7_200).claim("exp", now - 3_600)
    }

    /// The token, signed.
    ///
    /// # Panics
    /// If the machine cannot sign.
    #[must_use]
    pub fn token(&self) -> String {
        self.authority.forge.sign(&self.claims).expect("a key of our own can sign")
    }

    /// The token with a signature that is not the authority's.
    ///
    /// # Panics
    /// As [`TokenOrder::token`].
    #[must_use]
    pub fn forged(&self) -> String {
        let token = self.token();
        let (signed, signature) = token.rsplit_once('.').expect("a token has three parts");
        let other = if signature.starts_with('A') { 'B' } else { 'A' };
        format!("{signed}.{other}{}", &signature[1..])
    }
}
