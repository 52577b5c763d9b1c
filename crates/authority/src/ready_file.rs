//! The ready file: how a script learns that the authority accepts connections, and where everything is.

use std::path::Path;

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::data_dir::replace;
use crate::{Authority, ManagedIdentity, StartError};

/// Writes the ready file, atomically. For an authority without a data directory, the CA's certificate and the
/// administrator's credential (mode 0600) are written beside it, since a reader needs both.
///
/// # Errors
/// [`StartError::File`].
///
/// Its members: `authority`, `graph`, `portal` (URLs), `ca` and `admin` (paths), `pid`; in the stand-in mode `proxy`; with
/// managed identities `managed_identities`, a list of `client_id`, `resource_id`, `imds`, `identity_endpoint` and
/// `identity_header`. That header is a secret, and the file is its owner's (mode 0600) then.
pub fn write_ready_file(path: &Path, authority: &Authority) -> Result<(), StartError> {
    let beside = |suffix: &str| {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(suffix);
        path.with_file_name(name)
    };
    let ca = match authority.ca_path() {
        Some(path) => path.to_owned(),
        None => {
            let path = beside(".ca.pem");
            replace(&path, authority.ca_pem().as_bytes(), 0o644)?;
            path
        }
    };
    let admin = match &authority.administrator().path {
        Some(path) => path.clone(),
        None => {
            let path = beside(".admin.json");
            replace(&path, &authority.administrator().to_json(), 0o600)?;
            path
        }
    };
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let origin = authority.host().origin();
    let mut document = json!({
        "authority": origin,
        "graph": format!("{origin}/v1.0"),
        "portal": format!("{origin}/portal"),
        "ca": absolute(&ca),
        "admin": absolute(&admin),
        "pid": std::process::id(),
    });
    if let Some(proxy) = authority.proxy_address() {
        document["proxy"] = json!(format!("http://{proxy}"));
    }
    let identities = authority.managed_identities();
    if !identities.is_empty() {
        document["managed_identities"] = identities.iter().map(described).collect();
    }
    let mode = if identities.is_empty() { 0o644 } else { 0o600 };
    replace(path, document.to_string().as_bytes(), mode)
}

fn described(identity: &ManagedIdentity) -> Value {
    json!({
        "client_id": identity.client_id().to_string(),
        "resource_id": identity.resource_id(),
        "imds": identity.imds(),
        "identity_endpoint": identity.identity_endpoint(),
        "identity_header": identity.identity_header().expose_secret(),
    })
}
