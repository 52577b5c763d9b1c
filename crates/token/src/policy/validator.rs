//! [`Validator`]: a checked policy, ready to be applied.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Permission, Policy};
use crate::claims::Fields;
use crate::issuer::IssuerTemplate;
use crate::{Algorithm, Claims, NumericDate, Rejection, TenantId, TokenVersion};

/// The tenant of personal Microsoft accounts. `any_tenant` never means it; it must be listed by name (`pitfalls` 17).
const CONSUMERS: TenantId = TenantId::from_uuid(uuid::Uuid::from_u128(0x9188_040d_6c67_4c5b_b112_36a3_04b6_6dad));

/// A checked policy, ready to be applied by [`crate::verify`].
#[derive(Debug, Clone)]
pub struct Validator {
    pub(crate) tenants: Vec<TenantId>,
    pub(crate) any_tenant: bool,
    pub(crate) issuers: Vec<IssuerTemplate>,
    pub(crate) audiences: Vec<String>,
    pub(crate) versions: Vec<TokenVersion>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) clock_skew_seconds: i64,
    pub(super) permission: Permission,
    pub(super) permissions: BTreeMap<String, Permission>,
    pub(super) source: Arc<Policy>,
}

impl Validator {
    /// The part about who may do something, as opposed to whose token is genuine.
    #[must_use]
    pub fn permission(&self) -> &Permission {
        &self.permission
    }

    /// The policy that was checked.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.source
    }

    /// A permission that the policy names, for the routes that say so.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Permission> {
        self.permissions.get(name)
    }

    /// The names of the policy's named permissions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.permissions.keys().map(String::as_str)
    }

    /// Whether the policy takes tokens of tenants that it does not list, so that somebody must decide about each.
    #[must_use]
    pub fn takes_any_tenant(&self) -> bool {
        self.any_tenant
    }

    /// Whether the policy lists this tenant by name.
    #[must_use]
    pub fn lists_tenant(&self, tenant: TenantId) -> bool {
        self.tenants.contains(&tenant)
    }

    pub(crate) fn takes_tenant(&self, tenant: TenantId) -> bool {
        self.lists_tenant(tenant) || (self.any_tenant && tenant != CONSUMERS)
    }

    /// How far clocks may differ, in seconds.
    #[must_use]
    pub fn clock_skew_seconds(&self) -> i64 {
        self.clock_skew_seconds
    }

    /// Whether the times of a token that was accepted before still hold.
    ///
    /// # Errors
    /// [`Rejection::Expired`] from `exp + clock_skew_seconds` on, [`Rejection::NotYetValid`] before
    /// `nbf - clock_skew_seconds`, [`Rejection::IssuedInFuture`] likewise for `iat`.
    ///
    /// Source: RFC 7519 §4.1.4 and §4.1.5.
    pub fn check_times(&self, claims: &Claims, now: NumericDate) -> Result<(), Rejection> {
        self.check_dates(&claims.raw().fields, now)
    }

    pub(crate) fn check_dates(&self, fields: &Fields, now: NumericDate) -> Result<(), Rejection> {
        let (now, skew) = (now.0, self.clock_skew_seconds);
        let expires = fields.expires.ok_or(Rejection::ClaimMissing("exp"))?;
        if now >= expires + skew {
            return Err(Rejection::Expired);
        }
        if fields.not_before.is_some_and(|not_before| now < not_before - skew) {
            return Err(Rejection::NotYetValid);
        }
        if fields.issued.is_some_and(|issued| issued - skew > now || issued > expires) {
            return Err(Rejection::IssuedInFuture);
        }
        Ok(())
    }

    /// The seconds from which on a token of these claims is in its time and from which on it no longer is: what a cache
    /// keeps, so that a hit compares two numbers. Always says the same as [`Validator::check_times`].
    #[must_use]
    pub fn valid_between(&self, claims: &Claims) -> (i64, i64) {
        let fields = &claims.raw().fields;
        let latest_start = fields.not_before.into_iter().chain(fields.issued).max();
        let from = latest_start.map_or(i64::MIN, |start| start - self.clock_skew_seconds);
        (from, fields.expires.map_or(i64::MIN, |expires| expires + self.clock_skew_seconds))
    }
}
