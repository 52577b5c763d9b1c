//! What the lab does to answers, what it remembers of calls, and how a test leaves nothing behind.

use countersign_token::{Clock, KeySet, Policy, SystemClock, verify};
use http::Method;
use serde_json::{Value, json};

use crate::kit::{API, Answer, CLIENT, SECRET, TENANT};
use crate::lab::Lab;

impl Lab {
    async fn token(&self) -> Answer {
        self.kit.token(&format!("{API}/.default")).await
    }

    async fn fault(&self, fault: Value) -> u64 {
        let answer = self.order("/lab/faults", &fault).await;
        assert_eq!(answer.status, 201, "{fault} {answer:?}");
        answer.body["id"].as_u64().unwrap()
    }

    /// As the administrator, whom a fault everywhere would meet too: with a token from before.
    async fn by(&self, administrator: &str, method: Method, path: &str) -> Answer {
        self.ask(method, path, Some(administrator), "{}").await
    }
}

#[tokio::test]
async fn a_fault_meets_one_client_at_one_endpoint_so_often() {
    let lab = Lab::start().await;
    lab.fault(json!({"endpoint": "token", "client_id": CLIENT, "times": 2, "aadsts": 90033, "status": 503, "retry_after": "7"}))
        .await;
    for _ in 0..2 {
        let answer = lab.token().await;
        assert_eq!(answer.refusal(), (503, "temporarily_unavailable", 90_033));
        assert_eq!(answer.header("retry-after"), "7");
        // Whoever is not meant is served.
        lab.administrator().await;
        assert_eq!(lab.kit.get("/common/discovery/v2.0/keys").await.status, 200);
    }
    assert_eq!(lab.token().await.status, 200, "two were ordered");
}

#[tokio::test]
async fn a_fault_everywhere_leaves_the_lab_itself_alone() {
    let lab = Lab::start().await;
    let administrator = lab.administrator().await;
    let id = lab.fault(json!({"status": 500, "body": "html"})).await;
    for path in ["/common/discovery/v2.0/keys", "/common/discovery/instance", "/nowhere"] {
        let answer = lab.kit.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (500, "text/html"), "{path}");
    }
    let listed = lab.by(&administrator, Method::GET, "/lab/faults").await;
    assert_eq!((&listed.body["faults"][0]["id"], &listed.body["faults"][0]["happened"]), (&json!(id), &json!(3)));
    assert_eq!(lab.by(&administrator, Method::DELETE, &format!("/lab/faults/{id}")).await.status, 204);
    assert_eq!(lab.by(&administrator, Method::DELETE, &format!("/lab/faults/{id}")).await.status, 404);
    assert_eq!(lab.token().await.status, 200);
}

#[tokio::test]
async fn answers_come_garbled_broken_off_too_large_or_not_at_all() {
    let lab = Lab::start().await;
    let asked = async |body: &str| {
        lab.fault(json!({"endpoint": "token", "body": body, "times": 1})).await;
        let form =
            format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&scope={API}/.default");
        let request = http::Request::post(lab.kit.url(&format!("/{TENANT}/oauth2/v2.0/token")))
            .header("content-type", "application/x-www-form-urlencoded");
        let answer = lab.kit.try_send(request.body(form.into()).unwrap()).await;
        answer.map(|answer| (answer.status().as_u16(), answer.into_body()))
    };
    let (status, body) = asked("garbage").await.unwrap();
    assert!(status == 200 && serde_json::from_slice::<Value>(&body).is_err());
    assert_eq!(asked("empty").await.unwrap(), (200, bytes::Bytes::new()));
    let (_, body) = asked("wrong_types").await.unwrap();
    assert!(serde_json::from_slice::<Value>(&body).unwrap()["expires_in"].is_string());
    for never_whole in ["truncated", "oversize", "never_ending", "hang_up"] {
        assert!(asked(never_whole).await.is_err(), "{never_whole}");
    }
    assert_eq!(lab.token().await.status, 200);
    for (nonsense, what) in [
        (json!({}), "a fault needs"),
        (json!({"status": 42}), "status"),
        (json!({"aadsts": 1}), "aadsts"),
        (json!({"endpoint": "nowhere", "status": 500}), "endpoint"),
        (json!({"statuss": 500}), "statuss"),
    ] {
        let answer = lab.order("/lab/faults", &nonsense).await;
        assert_eq!(answer.status, 400, "{nonsense}");
        assert!(answer.body["error_description"].as_str().unwrap().contains(what), "{answer:?}");
    }
}

#[tokio::test]
async fn the_log_says_who_called_what_and_holds_no_secret() {
    let lab = Lab::start().await;
    let administrator = lab.administrator().await;
    lab.by(&administrator, Method::DELETE, "/lab/calls").await;
    lab.token().await;
    lab.kit.token("api://nobody/.default").await;
    lab.kit.get(&format!("/{TENANT}/discovery/keys")).await;
    let calls = lab.by(&administrator, Method::GET, "/lab/calls").await;
    let seen: Vec<_> = calls.body["calls"].as_array().unwrap().iter().map(|call| &call["endpoint"]).collect();
    assert_eq!(seen, ["token", "token", "keys"]);
    let refused = &calls.body["calls"][1];
    assert_eq!(
        (&refused["client_id"], &refused["grant_type"], &refused["asked_for"], &refused["status"], &refused["code"]),
        (&json!(CLIENT), &json!("client_credentials"), &json!("api://nobody/.default"), &json!(400), &json!(500_011))
    );
    assert!(!calls.body.to_string().contains(SECRET));
    let last = calls.body["calls"][2]["number"].as_u64().unwrap();
    lab.token().await;
    let later = lab
        .by(&administrator, Method::GET, &format!("/lab/calls?endpoint=token&client_id={CLIENT}&after={last}"))
        .await;
    assert_eq!(later.body["calls"].as_array().unwrap().len(), 1, "{later:?}");
    assert_eq!(lab.by(&administrator, Method::GET, "/lab/calls?who=me").await.status, 400);
}

#[tokio::test]
async fn a_reset_brings_everything_back_as_it_was() {
    let lab = Lab::start().await;
    let administrator = lab.administrator().await;
    let made = lab.order("/lab/tenants", &json!({})).await;
    let tenant = made.body["tenant"]["tenantId"].as_str().unwrap().to_owned();
    assert_eq!(lab.by(&administrator, Method::PUT, "/lab/snapshots/with-tenant").await.status, 204);
    lab.fault(json!({"endpoint": "token", "client_id": CLIENT, "status": 500})).await;
    let known = async || lab.kit.get(&format!("/{tenant}/v2.0/.well-known/openid-configuration")).await.status;
    assert_eq!(known().await, 200);
    assert_eq!(lab.by(&administrator, Method::POST, "/lab/reset").await.status, 204);
    assert_eq!(known().await, 400, "made after the start");
    assert_eq!(lab.token().await.status, 200, "faults are taken back");
    let back = json!({"snapshot": "with-tenant"}).to_string();
    assert_eq!(lab.ask(Method::POST, "/lab/reset", Some(&administrator), &back).await.status, 204);
    assert_eq!(known().await, 200);
    let nowhere = json!({"snapshot": "nowhere"}).to_string();
    assert_eq!(lab.ask(Method::POST, "/lab/reset", Some(&administrator), &nowhere).await.status, 404);
    assert_eq!(lab.by(&administrator, Method::DELETE, "/lab/snapshots/with-tenant").await.status, 204);
    assert_eq!(lab.by(&administrator, Method::DELETE, "/lab/snapshots/with-tenant").await.status, 404);
}

#[tokio::test]
async fn a_test_has_a_tenant_of_its_own() {
    let lab = Lab::start().await;
    let made = lab.order("/lab/tenants", &json!({})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let tenant = &made.body["tenant"];
    let (api, daemon) = (&tenant["applications"][0], &tenant["applications"][1]);
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=api://{}/.default",
        daemon["appId"].as_str().unwrap(),
        daemon["passwordCredentials"][0]["secretText"].as_str().unwrap(),
        api["appId"].as_str().unwrap(),
    );
    let path = format!("/{}/oauth2/v2.0/token", tenant["tenantId"].as_str().unwrap());
    let answer = lab.kit.post(&path, &form).await;
    assert_eq!(crate::kit::claims(&answer.body["access_token"])["roles"], json!(["Resource.Read"]), "{answer:?}");
    let twice = json!({"tenantId": tenant["tenantId"], "applications": [{"appId": "none"}]});
    assert_eq!(lab.order("/lab/tenants", &twice).await.status, 400);
    let administrator = lab.administrator().await;
    let gone = format!("/lab/tenants/{}", tenant["tenantId"].as_str().unwrap());
    assert_eq!(lab.by(&administrator, Method::DELETE, &gone).await.status, 204);
    assert_eq!(lab.by(&administrator, Method::DELETE, &gone).await.status, 404);
    assert_eq!(lab.kit.post(&path, &form).await.refusal().2, 90_002);
}

#[tokio::test]
async fn a_stopped_clock_stands_until_it_is_moved() {
    let lab = Lab::start().await;
    let frozen = lab.order("/lab/clock", &json!({"freeze": true})).await;
    assert_eq!(frozen.body["frozen"], true, "{frozen:?}");
    let now = frozen.body["now"].as_i64().unwrap();
    let moved = lab.order("/lab/clock", &json!({"advance_seconds": 60})).await;
    assert_eq!((&moved.body["now"], &moved.body["frozen"]), (&json!(now + 60), &json!(true)));
    let thawed = lab.order("/lab/clock", &json!({"freeze": false})).await;
    assert_eq!(thawed.body["frozen"], false);
    assert!(thawed.body["now"].as_i64().unwrap() >= now + 60);
}

#[tokio::test]
async fn tokens_are_ordered_with_any_fault_and_every_one_is_refused_for_it() {
    let lab = Lab::start().await;
    let keys = lab.kit.get("/common/discovery/v2.0/keys").await;
    let keys = KeySet::parse(keys.body.to_string().as_bytes()).unwrap();
    let policy: Policy = serde_json::from_value(json!({
        "tenants": [TENANT], "issuers": [lab.kit.url("/{tenantid}/v2.0")], "audiences": [API], "app_roles": ["Made.Up"],
    }))
    .unwrap();
    let policy = policy.compile().unwrap();
    let order = async |fault: Value| {
        let claims = json!({"aud": API, "tid": TENANT, "roles": ["Made.Up"]});
        let answer = lab.order("/lab/tokens", &json!({"claims": claims, "fill": true, "fault": fault})).await;
        answer.body["access_token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
    };
    assert!(verify(&order(Value::Null).await, &keys, &policy, SystemClock.now()).is_ok());
    for (fault, reason) in [
        ("expired", "expired"),
        ("not_yet_valid", "not_yet_valid"),
        ("wrong_key", "signature_invalid"),
        ("unknown_key", "unknown_key"),
        ("no_key_id", "key_id_missing"),
        ("wrong_issuer", "issuer_mismatch"),
        ("wrong_audience", "audience_mismatch"),
        ("wrong_tenant", "tenant_not_allowed"),
        ("unsigned", "not_compact_jws"),
        ("symmetric", "algorithm_not_allowed"),
        ("bad_signature", "signature_invalid"),
        ("truncated", "not_compact_jws"),
    ] {
        let rejection = verify(&order(json!(fault)).await, &keys, &policy, SystemClock.now()).unwrap_err();
        assert_eq!(rejection.code(), reason, "{fault}");
    }
}

#[tokio::test]
async fn what_nobody_approved_is_forgotten_some_time_after_its_end() {
    let lab = Lab::start().await;
    let begun =
        lab.kit.post(&format!("/{TENANT}/oauth2/v2.0/devicecode"), &format!("client_id={CLIENT}&scope=openid")).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    let poll = async || {
        let poll = format!(
            "grant_type=device_code&client_id={CLIENT}&client_secret={SECRET}&device_code={}",
            begun.body["device_code"].as_str().unwrap()
        );
        lab.kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &poll).await.refusal().2
    };
    assert_eq!(poll().await, 70_016);
    lab.order("/lab/clock", &json!({"advance_seconds": 1_800})).await;
    assert_eq!(poll().await, 70_020, "told that it has ended");
    lab.order("/lab/clock", &json!({"advance_seconds": 7_200})).await;
    assert_ne!(poll().await, 70_020, "and then nothing is known of it");
}
