//! The lab: for the administrator alone, and only where it was asked for.

use std::sync::Arc;

use bytes::Bytes;
use countersign_authority::Authority;
use countersign_token::{Clock, KeySet, OffsetClock, Policy, SystemClock, verify};
use http::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::kit::{API, Answer, CLIENT, Kit, OTHER_TENANT, SECRET, TENANT, claims, directory_text, segment};
use countersign_directory::DirectoryFile;

const ROUTES: [(Method, &str); 14] = [
    (Method::GET, "/lab/clock"),
    (Method::POST, "/lab/clock"),
    (Method::POST, "/lab/keys/roll"),
    (Method::POST, "/lab/tokens"),
    (Method::GET, "/lab/faults"),
    (Method::POST, "/lab/faults"),
    (Method::DELETE, "/lab/faults"),
    (Method::DELETE, "/lab/faults/1"),
    (Method::GET, "/lab/calls"),
    (Method::DELETE, "/lab/calls"),
    (Method::PUT, "/lab/snapshots/a"),
    (Method::POST, "/lab/reset"),
    (Method::POST, "/lab/tenants"),
    (Method::DELETE, "/lab/tenants/0a1b2c3d-0000-4000-8000-00000000fab0"),
];

pub(crate) struct Lab {
    pub(crate) kit: Kit,
    pub(crate) clock: OffsetClock,
}

impl Lab {
    pub(crate) async fn start() -> Self {
        // Secrets without an end in the past: this lab lives at the machine's time.
        // The client is known in the administrator's tenant too, without a role there.
        let text = directory_text("signInAudience: AzureADMultipleOrgs", "")
            .replace("endDateTime: \"2027-01-01", "endDateTime: \"2227-01-01")
            .replace(
                "  domains: [fabrikam.com]",
                &format!("  domains: [fabrikam.com]\n  servicePrincipals: [{{appId: {CLIENT}}}]"),
            );
        let clock = OffsetClock::default();
        let builder = Authority::builder().lab(Some(clock.clone()));
        let authority = builder.directory(DirectoryFile::parse("lab.yaml", &text).unwrap().file).start().await.unwrap();
        Self { kit: Kit::around(authority), clock }
    }

    pub(crate) async fn administrator(&self) -> String {
        let administrator = self.kit.authority.administrator();
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope=https://graph.microsoft.com/.default",
            administrator.client_id,
            administrator.client_secret.expose_secret().replace('~', "%7E")
        );
        let answer = self.kit.post(&format!("/{}/oauth2/v2.0/token", administrator.tenant_id), &form).await;
        answer.body["access_token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, token: Option<&str>, body: &str) -> Answer {
        ask(&self.kit, method, path, token, body).await
    }

    /// As the administrator, with a token made now.
    pub(crate) async fn order(&self, path: &str, body: &Value) -> Answer {
        let token = self.administrator().await;
        self.ask(Method::POST, path, Some(&token), &body.to_string()).await
    }
}

async fn ask(kit: &Kit, method: Method, path: &str, token: Option<&str>, body: &str) -> Answer {
    let mut request =
        http::Request::builder().method(method).uri(kit.url(path)).header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    kit.send(request.body(Bytes::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn without_the_switch_there_is_no_lab() {
    let kit = Kit::start().await;
    for (method, path) in ROUTES {
        let answer = ask(&kit, method, path, None, "{}").await;
        assert_eq!(answer.refusal(), (404, "invalid_request", 9_002_313), "{path}");
    }
}

#[tokio::test]
async fn every_route_refuses_nobody_and_the_wrong_caller() {
    let lab = Lab::start().await;
    let for_an_api = lab.kit.token(&format!("{API}/.default")).await.body["access_token"].clone();
    let without_a_role = lab.kit.token("https://graph.microsoft.com/.default").await.body["access_token"].clone();
    assert_eq!(lab.kit.authority.administrator().tenant_id.to_string(), TENANT, "the file's first");
    let there = format!("/{OTHER_TENANT}/oauth2/v2.0/token");
    let form = format!(
        "grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&scope=https://graph.microsoft.com/.default"
    );
    let elsewhere = lab.kit.post(&there, &form).await.body["access_token"].clone();
    let good = lab.administrator().await;
    let altered = format!("{}{}", &good[..good.len() - 4], if good.ends_with("AAAA") { "BBBB" } else { "AAAA" });
    let unsigned = good.rsplit_once('.').unwrap().0.to_owned() + ".";
    let before = (lab.clock.offset_seconds(), lab.kit.authority.signing_key_id().await.unwrap());
    for (method, path) in ROUTES {
        // Upper case and doubled slashes are the same route, behind the same guard.
        for path in [path.to_owned(), path.to_uppercase(), path.replace('/', "//")] {
            let body = r#"{"advance_seconds":60}"#;
            let refused = async |token: Option<&str>| {
                let answer = lab.ask(method.clone(), &path, token, body).await;
                assert!(answer.header("www-authenticate").starts_with("Bearer"), "{path} {answer:?}");
                assert_eq!(answer.body, Value::Null);
                answer.status
            };
            assert_eq!(refused(None).await, 401, "{path}");
            assert_eq!(refused(Some("garbage")).await, 401, "{path}");
            assert_eq!(refused(Some(&altered)).await, 401, "{path}");
            assert_eq!(refused(Some(&unsigned)).await, 401, "{path}");
            assert_eq!(refused(for_an_api.as_str()).await, 401, "{path}: another audience");
            assert_eq!(refused(elsewhere.as_str()).await, 401, "{path}: another tenant");
            assert_eq!(refused(without_a_role.as_str()).await, 403, "{path}: a client without the role");
        }
    }
    assert_eq!(before, (lab.clock.offset_seconds(), lab.kit.authority.signing_key_id().await.unwrap()));
    // Methods that a route has not are told to the administrator only.
    assert_eq!(lab.ask(Method::DELETE, "/lab/clock", None, "").await.status, 401);
    assert_eq!(lab.ask(Method::DELETE, "/lab/clock", Some(&good), "").await.status, 405);
}

#[tokio::test]
async fn an_administrators_token_opens_nothing_after_its_end() {
    let lab = Lab::start().await;
    let token = lab.administrator().await;
    assert_eq!(lab.ask(Method::GET, "/lab/clock", Some(&token), "").await.status, 200);
    lab.clock.advance_seconds(3_700);
    assert_eq!(lab.ask(Method::GET, "/lab/clock", Some(&token), "").await.status, 401);
}

#[tokio::test]
async fn the_clock_moves_and_everything_with_it() {
    let lab = Lab::start().await;
    let issued_at = async || {
        let token = lab.kit.token(&format!("{API}/.default")).await;
        claims(&token.body["access_token"])["nbf"].as_i64().unwrap() + 300
    };
    let machine = || SystemClock.now().as_unix_seconds();
    assert!((issued_at().await - machine()).abs() < 10);
    let answer = lab.order("/lab/clock", &json!({"advance_seconds": 7_200})).await;
    assert_eq!((answer.status, &answer.body["offset_seconds"]), (200, &json!(7_200)));
    assert!((issued_at().await - machine() - 7_200).abs() < 10);
    let shown = lab.ask(Method::GET, "/lab/clock", Some(&lab.administrator().await), "").await;
    assert!((shown.body["now"].as_i64().unwrap() - machine() - 7_200).abs() < 10);
    for nonsense in [
        json!({}),
        json!({"advance_seconds": "7200"}),
        json!({"advance_seconds": 1, "reset": true}),
        json!({"reset": false}),
        json!({"rewind": 1}),
        json!({"advance_seconds": i64::MAX}),
        json!({"advance_seconds": i64::MIN}),
        json!([]),
    ] {
        let answer = lab.order("/lab/clock", &nonsense).await;
        assert_eq!((answer.status, &answer.body["error"]), (400, &json!("invalid_request")), "{nonsense}");
    }
    assert_eq!(lab.clock.offset_seconds(), 7_200, "nothing of it was done");
    let answer = lab.order("/lab/clock", &json!({"reset": true})).await;
    assert_eq!((answer.status, &answer.body["offset_seconds"]), (200, &json!(0)));
    assert!((issued_at().await - machine()).abs() < 10);
}

#[tokio::test]
async fn when_the_clock_passes_a_rollover_it_has_happened() {
    let lab = Lab::start().await;
    let before = lab.kit.until_keys(2).await;
    let first = lab.kit.authority.signing_key_id().await.unwrap();
    let token = lab.administrator().await;
    let answer = lab.ask(Method::POST, "/lab/clock", Some(&token), r#"{"advance_seconds":7948800}"#).await;
    assert_eq!(answer.status, 200);
    let second = lab.kit.authority.signing_key_id().await.unwrap();
    assert!(second != first && before.contains(&second));
    let after = lab.kit.keys().await;
    assert!(!after.contains(&first), "92 days: the one before has ended");
    assert_eq!(after.len(), 2, "the one that signs and, made meanwhile, the one after it");
    // And back: keys of the future sign again as they did.
    let answer = lab.order("/lab/clock", &json!({"reset": true})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(lab.kit.token(&format!("{API}/.default")).await.status, 200);
}

#[tokio::test]
async fn keys_roll_over_as_often_as_somebody_wants() {
    let lab = Lab::start().await;
    let mut seen = vec![lab.kit.authority.signing_key_id().await.unwrap()];
    for _ in 0..5 {
        // Each order carries a token under the newest key: the lab's own guard must know it at once.
        let answer = lab.order("/lab/keys/roll", &json!({})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let key = answer.body["key_id"].as_str().unwrap().to_owned();
        assert!(!seen.contains(&key));
        let token = lab.kit.token(&format!("{API}/.default")).await;
        assert_eq!(segment(&token.body["access_token"], 0)["kid"], key);
        seen.push(key);
    }
    let published = lab.kit.keys().await;
    assert!(seen.iter().all(|key| published.contains(key)));
}

#[tokio::test]
async fn tokens_can_be_ordered_with_any_claims() {
    let lab = Lab::start().await;
    let now = SystemClock.now();
    let claims = json!({
        "aud": API, "iss": lab.kit.url(&format!("/{TENANT}/v2.0")), "tid": TENANT, "ver": "2.0",
        "iat": now.as_unix_seconds(), "nbf": now.as_unix_seconds(), "exp": now.as_unix_seconds() + 60,
        "azp": CLIENT, "azpacr": "1", "oid": CLIENT, "sub": CLIENT, "roles": ["Made.Up"], "uti": "x",
    });
    let answer = lab.order("/lab/tokens", &json!({"claims": claims})).await;
    let token = answer.body["access_token"].as_str().unwrap();
    assert_eq!(crate::kit::claims(&answer.body["access_token"]), claims);
    let keys = lab.kit.get("/common/discovery/v2.0/keys").await;
    let keys = KeySet::parse(keys.body.to_string().as_bytes()).unwrap();
    let policy: Policy = serde_json::from_value(json!({
        "tenants": [TENANT], "issuers": [claims["iss"]], "audiences": [API], "app_roles": ["Made.Up"],
    }))
    .unwrap();
    let verified = verify(token, &keys, &policy.compile().unwrap(), now).unwrap();
    assert_eq!(verified.roles().collect::<Vec<_>>(), ["Made.Up"]);
    let v1 = lab.order("/lab/tokens", &json!({"claims": {}, "version": "1.0"})).await;
    let header = segment(&v1.body["access_token"], 0);
    assert_eq!(header["x5t"], header["kid"]);
    for nonsense in
        [json!({}), json!({"claims": []}), json!({"claims": {}, "version": "3.0"}), json!({"claims": {}, "x": 1})]
    {
        assert_eq!(lab.order("/lab/tokens", &nonsense).await.status, 400, "{nonsense}");
    }
}

#[tokio::test]
async fn the_labs_clock_is_the_authoritys_whatever_else_was_said() {
    let frozen = Arc::new(countersign_token::FakeClock::at(countersign_token::Timestamp::from_unix_seconds(0)));
    let clock = OffsetClock::default();
    let authority = Authority::builder().clock(frozen).lab(Some(clock)).start().await.unwrap();
    let lab = Lab { kit: Kit::around(authority), clock: OffsetClock::default() };
    let shown = lab.ask(Method::GET, "/lab/clock", Some(&lab.administrator().await), "").await;
    assert!((shown.body["now"].as_i64().unwrap() - SystemClock.now().as_unix_seconds()).abs() < 10);
}
