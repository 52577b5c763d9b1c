//! Asking so that one code must be the answer, and looking at everything that belongs to it.

use std::collections::BTreeSet;

use countersign_conformance::contoso::{
    ALICE, CLIENT, CLIENT_CALLBACK, ORDERS_READ, PASSWORD, RESOURCE_URI, SECRET, TENANT, TOOL,
};
use countersign_conformance::person::{Arrived, Person, authorize_url};
use countersign_conformance::wire::{Answer, form, request};
use countersign_protocol::AadSts;
use serde_json::Value;

use crate::scene::Scene;

/// What has been reached so far, and what was wrong with it.
pub(crate) struct Reach {
    pub(crate) scene: Scene,
    /// The codes whose answers were right in everything.
    pub(crate) codes: BTreeSet<u32>,
    pub(crate) faults: Vec<String>,
}

/// Fields or parameters; an empty value takes a usual one away.
pub(crate) type Changes<'a> = &'a [(&'a str, &'a str)];

/// The usual ones with these changes.
fn changed<'a>(usual: &[(&'a str, &'a str)], changes: Changes<'a>) -> Vec<(&'a str, &'a str)> {
    let kept = usual.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    kept.chain(changes.iter().filter(|(_, value)| !value.is_empty())).copied().collect()
}

impl Reach {
    pub(crate) async fn open() -> Self {
        Self { scene: Scene::open().await, codes: BTreeSet::new(), faults: Vec::new() }
    }

    /// The daemon's usual request, changed.
    pub(crate) async fn token(&mut self, entry: &AadSts, changes: Changes<'_>) {
        self.token_at(entry, &format!("/{TENANT}/oauth2/v2.0/token"), changes).await;
    }

    /// The same, at another address.
    pub(crate) async fn token_at(&mut self, entry: &AadSts, target: &str, changes: Changes<'_>) {
        let scope = format!("{RESOURCE_URI}/.default");
        let usual = [
            ("grant_type", "client_credentials"),
            ("client_id", CLIENT),
            ("client_secret", SECRET),
            ("scope", scope.as_str()),
        ];
        self.post(entry, target, &changed(&usual, changes)).await;
    }

    /// The daemon's usual request with an assertion in place of its secret.
    pub(crate) async fn asserted(&mut self, entry: &AadSts, assertion: &str) {
        let assertion_type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let proof = [("client_secret", ""), ("client_assertion_type", assertion_type), ("client_assertion", assertion)];
        self.token(entry, &proof).await;
    }

    /// The tool's password request, changed.
    pub(crate) async fn password(&mut self, entry: &AadSts, changes: Changes<'_>) {
        let usual = [
            ("grant_type", "password"),
            ("client_id", TOOL),
            ("username", ALICE),
            ("password", PASSWORD),
            ("scope", ORDERS_READ),
        ];
        self.post(entry, &format!("/{TENANT}/oauth2/v2.0/token"), &changed(&usual, changes)).await;
    }

    /// The daemon's request on behalf of whoever this assertion is of, changed.
    pub(crate) async fn on_behalf_of(&mut self, entry: &AadSts, assertion: &str, changes: Changes<'_>) {
        let usual = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("requested_token_use", "on_behalf_of"),
            ("client_id", CLIENT),
            ("client_secret", SECRET),
            ("assertion", assertion),
            ("scope", ORDERS_READ),
        ];
        self.post(entry, &format!("/{TENANT}/oauth2/v2.0/token"), &changed(&usual, changes)).await;
    }

    /// The daemon's redemption of a code, changed.
    pub(crate) async fn redeem(&mut self, entry: &AadSts, code: &str, changes: Changes<'_>) {
        let usual = redemption(code);
        self.post(entry, &format!("/{TENANT}/oauth2/v2.0/token"), &changed(&usual, changes)).await;
    }

    /// The tool's refresh request, changed.
    pub(crate) async fn refresh(&mut self, entry: &AadSts, token: &str, changes: Changes<'_>) {
        let usual = [("grant_type", "refresh_token"), ("client_id", TOOL), ("refresh_token", token)];
        self.post(entry, &format!("/{TENANT}/oauth2/v2.0/token"), &changed(&usual, changes)).await;
    }

    /// A form to this address.
    pub(crate) async fn post(&mut self, entry: &AadSts, target: &str, fields: &[(&str, &str)]) {
        self.send(entry, "POST", target, "", &form(fields)).await;
    }

    /// Any request.
    pub(crate) async fn send(&mut self, entry: &AadSts, method: &str, target: &str, headers: &str, body: &str) {
        let headers = format!("{headers}Content-Type: application/x-www-form-urlencoded\r\n");
        let answer = request(&self.scene.house, method, target, &headers, body.as_bytes()).await;
        self.answered(entry, &answer);
    }

    /// Looks at an answer in JSON.
    pub(crate) fn answered(&mut self, entry: &AadSts, answer: &Answer) {
        let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
            return self.fault(entry, &format!("no JSON: {answer:?}"));
        };
        let error_uri = format!("{}/error?code={}", self.scene.house.origin(), entry.code);
        let before = self.faults.len();
        let expected = [
            ("status", u64::from(answer.status) == u64::from(entry.status)),
            ("error", body["error"] == entry.error),
            ("error_codes", body["error_codes"] == serde_json::json!([entry.code])),
            ("suberror", body["suberror"].as_str() == entry.suberror),
            ("error_uri", body["error_uri"].as_str() == entry.error_uri.then_some(error_uri.as_str())),
            ("error_description", is_described(entry, body["error_description"].as_str().unwrap_or_default())),
        ];
        for (what, is_right) in expected {
            if !is_right {
                self.fault(entry, &format!("{what}: {} {body:#}", answer.status));
            }
        }
        self.count(entry, before);
    }

    /// An authorization request of the daemon, changed, made by Alice: the answer goes to the redirect URI, with this
    /// word, which is not always that of the token endpoint.
    pub(crate) async fn redirected(&mut self, entry: &AadSts, word: &str, changes: Changes<'_>) {
        let url = self.authorize(changes);
        let arrived = Person::new(&self.scene.house, ALICE, PASSWORD).open(&url).await;
        self.sent_away(entry, word, &arrived);
    }

    /// Looks at an answer that was sent to a redirect URI.
    pub(crate) fn sent_away(&mut self, entry: &AadSts, word: &str, arrived: &Arrived) {
        let Arrived::Away(_) = arrived else { return self.fault(entry, &format!("not redirected: {arrived:?}")) };
        let (before, parameters) = (self.faults.len(), arrived.parameters());
        let of = |name: &str| parameters.get(name).map_or("", String::as_str);
        if of("error") != word || !is_described(entry, of("error_description")) {
            self.fault(entry, &format!("{parameters:#?}"));
        }
        if parameters.contains_key("error_uri") != entry.error_uri {
            self.fault(entry, &format!("error_uri: {parameters:#?}"));
        }
        self.count(entry, before);
    }

    /// An authorization request of the daemon, changed, made by this person: the answer is a page and goes nowhere.
    pub(crate) async fn page(&mut self, entry: &AadSts, login: &str, changes: Changes<'_>) {
        let url = self.authorize(changes);
        match Person::new(&self.scene.house, login, PASSWORD).open(&url).await {
            Arrived::Page(page) => self.shown(entry, &page),
            other => self.fault(entry, &format!("no page: {other:?}")),
        }
    }

    /// Looks at an error page.
    pub(crate) fn shown(&mut self, entry: &AadSts, page: &Answer) {
        let text = String::from_utf8_lossy(&page.body);
        let text = text.replace("<bdi>", "").replace("</bdi>", "").replace("<wbr>", "");
        let text = text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        let before = self.faults.len();
        let meaning = text.split("<main").nth(1).and_then(|main| main.split("<h2>").next()).unwrap_or_default();
        // Between its fixed parts a page marks values up; each part must be there, in order.
        let mut rest = Some(meaning);
        for part in entry.text.split(['{', '}']).step_by(2) {
            rest = rest.and_then(|rest| rest.split_once(part)).map(|(_, after)| after);
        }
        if page.status != 400 || !text.contains(&format!("Code: AADSTS{}\n", entry.code)) || rest.is_none() {
            self.fault(entry, &format!("{} {text}", page.status));
        }
        self.count(entry, before);
    }

    fn count(&mut self, entry: &AadSts, faults_before: usize) {
        if self.faults.len() == faults_before {
            self.codes.insert(entry.code);
        }
    }

    /// The address of an authorization request of the daemon, changed.
    pub(crate) fn authorize(&self, changes: Changes<'_>) -> String {
        let scope = format!("openid {ORDERS_READ}");
        let usual = [
            ("client_id", CLIENT),
            ("response_type", "code"),
            ("redirect_uri", CLIENT_CALLBACK),
            ("scope", scope.as_str()),
            ("state", "s"),
        ];
        let mut tenant = TENANT;
        let mut parameters = changed(&usual, changes);
        parameters.retain(|(name, value)| {
            if *name == "tenant" {
                tenant = value;
            }
            *name != "tenant"
        });
        authorize_url(self.scene.house.origin(), tenant, &parameters)
    }

    /// A code for the daemon, or for whom the changes name.
    pub(crate) async fn code(&self, changes: Changes<'_>) -> String {
        let url = self.authorize(changes);
        let arrived = Person::new(&self.scene.house, ALICE, PASSWORD).open(&url).await.parameters();
        arrived.get("code").unwrap_or_else(|| panic!("{arrived:#?}")).clone()
    }

    pub(crate) fn fault(&mut self, entry: &AadSts, what: &str) {
        self.faults.push(format!(
            "{} (AADSTS{}): {}",
            entry.name,
            entry.code,
            what.chars().take(900).collect::<String>()
        ));
    }
}

/// What redeems a code of the daemon.
pub(crate) fn redemption(code: &str) -> [(&'static str, &str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT),
        ("client_secret", SECRET),
        ("redirect_uri", CLIENT_CALLBACK),
        ("code", code),
    ]
}

/// Whether a description is the entry's text, all its insertions filled in, with the three ids behind it.
fn is_described(entry: &AadSts, description: &str) -> bool {
    let Some(rest) = description.strip_prefix(&format!("AADSTS{}: ", entry.code)) else { return false };
    let Some((text, ids)) = rest.split_once(" Trace ID: ") else { return false };
    let whole = ids.contains(" Correlation ID: ") && ids.contains(" Timestamp: ");
    whole && entry.describes(text) && entry.insertions().all(|name| !text.contains(&format!("{{{name}}}")))
}
