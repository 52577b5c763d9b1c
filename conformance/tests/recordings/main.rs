//! Exchanges that were recorded with the real Entra ID, played again with the authority, and the answers compared.
//!
//! The recordings are kept outside the repository, in `recordings/` of the folder that `COUNTERSIGN_SHARED` names
//! (`../shared` beside the workspace by default); their README says how to compare, and this follows it: guids, times,
//! tokens, counts, hosts and tenants are folded, everything else must be equal. What differs is listed with its reason in
//! `differences.json`; an unlisted difference fails, and so does a listed one that is gone. What cannot be played yet is
//! counted under its reason.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests; what was skipped is said")]

mod compare;
mod differences;
mod exchange;
mod fold;
mod replay;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_conformance::contoso::House;
use countersign_conformance::tokens::decode;
use differences::Differences;
use exchange::Exchange;
use replay::Stage;

/// The folder with the recordings, or none, said plainly.
fn recordings() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "the one way to say where shared material is")]
    let shared = std::env::var_os("COUNTERSIGN_SHARED").map(PathBuf::from);
    let folder =
        shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared")).join("recordings");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: the recordings are not at {}; COUNTERSIGN_SHARED says where they are", folder.display());
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_answers_as_entra_did() {
    let Some(folder) = recordings() else { return };
    let stage = Stage::open().await;
    // Entra publishes several keys at any time; a fresh authority still makes its second one.
    stage.house.authority.roll_signing_key().await.unwrap();
    let mut differences = Differences::read();
    let (mut played, mut skipped, mut unexplained) = (0, BTreeMap::<&str, u32>::new(), Vec::new());
    for topic in
        ["token", "devicecode", "userrealm", "challenge", "imds", "appservice", "discovery", "instance", "jwks"]
    {
        for exchange in Exchange::read(&folder.join(format!("{topic}.jsonl"))) {
            let answer = match replay::replay(&stage, &exchange).await {
                Ok(answer) => answer,
                Err(reason) => {
                    *skipped.entry(reason).or_default() += 1;
                    continue;
                }
            };
            played += 1;
            compare::assert_relations(&exchange, &answer);
            for found in compare::compare(&exchange, &answer, stage.house.origin()) {
                if !differences.explain(&exchange, &found) {
                    unexplained.push(format!("{} ({}) {found}", exchange.id(), exchange.date()));
                }
            }
        }
    }
    eprintln!("{played} recordings played again; not played: {skipped:#?}");
    assert!(unexplained.is_empty(), "{} differences\n{}", unexplained.len(), unexplained.join("\n"));
    assert!(differences.unused().is_empty(), "these differences are gone: {:#?}", differences.unused());
    assert_eq!(played, 227, "recordings that could be played");
}

/// The claims of an app-only version 2.0 token, as the one recording that shows them has them.
#[tokio::test(flavor = "multi_thread")]
async fn an_app_only_token_has_the_recorded_claims() {
    let Some(folder) = recordings() else { return };
    let house = House::open().await;
    let mut seen = 0;
    for exchange in Exchange::read(&folder.join("token.jsonl")) {
        let recorded = exchange.access_token();
        let Some(names) = recorded["claim_names_sorted"].as_array().filter(|_| exchange.is("client_credentials"))
        else {
            continue;
        };
        seen += 1;
        let token = replay::token_for_itself(&house).await;
        let (header, claims) = decode(&token);
        let mut recorded_names: Vec<&str> = names.iter().filter_map(serde_json::Value::as_str).collect();
        recorded_names.sort_unstable();
        let mut ours: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
        ours.sort_unstable();
        assert_eq!(ours, recorded_names);
        assert_eq!(claims["ver"], recorded["values"]["ver"]);
        assert_eq!(header["typ"], recorded["header"]["typ"]);
        assert_eq!(header["alg"], recorded["header"]["alg"]);
        assert_eq!(header.get("x5t"), None, "a version 2.0 token names its key by kid alone");
    }
    assert_eq!(seen, 1);
}
