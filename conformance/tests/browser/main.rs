//! The authority's pages in headless Chromium: what a person sees, and what a page of somebody else's may do with them.
//!
//! `clients/node/browser.mjs` drives it. Pictures are not compared; `cargo xtask pages` takes them for people to look at.
//! Without Chromium the tests say that they were skipped.

#![expect(clippy::print_stderr, reason = "what was skipped is said")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use countersign_conformance::clients::{Outcome, Program, attempt_with};
use countersign_conformance::concierge::Concierge;
use countersign_conformance::contoso::{
    ALICE, ALICE_ID, CLIENT, CLIENT_CALLBACK, House, ORDERS_READ, PAGE, PASSWORD, RESOURCE, RESOURCE_URI, ROOT, SECRET,
    TENANT, TOOL, directory, registration,
};
use countersign_conformance::person::{authorize_url, parameters};
use countersign_conformance::site::{Address, Site};
use countersign_conformance::tokens::decode;
use countersign_conformance::wire::post_form;
use countersign_token::{Clock, OffsetClock};
use serde_json::{Value, json};

const NAMES: [&str; 4] =
    ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/usr/bin/google-chrome-stable"];

fn chromium() -> Option<&'static str> {
    let found = NAMES.into_iter().find(|name| Path::new(name).exists());
    if found.is_none() {
        eprintln!("skipped: there is no Chromium here");
    }
    found
}

/// An authority with a clock, a browser, and what the page needs that signs in by itself.
struct Scene {
    house: Arc<House>,
    concierge: Concierge,
    chromium: &'static str,
    /// What the client shows whom it gets back.
    application: (SocketAddr, Site),
}

impl Scene {
    async fn open(directory: &Value) -> Option<Self> {
        let chromium = chromium()?;
        let clock = OffsetClock::default();
        let turned: Arc<dyn Clock> = Arc::new(clock.clone());
        let house = Arc::new(House::open_with(directory, |builder| builder.clock(turned)).await);
        let concierge = Concierge::open(Arc::clone(&house), clock).await;
        let address = Address::reserve().await;
        let shown = b"<!DOCTYPE html><html lang=en><title>Back at the client</title>".to_vec();
        let socket = address.socket();
        let site = address.serve(&house, "client.contoso.com", vec![("/callback", "text/html", shown)]);
        Some(Self { house, concierge, chromium, application: (socket, site) })
    }

    async fn run(&self, attempts: Vec<Value>) -> Vec<Outcome> {
        let config = json!({
            "attempts": attempts, "person": self.concierge.url(), "chromium": self.chromium,
            "application": self.application.0.to_string(),
        });
        let outcomes = attempt_with(Program::Node("browser.mjs"), &self.house, config, &[]).await;
        for outcome in &outcomes {
            assert!(outcome.line.get("exception").is_none(), "{:#}", outcome.line);
            assert_eq!(outcome.line["told"], json!([]), "{}: the console is to be empty", outcome.name);
        }
        outcomes
    }

    fn authorize(&self, scope: &str, more: &[(&str, &str)]) -> String {
        let usual = [
            ("client_id", CLIENT),
            ("response_type", "code"),
            ("redirect_uri", CLIENT_CALLBACK),
            ("scope", scope),
            ("state", "a state & more"),
        ];
        let kept = usual.into_iter().filter(|(name, _)| !more.iter().any(|(changed, _)| changed == name));
        let all: Vec<(&str, &str)> = kept.chain(more.iter().copied()).collect();
        authorize_url(self.house.origin(), TENANT, &all)
    }

    async fn redeem(&self, code: &str) -> Value {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT),
            ("client_secret", SECRET),
            ("redirect_uri", CLIENT_CALLBACK),
            ("code", code),
        ];
        let answer = post_form(&self.house, &format!("/{TENANT}/oauth2/v2.0/token"), &form).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }
}

fn person(name: &str, flow: &str, url: &str) -> Value {
    json!({"name": name, "flow": flow, "url": url, "login": ALICE, "password": PASSWORD})
}

/// Sign-in and consent with the keyboard alone; sign-in without scripts; a form that posts itself. Each ends at the
/// client with a code that is good.
#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_and_consent_with_the_keyboard_alone_and_without_scripts() {
    let Some(scene) = Scene::open(&directory()).await else { return };
    let write = format!("openid {RESOURCE_URI}/Orders.Write");
    let read = format!("openid {ORDERS_READ}");
    let form_post = [("response_mode", "form_post")];
    let attempts = vec![
        person("keyboard", "keyboard", &scene.authorize(&write, &[])),
        person("no scripts", "noscript", &scene.authorize(&read, &form_post)),
        person("form_post", "form_post", &scene.authorize(&read, &form_post)),
    ];
    let outcomes = scene.run(attempts).await;
    assert!(outcomes[0].text("asked").contains("Orders.Write for you"), "{:#}", outcomes[0].line);
    for (outcome, scope) in outcomes.iter().zip(["Orders.Write", "Orders.Read", "Orders.Read"]) {
        let location = outcome.text("location");
        assert!(location.starts_with(CLIENT_CALLBACK), "{:#}", outcome.line);
        let answer = match location.split_once('?') {
            Some((_, query)) => parameters(query),
            None => parameters(outcome.text("body")),
        };
        assert_eq!(answer["state"], "a state & more");
        let tokens = scene.redeem(&answer["code"]).await;
        let (_, claims) = decode(tokens["access_token"].as_str().unwrap());
        assert_eq!(claims["oid"], ALICE_ID);
        assert!(claims["scp"].as_str().unwrap().split(' ').any(|found| found == scope), "{claims:#}");
    }
}

/// The library as people use it: sign-in by redirect with PKCE, tokens from its cache, renewal by its refresh token
/// across origins, renewal in a hidden frame by the session.
#[tokio::test(flavor = "multi_thread")]
async fn msal_browser_signs_in_and_renews_silently() {
    let address = Address::reserve().await;
    let site = address.origin();
    let mut directory = directory();
    registration(&mut directory, PAGE)["spa"] =
        json!({"redirectUris": [format!("{site}/"), format!("{site}/redirect.html")]});
    let Some(scene) = Scene::open(&directory).await else { return };
    let library = |file: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/node/node_modules/@azure/msal-browser/lib");
        std::fs::read(folder.join(file)).unwrap_or_else(|_| panic!("{file}: run `cargo xtask environment` first"))
    };
    let script = "text/javascript";
    let _site = address.serve(
        &scene.house,
        "localhost",
        vec![
            ("/", "text/html", include_bytes!("site/index.html").to_vec()),
            ("/app.js", script, include_bytes!("site/app.js").to_vec()),
            ("/redirect.html", "text/html", include_bytes!("site/redirect.html").to_vec()),
            ("/redirect.js", script, include_bytes!("site/redirect.js").to_vec()),
            ("/msal-browser.js", script, library("msal-browser.min.js")),
            ("/msal-redirect-bridge.js", script, library("redirect-bridge/msal-redirect-bridge.min.js")),
        ],
    );
    let app =
        json!({"authority": format!("{}/{TENANT}", scene.house.origin()), "clientId": PAGE, "scope": ORDERS_READ});
    let attempt = json!({
        "name": "msal-browser", "flow": "msal_browser", "site": site, "app": app, "login": ALICE, "password": PASSWORD,
    });
    let outcome = scene.run(vec![attempt]).await.remove(0);
    let issued = |step: &str| {
        let answer = &outcome.line[step];
        let (_, claims) = decode(answer["token"].as_str().unwrap_or_else(|| panic!("{:#}", outcome.line)));
        assert_eq!(answer["account"], ALICE, "{step}");
        assert_eq!((&claims["oid"], &claims["aud"]), (&json!(ALICE_ID), &json!(RESOURCE)), "{step}");
        assert_eq!(claims["scp"], "Orders.Read", "{step}");
        claims["iat"].as_i64().unwrap()
    };
    let (first, _) = (issued("signed_in"), issued("silent"));
    assert_eq!(outcome.line["silent"]["fromCache"], true);
    assert_eq!(outcome.line["silent"]["token"], outcome.line["signed_in"]["token"]);
    assert!(issued("renewed") >= first + 7200 && issued("framed") >= first + 7200);
}

/// Nothing serious for axe-core, nothing wider than the window, nothing on the console.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_in_light_and_dark_on_desktop_and_phone() {
    let Some(scene) = Scene::open(&directory()).await else { return };
    let origin = scene.house.origin();
    let form = [("client_id", TOOL), ("scope", ORDERS_READ)];
    let device = post_form(&scene.house, &format!("/{TENANT}/oauth2/v2.0/devicecode"), &form).await.json();
    let urls = json!({
        "front": format!("{origin}/"),
        "lookup": format!("{origin}/error?code=7000215"),
        "mismatch": scene.authorize("openid", &[("redirect_uri", "https://nobody.example/")]),
        "consent": scene.authorize(&format!("openid {RESOURCE_URI}/Orders.Write"), &[]),
        "admin": scene.authorize(&format!("openid {RESOURCE_URI}/Orders.Admin"), &[]),
        "adminconsent": format!(
            "{origin}/{TENANT}/v2.0/adminconsent?client_id={CLIENT}&redirect_uri={CLIENT_CALLBACK}\
             &scope={RESOURCE_URI}/.default&state=s",
        ),
        "device": format!("{origin}/devicelogin"),
        "user_code": device["user_code"],
        "logout": format!("{origin}/{TENANT}/oauth2/v2.0/logout"),
    });
    let attempt = json!({
        "name": "pages", "flow": "every_page", "urls": urls, "login": ALICE, "administrator": ROOT,
        "password": PASSWORD,
    });
    let outcome = scene.run(vec![attempt]).await.remove(0);
    eprintln!("{:#}", outcome.line["seen"]);
    assert_eq!(outcome.line["faults"], json!([]));
    assert_eq!(outcome.line["seen"].as_array().unwrap().len(), 18);
}
