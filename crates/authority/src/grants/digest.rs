//! Names for the ledger of what must not lie there in clear.

use countersign_token::Vault;

/// The digest under which the ledger knows something, keyed with the deployment's root key: who reads the ledger cannot
/// try names against it. `what` keeps apart what could have the same text.
pub(crate) fn digest(vault: &Vault, what: &str, text: &str) -> [u8; 32] {
    *vault.hash_secret(&format!("{what}\0{text}")).as_bytes()
}
