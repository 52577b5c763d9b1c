//! Flows in which a person takes part, and those of one service for another: what every client is asked to do, and what
//! the tokens that it got must say.

use std::sync::Arc;

use countersign_authority::AuthorityBuilder;
use countersign_conformance::clients::{Outcome, Program, attempt_with};
use countersign_conformance::concierge::Concierge;
use countersign_conformance::contoso::{
    ALICE, ALICE_ID, CLIENT, CLIENT_CALLBACK, CLIENT_SCOPE, House, LEGACY, LEGACY_URI, ORDERS_READ, PASSWORD, RESOURCE,
    RESOURCE_URI, SECRET, TENANT, TOOL,
};
use countersign_conformance::credentials::REGISTERED;
use countersign_conformance::elsewhere::Elsewhere;
use countersign_conformance::person::authorize_url;
use countersign_conformance::tokens::{Proof, assert_demo_token_of, decode};
use countersign_conformance::wire::post_form;
use countersign_token::{
    AssertionAlgorithm, Certificate, ClientAssertionSigner, Clock, OffsetClock, PrivateKey, Randomness, SystemClock,
    SystemRandomness,
};
use serde_json::{Value, json};

/// How far the clients let the time pass before they renew.
const PASSED: i64 = 7200;

/// An authority whose time can pass, and somebody who signs in there.
pub(crate) struct Scene {
    pub(crate) house: Arc<House>,
    concierge: Concierge,
    elsewhere: Elsewhere,
    /// The origin that the clients are told, or know by themselves.
    origin: String,
    environment: Vec<(&'static str, String)>,
}

/// The name that an authority of the stand-in mode answers to.
const ENTRA: &str = "login.microsoftonline.com";

impl Scene {
    pub(crate) async fn open() -> Self {
        Self::build(false, |builder| builder).await
    }

    /// One whose tenant follows the standards where Entra does not.
    pub(crate) async fn strict() -> Self {
        Self::build(true, |builder| builder).await
    }

    /// One that stands in for Entra: programs reach it by a proxy, in their default configuration.
    pub(crate) async fn stand_in() -> Self {
        let mut scene = Self::build(false, |builder| builder.stand_in(ENTRA.parse().unwrap())).await;
        let proxy = scene.house.authority.proxy_address().unwrap();
        let ca = scene.house.ca().display().to_string();
        scene.origin = format!("https://{ENTRA}");
        scene.environment = vec![
            ("HTTPS_PROXY", format!("http://{proxy}")),
            ("REQUESTS_CA_BUNDLE", ca),
            ("NODE_USE_ENV_PROXY", "1".to_owned()),
            ("JAVA_TOOL_OPTIONS", format!("-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort={}", proxy.port())),
        ];
        scene
    }

    async fn build(strict: bool, configure: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder) -> Self {
        let clock = OffsetClock::default();
        let turned: Arc<dyn Clock> = Arc::new(clock.clone());
        let elsewhere = Elsewhere::open().await;
        let trusting = |builder: AuthorityBuilder| configure(elsewhere.allow(builder.clock(turned)));
        let mut directory = elsewhere.trusted();
        directory["tenants"][0]["strict"] = strict.into();
        let house = Arc::new(House::open_with(&directory, trusting).await);
        let concierge = Concierge::open(Arc::clone(&house), clock).await;
        let origin = house.origin().to_owned();
        Self { house, concierge, elsewhere, origin, environment: Vec::new() }
    }

    /// Runs the attempts; there is one outcome for each, in order.
    pub(crate) async fn run(&self, program: Program, attempts: Vec<Value>) -> Vec<Outcome> {
        let config = json!({
            "attempts": attempts, "person": self.concierge.url(), "authority": self.origin,
            "default_configuration": !self.environment.is_empty(),
        });
        attempt_with(program, &self.house, config, &self.environment).await
    }

    /// A token of Alice for the API in the middle, which it may trade for one of its own.
    pub(crate) async fn token_for_the_middle(&self) -> String {
        self.password(CLIENT_SCOPE, "access_token").await
    }

    /// A refresh token of Alice for the tool.
    pub(crate) async fn refresh_token(&self) -> String {
        self.password(&format!("{ORDERS_READ} offline_access"), "refresh_token").await
    }

    async fn password(&self, scope: &str, member: &str) -> String {
        let form = [
            ("grant_type", "password"),
            ("client_id", TOOL),
            ("username", ALICE),
            ("password", PASSWORD),
            ("scope", scope),
        ];
        let answer = post_form(&self.house, &format!("/{TENANT}/oauth2/v2.0/token"), &form).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()[member].as_str().unwrap().to_owned()
    }

    /// A client assertion of the daemon, as somebody else's key store would hand it out.
    pub(crate) fn assertion(&self) -> Value {
        let key = PrivateKey::from_pem(&REGISTERED.private_key).unwrap();
        let certificate = Certificate::from_pem(&REGISTERED.certificate).unwrap();
        let signer = ClientAssertionSigner::new(key, certificate, AssertionAlgorithm::Ps256, false).unwrap();
        let audience = format!("{}/{TENANT}/oauth2/v2.0/token", self.origin);
        let (now, id) = (SystemClock.now(), SystemRandomness.uuid_v4());
        json!({"assertion": signer.sign(CLIENT.parse().unwrap(), &audience, now, id).unwrap()})
    }

    /// A workload's token from elsewhere, which the daemon's federated credential trusts.
    pub(crate) fn federated(&self) -> Value {
        json!({"assertion": self.elsewhere.assertion()})
    }

    /// The address at which the daemon lets Alice sign in, for libraries that leave it to the application.
    pub(crate) fn sign_in_url(&self) -> String {
        let scope = format!("openid offline_access {ORDERS_READ}");
        let parameters = [
            ("client_id", CLIENT),
            ("response_type", "code"),
            ("redirect_uri", CLIENT_CALLBACK),
            ("scope", scope.as_str()),
        ];
        authorize_url(&self.origin, TENANT, &parameters)
    }
}

/// The daemon signs Alice in.
pub(crate) fn authorization_code(name: &str, credential: &Value) -> Value {
    json!({
        "name": name, "flow": "authorization_code", "tenant": TENANT, "client_id": CLIENT, "credential": credential,
        "scope": ORDERS_READ, "other_scope": format!("{LEGACY_URI}/Legacy.Use"), "redirect_uri": CLIENT_CALLBACK,
    })
}

/// The daemon asks for its own token.
pub(crate) fn client_credentials(name: &str, credential: &Value) -> Value {
    json!({
        "name": name, "flow": "client_credentials", "tenant": TENANT, "client_id": CLIENT, "credential": credential,
        "scope": format!("{RESOURCE_URI}/.default"),
    })
}

/// The daemon, called with Alice's token, calls on in her name.
pub(crate) fn on_behalf_of(name: &str, credential: &Value, assertion: &str) -> Value {
    json!({
        "name": name, "flow": "on_behalf_of", "tenant": TENANT, "client_id": CLIENT, "credential": credential,
        "scope": ORDERS_READ, "assertion": assertion,
    })
}

/// The tool signs Alice in, by `password` or `device_code`.
pub(crate) fn tool(flow: &str) -> Value {
    json!({
        "name": flow, "flow": flow, "tenant": TENANT, "client_id": TOOL, "credential": null, "scope": ORDERS_READ,
        "other_scope": format!("{LEGACY_URI}/Legacy.Use"), "login": ALICE, "password": PASSWORD, "resource": LEGACY_URI,
    })
}

/// The tool brings a refresh token from elsewhere.
pub(crate) fn refresh_token(token: &str) -> Value {
    json!({
        "name": "refresh token", "flow": "refresh_token", "tenant": TENANT, "client_id": TOOL, "credential": null,
        "scope": ORDERS_READ, "refresh_token": token,
    })
}

pub(crate) fn with(mut attempt: Value, member: &str, value: &str) -> Value {
    attempt[member] = value.into();
    attempt
}

/// That each token is the one its flow must give; a token that a client renewed after a time must be of that time.
pub(crate) fn assert_tokens(scene: &Scene, outcomes: &[Outcome], attempts: &[Value]) {
    for (outcome, attempt) in outcomes.iter().zip(attempts) {
        let flow = attempt["flow"].as_str().unwrap();
        let token = outcome.token();
        if flow == "client_credentials" {
            let proof = if attempt["credential"]["secret"].is_string() { Proof::Secret } else { Proof::Certificate };
            assert_demo_token_of(token, &scene.origin, proof);
            continue;
        }
        let app = attempt["client_id"].as_str().unwrap();
        let issued_at = assert_alices(token, &scene.origin, app, &outcome.name);
        if let Some(again) = outcome.line["again_from"].as_str() {
            assert!(["cache", "new refresh token"].contains(&again), "{}: {again}", outcome.name);
        }
        if let Some(forced) = outcome.line["forced"].as_str() {
            assert_ne!(forced, token);
            assert_alices(forced, &scene.origin, app, &outcome.name);
        }
        if ["authorization_code", "device_code", "password"].contains(&flow) {
            let renewed = outcome.line["renewed"].as_str().unwrap_or_else(|| panic!("not renewed: {:#}", outcome.line));
            let renewed_at = assert_alices(renewed, &scene.origin, app, &outcome.name);
            let passed = attempt["seconds"].as_i64().unwrap_or(PASSED);
            assert!(renewed_at >= issued_at + passed, "{}: {renewed_at}, {issued_at}", outcome.name);
        }
        if let Some(account) = outcome.line["account"].as_str() {
            assert_eq!(account, ALICE);
        }
        if let Some(home) = outcome.line["home"].as_str() {
            assert_eq!(home, format!("{ALICE_ID}.{TENANT}"));
        }
        if let Some(claims) = outcome.line.get("claims").filter(|claims| claims["sub"].is_string()) {
            assert_eq!(claims["oid"], ALICE_ID);
            assert_eq!(claims["tid"], TENANT);
            assert_eq!(claims["iss"], format!("{}/{TENANT}/v2.0", scene.origin));
            assert_eq!(claims["aud"], app);
        }
    }
}

/// That this is a token of Alice, in version 2.0 for orders or in version 1.0 for the older API. Answers its `iat`.
fn assert_alices(token: &str, origin: &str, app: &str, name: &str) -> i64 {
    let (_, claims) = decode(token);
    assert_eq!(claims["oid"], ALICE_ID, "{name}");
    assert_eq!(claims["tid"], TENANT, "{name}");
    assert!(claims.get("roles").is_none() && claims["sub"] != claims["oid"], "{name}: {claims:#}");
    if claims["ver"] == "1.0" {
        assert!([LEGACY_URI, LEGACY].contains(&claims["aud"].as_str().unwrap()), "{name}: {claims:#}");
        assert_eq!(claims["iss"], format!("https://sts.windows.net/{TENANT}/"), "{name}");
        assert_eq!(claims["appid"], app, "{name}");
        assert_eq!(claims["scp"], "Legacy.Use", "{name}");
    } else {
        assert_eq!(claims["iss"], format!("{origin}/{TENANT}/v2.0"), "{name}");
        assert_eq!(claims["aud"], RESOURCE, "{name}");
        assert_eq!(claims["azp"], app, "{name}");
        assert!(claims["scp"].as_str().unwrap().split(' ').any(|scope| scope == "Orders.Read"), "{name}: {claims:#}");
    }
    claims["iat"].as_i64().unwrap()
}

/// What Microsoft's libraries all do. The sign-ins come last, since time passes after each, and with it assertions.
pub(crate) async fn usual_attempts(scene: &Scene, program: Program, style: &str) -> Vec<Value> {
    let (secret, certificate) = (json!({"secret": SECRET}), REGISTERED.credential(style));
    let middle = scene.token_for_the_middle().await;
    vec![
        client_credentials("own token by assertion", &scene.assertion()),
        client_credentials("own token, federated", &scene.federated()),
        on_behalf_of("on behalf of, by secret", &secret, &middle),
        on_behalf_of("on behalf of, by certificate", &certificate, &middle),
        on_behalf_of("on behalf of, by assertion", &scene.assertion(), &middle),
        on_behalf_of("on behalf of, federated", &scene.federated(), &middle),
        with_patience(authorization_code("code by certificate", &certificate), program),
        authorization_code("code by secret", &secret),
        tool("device_code"),
        tool("password"),
    ]
}

/// Runs attempts and looks at every token.
pub(crate) async fn succeed(program: Program, scene: &Scene, attempts: Vec<Value>) -> Vec<Outcome> {
    let outcomes = scene.run(program, attempts.clone()).await;
    assert_tokens(scene, &outcomes, &attempts);
    outcomes
}

pub(crate) fn without_passwords(mut attempts: Vec<Value>) -> Vec<Value> {
    attempts.retain(|attempt| attempt["flow"] != "password");
    attempts
}

/// Go's and Java's clocks stay where they are, and with them the certificate's assertions: so little time passes for them
/// that the next assertion is still good.
fn with_patience(mut attempt: Value, program: Program) -> Value {
    if matches!(program, Program::Go(_) | Program::Java) {
        attempt["seconds"] = 240.into();
    }
    attempt
}

/// Without what azure-identity leaves to MSAL: it redeems codes by secret only.
pub(crate) fn without_codes_by_certificate(mut attempts: Vec<Value>) -> Vec<Value> {
    attempts.retain(|attempt| attempt["name"] != "code by certificate");
    attempts
}
