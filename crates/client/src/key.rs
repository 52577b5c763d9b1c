//! What makes two questions for a token the same question.
//!
//! Authority, client, endpoint version, credential, capabilities, tenant, scopes, the user in whose name is asked, claims
//! and extra parameters are all in the key (`pitfalls` C04, C05, 37); the scopes in the normal form of
//! [`ScopeSet::as_key`], so that order, case and repetition make no difference (C06). A correlation id or telemetry is
//! not: it would part what belongs together. A look-up borrows everything and allocates nothing.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use countersign_protocol::{ScopeSet, TenantSegment};
use countersign_token::base64url_encode;
use foldhash::fast::FixedState;
use papaya::Equivalent;
use smallvec::SmallVec;

use crate::digest::sha256_of;

/// Who asks, and where: the part of the key that one client never changes.
pub(crate) struct Identity {
    /// Everything that parts one client from another, written as one text without secrets.
    text: String,
    /// Of the text, made once: a hit hashes eight bytes for it.
    hash: u64,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The first part is the authority; the last ones hold a credential's digest, which is nothing for a log.
        f.debug_tuple("Identity").field(&self.text.lines().next().unwrap_or_default()).finish()
    }
}

impl Identity {
    /// From parts that hold no secret.
    pub(crate) fn new(parts: &[&str]) -> Self {
        let text = parts.join("\n");
        // The same in every client of the process, so that clients can share a cache. All of it comes from configuration.
        let hash = FixedState::default().hash_one(&text);
        Self { text, hash }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    fn same_as(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.text == other.text
    }
}

/// In whose name is asked, and with which claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subject {
    /// SHA-256 of a user's assertion, of a session's key or of an account; zero for the application itself.
    owner: [u8; 32],
    /// The first half of the SHA-256 of claims and extra parameters; zero without any.
    extra: [u8; 16],
}

impl Subject {
    /// The application in its own name.
    pub(crate) const APPLICATION: Self = Self { owner: [0; 32], extra: [0; 16] };

    /// Somebody else; `kind` keeps sessions, accounts and assertions of the same text apart.
    pub(crate) fn of(kind: &str, name: &[u8]) -> Self {
        Self { owner: sha256_of(&[kind.as_bytes(), name]), extra: [0; 16] }
    }

    /// The same subject, asked about with claims or parameters that may change the answer.
    pub(crate) fn asked_with(self, claims: Option<&str>, query: &[(String, String)]) -> Self {
        if claims.is_none() && query.is_empty() {
            return self;
        }
        let mut parts: Vec<&[u8]> = vec![claims.unwrap_or_default().as_bytes()];
        for (name, value) in query {
            parts.extend([name.as_bytes(), value.as_bytes()]);
        }
        let digest = sha256_of(&parts);
        let mut extra = [0; 16];
        extra.copy_from_slice(&digest[..16]);
        Self { extra, ..self }
    }

    /// Whose session is being begun with this assertion.
    pub(crate) fn begun_with(self, assertion: &[u8; 32]) -> Self {
        let mut extra = [0; 16];
        extra.copy_from_slice(&sha256_of(&[b"begun with", assertion, &self.extra])[..16]);
        Self { extra, ..self }
    }

    pub(crate) fn owner(&self) -> &[u8; 32] {
        &self.owner
    }

    /// Eight bytes that differ wherever two subjects do, for all practical purposes.
    fn mix(&self) -> u64 {
        let head = |bytes: &[u8]| u64::from_ne_bytes(bytes[..8].try_into().unwrap_or_default());
        head(&self.owner) ^ head(&self.extra).rotate_left(1)
    }
}

/// A key as the cache keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    identity: Arc<Identity>,
    tenant: TenantSegment,
    subject: Subject,
    /// Their normal form, inside the map's own memory for almost everybody: among many tokens, each further place in
    /// memory that a hit has to visit costs more than all of its arithmetic.
    scopes: SmallVec<[u8; 64]>,
}

impl Key {
    /// The same question of the same subject, asked with other claims or parameters.
    pub(crate) fn with_subject(&self, subject: Subject) -> Self {
        Self { subject, ..self.clone() }
    }

    /// Bytes that a kept key takes, beside its tenant's name.
    pub(crate) fn weight(&self) -> usize {
        let outside = if self.scopes.spilled() { self.scopes.len() } else { 0 };
        size_of::<Self>() + outside
    }

    pub(crate) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The whole key as one text, the same in every process.
    pub(crate) fn to_text(&self) -> String {
        format!(
            "{}\n{}\n{}\n{}\n{}",
            self.identity.as_str(),
            self.tenant,
            base64url_encode(&self.subject.owner),
            base64url_encode(&self.subject.extra),
            String::from_utf8_lossy(&self.scopes),
        )
    }
}

/// A key as a look-up makes it.
#[derive(Clone, Copy)]
pub(crate) struct Lookup<'a> {
    pub(crate) identity: &'a Arc<Identity>,
    pub(crate) tenant: &'a TenantSegment,
    pub(crate) scopes: &'a ScopeSet,
    pub(crate) subject: &'a Subject,
}

impl Lookup<'_> {
    pub(crate) fn to_key(self) -> Key {
        Key {
            identity: Arc::clone(self.identity),
            tenant: self.tenant.clone(),
            subject: *self.subject,
            scopes: SmallVec::from_slice(self.scopes.as_key().as_bytes()),
        }
    }
}

fn hash_parts<H: Hasher>(identity: &Identity, tenant: &TenantSegment, subject: &Subject, scopes: &[u8], state: &mut H) {
    state.write_u64(identity.hash ^ subject.mix());
    match tenant {
        TenantSegment::Id(id) => state.write_u128(id.as_uuid().as_u128()),
        other => other.hash(state),
    }
    state.write(scopes);
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_parts(&self.identity, &self.tenant, &self.subject, &self.scopes, state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.scopes == other.scopes
            && self.tenant == other.tenant
            && self.subject == other.subject
            && self.identity.same_as(&other.identity)
    }
}

impl Eq for Key {}

impl Hash for Lookup<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_parts(self.identity, self.tenant, self.subject, self.scopes.as_key().as_bytes(), state);
    }
}

impl Equivalent<Key> for Lookup<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.scopes.as_key().as_bytes() == *key.scopes
            && *self.tenant == key.tenant
            && *self.subject == key.subject
            && self.identity.same_as(&key.identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(value: impl Hash) -> u64 {
        FixedState::default().hash_one(value)
    }

    #[test]
    fn c04_c05_each_part_makes_another_key_and_equal_parts_the_same() {
        let identities = [["https://a.test", "1"], ["https://a.test:8443", "1"], ["https://a.test", "2"]]
            .map(|parts| Arc::new(Identity::new(&parts)));
        let tenants = ["contoso.com", "fabrikam.com", "6babcaad-604b-40ac-a9d7-9fd97c0b779f"]
            .map(|text| TenantSegment::parse(text).unwrap());
        let scopes = ["api://a/.default", "api://b/.default"].map(|text| ScopeSet::parse(text).unwrap());
        let query = [("slice".to_owned(), "test".to_owned())];
        let subjects = [
            Subject::APPLICATION,
            Subject::of("assertion", b"a"),
            Subject::of("session", b"a"),
            Subject::of("assertion", b"b"),
            Subject::APPLICATION.asked_with(Some("{}"), &[]),
            Subject::APPLICATION.asked_with(None, &query),
            Subject::of("assertion", b"a").asked_with(Some("{}"), &[]),
        ];
        let mut lookups = Vec::new();
        for identity in &identities {
            for tenant in &tenants {
                for scopes in &scopes {
                    for subject in &subjects {
                        lookups.push(Lookup { identity, tenant, scopes, subject });
                    }
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
        let twin = Arc::new(Identity::new(&["https://a.test", "1"]));
        let (one, two) = (lookups[0], Lookup { identity: &twin, ..lookups[0] });
        assert!(two.equivalent(&one.to_key()) && hash(two) == hash(one));
    }

    #[test]
    fn c06_order_case_and_repetition_of_scopes_make_no_difference() {
        let identity = Arc::new(Identity::new(&["https://a.test", "1"]));
        let tenant = TenantSegment::parse("contoso.com").unwrap();
        let key = |text: &str| {
            let scopes = ScopeSet::parse(text).unwrap();
            Lookup { identity: &identity, tenant: &tenant, scopes: &scopes, subject: &Subject::APPLICATION }.to_key()
        };
        assert_eq!(key("openid api://A/.default"), key("api://a/.default  openid api://a/.default"));
        assert_ne!(key("openid api://a/.default"), key("api://a/.default"));
    }

    #[test]
    fn no_claims_and_no_parameters_are_the_plain_question() {
        let subject = Subject::of("account", b"a");
        assert_eq!(subject.asked_with(None, &[]), subject);
    }
}
