//! `countersign authority --managed-identity` as a process: the variables that it names lead a program to its token.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;
use support::{Running, countersign, run, run_command};

const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const IDENTITY: &str = "5a1d0e2b-64c1-4a7e-9f2f-3c2b1a0d9e8f";

/// A folder with a directory file in it, and that file's path.
fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("contoso.yaml");
    let text = format!(
        "tenants:\n- tenantId: {TENANT}\n  displayName: Contoso\n  \
         managedIdentities: [{{name: orders-identity, clientId: {IDENTITY}}}]\n"
    );
    std::fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    (folder, file)
}

fn get(base: &str, target: &str, header: &str) -> String {
    let mut stream = TcpStream::connect(base.strip_prefix("http://").unwrap()).unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn an_identity_is_lent_by_client_id_and_by_name() {
    let (folder, file) = folder();
    let ready = folder.path().join("ready.json");
    let ready_text = ready.display().to_string();
    let arguments = [
        &["authority", "--ephemeral", "--listen", "127.0.0.1:0", "--directory", &file, "--ready-file", &ready_text][..],
        &["--managed-identity", IDENTITY, "--managed-identity", "orders-identity@127.0.0.1:0"],
    ];
    let authority = Running::until(&mut countersign(&arguments.concat()), "export AZURE_POD_IDENTITY_AUTHORITY_HOST=");
    // It is written before the line that was waited for.
    let ready: Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
    let identities = ready["managed_identities"].as_array().unwrap();
    assert_eq!(identities.len(), 2);
    for identity in identities {
        assert_eq!(identity["client_id"], IDENTITY);
        let (imds, header) = (identity["imds"].as_str().unwrap(), identity["identity_header"].as_str().unwrap());
        let resource = "resource=https://graph.microsoft.com";
        let target = format!("/metadata/identity/oauth2/token?api-version=2018-02-01&{resource}");
        assert!(get(imds, &target, "Metadata: true").contains("\"access_token\":\"eyJ"));
        let target = format!("/msi/token?api-version=2019-08-01&{resource}");
        assert!(get(imds, &target, &format!("X-IDENTITY-HEADER: {header}")).contains("\"access_token\":\"eyJ"));
        assert!(!get(imds, &target, "Metadata: true").contains("access_token"));
    }
    // Our own client finds it as any other does.
    let mut token = countersign(&["token", "--managed-identity", "--resource", "https://graph.microsoft.com"]);
    let variables = [("imds", "AZURE_POD_IDENTITY_AUTHORITY_HOST")];
    let in_app_service = [("identity_endpoint", "IDENTITY_ENDPOINT"), ("identity_header", "IDENTITY_HEADER")];
    for variables in [&variables[..], &in_app_service] {
        token.env_clear();
        for (member, variable) in variables {
            token.env(variable, identities[0][member].as_str().unwrap());
        }
        let printed = run_command(&mut token);
        assert_eq!((printed.status, printed.stdout.trim().split('.').count()), (0, 3), "{printed:?}");
    }
    drop(authority);
}

#[test]
fn what_cannot_be_lent_is_misuse_or_stops_the_start() {
    let (_folder, file) = folder();
    let attempt = |identity: &str| {
        run(&[
            "authority",
            "--ephemeral",
            "--listen",
            "127.0.0.1:0",
            "--directory",
            &file,
            "--managed-identity",
            identity,
        ])
    };
    let misuse = attempt("orders-identity@nowhere");
    assert_eq!(misuse.status, 2, "{misuse:?}");
    assert!(misuse.stderr.contains("a client id or a name"), "{}", misuse.stderr);
    for (identity, why) in [
        ("orders-identity@0.0.0.0:0", "its address is not on loopback"),
        ("somebody-else", "no service principal has this name"),
    ] {
        let refused = attempt(identity);
        assert_eq!(refused.status, 2, "{refused:?}");
        assert!(refused.stderr.contains(why), "{}", refused.stderr);
    }
}
