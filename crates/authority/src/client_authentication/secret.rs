//! A client secret against the stored hashes.

use countersign_protocol::AadSts;
use countersign_token::{Timestamp, Vault};
use secrecy::{ExposeSecret, SecretString};

use crate::refused::Refused;
use crate::registry::Client;

/// No generated secret is longer; hashing more would only be work for nothing (pitfalls B04).
const MAX_SECRET_BYTES: usize = 1024;

/// Proves that one of the candidates is a secret of this client, valid now.
///
/// Every stored secret is compared, in constant time each, so that time does not tell which one nearly matched.
pub(super) fn prove(
    vault: &Vault,
    client: &Client,
    candidates: &[&SecretString],
    now: Timestamp,
) -> Result<(), Refused> {
    let app_id = || client.application.app_id().to_string();
    let (mut valid, mut known) = (false, false);
    for candidate in candidates {
        let text = candidate.expose_secret();
        if text.is_empty() || text.len() > MAX_SECRET_BYTES {
            continue;
        }
        let presented = vault.hash_secret(text);
        for secret in &client.secrets {
            let matches = secret.matches(&presented);
            known |= matches;
            valid |= matches && secret.is_valid_at(now);
        }
    }
    if valid {
        return Ok(());
    }
    // That a secret has expired is told only to whoever knows it.
    let aadsts = if known { AadSts::EXPIRED_CLIENT_SECRET } else { AadSts::INVALID_CLIENT_SECRET };
    Err(Refused::new(aadsts).with("app_id", app_id()))
}
