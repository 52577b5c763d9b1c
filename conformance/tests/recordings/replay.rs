//! Sending a recorded request again, with Contoso's names in place of the recorded ones.
//!
//! Applications that ask for themselves are here, people in [`people`], Graph in [`graph`].

mod graph;
mod managed_identity;
mod people;
mod stage;

use std::fmt::Write as _;

use countersign_conformance::contoso::{
    ALICE, CLIENT, CLIENT_URI, House, NO_RESOURCE_URI, NO_TENANT, RESOURCE_URI, SECRET, TENANT, WRONG_SECRET,
};
use countersign_conformance::credentials::{Identity, REGISTERED, STRANGER};
use countersign_conformance::wire::{Answer, form, post_form, request};
use countersign_token::{
    AssertionAlgorithm, Certificate, ClientAssertionSigner, Clock, PrivateKey, Randomness, SystemClock,
    SystemRandomness,
};

pub(crate) use stage::Stage;

use crate::exchange::Exchange;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The answer to the exchange's request, or why it cannot be asked.
pub(crate) async fn replay(stage: &Stage, exchange: &Exchange) -> Result<Answer, &'static str> {
    let house = &stage.house;
    if exchange.status().is_none() {
        return Err("no response was recorded, only a token's claims");
    }
    match exchange.topic() {
        "token" if exchange.is("client_credentials") || exchange.is("no_such_grant") => token(stage, exchange).await,
        "token" => people::token(stage, exchange).await,
        "devicecode" => Ok(people::device_code(stage, exchange).await),
        "challenge" => graph::challenge(stage, exchange).await,
        "imds" | "appservice" => managed_identity::lent(stage, exchange).await,
        "instance" => Ok(instance(house, exchange).await),
        "userrealm" => {
            // The recorders put many a name in place of one that the service knew.
            let target = format!("/common/userrealm/{ALICE}?{}", exchange.query());
            let target = target.replace("contoso.com", "contoso.onmicrosoft.com");
            Ok(request(house, "GET", &target, &headers(exchange), b"").await)
        }
        _ => {
            let path = exchange.path().replacen(segment(exchange.path()), tenant(exchange), 1);
            Ok(request(house, "GET", &path, &headers(exchange), b"").await)
        }
    }
}

fn segment(path: &str) -> &str {
    path.split('/').nth(1).unwrap_or_default()
}

/// Aliases mean here what they mean there; any other segment is a tenant, ours unless it was not found.
fn tenant(exchange: &Exchange) -> &str {
    match segment(exchange.path()) {
        alias @ ("common" | "organizations" | "consumers") => alias,
        _ if exchange.outcome() == "AADSTS90002" => NO_TENANT,
        _ => TENANT,
    }
}

/// The recorded request's headers that a recorder did not spoil, but the content type, which belongs to the body.
fn headers(exchange: &Exchange) -> String {
    let recorded = exchange.request()["headers"].as_object().into_iter().flatten();
    recorded.fold(String::new(), |mut headers, (name, value)| {
        let value = value.as_str().unwrap_or_default();
        if !["content-type", "cookie"].contains(&name.as_str()) && value != "REDACTED" {
            let _ = write!(headers, "{name}: {value}\r\n");
        }
        headers
    })
}

async fn instance(house: &House, exchange: &Exchange) -> Answer {
    let query = match exchange.query() {
        // The recorder removed it; what was asked is told by the answer.
        "*" => {
            let answered = exchange.body()["tenant_discovery_endpoint"].as_str().unwrap_or_default();
            let endpoint = answered.replace("/v2.0/.well-known/openid-configuration", "/oauth2/v2.0/authorize");
            format!("api-version=1.1&authorization_endpoint={endpoint}")
        }
        recorded => recorded.to_owned(),
    };
    let query = query.replace("https://login.microsoftonline.com", house.origin());
    let query = query.replace("/fake-tenant/", &format!("/{TENANT}/"));
    let target = format!("{}?{query}", exchange.path());
    request(house, "GET", &target, &headers(exchange), b"").await
}

async fn token(stage: &Stage, exchange: &Exchange) -> Result<Answer, &'static str> {
    let house = &stage.house;
    let path = exchange.path().replacen(segment(exchange.path()), tenant(exchange), 1);
    let scope = match exchange.outcome() {
        "AADSTS500011" => format!("{NO_RESOURCE_URI}/.default"),
        _ => scope(exchange.field("scope").unwrap_or_default()),
    };
    let assertion = match (exchange.client_auth(), exchange.outcome()) {
        ("assertion:certificate", "AADSTS700027") => assertion(house, &STRANGER, &path),
        ("assertion:certificate", _) => assertion(house, &REGISTERED, &path),
        ("assertion:federated", "ok") => stage.elsewhere.assertion().to_owned(),
        // The recorder's own stand-in was sent, and refused for what it is.
        ("assertion:federated", _) => "client_assertion".to_owned(),
        _ => String::new(),
    };
    let nobody = "00000000-0000-0000-0000-000000000000";
    let mut fields = vec![
        ("grant_type", exchange.field("grant_type").unwrap_or("client_credentials")),
        ("client_id", if exchange.outcome() == "AADSTS700038" { nobody } else { CLIENT }),
        ("scope", &scope),
    ];
    if assertion.is_empty() {
        let wrong = exchange.outcome() == "AADSTS7000215";
        fields.push(("client_secret", if wrong { WRONG_SECRET } else { SECRET }));
    } else {
        fields.extend([("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.as_str())]);
    }
    let recorded = exchange.request()["form"].as_object().into_iter().flatten();
    for (name, value) in recorded {
        if name.starts_with("x-") || ["claims", "client_info", "client-request-id"].contains(&name.as_str()) {
            fields.push((name, value.as_str().unwrap_or_default()));
        }
    }
    let content_type = exchange.request()["headers"]["content-type"].as_str();
    let content_type = content_type.unwrap_or("application/x-www-form-urlencoded");
    let headers = format!("{}Content-Type: {content_type}\r\n", headers(exchange));
    Ok(request(house, "POST", &path, &headers, form(&fields).as_bytes()).await)
}

/// The recorded scope for our resource, with the OpenID scopes that came along.
fn scope(recorded: &str) -> String {
    let extra = recorded.split(' ').filter(|scope| ["openid", "profile", "offline_access"].contains(scope));
    let resource = format!("{RESOURCE_URI}/.default");
    let wanted = if recorded.contains("{daemon-app-id}") { format!("{CLIENT_URI}/.default") } else { resource };
    extra.fold(wanted, |scopes, scope| format!("{scopes} {scope}"))
}

fn assertion(house: &House, identity: &Identity, path: &str) -> String {
    let key = PrivateKey::from_pem(&identity.private_key).unwrap();
    let certificate = Certificate::from_pem(&identity.certificate).unwrap();
    let signer = ClientAssertionSigner::new(key, certificate, AssertionAlgorithm::Rs256, false).unwrap();
    let audience = format!("{}{path}", house.origin());
    signer.sign(CLIENT.parse().unwrap(), &audience, SystemClock.now(), SystemRandomness.uuid_v4()).unwrap()
}

/// A token of the daemon for itself, as the recorded one is.
pub(crate) async fn token_for_itself(house: &House) -> String {
    let scope = format!("{CLIENT_URI}/.default");
    let fields =
        [("grant_type", "client_credentials"), ("client_id", CLIENT), ("client_secret", SECRET), ("scope", &scope)];
    let answer = post_form(house, &format!("/{TENANT}/oauth2/v2.0/token"), &fields).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["access_token"].as_str().unwrap().to_owned()
}
