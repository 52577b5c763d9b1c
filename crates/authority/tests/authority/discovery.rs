//! What the authority publishes: metadata, key sets, instance discovery (pitfalls B54, B73, B75, B76).

use countersign_protocol::EndpointVersion;
use countersign_token::{Certificate, base64_decode_lenient, base64url_decode_strict, base64url_encode};
use http::Method;
use serde_json::{Value, json};

use crate::kit::{CLIENT, Kit, OTHER_TENANT, TENANT};

const MSA: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
const DISCOVERY_HEADERS: [(&str, &str); 6] = [
    ("content-type", "application/json; charset=utf-8"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("access-control-allow-origin", "*"),
    ("access-control-allow-methods", "GET, OPTIONS"),
    ("p3p", r#"CP="DSP CUR OTPi IND OTRi ONL FIN""#),
];

fn path(tenant: &str, version: EndpointVersion) -> String {
    match version {
        EndpointVersion::V1 => format!("/{tenant}/.well-known/openid-configuration"),
        EndpointVersion::V2 => format!("/{tenant}/v2.0/.well-known/openid-configuration"),
    }
}

#[tokio::test]
async fn metadata_of_v2_names_this_authority_and_the_tenants_id() {
    let kit = Kit::start().await;
    let origin = kit.authority.host().origin().to_owned();
    for tenant in [TENANT.to_owned(), TENANT.to_uppercase(), "contoso.com".into(), "CONTOSO.onmicrosoft.com".into()] {
        let answer = kit.get(&path(&tenant, EndpointVersion::V2)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        for (member, value) in [
            ("issuer", format!("{origin}/{TENANT}/v2.0")),
            ("token_endpoint", format!("{origin}/{TENANT}/oauth2/v2.0/token")),
            ("authorization_endpoint", format!("{origin}/{TENANT}/oauth2/v2.0/authorize")),
            ("device_authorization_endpoint", format!("{origin}/{TENANT}/oauth2/v2.0/devicecode")),
            ("end_session_endpoint", format!("{origin}/{TENANT}/oauth2/v2.0/logout")),
            ("jwks_uri", format!("{origin}/{TENANT}/discovery/v2.0/keys")),
        ] {
            assert_eq!(answer.body[member], value, "{tenant}");
        }
        assert_eq!(answer.body["id_token_signing_alg_values_supported"], json!(["RS256"]));
        assert!(answer.body["tenant_region_scope"].is_string(), "{answer:?}");
        assert_eq!(answer.body["token_endpoint"].as_str().unwrap().matches("token").count(), 1, "MSAL Go replaces it");
    }
}

#[tokio::test]
async fn metadata_of_v1_differs_where_entras_does() {
    let kit = Kit::start().await;
    let origin = kit.authority.host().origin().to_owned();
    let answer = kit.get(&path("contoso.com", EndpointVersion::V1)).await;
    for (member, value) in [
        ("issuer", json!(format!("https://sts.windows.net/{TENANT}/"))),
        ("token_endpoint", json!(format!("{origin}/{TENANT}/oauth2/token"))),
        ("jwks_uri", json!(format!("{origin}/{TENANT}/discovery/keys"))),
        ("check_session_iframe", json!(format!("{origin}/{TENANT}/oauth2/checksession"))),
        ("microsoft_multi_refresh_token", json!(true)),
        ("scopes_supported", json!(["openid"])),
    ] {
        assert_eq!(answer.body[member], value);
    }
}

#[tokio::test]
async fn aliases_keep_their_name_and_a_template_for_issuer() {
    let kit = Kit::start().await;
    let origin = kit.authority.host().origin().to_owned();
    for (alias, v1_issuer, v2_issuer) in [
        ("common", "https://sts.windows.net/{tenantid}/".to_owned(), format!("{origin}/{{tenantid}}/v2.0")),
        ("organizations", "https://sts.windows.net/{tenantid}/".into(), format!("{origin}/{{tenantid}}/v2.0")),
        ("consumers", format!("https://sts.windows.net/{MSA}/"), format!("{origin}/{MSA}/v2.0")),
    ] {
        let v2 = kit.get(&path(alias, EndpointVersion::V2)).await.body;
        assert_eq!((&v2["issuer"], &v2["tenant_region_scope"]), (&json!(v2_issuer), &Value::Null), "{alias}");
        assert_eq!(v2["token_endpoint"], format!("{origin}/{alias}/oauth2/v2.0/token"));
        assert_eq!(v2["jwks_uri"], format!("{origin}/{alias}/discovery/v2.0/keys"));
        let v1 = kit.get(&path(alias, EndpointVersion::V1)).await.body;
        assert_eq!(v1["issuer"], v1_issuer, "{alias}");
        assert_eq!(v1["token_endpoint"], format!("{origin}/{alias}/oauth2/token"));
    }
}

#[tokio::test]
async fn an_applications_metadata_points_to_its_own_keys() {
    let kit = Kit::start().await;
    for (version, keys) in [(EndpointVersion::V2, "/discovery/v2.0/keys"), (EndpointVersion::V1, "/discovery/keys")] {
        let answer = kit.get(&format!("{}?appid={CLIENT}", path(TENANT, version))).await;
        assert_eq!(answer.body["jwks_uri"], kit.url(&format!("/{TENANT}{keys}?appid={CLIENT}")));
    }
    // What is no client id is not echoed.
    let answer = kit.get(&format!("{}?appid=%22%3E%3Cscript", path(TENANT, EndpointVersion::V2))).await;
    assert_eq!(answer.body["jwks_uri"], kit.url(&format!("/{TENANT}/discovery/v2.0/keys")));
}

#[tokio::test]
async fn b76_keys_are_published_as_entra_does_and_hold_nothing_private() {
    let kit = Kit::start().await;
    let v2_members = ["cloud_instance_name", "e", "issuer", "kid", "kty", "n", "use", "x5c", "x5t"];
    let v1_members = ["e", "kid", "kty", "n", "use", "x5c", "x5t"];
    let mut sets = Vec::new();
    for (path, members) in [
        (format!("/{TENANT}/discovery/v2.0/keys"), &v2_members[..]),
        ("/common/discovery/v2.0/keys".to_owned(), &v2_members[..]),
        (format!("/contoso.com/discovery/keys?appid={CLIENT}"), &v1_members[..]),
        ("/common/discovery/keys".to_owned(), &v1_members[..]),
        ("/organizations/discovery/keys".to_owned(), &v1_members[..]),
    ] {
        let answer = kit.get(&path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let keys = answer.body["keys"].as_array().unwrap();
        assert!(!keys.is_empty());
        for key in keys {
            let names: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(names, members, "neither alg nor anything private");
            assert_eq!((&key["kty"], &key["use"], &key["kid"]), (&json!("RSA"), &json!("sig"), &key["x5t"]));
            let chain = key["x5c"].as_array().unwrap();
            let text = chain[0].as_str().unwrap();
            assert!(chain.len() == 1 && !text.contains(['\n', '\r', '-', '_']), "plain base64, no line breaks");
            let certificate = Certificate::from_der(base64_decode_lenient(text).unwrap()).unwrap();
            assert_eq!(key["kid"], base64url_encode(&certificate.sha1_thumbprint()));
            let modulus = base64url_decode_strict(key["n"].as_str().unwrap()).unwrap();
            assert_eq!(modulus, certificate.public_key().modulus());
            assert_eq!(modulus.len(), 256);
            // The tenant's own keys, which are good for no other one.
            let issuer = kit.url(&format!("/{TENANT}/v2.0"));
            assert_eq!(key.get("issuer"), members.contains(&"issuer").then_some(&json!(issuer)));
        }
        sets.push(keys.iter().map(|key| key["kid"].clone()).collect::<Vec<_>>());
    }
    assert!(sets.windows(2).all(|pair| pair[0] == pair[1] || pair[0].len() < pair[1].len()), "{sets:?}");
    let signing = kit.authority.signing_key_id().await.unwrap();
    assert!(sets[0].contains(&json!(signing)));
}

#[tokio::test]
async fn instance_discovery_answers_for_itself_and_the_public_clouds() {
    let kit = Kit::start().await;
    let port = kit.authority.address().port();
    let ask = async |endpoint: &str, version: &str| {
        let endpoint: String = url_encoded(endpoint);
        kit.get(&format!("/common/discovery/instance?api-version={version}&authorization_endpoint={endpoint}")).await
    };
    let own = kit.url(&format!("/{TENANT}/oauth2/v2.0/authorize"));
    let answer = ask(&own, "1.1").await;
    assert_eq!(answer.body["tenant_discovery_endpoint"], kit.url(&path(TENANT, EndpointVersion::V2)));
    assert_eq!(answer.body["api-version"], "1.1");
    assert_eq!(answer.body["metadata"][0]["aliases"], json!([format!("localhost:{port}"), "localhost"]));
    assert_eq!(answer.body["metadata"][1]["preferred_cache"], "login.windows.net");
    let old = ask("https://localhost/contoso.com/oauth2/authorize", "1.0").await;
    assert_eq!(old.body["tenant_discovery_endpoint"], kit.url(&path("contoso.com", EndpointVersion::V1)));
    assert!(old.body.get("metadata").is_none());
    assert_eq!(old.header("cache-control"), "max-age=86400, private");
    for (endpoint, code) in [
        ("https://evil.example/common/oauth2/v2.0/authorize", 50_049),
        ("https://login.microsoftonline.com.evil.example/common/oauth2/authorize", 50_049),
        ("http://localhost/common/oauth2/authorize", 50_050),
        ("nonsense", 50_050),
    ] {
        let refused = ask(endpoint, "1.1").await;
        assert_eq!(refused.refusal(), (400, "invalid_instance", code), "{endpoint}");
        assert!(!refused.body.to_string().contains("evil"), "{refused:?}");
    }
    let none = kit.get("/common/discovery/instance?api-version=1.1").await;
    assert_eq!(none.refusal(), (400, "invalid_request", 900_144));
    let twice =
        format!("/common/discovery/instance?authorization_endpoint={}&authorization_endpoint=x", url_encoded(&own));
    assert_eq!(kit.get(&twice).await.refusal(), (400, "invalid_request", 9_002_313));
}

fn url_encoded(text: &str) -> String {
    text.replace(':', "%3A").replace('/', "%2F")
}

#[tokio::test]
async fn unknown_tenants_are_refused_in_the_words_of_discovery() {
    let kit = Kit::start().await;
    for (tenant, code, error) in [
        ("11111111-2222-4333-8444-555555555555", 90_002, "invalid_tenant"),
        ("nobody.example", 90_002, "invalid_tenant"),
        ("00000000-0000-0000-0000-000000000000", 900_021, "invalid_tenant"),
        ("nonsense", 900_023, "invalid_request"),
        ("a%20b", 900_023, "invalid_request"),
        ("%3Cscript%3E", 900_023, "invalid_request"),
        ("%ff", 900_023, "invalid_request"),
        ("..%2f..", 900_023, "invalid_request"),
    ] {
        for path in [path(tenant, EndpointVersion::V2), format!("/{tenant}/discovery/v2.0/keys")] {
            let answer = kit.get(&path).await;
            assert_eq!(answer.refusal(), (400, error, code), "{path}");
            assert_eq!(answer.header("cache-control"), "private", "a refusal is not kept for a day");
            for (name, value) in DISCOVERY_HEADERS {
                assert_eq!(answer.header(name), value, "{name}");
            }
        }
    }
    assert_eq!(kit.get(&path(OTHER_TENANT, EndpointVersion::V2)).await.status, 200);
}

#[tokio::test]
async fn every_answer_has_entras_headers_and_its_own_id() {
    let kit = Kit::start().await;
    let id = "0f0e0d0c-0b0a-4908-8706-050403020100";
    let mut seen = std::collections::HashSet::new();
    for path in [path(TENANT, EndpointVersion::V2), "/common/discovery/keys".to_owned()] {
        let answer = kit.get(&path).await;
        for (name, value) in DISCOVERY_HEADERS.iter().chain([&("cache-control", "max-age=86400, private")]) {
            assert_eq!(answer.header(name), *value, "{name}");
        }
        assert!(seen.insert(answer.header("x-ms-request-id").to_owned()));
        assert_eq!((answer.header("client-request-id"), answer.header("x-ms-clitelem")), ("", ""));
        let request = http::Request::get(kit.url(&path))
            .header("client-request-id", id)
            .header("return-client-request-id", "true")
            .header("x-client-sku", "MSAL.Python")
            .body(bytes::Bytes::new())
            .unwrap();
        let answer = kit.send(request).await;
        assert_eq!((answer.header("client-request-id"), answer.header("x-ms-clitelem")), (id, ""));
    }
}

#[tokio::test]
async fn b75_preflights_are_answered_and_never_with_credentials() {
    let kit = Kit::start().await;
    for path in
        [path("common", EndpointVersion::V2), format!("/{TENANT}/discovery/keys"), "/common/discovery/instance".into()]
    {
        let request = http::Request::builder()
            .method(Method::OPTIONS)
            .uri(kit.url(&path))
            .header("origin", "https://evil.example")
            .header("access-control-request-method", "GET")
            .body(bytes::Bytes::new())
            .unwrap();
        let answer = kit.send(request).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("access-control-allow-methods"), "GET, OPTIONS");
        assert_eq!(answer.header("access-control-allow-credentials"), "", "B75");
    }
    // The token endpoint is nobody's from a browser (only for spa redirect URIs, which client credentials have not).
    let answer =
        kit.post_with(&format!("/{TENANT}/oauth2/v2.0/token"), "", &[("origin", "https://evil.example")]).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}
