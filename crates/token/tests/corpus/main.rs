//! A counted corpus: every line of the checklist that one token can carry, times its variants, put before the verifier; and
//! beside them good tokens, since a verifier that refuses everything would pass the rest.
//!
//! No hostile token may be accepted and no good one refused; each line states by which rules its tokens fall, all of which
//! must then occur; and the numbers are stated, so that no token is left out unnoticed. `access_tokens` tests the same
//! lines one by one and by name, this corpus how far each of them reaches: over both versions, applications' and users'.
//!
//! For comparison the table says how many of the same tokens another library accepts that is told all it can be told.
//! What it lets pass is left to the application then: for tenants, kinds of caller and permissions that is as meant, for
//! duplicate members or a foreign `typ` it is what applications forget. It reads the machine's clock, so the times here are
//! counted from that, and no hostile token changes its verdict while the test runs.

#![expect(clippy::unwrap_used, reason = "tests")]

mod algorithms;
mod callers;
mod comparison;
mod form;
mod good;
mod issuers;
mod json;
mod keys;
mod purposes;
mod signatures;
mod times;

#[path = "../kit/mod.rs"]
mod kit;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;

use countersign_token::{Clock as _, SystemClock};
use serde_json::Value;

use self::kit::Kit;

/// The time that all tokens are made for, and judged at.
static NOW: LazyLock<i64> = LazyLock::new(|| SystemClock.now().as_unix_seconds());

const HOSTILE: usize = 3507;
const GOOD: usize = 322;

/// The lines of the checklist, up to A105, that no single token carries, and where they are tested.
const ELSEWHERE: [(u8, &str); 6] = [
    (32, "unknown kids at a high rate: guard"),
    (100, "two Authorization headers: guard"),
    (101, "a cached verdict for another token: guard"),
    (102, "a cached verdict that outlives its reasons: guard"),
    (103, "secrets in error texts: access_tokens"),
    (104, "claims challenges: guard"),
];

/// One line of the checklist and its tokens.
struct Family {
    line: u8,
    about: &'static str,
    count: usize,
    /// By which rules the tokens fall, all of them and no other.
    codes: &'static [&'static str],
    tokens: Vec<(Kit, String)>,
}

impl Family {
    fn new(line: u8, about: &'static str, count: usize, codes: &'static [&'static str]) -> Self {
        Self { line, about, count, codes, tokens: Vec::new() }
    }

    /// The kit's own token.
    fn push(&mut self, kit: Kit) {
        let token = kit.token();
        self.tokens.push((kit, token));
    }

    /// Another token, to be judged by the kit's policy and keys.
    fn push_token(&mut self, kit: &Kit, token: impl Into<String>) {
        self.tokens.push((kit.clone(), token.into()));
    }

    /// A payload of this text, signed.
    fn push_payload(&mut self, kit: &Kit, payload: impl AsRef<[u8]>) {
        self.push_token(kit, kit.token_of(kit.header.to_string(), payload));
    }

    /// A header of this text, signed.
    fn push_header(&mut self, kit: &Kit, header: impl AsRef<[u8]>) {
        self.push_token(kit, kit.token_of(header, kit.claims.to_string()));
    }

    /// The kit with each of these values for a member of its header.
    fn headers<V: Into<Value>>(&mut self, kit: &Kit, name: &str, values: impl IntoIterator<Item = V>) {
        values.into_iter().for_each(|value| self.push(kit.clone().header(name, value)));
    }

    /// The kit with each of these values for a claim.
    fn claims<V: Into<Value>>(&mut self, kit: &Kit, name: &str, values: impl IntoIterator<Item = V>) {
        values.into_iter().for_each(|value| self.push(kit.clone().claim(name, value)));
    }
}

/// An application's and a user's token of both versions, valid now.
fn bases() -> [Kit; 4] {
    [Kit::v2_app(), Kit::v1_app(), Kit::v2_user(), Kit::v1_user()].map(|kit| {
        let now = *NOW;
        kit.at(now).claim("iat", now - 300).claim("nbf", now - 300).claim("exp", now + 3600)
    })
}

/// Two of [`bases`] that have nothing in common, for families that are large or costly.
fn two_bases() -> [Kit; 2] {
    let [v2_app, _, _, v1_user] = bases();
    [v2_app, v1_user]
}

fn apps() -> [Kit; 2] {
    let [v2, v1, ..] = bases();
    [v2, v1]
}

fn users() -> [Kit; 2] {
    let [.., v2, v1] = bases();
    [v2, v1]
}

fn is_v1(kit: &Kit) -> bool {
    kit.claims["ver"] == "1.0"
}

/// The claim that names the calling application.
fn caller(kit: &Kit) -> &'static str {
    if is_v1(kit) { "appid" } else { "azp" }
}

/// The claim set as text, with this very text as the value of a claim.
fn payload_with(kit: &Kit, name: &str, text: &str) -> String {
    kit.clone().claim(name, "PLACE").claims.to_string().replace("\"PLACE\"", text)
}

fn families() -> Vec<Family> {
    let families = [
        algorithms::families(),
        keys::families(),
        signatures::families(),
        form::families(),
        json::families(),
        times::families(),
        issuers::families(),
        purposes::families(),
        callers::families(),
    ];
    let mut families: Vec<_> = families.into_iter().flatten().collect();
    families.sort_by_key(|family| family.line);
    families
}

/// What became of a family.
#[derive(Default)]
struct Tally {
    accepted: usize,
    refused: BTreeMap<&'static str, usize>,
    accepted_by_jsonwebtoken: usize,
}

fn tally(family: &Family) -> Tally {
    let mut tally = Tally::default();
    for (kit, token) in &family.tokens {
        match kit.judge(token) {
            Ok(_) => tally.accepted += 1,
            Err(rejection) => *tally.refused.entry(rejection.code()).or_default() += 1,
        }
        tally.accepted_by_jsonwebtoken += usize::from(comparison::accepts(kit, token));
    }
    tally
}

#[test]
fn no_hostile_token_is_accepted() {
    let families = families();
    let mut wrong = Vec::new();
    let (mut total, mut accepted, mut compared) = (0, 0, 0);
    println!("line  tokens  accepted  by jsonwebtoken");
    for family in &families {
        let (line, count) = (family.line, family.tokens.len());
        let tally = tally(family);
        let refusals: Vec<_> = tally.refused.iter().map(|(code, count)| format!("{code} {count}")).collect();
        println!(
            "A{line:02}   {count:>6}  {:>8}  {:>15}  {}: {}",
            tally.accepted,
            tally.accepted_by_jsonwebtoken,
            family.about,
            refusals.join(", ")
        );
        if tally.accepted != 0 {
            wrong.push(format!("A{line:02}: {} accepted", tally.accepted));
        }
        if count != family.count {
            wrong.push(format!("A{line:02}: {count} tokens, and {} are meant", family.count));
        }
        if !tally.refused.keys().eq(&family.codes.iter().copied().collect::<BTreeSet<_>>()) {
            wrong.push(format!("A{line:02}: refused by {:?}, and {:?} is meant", tally.refused, family.codes));
        }
        total += count;
        accepted += tally.accepted;
        compared += tally.accepted_by_jsonwebtoken;
    }
    println!("all   {total:>6}  {accepted:>8}  {compared:>15}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((total, accepted), (HOSTILE, 0));
    const { assert!(HOSTILE >= 1000) };
    // The comparison compares: neither is everything nor nothing accepted there.
    assert!(compared > 0 && compared < total);
}

#[test]
fn no_good_token_is_refused() {
    let mut wrong = Vec::new();
    let (mut total, mut compared) = (0, 0);
    println!("good tokens                          number  by jsonwebtoken");
    for (about, tokens) in good::families() {
        let mut by_jsonwebtoken = 0;
        for (kit, token) in &tokens {
            if let Err(rejection) = kit.judge(token) {
                wrong.push(format!("{about}: {} {:.200}", rejection.code(), token));
            }
            by_jsonwebtoken += usize::from(comparison::accepts(kit, token));
        }
        println!("{about:<36} {:>6}  {by_jsonwebtoken:>15}", tokens.len());
        total += tokens.len();
        compared += by_jsonwebtoken;
    }
    println!("{:<36} {total:>6}  {compared:>15}", "all");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(total, GOOD);
    const { assert!(GOOD >= 100) };
    // A comparison that refused the good ones would say nothing about the hostile ones.
    assert!(compared + good::LIKELY_EXPIRED_MEANWHILE >= total, "{compared} of {total}");
}

#[test]
fn every_line_is_covered_and_no_token_counts_twice() {
    let families = families();
    let lines: Vec<u8> = families.iter().map(|family| family.line).collect();
    let elsewhere = ELSEWHERE.iter().map(|(line, _)| *line);
    let all: BTreeSet<u8> = lines.iter().copied().chain(elsewhere).collect();
    assert!(all.iter().copied().eq(1..=105), "{all:?}");
    assert_eq!(all.len(), lines.len() + ELSEWHERE.len(), "a line stands twice");
    let mut seen = HashSet::new();
    let mut twice = Vec::new();
    let good = good::families();
    let hostile = families.iter().map(|family| (family.about, &family.tokens));
    for (about, tokens) in hostile.chain(good.iter().map(|(about, tokens)| (*about, tokens))) {
        for (kit, token) in tokens {
            let keys = serde_json::to_string(&kit.keys).unwrap();
            if !seen.insert((token, kit.policy.to_string(), keys)) {
                twice.push(format!("{about}: {token:.300}"));
            }
        }
    }
    assert!(twice.is_empty(), "{}", twice.join("\n"));
    assert_eq!(seen.len(), HOSTILE + GOOD);
}
