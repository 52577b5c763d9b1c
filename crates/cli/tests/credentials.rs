//! `token` with each credential that has no person behind it: PFX, the certificate sent along, the managed identity, and
//! the `AZURE_*` chain. Secrets, PEM and federated files are in `authority.rs` and `federated.rs`.

mod support;

use std::process::Command;

use secrecy::ExposeSecret;
use support::town::{
    ALICE, DAEMON, IDENTITY, NAMED, PASSWORD, PFX_PASSWORD, SECRET, TENANT, TOOL, Town, assert_refused, claims,
    document,
};
use support::{countersign, run_command};

const ORDERS: [&str; 2] = ["--scope", "api://orders/.default"];

fn token(town: &Town, client: &str, more: &[&str]) -> Command {
    let mut command = town.command(client, &["token", "--json"]);
    command.args(ORDERS).args(more);
    command
}

#[test]
fn a_pfx_is_as_good_as_a_pem() {
    let town = Town::start();
    let (pfx, password) = (town.path("client.pfx"), town.path("pfx-password.txt"));
    let got = document(&run_command(&mut token(
        &town,
        DAEMON,
        &["--certificate", &pfx, "--certificate-password-file", &password],
    )));
    let token_claims = claims(got["access_token"].as_str().unwrap());
    assert_eq!((&token_claims["azpacr"], &token_claims["azp"]), (&"2".into(), &DAEMON.into()));
    let mut by_variables = token(&town, DAEMON, &[]);
    by_variables.env("AZURE_CLIENT_CERTIFICATE_PATH", &pfx).env("AZURE_CLIENT_CERTIFICATE_PASSWORD", PFX_PASSWORD);
    document(&run_command(&mut by_variables));
}

#[test]
fn a_pfx_that_cannot_be_opened_is_said_with_what_may_be_missing() {
    let town = Town::start();
    let pfx = town.path("client.pfx");
    let wrong = town.write("wrong.txt", "not-it");
    let run = run_command(&mut token(&town, DAEMON, &["--certificate", &pfx]));
    assert_refused(
        &run,
        2,
        &["client.pfx is not a PFX", "hint: if it has a password, give --certificate-password-file"],
    );
    let run = run_command(&mut token(&town, DAEMON, &["--certificate", &pfx, "--certificate-password-file", &wrong]));
    assert_refused(&run, 2, &["hint: is this the container's password?"]);
    assert!(!run.stderr.contains("not-it"), "{run:?}");
    let pem = town.path("client.pem");
    let run = run_command(&mut token(&town, DAEMON, &["--certificate", &pem, "--certificate-password-file", &wrong]));
    assert_refused(&run, 2, &["is PEM, and a password was given"]);
    let run = run_command(&mut token(&town, DAEMON, &["--certificate-password", "x", "--certificate", &pfx]));
    assert_refused(&run, 2, &["a secret does not belong on the command line"]);
}

#[test]
fn an_application_known_by_its_subjects_name_needs_the_certificate_sent_along() {
    let town = Town::start();
    let pem = town.path("client.pem");
    document(&run_command(&mut token(&town, NAMED, &["--certificate", &pem, "--send-x5c"])));
    let mut by_variables = token(&town, NAMED, &["--certificate", &pem]);
    document(&run_command(by_variables.env("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "true")));
    let run = run_command(&mut token(&town, NAMED, &["--certificate", &pem]));
    assert_refused(&run, 1, &["AADSTS700027", "hint: "]);
    let run = run_command(token(&town, NAMED, &["--send-x5c"]).env("AZURE_CLIENT_SECRET", SECRET));
    assert_refused(&run, 2, &["a certificate to send along is missing"]);
}

/// Nothing but where the managed identity is: no tenant, no client.
fn on_azure(town: &Town, more: &[&str]) -> Command {
    let mut command = countersign(&["token", "--json", "--managed-identity"]);
    command.args(more).env("COUNTERSIGN_CA", town.path("ca.pem"));
    command
}

#[test]
fn the_managed_identity_is_asked_where_the_platforms_variables_say() {
    let town = Town::start();
    let identity = &town.authority.managed_identities()[0];
    let got = document(&run_command(
        on_azure(&town, &["--resource", "api://orders"]).env("AZURE_POD_IDENTITY_AUTHORITY_HOST", identity.imds()),
    ));
    let token_claims = claims(got["access_token"].as_str().unwrap());
    assert_eq!(token_claims["roles"], serde_json::json!(["Orders.All"]));
    assert_eq!(got.get("correlation_id"), None, "none is sent");
    // App Service, by client id, and by scope.
    let app_service = |more: &[&str]| {
        let mut command = on_azure(&town, more);
        command
            .env("IDENTITY_ENDPOINT", identity.identity_endpoint())
            .env("IDENTITY_HEADER", identity.identity_header().expose_secret());
        run_command(&mut command)
    };
    document(&app_service(&[IDENTITY, "--scope", "api://orders/.default"]));
    document(&app_service(&[identity.resource_id(), "--resource", "api://orders"]));
    // Another identity than the machine has.
    let run = app_service(&[DAEMON, "--resource", "api://orders"]);
    assert_refused(&run, 1, &["the managed identity has no token", "hint: "]);
    // Two scopes are no resource.
    let run = app_service(&["--scope", "api://orders/a api://orders/b"]);
    assert_refused(&run, 2, &["hint: The client's developer asks for one resource."]);
}

#[test]
fn c24_a_managed_identity_elsewhere_is_not_asked() {
    let town = Town::start();
    let mut command = on_azure(&town, &["--resource", "api://orders"]);
    let run = run_command(command.env("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://192.0.2.1"));
    assert_refused(&run, 2, &["the managed identity cannot be asked", "hint: its endpoint is always on this machine"]);
    let run = run_command(&mut on_azure(&town, &["https://localhost/", "--resource", "api://orders"]));
    assert_refused(&run, 2, &["neither a GUID nor a resource id", "stands before --managed-identity"]);
    let run = run_command(&mut on_azure(&town, &["--resource", "api://orders", "--claims", "{}"]));
    assert_refused(&run, 2, &["cannot be used with"]);
}

/// The environment and nothing else.
fn environment(town: &Town, more: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = countersign(&["token", "--json", "--environment", "--scope", "api://orders/.default"]);
    command.args(more).env("COUNTERSIGN_CA", town.path("ca.pem")).envs(variables.iter().copied());
    command
}

#[test]
fn the_environments_chain_is_that_of_azures_libraries() {
    let town = Town::start();
    let (pfx, imds) = (town.path("client.pfx"), town.authority.managed_identities()[0].imds());
    let application = [
        ("AZURE_AUTHORITY_HOST", town.authority.host().origin()),
        ("AZURE_TENANT_ID", TENANT),
        ("AZURE_CLIENT_ID", DAEMON),
    ];
    let with = |credential: &[(&'static str, &str)]| {
        let all: Vec<(&str, &str)> = application.iter().chain(credential).copied().collect();
        document(&run_command(&mut environment(&town, &[], &all)))["access_token"].as_str().map(claims).unwrap()
    };
    assert_eq!(with(&[("AZURE_CLIENT_SECRET", SECRET)])["azpacr"], "1");
    let certificate =
        [("AZURE_CLIENT_CERTIFICATE_PATH", pfx.as_str()), ("AZURE_CLIENT_CERTIFICATE_PASSWORD", PFX_PASSWORD)];
    assert_eq!(with(&certificate)["azpacr"], "2");
    // The third choice, deprecated: a user of a public client.
    let user = [
        ("AZURE_AUTHORITY_HOST", town.authority.host().origin()),
        ("AZURE_TENANT_ID", TENANT),
        ("AZURE_CLIENT_ID", TOOL),
        ("AZURE_USERNAME", ALICE),
        ("AZURE_PASSWORD", PASSWORD),
    ];
    let mut command = countersign(&["token", "--json", "--environment", "--scope", "api://middle/access_as_user"]);
    let got = document(&run_command(command.env("COUNTERSIGN_CA", town.path("ca.pem")).envs(user)));
    assert_eq!(claims(got["access_token"].as_str().unwrap())["azpacr"], "0");
    // Without a credential the managed identity is meant.
    let got = document(&run_command(&mut environment(&town, &[], &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &imds)])));
    assert_eq!(claims(got["access_token"].as_str().unwrap())["azp"], IDENTITY);
}

#[test]
fn a_half_made_environment_is_said_and_nothing_else_is_tried() {
    let town = Town::start();
    let run =
        run_command(&mut environment(&town, &[], &[("AZURE_CLIENT_SECRET", SECRET), ("AZURE_CLIENT_ID", DAEMON)]));
    assert_refused(&run, 2, &["AZURE_TENANT_ID is not set", "hint: set AZURE_TENANT_ID too"]);
    let user = town.write("user.jwt", "e30.e30.c2ln");
    let run = run_command(&mut environment(&town, &["--on-behalf-of", &user], &[]));
    assert_refused(&run, 2, &["names no credential but the managed identity", "hint: "]);
    let run = run_command(&mut environment(&town, &["--client-id", DAEMON], &[]));
    assert_refused(&run, 2, &["cannot be used with"]);
}
