//! `sub`: who a user is to one application, and to no other (OpenID Connect Core §8.1).
//!
//! The same user has another `sub` at each application, so that two of them cannot compare notes. It is keyed by the root
//! key: who knows tenant, user and application still cannot compute it.

use countersign_token::{ClientId, ObjectId, TenantId, Vault, base64url_encode};

/// The `sub` of a user at an application: the client in id_tokens, the resource in access tokens. 43 characters.
pub(crate) fn pairwise_subject(vault: &Vault, tenant: TenantId, user: ObjectId, application: ClientId) -> String {
    let mut input = [0; 48];
    input[..16].copy_from_slice(tenant.as_uuid().as_bytes());
    input[16..32].copy_from_slice(user.as_uuid().as_bytes());
    input[32..].copy_from_slice(application.as_uuid().as_bytes());
    base64url_encode(&vault.pseudonym(&input))
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::RootKey;
    use uuid::Uuid;

    #[test]
    fn a_subject_is_the_same_for_the_same_pair_and_no_other() {
        let of = |root: u8, tenant: u128, user: u128, application: u128| {
            let vault = Vault::new(&RootKey::from_bytes([root; 32])).unwrap();
            pairwise_subject(
                &vault,
                TenantId::from_uuid(Uuid::from_u128(tenant)),
                ObjectId::from_uuid(Uuid::from_u128(user)),
                ClientId::from_uuid(Uuid::from_u128(application)),
            )
        };
        let one = of(1, 1, 2, 3);
        assert_eq!((one.len(), &one), (43, &of(1, 1, 2, 3)));
        for other in [of(1, 1, 2, 4), of(1, 1, 5, 3), of(1, 6, 2, 3), of(2, 1, 2, 3), of(1, 1, 3, 2)] {
            assert_ne!(one, other);
        }
    }
}
