//! What makes two questions for a token the same question.
//!
//! Authority, client, endpoint version, tenant and scopes are all in the key (`pitfalls` C04, 37); the scopes in the
//! normal form of [`ScopeSet::as_key`], so that order, case and repetition make no difference (C06). A look-up borrows
//! everything and allocates nothing.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use countersign_protocol::{AuthorityHost, EndpointVersion, ScopeSet, TenantSegment};
use countersign_token::ClientId;
use foldhash::fast::FixedState;
use papaya::Equivalent;
use smallvec::SmallVec;

/// Who asks, and where: the part of the key that one client never changes.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) authority: AuthorityHost,
    pub(crate) client_id: ClientId,
    pub(crate) version: EndpointVersion,
    /// Of the three above, made once: a hit hashes eight bytes for them.
    hash: u64,
}

impl Identity {
    pub(crate) fn new(authority: AuthorityHost, client_id: ClientId, version: EndpointVersion) -> Self {
        // The same in every client of the process, so that clients can share a cache. All three come from configuration.
        let hash = FixedState::default().hash_one((authority.origin(), client_id, version == EndpointVersion::V1));
        Self { authority, client_id, version, hash }
    }

    fn same_as(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
            || (self.client_id == other.client_id && self.version == other.version && self.authority == other.authority)
    }
}

/// A key as the cache keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) identity: Arc<Identity>,
    pub(crate) tenant: TenantSegment,
    /// Their normal form, inside the map's own memory for almost everybody: among many tokens, each further place in
    /// memory that a hit has to visit costs more than all of its arithmetic.
    scopes: SmallVec<[u8; 64]>,
}

/// A key as a look-up makes it.
#[derive(Clone, Copy)]
pub(crate) struct Lookup<'a> {
    pub(crate) identity: &'a Arc<Identity>,
    pub(crate) tenant: &'a TenantSegment,
    pub(crate) scopes: &'a ScopeSet,
}

impl Lookup<'_> {
    pub(crate) fn to_key(self) -> Key {
        Key {
            identity: Arc::clone(self.identity),
            tenant: self.tenant.clone(),
            scopes: SmallVec::from_slice(self.scopes.as_key().as_bytes()),
        }
    }
}

fn hash_parts<H: Hasher>(identity: &Identity, tenant: &TenantSegment, scopes: &[u8], state: &mut H) {
    state.write_u64(identity.hash);
    match tenant {
        TenantSegment::Id(id) => state.write_u128(id.as_uuid().as_u128()),
        other => other.hash(state),
    }
    state.write(scopes);
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_parts(&self.identity, &self.tenant, &self.scopes, state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.scopes == other.scopes && self.tenant == other.tenant && self.identity.same_as(&other.identity)
    }
}

impl Eq for Key {}

impl Hash for Lookup<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_parts(self.identity, self.tenant, self.scopes.as_key().as_bytes(), state);
    }
}

impl Equivalent<Key> for Lookup<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.scopes.as_key().as_bytes() == *key.scopes
            && *self.tenant == key.tenant
            && self.identity.same_as(&key.identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(authority: &str, client: u128, version: EndpointVersion) -> Arc<Identity> {
        let client = ClientId::from_uuid(uuid(client));
        Arc::new(Identity::new(AuthorityHost::parse(authority).unwrap(), client, version))
    }

    fn uuid(value: u128) -> uuid::Uuid {
        uuid::Uuid::from_u128(value)
    }

    fn hash(value: impl Hash) -> u64 {
        FixedState::default().hash_one(value)
    }

    #[test]
    fn c04_each_part_makes_another_key_and_equal_parts_the_same() {
        let identities = [
            identity("https://a.test", 1, EndpointVersion::V2),
            identity("https://a.test:8443", 1, EndpointVersion::V2),
            identity("https://a.test", 2, EndpointVersion::V2),
            identity("https://a.test", 1, EndpointVersion::V1),
        ];
        let tenants = ["contoso.com", "fabrikam.com", "6babcaad-604b-40ac-a9d7-9fd97c0b779f"]
            .map(|text| TenantSegment::parse(text).unwrap());
        let scopes = ["api://a/.default", "api://b/.default"].map(|text| ScopeSet::parse(text).unwrap());
        let mut lookups = Vec::new();
        for identity in &identities {
            for tenant in &tenants {
                for scopes in &scopes {
                    lookups.push(Lookup { identity, tenant, scopes });
                }
            }
        }
        for (i, one) in lookups.iter().enumerate() {
            for (j, other) in lookups.iter().enumerate() {
                assert_eq!(one.equivalent(&other.to_key()), i == j, "{i} {j}");
                assert_eq!(one.to_key() == other.to_key(), i == j, "{i} {j}");
                assert_eq!(hash(one) == hash(other.to_key()), i == j, "{i} {j}");
            }
        }
        // Another client object of the same configuration asks the same question.
        let twin = identity("https://a.test", 1, EndpointVersion::V2);
        let (one, two) = (lookups[0], Lookup { identity: &twin, ..lookups[0] });
        assert!(two.equivalent(&one.to_key()) && hash(two) == hash(one));
    }

    #[test]
    fn c06_order_case_and_repetition_of_scopes_make_no_difference() {
        let identity = identity("https://a.test", 1, EndpointVersion::V2);
        let tenant = TenantSegment::parse("contoso.com").unwrap();
        let key = |text: &str| {
            Lookup { identity: &identity, tenant: &tenant, scopes: &ScopeSet::parse(text).unwrap() }.to_key()
        };
        assert_eq!(key("openid api://A/.default"), key("api://a/.default  openid api://a/.default"));
        assert_ne!(key("openid api://a/.default"), key("api://a/.default"));
    }
}
