//! `--keep`: what stays running, and how to use it from another terminal.
//!
//! What a person needs for that, the CA's certificate and the daemon's credentials, is written into a folder that only the
//! user can enter and that disappears with this process.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use secrecy::ExposeSecret;
use serde_json::json;
use tempfile::TempDir;

use super::cast::{ACCESS_AS_USER, ALICE, MIDDLE, RESOURCE};
use super::narrate::Narrator;
use super::world::World;
use crate::error::CliError;
use crate::runtime;

/// Prints the addresses and waits for Ctrl-C or SIGTERM.
pub(crate) async fn until_stopped(narrator: &mut Narrator, world: &World) -> Result<(), CliError> {
    let folder = tempfile::Builder::new().prefix("countersign-demo-").tempdir().map_err(CliError::Output)?;
    let ca = write(&folder, "ca.pem", world.authority.ca_pem())?;
    let secret = write(&folder, "client-secret.txt", world.cast.secret.expose_secret())?;
    let certificate = write(&folder, "client-certificate.pem", world.cast.pem.expose_secret())?;
    let password = write(&folder, "alice-password.txt", world.cast.password.expose_secret())?;
    let web_secret = write(&folder, "web-secret.txt", world.cast.web_secret.expose_secret())?;
    let middle_secret = write(&folder, "middle-secret.txt", world.cast.middle_secret.expose_secret())?;
    let origin = world.authority.host().origin();
    let orders = &world.api.orders;
    let portal = format!("{origin}/portal");
    let (tenant, client) = (world.cast.contoso, world.cast.client_app);
    let (web, middle, my_orders) = (world.cast.web_app, world.cast.middle_app, &world.middle.my_orders);
    let scope = format!("{RESOURCE}/.default");
    let user_scope = format!("{MIDDLE}/{ACCESS_AS_USER}");
    let document = json!({"kept": {
        "authority": origin, "api": orders, "portal": portal, "ca": ca, "tenant": tenant, "client_id": client,
        "scope": scope, "secret_file": secret, "certificate": certificate,
        "middle_api": my_orders, "middle_scope": user_scope, "middle_client_id": middle, "middle_secret_file": middle_secret,
        "web_client_id": web, "web_secret_file": web_secret, "user": ALICE, "password_file": password,
        "pid": std::process::id(),
    }});
    let lines = [
        "Still running; Ctrl-C ends it and forgets everything.".to_owned(),
        format!("  authority  {origin}"),
        format!("  portal     {portal}"),
        format!("  API        {orders}"),
        format!("  middle     {my_orders} (for users)"),
        format!("  person     {ALICE}, password in {password}"),
        format!("  CA         {ca}"),
        String::new(),
        "In another terminal:".to_owned(),
        format!("  export AZURE_AUTHORITY_HOST={origin} AZURE_TENANT_ID={tenant}"),
        format!("  export AZURE_CLIENT_ID={client} COUNTERSIGN_CA={ca}"),
        format!("  countersign call {orders} --scope {scope} --secret-file {secret}"),
        format!("  TOKEN=$(countersign token --scope {scope} --certificate {certificate})"),
        format!("  curl --cacert {ca} -H \"Authorization: Bearer $TOKEN\" {orders}"),
        format!("  countersign call {my_orders} --scope {user_scope} --username {ALICE} \\"),
        format!("    --password-file {password} --client-id {web} --secret-file {web_secret}"),
    ];
    narrator.kept(&document, &lines).map_err(CliError::Output)?;
    runtime::stop_requested().await.map_err(CliError::Runtime)
}

/// A file that only the user can read; its path as text.
fn write(folder: &TempDir, name: &str, text: &str) -> Result<String, CliError> {
    let path = folder.path().join(name);
    create(&path, text).map_err(|cause| CliError::Write { path: path.clone(), cause })?;
    Ok(path.display().to_string())
}

fn create(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
