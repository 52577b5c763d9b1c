//! What of two answers must be equal, and what differs.

use countersign_conformance::tokens::decode;
use countersign_conformance::wire::Answer;
use serde_json::Value;

use crate::exchange::Exchange;
use crate::fold;

/// Headers that say something about the protocol, by the recordings' README.
const HEADERS: [&str; 12] = [
    "access-control-allow-methods",
    "access-control-allow-origin",
    "cache-control",
    "client-request-id",
    "content-disposition",
    "content-type",
    "expires",
    "pragma",
    "strict-transport-security",
    "x-content-type-options",
    "x-ms-clitelem",
    "x-xss-protection",
];

/// Members of which only the JSON type is compared: counts, ids, times, and what says where the tenant is.
const OF_ANY_VALUE: [&str; 24] = [
    "access_token",
    "client-request-id",
    "client_info",
    "correlation_id",
    "date",
    "device_code",
    "error_uri",
    "expires_in",
    "ext_expires_in",
    "id_token",
    "interval",
    "kid",
    "n",
    "refresh_in",
    "refresh_token",
    "request-id",
    "tenant_region_scope",
    "timestamp",
    "trace_id",
    "user_code",
    "x5c",
    "x5t",
    "cloud_instance_name",
    "issuer",
];

/// Everything in which the authority's answer differs from the recorded one.
pub(crate) fn compare(exchange: &Exchange, answer: &Answer, origin: &str) -> Vec<String> {
    let mut found = Vec::new();
    let status = exchange.status().unwrap_or_default();
    if status != u64::from(answer.status) {
        found.push(format!("status: recorded {status}, ours {}", answer.status));
    }
    let topic = exchange.topic();
    let recorded_headers = exchange.headers();
    if !recorded_headers.is_empty() {
        for name in HEADERS {
            let recorded = recorded_headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
            // Graph makes an id up for a client that sent none, and so does ours.
            if topic == "challenge" && name == "client-request-id" {
                continue;
            }
            let ours = answer.header(name);
            if recorded.map(fold::telemetry) != ours.map(fold::telemetry) {
                found.push(format!("header {name}: recorded {recorded:?}, ours {ours:?}"));
            }
        }
    }
    let mut ours = answer.json();
    if topic == "challenge" {
        challenge(&recorded_headers, answer, origin, &mut found);
    }
    if topic == "devicecode" {
        // The recorders replaced the code in the sentence too.
        let code = ours["user_code"].as_str().unwrap_or_default().to_owned();
        ours["message"] = ours["message"].as_str().unwrap_or_default().replace(&code, "{user_code}").into();
    }
    if topic == "jwks" {
        keys(exchange.body(), &ours, &mut found);
    } else {
        if let Some(clouds) = ours.get_mut("metadata").and_then(Value::as_array_mut) {
            let before = clouds.len();
            clouds.retain(|cloud| !cloud["preferred_network"].as_str().is_some_and(|host| origin.ends_with(host)));
            if clouds.len() + 1 == before {
                found.push("body.metadata: the authority's own entry".to_owned());
            }
        }
        values(topic, "body", exchange.body(), &ours, origin, &mut found);
    }
    if let (Some(token), true) = (ours["id_token"].as_str(), exchange.id_token().is_object()) {
        id_token(exchange.id_token(), token, &mut found);
    }
    found
}

/// An id_token: the members of its header, the claims with their types, how long it lives.
fn id_token(recorded: &Value, ours: &str, found: &mut Vec<String>) {
    let (header, claims) = decode(ours);
    let recorded_header: Vec<&str> = names(&recorded["header_names"]);
    let header: Vec<&str> = header.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    if !recorded_header.iter().all(|name| header.contains(name)) || header.len() != recorded_header.len() {
        found.push(format!("id_token header: recorded {recorded_header:?}, ours {header:?}"));
    }
    let recorded_claims = names(&recorded["claim_names"]);
    for name in &recorded_claims {
        let kind = match claims.get(name) {
            None => {
                found.push(format!("id_token.{name}: missing"));
                continue;
            }
            Some(Value::String(_)) => "S",
            Some(Value::Number(_)) => "N",
            Some(_) => "another type",
        };
        if recorded["claim_types"][name] != kind {
            found.push(format!("id_token.{name}: recorded {}, ours {kind}", recorded["claim_types"][name]));
        }
    }
    let added = claims.as_object().into_iter().flatten().filter(|(name, _)| !recorded_claims.contains(&name.as_str()));
    found.extend(added.map(|(name, _)| format!("id_token.{name}: added")));
    for (what, from, to) in [("nbf-iat", "iat", "nbf"), ("exp-iat", "iat", "exp")] {
        let ours = claims[to].as_i64().unwrap_or_default() - claims[from].as_i64().unwrap_or_default();
        if recorded["values"][what] != ours {
            found.push(format!("id_token {what}: recorded {}, ours {ours}", recorded["values"][what]));
        }
    }
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The challenge, but for the time of the revocation.
fn challenge(recorded: &[(String, String)], answer: &Answer, origin: &str, found: &mut Vec<String>) {
    let shown = |text: &str| {
        let (before, claims) = text.split_once("claims=\"").unwrap_or((text, ""));
        let claims = base64_decode(claims.trim_end_matches('"'));
        let digits = |c: char| if c.is_ascii_digit() { '#' } else { c };
        format!("{} claims={}", fold::text(before, origin), claims.chars().map(digits).collect::<String>())
    };
    let theirs = recorded.iter().find(|(name, _)| name == "www-authenticate").map(|(_, value)| shown(value));
    let ours = answer.header("www-authenticate").map(shown);
    if theirs != ours {
        found.push(format!("header www-authenticate: recorded {theirs:?}, ours {ours:?}"));
    }
}

fn base64_decode(text: &str) -> String {
    let url = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    String::from_utf8(countersign_token::base64url_decode_strict(&url).unwrap()).unwrap()
}

/// Sets of keys differ in number and order; each of ours must look like each of theirs.
fn keys(recorded: &Value, ours: &Value, found: &mut Vec<String>) {
    let of = |set: &Value| set["keys"].as_array().cloned().unwrap_or_default();
    assert!(of(ours).len() >= 2, "a next key is published before it is used");
    for key in of(ours) {
        assert_eq!(key["kid"], key["x5t"]);
        assert!(key["x5c"].as_array().is_some_and(|chain| chain.len() == 1));
        for theirs in of(recorded) {
            let mut differences = Vec::new();
            values("jwks", "key", &theirs, &key, "", &mut differences);
            found.extend(differences.into_iter().filter(|it| !found.contains(it)).collect::<Vec<_>>());
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn values(topic: &str, path: &str, recorded: &Value, ours: &Value, origin: &str, found: &mut Vec<String>) {
    match (recorded, ours) {
        (Value::Object(theirs), Value::Object(mine)) => {
            for (name, value) in theirs {
                match mine.get(name) {
                    // A set, which Entra writes in one order here and in another there (RFC 6749 §3.3).
                    Some(Value::String(other)) if topic == "token" && name == "scope" => {
                        let (theirs, mine) = (sorted(value.as_str().unwrap_or_default()), sorted(other));
                        if theirs != mine {
                            found.push(format!("{path}.scope: recorded {theirs:?}, ours {mine:?}"));
                        }
                    }
                    None => found.push(format!("{path}.{name}: missing")),
                    Some(_) if anything_goes(topic, name) && kind(value) == kind(&mine[name]) => {}
                    Some(other) => values(topic, &format!("{path}.{name}"), value, other, origin, found),
                }
            }
            let added = mine.keys().filter(|name| !theirs.contains_key(*name));
            found.extend(added.map(|name| format!("{path}.{name}: added")));
        }
        (Value::Array(theirs), Value::Array(mine)) if theirs.len() == mine.len() => {
            for (index, (theirs, mine)) in theirs.iter().zip(mine).enumerate() {
                values(topic, &format!("{path}[{index}]"), theirs, mine, origin, found);
            }
        }
        (Value::Array(theirs), Value::Array(mine)) => {
            found.push(format!("{path}: recorded {} entries, ours {}", theirs.len(), mine.len()));
        }
        (Value::String(theirs), Value::String(mine)) => {
            let (theirs, mine) = (fold::text(theirs, origin), fold::text(mine, origin));
            // A sanitiser cut the text short: what it left must be how ours begins.
            let whole = theirs.split_once("view=Sanitized").map_or(theirs.as_str(), |(before, _)| before);
            let equal = if whole.len() < theirs.len() { mine.starts_with(whole) } else { theirs == mine };
            if !equal {
                found.push(format!("{path}: recorded {theirs:?}, ours {mine:?}"));
            }
        }
        _ if recorded == ours => {}
        _ => found.push(format!("{path}: recorded {recorded}, ours {ours}")),
    }
}

fn sorted(scopes: &str) -> Vec<&str> {
    let mut scopes: Vec<&str> = scopes.split(' ').collect();
    scopes.sort_unstable();
    scopes
}

/// An issuer is the tenant's own in a key set, and compared in metadata.
fn anything_goes(topic: &str, name: &str) -> bool {
    let compared = topic == "discovery" && ["issuer", "cloud_instance_name"].contains(&name);
    let whose = ["imds", "appservice"].contains(&topic) && ["client_id", "expires_on", "not_before"].contains(&name);
    (OF_ANY_VALUE.contains(&name) && !compared) || whose
}

/// What must hold within one answer, whatever it says.
pub(crate) fn assert_relations(exchange: &Exchange, answer: &Answer) {
    let id = exchange.id();
    let body = answer.json();
    let sent = exchange.request()["headers"]["client-request-id"].as_str().filter(|id| id.len() == 36);
    if let Some(trace_id) = body["trace_id"].as_str() {
        assert_eq!(Some(trace_id), answer.header("x-ms-request-id"), "{id}");
        if let Some(sent) = sent {
            assert_eq!(body["correlation_id"], sent, "{id}");
        }
    }
    if let Some(telemetry) = answer.header("x-ms-clitelem") {
        let fields: Vec<&str> = telemetry.split(',').collect();
        assert_eq!(fields[1], body["error_codes"][0].as_u64().unwrap_or(0).to_string(), "{id}");
        assert_eq!(fields[2], "0", "{id}");
    }
}
