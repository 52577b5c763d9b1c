//! Client assertions as real libraries spell them (observed and read, November 2026): every row must get a token.

use countersign_token::{Algorithm, base64_encode_standard};
use serde_json::{Value, json};

use crate::forge::{Assertion, REGISTERED, Spelling, form, sha1, sha256};
use crate::kit::{API, CLIENT, Kit, NOW, TENANT, claims, directory_with};

async fn kit() -> Kit {
    Kit::with(directory_with(&REGISTERED.key_credentials(""))).await
}

/// The PEM's body, line breaks and all, as MSAL Python and ADAL put it into `x5c`.
fn pem_body() -> String {
    REGISTERED.pem.lines().filter(|line| !line.starts_with("-----")).map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn the_assertion_of_every_library_gets_a_token() {
    let kit = kit().await;
    let v1_audience = kit.url(&format!("/{TENANT}/oauth2/token"));
    let plain = || Assertion::new(&kit);
    let rs256 = |members: Value| Assertion::rs256(&kit, members);
    let floats = json!({"exp": NOW as f64 + 600.25, "iat": NOW as f64 + 0.125, "nbf": null});
    let no_iat = json!({"iat": null});
    let der = base64_encode_standard(REGISTERED.certificate.der());
    let mut padded = plain().with(no_iat.clone());
    padded.spelling = Spelling::UrlPadded;
    let sha512 = |algorithm: Algorithm| {
        let mut assertion = rs256(json!({"alg": algorithm.name(), "x5t": sha1(Spelling::Url)}));
        assertion.algorithm = algorithm;
        assertion
    };
    let with_id = format!("&client_id={CLIENT}");
    let rows = [
        (
            "MSAL Python, thumbprint only",
            &with_id,
            rs256(json!({"x5t": sha1(Spelling::UrlPadded)})).with(floats.clone()),
        ),
        (
            "MSAL Python, certificate",
            &with_id,
            plain()
                .with_header(json!({"x5t#S256": sha256(Spelling::UrlPadded), "x5c": [pem_body()]}))
                .with(floats.clone()),
        ),
        (
            "MSAL Go",
            &with_id,
            plain().with_header(json!({"x5t#S256": sha256(Spelling::Standard), "x5c": [der]})).with(no_iat.clone()),
        ),
        (
            "MSAL.NET",
            &with_id,
            plain()
                .with_header(json!({"x5c": der}))
                .with(json!({"nbf": NOW.to_string(), "exp": (NOW + 600).to_string(), "iat": null})),
        ),
        ("MSAL.NET, SHA-1", &with_id, rs256(json!({"x5t": sha1(Spelling::Url)}))),
        ("msal-node", &with_id, plain().with_header(json!({"x5c": [der]}))),
        ("msal-node, SHA-1", &with_id, rs256(json!({"x5t": sha1(Spelling::Url), "x5c": [der]}))),
        (
            "MSAL Java",
            &with_id,
            rs256(json!({"x5t#S256": sha256(Spelling::Standard)}))
                .with(json!({"aud": [plain().claims["aud"]], "iat": null})),
        ),
        (
            "azure_identity for Rust",
            &with_id,
            rs256(json!({
                "x5t": sha1(Spelling::Standard), "x5c": [base64_encode_standard(REGISTERED.pem.as_bytes())]
            }))
            .with(no_iat.clone()),
        ),
        ("go-azure-sdk", &with_id, rs256(json!({"kid": sha1(Spelling::UrlPadded)})).with(json!({"exp": NOW + 3600}))),
        ("azure-identity aio, whose segments are padded", &with_id, padded),
        (
            "ADAL Python",
            &with_id,
            rs256(json!({"x5t": sha1(Spelling::UrlPadded), "x5c": [pem_body()]}))
                .with(json!({"aud": v1_audience, "iat": null})),
        ),
        (
            "openid-client",
            &with_id,
            plain().with_header(json!({"typ": null})).with(json!({"aud": kit.url(&format!("/{TENANT}/v2.0"))})),
        ),
        ("Authlib, without client_id", &String::new(), rs256(json!({"kid": sha1(Spelling::Url)})).with(floats)),
        ("RS384", &with_id, sha512(Algorithm::Rs384)),
        ("RS512", &with_id, sha512(Algorithm::Rs512)),
    ];
    for (name, more, assertion) in rows {
        let form = form(&assertion.signed(), &format!("{more}&scope={API}/.default"));
        let answer = kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        let claims = claims(&answer.body["access_token"]);
        assert_eq!((&claims["azp"], &claims["azpacr"]), (&CLIENT.into(), &"2".into()), "{name}");
    }
}

#[tokio::test]
async fn the_v1_endpoint_takes_assertions_too() {
    let kit = kit().await;
    let assertion = Assertion::new(&kit).with(json!({"aud": kit.url("/contoso.com/oauth2/token")})).signed();
    let form = form(&assertion, &format!("&client_id={CLIENT}&resource=api://older"));
    let answer = kit.post("/contoso.com/oauth2/token", &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(claims(&answer.body["access_token"])["appidacr"], "2");
}

#[tokio::test]
async fn a_thumbprint_is_looked_for_in_the_order_of_the_header() {
    let kit = kit().await;
    let stranger = Spelling::Url.of(&[7; 20]);
    // MSAL's kid is often something else; a right thumbprint beside it is enough, whichever member holds it.
    for header in [
        json!({"x5t#S256": sha256(Spelling::Url), "x5t": stranger, "kid": "not base64 at all!"}),
        json!({"x5t": sha1(Spelling::Url), "kid": stranger}),
        json!({"x5t": stranger, "kid": sha1(Spelling::Standard)}),
        json!({"x5t": 7, "kid": sha256(Spelling::Url)}),
    ] {
        let assertion = Assertion::rs256(&kit, header.clone()).signed();
        let form = form(&assertion, &format!("&client_id={CLIENT}&scope={API}/.default"));
        let answer = kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await;
        assert_eq!(answer.status, 200, "{header}: {answer:?}");
    }
}

#[tokio::test]
async fn of_two_registrations_of_one_certificate_the_valid_one_counts() {
    let pem = Value::from(REGISTERED.pem.as_str());
    let entry = |id: &str, end: &str| format!("{{keyId: {id}, certificatePem: {pem}, endDateTime: \"{end}\"}}");
    let kit = Kit::with(directory_with(&format!(
        "keyCredentials: [{}, {}]",
        entry("22222222-0000-4000-8000-000000000001", "2030-01-01T00:00:00Z"),
        entry("22222222-0000-4000-8000-000000000002", "2025-01-01T00:00:00Z"),
    )))
    .await;
    let form = form(&Assertion::new(&kit).signed(), &format!("&client_id={CLIENT}&scope={API}/.default"));
    let answer = kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn b14_every_spelling_of_the_own_audience_is_taken_and_no_other() {
    let kit = kit().await;
    let origin = kit.authority.host().origin();
    let ask = async |aud: Value| {
        let assertion = Assertion::new(&kit).with(json!({"aud": aud})).signed();
        let form = form(&assertion, &format!("&client_id={CLIENT}&scope={API}/.default"));
        kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await
    };
    for path in [
        format!("/{TENANT}/oauth2/v2.0/token"),
        format!("/{TENANT}/oauth2/token"),
        format!("/{TENANT}/v2.0"),
        format!("/{TENANT}/v2.0/"),
        "/contoso.com/oauth2/v2.0/token".to_owned(),
        "/Contoso.OnMicrosoft.com/oauth2/token".to_owned(),
        format!("/{}/OAuth2/V2.0/Token", TENANT.to_uppercase()),
    ] {
        let answer = ask(format!("{origin}{path}").into()).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let own = format!("{origin}/{TENANT}/oauth2/v2.0/token");
    let both = [format!("{origin}/{TENANT}/oauth2/token"), own.clone()];
    assert_eq!(ask(json!(both)).await.status, 200);
    for aud in [
        json!(format!("{origin}/fabrikam.com/oauth2/v2.0/token")),
        json!(format!("{origin}/common/oauth2/v2.0/token")),
        json!(format!("{origin}/{TENANT}/oauth2/v2.0/authorize")),
        json!(format!("{origin}/{TENANT}")),
        json!(origin),
        json!(own.replace("https:", "http:")),
        json!(own.replace("localhost", "localhost.evil.example")),
        json!(format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token")),
        json!(format!("{own}?x")),
        json!(format!("{own}//")),
        json!(format!(" {own}")),
        json!(CLIENT),
        json!(""),
        // Meant for somebody else too: whoever asked for it could be them (CVE-2025-27370, pitfalls B14).
        json!([own, "https://evil.example/token"]),
        json!(["https://evil.example/token", own]),
    ] {
        let answer = ask(aud.clone()).await;
        assert_eq!(answer.refusal(), (401, "invalid_client", 700_023), "{aud}");
    }
}
