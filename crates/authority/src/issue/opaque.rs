//! The opaque claims: `uti`, `aio`, `rh`, `xms_ftd`. Clients must not read them; they must be there and look right.

use countersign_token::{ClientId, Randomness, TenantId, base64url_encode};

/// `uti`: 16 random bytes, 22 characters. The sign-in log knows the token by it.
pub(crate) fn token_id(randomness: &dyn Randomness) -> String {
    randomness.base64url(16)
}

/// `aio`: 36 random bytes behind the two letters that Entra's begin with.
pub(crate) fn aio(randomness: &dyn Randomness) -> String {
    let mut text = String::with_capacity(52);
    text.push_str("k2");
    text.push_str(&randomness.base64url(36));
    text
}

/// `rh`: `1.A`, then tenant and resource in the byte order of Windows GUIDs. The same for the same pair.
pub(crate) fn rh(tenant: TenantId, resource: ClientId) -> String {
    let mut bytes = [0; 39];
    bytes[..2].copy_from_slice(&[0x17, 0x00]);
    bytes[2..18].copy_from_slice(&tenant.as_uuid().to_bytes_le());
    bytes[18..34].copy_from_slice(&resource.as_uuid().to_bytes_le());
    format!("1.A{}.", base64url_encode(&bytes))
}

/// `xms_ftd`: 48 random bytes (recorded 2026 in tokens of an API of one's own).
pub(crate) fn xms_ftd(randomness: &dyn Randomness) -> String {
    randomness.base64url(48)
}
