//! Users who sign in: authorization code with PKCE, what its callback may be, silent renewal, device code, password.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_client::{
    Account, AcquireError, AuthorizationRequest, CallbackError, ClaimsRequest, ConfidentialClient, IdTokenFault,
    RequestOptions, SignInAttempt,
};
use countersign_protocol::{EndpointVersion, ScopeSet};
use countersign_token::{base64url_encode, sha256};
use serde_json::{Value, json};
use support::{
    CLIENT, Endpoint, SECRET, START, TENANT, answer, builder, client, clock, field, jws, ok, refused, settle, tenant,
};

const REDIRECT: &str = "https://app.contoso.com/callback";
const OID: &str = "11111111-2222-4333-8444-555555555555";

fn read() -> ScopeSet {
    ScopeSet::parse("api://orders/read").unwrap()
}

fn id_token(nonce: Option<&str>) -> Value {
    json!({
        "aud": CLIENT, "iss": format!("https://login.contoso.test:8443/{TENANT}/v2.0"), "tid": TENANT, "oid": OID,
        "preferred_username": "alice@contoso.com", "name": "Alice", "nonce": nonce, "exp": START + 3600, "sub": "s",
    })
}

fn client_info() -> String {
    base64url_encode(json!({"uid": OID, "utid": TENANT}).to_string().as_bytes())
}

/// Answers sign-ins with an id_token of these claims.
fn signs_in(endpoint: &Endpoint, claims: Value) {
    let counted = endpoint.clone();
    endpoint.answers(move |_| {
        let number = counted.count();
        ok(&json!({
            "token_type": "Bearer", "scope": "api://orders/read", "expires_in": 3600, "client_info": client_info(),
            "access_token": format!("token-{number}"), "refresh_token": format!("refresh-{number}"),
            "id_token": jws(&claims),
        }))
    });
}

fn begin(client: &ConfidentialClient) -> SignInAttempt {
    client.authorization_url(&AuthorizationRequest::new(REDIRECT, read())).unwrap()
}

fn query(attempt: &SignInAttempt, name: &str) -> Option<String> {
    field(attempt.url().split_once('?').unwrap().1, name)
}

#[tokio::test(start_paused = true)]
async fn the_page_the_redemption_and_silent_renewal() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let request = AuthorizationRequest::new(REDIRECT, read())
        .prompt("select_account")
        .login_hint("alice@contoso.com")
        .options(RequestOptions::new().query_parameter("slice", "test"));
    let attempt = client.authorization_url(&request).unwrap();
    assert!(attempt.url().starts_with(&format!(
        "https://login.contoso.test:8443/{TENANT}/oauth2/v2.0/authorize?client_id={CLIENT}&response_type=code\
         &redirect_uri=https%3A%2F%2Fapp.contoso.com%2Fcallback\
         &scope=api%3A%2F%2Forders%2Fread+openid+profile+offline_access&state="
    )));
    assert_eq!(query(&attempt, "code_challenge_method").unwrap(), "S256");
    assert_eq!(query(&attempt, "prompt").unwrap(), "select_account");
    assert_eq!(query(&attempt, "slice").unwrap(), "test");
    let challenge = query(&attempt, "code_challenge").unwrap();

    signs_in(&endpoint, id_token(query(&attempt, "nonce").as_deref()));
    let callback = format!("?code=the%2Bcode&state={}&session_state=x", attempt.state());
    let signed_in = client.redeem(attempt, &callback).await.unwrap();
    let form = endpoint.last_form();
    let verifier = field(&form, "code_verifier").unwrap();
    assert_eq!(verifier.len(), 43);
    assert_eq!(base64url_encode(&sha256(verifier.as_bytes())), challenge);
    assert_eq!(
        form,
        format!(
            "client_id={CLIENT}&grant_type=authorization_code&code=the%2Bcode\
             &redirect_uri=https%3A%2F%2Fapp.contoso.com%2Fcallback&code_verifier={verifier}\
             &scope=api%3A%2F%2Forders%2Fread+openid+profile+offline_access\
             &client_secret=Xy8%7Es3cret.value%2F1%2B2&client_info=1"
        )
    );
    let account = signed_in.account();
    assert_eq!(account.home_account_id(), format!("{OID}.{TENANT}"));
    assert_eq!((account.username(), account.name()), (Some("alice@contoso.com"), Some("Alice")));
    assert_eq!(signed_in.scope(), Some("api://orders/read"));

    // From now on the token is at hand, then renewed by the refresh token, also for an account read from a web session.
    let account = Account::from_home_account_id(account.home_account_id());
    let options = RequestOptions::new();
    assert_eq!(client.acquire_token_silent(&account, &read(), &options).await.unwrap().secret(), "token-1");
    clock.advance(Duration::from_secs(7200));
    assert_eq!(client.acquire_token_silent(&account, &read(), &options).await.unwrap().secret(), "token-2");
    assert_eq!(field(&endpoint.last_form(), "refresh_token").unwrap(), "refresh-1");
    assert!(client.sign_out(&account).await);
    let error = client.acquire_token_silent(&account, &read(), &options).await.unwrap_err();
    assert!(matches!(error, AcquireError::NotSignedIn) && error.needs_user(), "{error:?}");
    assert_eq!(client.cached_tokens(), 0);
}

#[tokio::test(start_paused = true)]
async fn v1_names_the_resource_on_the_page_and_at_the_token_endpoint() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let v1 =
        builder(&endpoint, &clock).endpoint_version(EndpointVersion::V1).secret(SECRET.to_owned()).build().unwrap();
    let attempt = v1.authorization_url(&AuthorizationRequest::new(REDIRECT, support::scopes("api://orders"))).unwrap();
    assert!(attempt.url().contains("/oauth2/authorize?"));
    assert_eq!(query(&attempt, "resource").unwrap(), "api://orders");
    assert_eq!(query(&attempt, "scope").unwrap(), "openid");
    let mut claims = id_token(query(&attempt, "nonce").as_deref());
    claims["iss"] = json!(format!("https://sts.windows.net/{TENANT}/"));
    signs_in(&endpoint, claims);
    let callback = format!("code=c&state={}", attempt.state());
    v1.redeem(attempt, &callback).await.unwrap();
    assert_eq!(field(&endpoint.last_form(), "resource").unwrap(), "api://orders");
    let error = v1.authorization_url(&AuthorizationRequest::new(REDIRECT, read())).unwrap_err();
    assert!(matches!(error, AcquireError::Scopes(_)));
}

#[tokio::test(start_paused = true)]
async fn c26_a_callback_of_another_sign_in_is_refused_and_nothing_is_sent() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let other = begin(&client).state().to_owned();
    type Is = fn(&CallbackError) -> bool;
    let cases: [(&str, Is); 7] = [
        ("code=c", |error| matches!(error, CallbackError::State)),
        ("code=c&state=", |error| matches!(error, CallbackError::State)),
        ("code=c&state=OTHER", |error| matches!(error, CallbackError::State)),
        ("code=c&code=d&state=OWN", |error| matches!(error, CallbackError::Query(_))),
        ("state=OWN", |error| matches!(error, CallbackError::NoCode)),
        ("code=c&state=OWN&iss=https://evil.test/v2.0", |error| matches!(error, CallbackError::Issuer)),
        ("code=c&state=OWN&iss=https://login.contoso.test:8443.evil.test/", |error| {
            matches!(error, CallbackError::Issuer)
        }),
    ];
    for (callback, expected) in cases {
        let attempt = begin(&client);
        let callback = callback.replace("OWN", attempt.state()).replace("OTHER", &other);
        let AcquireError::Callback(error) = client.redeem(attempt, &callback).await.unwrap_err() else { panic!() };
        assert!(expected(&error), "{callback}: {error:?}");
    }
    let attempt = begin(&client);
    let callback = format!("error=access_denied&error_description=the%0d%0auser%1b%5b1m&state={}", attempt.state());
    let AcquireError::Callback(error) = client.redeem(attempt, &callback).await.unwrap_err() else { panic!() };
    assert!(
        matches!(&*error, CallbackError::Refused { error, description }
        if error == "access_denied" && !description.contains(['\r', '\u{1b}'])),
        "{error:?}"
    );
    assert_eq!(endpoint.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn c26_an_id_token_of_another_sign_in_keeps_nothing() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let cases = [
        (json!({"nonce": "another"}), IdTokenFault::Nonce),
        (json!({"aud": TENANT}), IdTokenFault::Audience),
        (json!({"iss": "https://evil.test/v2.0"}), IdTokenFault::Issuer),
        (json!({"tid": CLIENT}), IdTokenFault::Tenant),
        (json!({"exp": START - 301}), IdTokenFault::Expired),
    ];
    for (change, expected) in cases {
        let attempt = begin(&client);
        let mut claims = id_token(query(&attempt, "nonce").as_deref());
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        signs_in(&endpoint, claims);
        let callback = format!("code=c&state={}", attempt.state());
        let AcquireError::IdToken(fault) = client.redeem(attempt, &callback).await.unwrap_err() else { panic!() };
        assert_eq!(fault, expected);
    }
    // Without an id_token the nonce cannot come back.
    endpoint.issues();
    let attempt = begin(&client);
    let callback = format!("code=c&state={}", attempt.state());
    let AcquireError::IdToken(fault) = client.redeem(attempt, &callback).await.unwrap_err() else { panic!() };
    assert_eq!((fault, client.cached_tokens()), (IdTokenFault::Missing, 0));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_survives_a_session_store_and_shows_nothing() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let claims = ClaimsRequest::from_json(r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#).unwrap();
    let options = RequestOptions::new().tenant(tenant("organizations")).claims(claims.clone());
    let request = AuthorizationRequest::new(REDIRECT, read()).options(options);
    let attempt = client.authorization_url(&request).unwrap();
    assert!(attempt.url().contains("/organizations/oauth2/"));
    assert_eq!(query(&attempt, "claims").unwrap(), claims.as_json());
    signs_in(&endpoint, id_token(query(&attempt, "nonce").as_deref()));
    assert_eq!(format!("{attempt:?}"), "SignInAttempt([redacted])");
    let restored = SignInAttempt::restore(&attempt.to_secret()).unwrap();
    let callback = format!("code=c&state={}", restored.state());
    client.redeem(restored, &callback).await.unwrap();
    let form = endpoint.last_form();
    assert_eq!(field(&form, "claims").unwrap(), claims.as_json());
    assert!(matches!(SignInAttempt::restore(&"{}".into()).unwrap_err(), CallbackError::NotAnAttempt));
}

#[tokio::test(start_paused = true)]
async fn two_accounts_never_share_a_token() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    signs_in(&endpoint, id_token(None));
    let options = RequestOptions::new();
    let alice = client.acquire_token_by_password("alice@contoso.com", "pw".into(), &read(), &options).await.unwrap();
    let bob = Account::from_home_account_id("bob.tenant");
    let error = client.acquire_token_silent(&bob, &read(), &options).await.unwrap_err();
    assert!(matches!(error, AcquireError::NotSignedIn));
    assert_eq!(client.acquire_token_silent(alice.account(), &read(), &options).await.unwrap().secret(), "token-1");
}

#[tokio::test(start_paused = true)]
async fn the_password_request_and_its_refusal() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let public = builder(&endpoint, &clock).public_client().build().unwrap();
    endpoint.answers(|request| {
        let form = String::from_utf8_lossy(request.body()).into_owned();
        refused(400, "invalid_grant", 50_126, &format!("Error validating credentials: {form}"))
    });
    let options = RequestOptions::new();
    let error =
        public.acquire_token_by_password("alice@contoso.com", "p&ss w0rd".into(), &read(), &options).await.unwrap_err();
    assert_eq!(
        endpoint.last_form(),
        format!(
            "client_id={CLIENT}&grant_type=password&username=alice%40contoso.com&password=p%26ss+w0rd\
             &scope=api%3A%2F%2Forders%2Fread+openid+profile+offline_access&client_info=1"
        )
    );
    assert_eq!(error.code(), Some(50_126));
    assert!(!format!("{error} {error:?}").contains("ss+w0rd"), "{error}");
    assert_eq!(endpoint.count(), 1, "a password is tried once");
    // A client without credential has no name of its own.
    let error = public.acquire_token_for_client(&support::scopes("api://orders")).await.unwrap_err();
    assert!(matches!(error, AcquireError::NoCredential));
    assert_eq!(endpoint.count(), 1);
}

fn device_authorization(version: EndpointVersion) -> Value {
    if version == EndpointVersion::V1 {
        json!({"user_code": "GK3TKX9MA", "device_code": "dev1ce", "verification_url": "https://microsoft.com/devicelogin",
               "expires_in": "900", "interval": "5", "message": "To sign in …"})
    } else {
        json!({"user_code": "GK3TKX9MA", "device_code": "dev1ce", "verification_uri": "https://microsoft.com/devicelogin",
               "expires_in": 900, "interval": 5, "message": "To sign in …"})
    }
}

/// Answers `first` to the start, then each of `polls` in turn.
fn plays(endpoint: &Endpoint, first: Value, polls: Vec<support::Outcome>) {
    let polls = Arc::new(Mutex::new(polls.into_iter()));
    endpoint.answers(move |request| {
        if request.uri().path().ends_with("/devicecode") { ok(&first) } else { polls.lock().unwrap().next().unwrap() }
    });
}

fn pending() -> support::Outcome {
    refused(400, "authorization_pending", 70_016, "OAuth 2.0 device flow error. Authorization is pending.")
}

fn granted() -> support::Outcome {
    ok(&json!({"token_type": "Bearer", "expires_in": 3600, "access_token": "t", "id_token": jws(&id_token(None)),
               "client_info": client_info()}))
}

#[tokio::test(start_paused = true)]
async fn a_device_code_is_polled_at_the_authoritys_pace_until_the_user_is_done() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let public = builder(&endpoint, &clock).public_client().build().unwrap();
    let slow_down = refused(400, "slow_down", 0, "Slow down.");
    let stumble = answer(500, "<html>");
    plays(
        &endpoint,
        device_authorization(EndpointVersion::V2),
        vec![pending(), slow_down, stumble, pending(), granted()],
    );
    let options = RequestOptions::new();
    let code = public.start_device_code(&read(), &options).await.unwrap();
    assert_eq!((code.user_code(), code.verification_uri()), ("GK3TKX9MA", "https://microsoft.com/devicelogin"));
    assert!(!format!("{code:?}").contains("dev1ce"));
    assert_eq!(endpoint.requests()[0].uri().path(), format!("/{TENANT}/oauth2/v2.0/devicecode"));
    let begun = tokio::time::Instant::now();
    let signed_in = public.acquire_token_by_device_code(&code).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 5 + 5 + 10 + 10 + 10);
    assert_eq!(signed_in.account().username(), Some("alice@contoso.com"));
    let form = endpoint.last_form();
    assert_eq!(field(&form, "grant_type").unwrap(), "urn:ietf:params:oauth:grant-type:device_code");
    assert_eq!((field(&form, "device_code").unwrap(), field(&form, "code")), ("dev1ce".to_owned(), None));
}

#[tokio::test(start_paused = true)]
async fn v1_names_the_device_code_and_the_resource_in_its_own_way() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let v1 = builder(&endpoint, &clock).endpoint_version(EndpointVersion::V1).public_client().build().unwrap();
    let mut claims = id_token(None);
    claims["iss"] = json!(format!("https://sts.windows.net/{TENANT}/"));
    let granted =
        ok(&json!({"token_type": "Bearer", "expires_in": "3600", "access_token": "t", "id_token": jws(&claims)}));
    plays(&endpoint, device_authorization(EndpointVersion::V1), vec![granted]);
    let code = v1.start_device_code(&support::scopes("api://orders"), &RequestOptions::new()).await.unwrap();
    let signed_in = v1.acquire_token_by_device_code(&code).await.unwrap();
    let form = endpoint.last_form();
    assert_eq!(
        (field(&form, "code").unwrap(), field(&form, "resource").unwrap()),
        ("dev1ce".into(), "api://orders".into())
    );
    assert_eq!(signed_in.account().home_account_id(), format!("{OID}.{TENANT}"), "without client_info");
}

#[tokio::test(start_paused = true)]
async fn a_device_code_that_is_declined_or_ends_is_an_error_of_its_own() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let public = builder(&endpoint, &clock).public_client().build().unwrap();
    let options = RequestOptions::new();
    let declined = refused(400, "authorization_declined", 65_004, "User declined to consent.");
    plays(&endpoint, device_authorization(EndpointVersion::V2), vec![declined]);
    let code = public.start_device_code(&read(), &options).await.unwrap();
    let error = public.acquire_token_by_device_code(&code).await.unwrap_err();
    assert!(
        matches!(&error, AcquireError::Refused(refusal) if refusal.error() == "authorization_declined"),
        "{error:?}"
    );

    let expired = refused(400, "expired_token", 70_020, "This device code has expired.");
    plays(&endpoint, device_authorization(EndpointVersion::V2), vec![expired]);
    let code = public.start_device_code(&read(), &options).await.unwrap();
    assert!(matches!(public.acquire_token_by_device_code(&code).await.unwrap_err(), AcquireError::DeviceCodeExpired));

    clock.advance(Duration::from_secs(900));
    let before = endpoint.count();
    assert!(matches!(public.acquire_token_by_device_code(&code).await.unwrap_err(), AcquireError::DeviceCodeExpired));
    assert_eq!(endpoint.count(), before, "a code that has ended is not polled");
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_of_the_page_is_asked_of_the_redemption_after_a_restart_too() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let id = uuid::Uuid::from_u128(7);
    let options = RequestOptions::new().query_parameter("slice", "a&b").query_parameter("dc", "1").correlation_id(id);
    for kept in [false, true] {
        let request = AuthorizationRequest::new(REDIRECT, read()).options(options.clone());
        let attempt = client.authorization_url(&request).unwrap();
        assert_eq!(query(&attempt, "slice").as_deref(), Some("a&b"));
        assert_eq!(query(&attempt, "client-request-id"), Some(id.to_string()));
        signs_in(&endpoint, id_token(query(&attempt, "nonce").as_deref()));
        let callback = format!("code=c&state={}", attempt.state());
        let attempt = if kept { SignInAttempt::restore(&attempt.to_secret()).unwrap() } else { attempt };
        client.redeem(attempt, &callback).await.unwrap();
        let sent = endpoint.requests().pop().unwrap();
        assert_eq!(sent.uri().query(), Some("slice=a%26b&dc=1"), "kept: {kept}");
        assert_eq!(sent.headers()["client-request-id"], id.to_string(), "kept: {kept}");
    }
    // What an earlier version has kept is taken, and what is no list of parameters is not.
    let attempt = begin(&client).to_secret();
    let mut json: Value = serde_json::from_str(secrecy::ExposeSecret::expose_secret(&attempt)).unwrap();
    json["query"] = json!([["a"]]);
    let bad = SignInAttempt::restore(&json.to_string().into()).unwrap_err();
    assert!(matches!(bad, CallbackError::NotAnAttempt));
    json.as_object_mut().unwrap().retain(|name, _| name != "query" && name != "correlation_id");
    assert!(SignInAttempt::restore(&json.to_string().into()).is_ok());
}
