//! Exchanges in which a person takes part. Where the recorder had removed the form, it is told by the answer what it was.

use countersign_conformance::contoso::{CLIENT, CLIENT_CALLBACK, CLIENT_SCOPE, PASSWORD, SECRET, TENANT, TOOL};
use countersign_conformance::person::{Arrived, Person, authorize_url};
use countersign_conformance::wire::{Answer, form, post_form, request};

use super::stage::{CALENDARS, REVOKED, STANDING, Stage};
use super::{headers, segment, tenant};
use crate::exchange::Exchange;

/// Fields that say what is asked for; the others are the request's own business.
const CARRIED: [&str; 4] = ["claims", "client_info", "client-request-id", "response_type"];

const NO_FORM: &str = "its form is not known, and asks Graph for a permission that Graph does not list";

pub(super) async fn token(stage: &Stage, exchange: &Exchange) -> Result<Answer, &'static str> {
    let scope = scope(exchange)?;
    let mut fields = match exchange.grant() {
        "password" => password(exchange, &scope),
        "refresh_token" => refresh(stage, exchange, &scope).await,
        "device_code_poll" => poll(stage, exchange, &scope).await,
        "authorization_code" => code(stage, exchange, &scope).await,
        "on_behalf_of" => on_behalf_of(stage, &scope).await,
        _ => return Err("a grant that nobody knows"),
    };
    fields.extend(carried(exchange));
    let content_type = exchange.request()["headers"]["content-type"].as_str();
    let content_type = content_type.unwrap_or("application/x-www-form-urlencoded");
    let headers = format!("{}Content-Type: {content_type}\r\n", headers(exchange));
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Ok(request(&stage.house, "POST", &path(exchange), &headers, form(&fields).as_bytes()).await)
}

pub(super) async fn device_code(stage: &Stage, exchange: &Exchange) -> Answer {
    let scope = exchange.field("scope").unwrap_or("https://vault.azure.net/.default openid profile offline_access");
    let mut fields = vec![("client_id", TOOL), ("scope", scope)];
    fields.extend(exchange.field("claims").map(|claims| ("claims", claims)));
    let headers = format!("{}Content-Type: application/x-www-form-urlencoded\r\n", headers(exchange));
    request(&stage.house, "POST", &path(exchange), &headers, form(&fields).as_bytes()).await
}

fn path(exchange: &Exchange) -> String {
    exchange.path().replacen(segment(exchange.path()), tenant(exchange), 1)
}

type Fields = Vec<(String, String)>;

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What was asked for: recorded, or told by the granted `scope`. A `.default` among that was asked for, for nobody is
/// granted it who did not ask.
fn scope(exchange: &Exchange) -> Result<String, &'static str> {
    let granted = exchange.body()["scope"].as_str().unwrap_or_default();
    if granted.contains("00000003-0000-0000-c000-000000000000") {
        return Err(NO_FORM);
    }
    let asked = exchange.field("scope").filter(|scope| !scope.contains("sanitized") && scope.contains('.'));
    let api = granted.split(' ').find(|scope| scope.ends_with("/.default"));
    let named = granted.split(' ').find(|scope| scope.contains("User.ReadWrite.All") || scope.starts_with("api://"));
    let told = || api.or(named).unwrap_or("https://vault.azure.net/.default");
    Ok(asked.map_or_else(|| format!("{} openid profile offline_access", told()), str::to_owned))
}

fn carried(exchange: &Exchange) -> Fields {
    let recorded = exchange.request()["form"].as_object();
    let telemetry = exchange.headers().iter().any(|(name, _)| name == "x-ms-clitelem");
    let Some(recorded) = recorded else {
        let mut told = fields(&[("client_info", "1")]);
        if telemetry {
            told.extend(fields(&[("x-client-SKU", "MSAL.NetCore")]));
        }
        return told;
    };
    let is_carried = |name: &str| name.starts_with("x-") || CARRIED.contains(&name);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    recorded.iter().filter(|(name, _)| is_carried(name)).map(|(name, value)| (name.clone(), text(value))).collect()
}

fn password(exchange: &Exchange, scope: &str) -> Fields {
    let (login, password) = match exchange.outcome() {
        "AADSTS50034" => ("user", PASSWORD),
        "AADSTS50126" => (STANDING, "not the password"),
        _ => (STANDING, PASSWORD),
    };
    fields(&[
        ("grant_type", "password"),
        ("client_id", TOOL),
        ("username", login),
        ("password", password),
        ("scope", scope),
    ])
}

async fn refresh(stage: &Stage, exchange: &Exchange, scope: &str) -> Fields {
    let token = match exchange.outcome() {
        "AADSTS9002313" => "not a refresh token".to_owned(),
        "AADSTS50173" => {
            let tokens = stage.signed_in(REVOKED, scope, exchange.field("claims")).await;
            super::graph::revoke(stage, REVOKED).await;
            tokens["refresh_token"].as_str().unwrap().to_owned()
        }
        _ => stage.signed_in(STANDING, scope, None).await["refresh_token"].as_str().unwrap().to_owned(),
    };
    fields(&[("grant_type", "refresh_token"), ("client_id", TOOL), ("refresh_token", &token), ("scope", scope)])
}

async fn poll(stage: &Stage, exchange: &Exchange, scope: &str) -> Fields {
    let path = path(exchange).replace("/token", "/devicecode");
    let client = if scope.contains("Calendars.Read") { CALENDARS } else { TOOL };
    let started = post_form(&stage.house, &path, &[("client_id", client), ("scope", scope)]).await;
    assert_eq!(started.status, 200, "{}", String::from_utf8_lossy(&started.body));
    let started = started.json();
    if exchange.outcome() == "ok" {
        let mut person = Person::new(&stage.house, STANDING, PASSWORD);
        match person.approve_device(started["user_code"].as_str().unwrap()).await {
            Arrived::Page(page) if page.status == 200 => {}
            other => panic!("{other:?}"),
        }
    }
    let code = started["device_code"].as_str().unwrap();
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    fields(&[("grant_type", grant), ("client_id", client), ("device_code", code), ("scope", scope)])
}

async fn code(stage: &Stage, exchange: &Exchange, scope: &str) -> Fields {
    let parameters =
        [("client_id", CLIENT), ("response_type", "code"), ("redirect_uri", CLIENT_CALLBACK), ("scope", scope)];
    let url = authorize_url(stage.house.origin(), TENANT, &parameters);
    let arrived = Person::new(&stage.house, STANDING, PASSWORD).open(&url).await.parameters();
    let fields = fields(&[
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT),
        ("client_secret", SECRET),
        ("redirect_uri", CLIENT_CALLBACK),
        ("scope", scope),
        ("code", &arrived["code"]),
    ]);
    if exchange.outcome() == "AADSTS54005" {
        let first: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(post_form(&stage.house, &path(exchange), &first).await.status, 200);
    }
    fields
}

async fn on_behalf_of(stage: &Stage, scope: &str) -> Fields {
    let tokens = stage.signed_in(STANDING, CLIENT_SCOPE, None).await;
    fields(&[
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("requested_token_use", "on_behalf_of"),
        ("client_id", CLIENT),
        ("client_secret", SECRET),
        ("assertion", tokens["access_token"].as_str().unwrap()),
        ("scope", scope),
    ])
}
