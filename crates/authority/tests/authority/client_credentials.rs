//! `client_credentials` on both endpoints.

use crate::kit::{API, CLIENT, Kit, NOW, OTHER_TENANT, SECRET, TENANT, V1_API, claims, segment};

#[tokio::test]
async fn a_secret_gets_a_v2_token_with_every_claim_of_the_right_type() {
    let kit = Kit::start().await;
    let answer = kit.token(&format!("{API}/.default")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.members(), ["access_token", "expires_in", "ext_expires_in", "token_type"]);
    assert_eq!(answer.body["expires_in"], 3599);
    assert_eq!(answer.body["ext_expires_in"], 3599);
    assert_eq!(answer.body["token_type"], "Bearer");

    let header = segment(&answer.body["access_token"], 0);
    let kid = kit.authority.signing_key_id().await.unwrap();
    assert_eq!(header, serde_json::json!({"typ": "JWT", "alg": "RS256", "kid": kid}));
    let claims = claims(&answer.body["access_token"]);
    let names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "aio", "aud", "azp", "azpacr", "exp", "iat", "iss", "nbf", "oid", "rh", "roles", "sub", "tid", "uti",
            "ver", "xms_ftd"
        ]
    );
    assert_eq!(claims["aud"], API);
    assert_eq!(claims["iss"], format!("{}/{TENANT}/v2.0", kit.authority.host().origin()));
    assert_eq!((claims["iat"].as_i64(), claims["nbf"].as_i64()), (Some(NOW - 300), Some(NOW - 300)));
    assert_eq!(claims["exp"].as_i64(), Some(NOW + 3600));
    assert_eq!((&claims["azp"], &claims["azpacr"]), (&CLIENT.into(), &"1".into()));
    assert_eq!(claims["oid"], claims["sub"]);
    assert_eq!(claims["roles"], serde_json::json!(["Resource.Read"]));
    assert_eq!((&claims["tid"], &claims["ver"]), (&TENANT.into(), &"2.0".into()));
    assert_eq!(claims["uti"].as_str().map(str::len), Some(22));
}

#[tokio::test]
async fn the_v1_endpoint_answers_in_strings_and_the_token_follows_the_resource() {
    let kit = Kit::start().await;
    let ask = async |resource: &str| {
        let form =
            format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&resource={resource}");
        kit.post(&format!("/{TENANT}/oauth2/token"), &form).await
    };
    let answer = ask("api://older").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["expires_in"], "3599");
    assert_eq!(answer.body["expires_on"], (NOW + 3600).to_string());
    assert_eq!(answer.body["not_before"], (NOW - 300).to_string());
    assert_eq!(answer.body["resource"], "api://older");
    let v1 = claims(&answer.body["access_token"]);
    assert_eq!(v1["ver"], "1.0");
    assert_eq!(v1["aud"], "api://older");
    assert_eq!(v1["iss"], format!("https://sts.windows.net/{TENANT}/"));
    assert_eq!((&v1["appid"], &v1["appidacr"], &v1["idp"]), (&CLIENT.into(), &"1".into(), &v1["iss"]));
    assert!(v1.get("azp").is_none() && v1.get("roles").is_none());
    let header = segment(&answer.body["access_token"], 0);
    assert_eq!(header["x5t"], header["kid"]);

    // A v2.0 resource gets a v2.0 token here too, and a v1.0 resource a v1.0 token there.
    let v2 = ask(&format!("api://{API}")).await;
    assert_eq!(claims(&v2.body["access_token"])["ver"], "2.0");
    let v1 = kit.token(&format!("{V1_API}/.default")).await;
    assert_eq!(claims(&v1.body["access_token"])["aud"], V1_API);
    assert_eq!(claims(&v1.body["access_token"])["ver"], "1.0");
    // An application may ask for a token to itself by its App ID URI (recorded 2026).
    let own = kit.token("api://client/.default").await;
    assert_eq!(claims(&own.body["access_token"])["aud"], "api://client");
    // The slash at an identifier's end doubles in the scope and stays in the audience.
    let slash = kit.token("https%3A%2F%2Folder.contoso.com%2F%2F.default").await;
    assert_eq!(claims(&slash.body["access_token"])["aud"], "https://older.contoso.com/");
}

#[tokio::test]
async fn each_fault_has_its_code() {
    let kit = Kit::start().await;
    let path = format!("/{TENANT}/oauth2/v2.0/token");
    let v1_path = format!("/{TENANT}/oauth2/token");
    let good = format!("client_id={CLIENT}&client_secret={SECRET}");
    let scope = format!("scope={API}/.default");
    let grant = "grant_type=client_credentials";
    let empty = "00000000-0000-0000-0000-000000000000";
    let no_principal = "11111111-1111-4111-8111-111111111111";
    let cases: &[(&str, String, (u16, &str, u64))] = &[
        (&path, String::new(), (400, "invalid_request", 900144)),
        (&path, format!("grant_type=magic&{good}&{scope}"), (400, "unsupported_grant_type", 70003)),
        (&path, format!("{grant}&{scope}"), (400, "invalid_request", 900144)),
        (&path, format!("{grant}&client_id={API}x&client_secret=x&{scope}"), (400, "unauthorized_client", 700016)),
        (&path, format!("{grant}&client_id={TENANT}&client_secret=x&{scope}"), (400, "unauthorized_client", 700016)),
        (&path, format!("{grant}&client_id={empty}&client_secret=x&{scope}"), (400, "unauthorized_client", 700038)),
        (
            &path,
            format!("{grant}&client_id={no_principal}&client_secret={SECRET}&{scope}"),
            (401, "invalid_client", 7000229),
        ),
        (&path, format!("{grant}&client_id={CLIENT}&{scope}"), (401, "invalid_client", 7000216)),
        (&path, format!("{grant}&client_id={CLIENT}&client_secret=wrong&{scope}"), (401, "invalid_client", 7000215)),
        (&path, format!("{grant}&client_id={CLIENT}&client_secret=&{scope}"), (401, "invalid_client", 7000216)),
        (
            &path,
            format!("{grant}&client_id={CLIENT}&client_secret=expired-secret-0123456789&{scope}"),
            (401, "invalid_client", 7000222),
        ),
        (&path, format!("{grant}&{good}"), (400, "invalid_request", 900144)),
        (&path, format!("{grant}&{good}&scope={API}/Resource.Read"), (400, "invalid_scope", 1002012)),
        (&path, format!("{grant}&{good}&scope={API}/.default%20api://older/.default"), (400, "invalid_scope", 70011)),
        (&path, format!("{grant}&{good}&scope=api://nobody/.default"), (400, "invalid_resource", 500011)),
        (&path, format!("{grant}&{good}&{scope}&resource=api://older"), (400, "invalid_request", 901002)),
        (&path, format!("{grant}&{good}&{scope}&{scope}"), (400, "invalid_request", 9002313)),
        (&path, format!("{grant}&{good}&scope=%zz"), (400, "invalid_request", 9002313)),
        (&v1_path, format!("{grant}&{good}"), (400, "invalid_request", 900144)),
        (&v1_path, format!("{grant}&{good}&resource=api://nobody"), (400, "invalid_resource", 500011)),
    ];
    for (path, form, expected) in cases {
        let answer = kit.post(path, form).await;
        assert_eq!(answer.refusal(), *expected, "{form}\n{answer:?}");
        assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-store, no-cache");
        assert_eq!(answer.header("x-ms-request-id"), answer.body["trace_id"].as_str().unwrap());
        assert!(!answer.body.to_string().contains(SECRET), "{answer:?}");
    }
    let get = kit.get(&path).await;
    assert_eq!(get.refusal(), (400, "invalid_request", 900561));
}

#[tokio::test]
async fn b54_tenants_are_found_by_id_and_domain_and_aliases_are_refused() {
    let kit = Kit::start().await;
    let form = format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&scope={API}/.default");
    let ask = async |tenant: &str| kit.post(&format!("/{tenant}/oauth2/v2.0/token"), &form).await;
    for tenant in [TENANT.to_owned(), TENANT.to_uppercase(), "contoso.com".into(), "Contoso.OnMicrosoft.com".into()] {
        assert_eq!(ask(&tenant).await.status, 200, "{tenant}");
    }
    let unknown = "11111111-2222-4333-8444-555555555555";
    assert_eq!(ask(unknown).await.refusal(), (400, "invalid_request", 90002));
    assert_eq!(ask("nobody.example").await.refusal(), (400, "invalid_request", 90002));
    assert_eq!(ask("not a tenant".replace(' ', "%20").as_str()).await.refusal(), (400, "invalid_request", 900023));
    assert_eq!(ask("common").await.refusal(), (400, "invalid_request", 9001023));
    assert_eq!(ask("consumers").await.refusal(), (400, "invalid_request", 9001023));
    assert_eq!(ask("organizations").await.refusal(), (400, "invalid_request", 50059));
    // A client of one tenant is nobody in another.
    assert_eq!(ask(OTHER_TENANT).await.refusal(), (400, "unauthorized_client", 700016));
}

#[tokio::test]
async fn b08_basic_is_taken_in_both_spellings_and_never_beside_another_proof() {
    let kit = Kit::start().await;
    let path = format!("/{TENANT}/oauth2/v2.0/token");
    let form = format!("grant_type=client_credentials&scope={API}/.default");
    let basic = |id: &str, secret: &str| {
        format!("Basic {}", countersign_token::base64_encode_standard(format!("{id}:{secret}").as_bytes()))
    };
    let encoded = (CLIENT.replace('-', "%2D"), SECRET.replace('-', "%2D"));
    for header in [basic(CLIENT, SECRET), basic(&encoded.0, &encoded.1)] {
        let answer = kit.post_with(&path, &form, &[("authorization", &header)]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let header = basic(CLIENT, SECRET);
    for more in [format!("{form}&client_id={CLIENT}&client_secret={SECRET}"), format!("{form}&client_id={API}")] {
        let answer = kit.post_with(&path, &more, &[("authorization", &header)]).await;
        assert_eq!(answer.refusal(), (400, "invalid_request", 9002313), "{more}");
    }
    let wrong = kit.post_with(&path, &form, &[("authorization", &basic(CLIENT, "wrong"))]).await;
    assert_eq!(wrong.refusal(), (401, "invalid_client", 7000215));
}

#[tokio::test]
async fn ids_and_telemetry_are_answered_as_entra_does() {
    let kit = Kit::start().await;
    let path = format!("/{TENANT}/oauth2/v2.0/token");
    let form = format!("grant_type=client_credentials&client_id={CLIENT}&client_secret=wrong&scope={API}/.default");
    let id = "0f0e0d0c-0b0a-4908-8706-050403020100";
    let answer = kit
        .post_with(
            &path,
            &form,
            &[("client-request-id", id), ("return-client-request-id", "true"), ("x-client-sku", "MSAL.Python")],
        )
        .await;
    assert_eq!(answer.body["correlation_id"], id);
    assert_eq!(answer.header("client-request-id"), id);
    assert_eq!(answer.header("x-ms-clitelem"), "1,7000215,0,,");
    // Without the wish there is no echo; msal-node puts its id into query and body.
    let answer = kit.post(&format!("{path}?client-request-id={id}"), &form).await;
    assert_eq!(answer.body["correlation_id"], id);
    assert_eq!((answer.header("client-request-id"), answer.header("x-ms-clitelem")), ("", ""));
    let answer = kit.post(&path, &format!("{form}&client-request-id={id}&x-client-SKU=msal.js.node")).await;
    assert_eq!(answer.body["correlation_id"], id);
    assert_eq!(answer.header("x-ms-clitelem"), "1,7000215,0,,");
    // What is no GUID is nobody's id.
    let answer = kit.post_with(&path, &form, &[("client-request-id", "x' OR 1=1")]).await;
    assert_ne!(answer.body["correlation_id"], "x' OR 1=1");
}

#[tokio::test]
async fn services_of_azure_are_there_without_being_registered() {
    let kit = Kit::start().await;
    for (scope, audience) in [
        ("https://management.azure.com/.default", "https://management.azure.com"),
        ("https://management.azure.com//.default", "https://management.azure.com/"),
        ("https://management.core.windows.net//.default", "https://management.core.windows.net/"),
        ("https://vault.azure.net/.default", "https://vault.azure.net"),
        ("https://storage.azure.com/.default", "https://storage.azure.com"),
        ("cfa8b339-82a2-471a-a3c9-0fc0be7a4093/.default", "cfa8b339-82a2-471a-a3c9-0fc0be7a4093"),
    ] {
        let answer = kit.token(scope).await;
        let claims = claims(&answer.body["access_token"]);
        assert_eq!(
            (&claims["aud"], &claims["ver"]),
            (&serde_json::json!(audience), &serde_json::json!("1.0")),
            "{scope}"
        );
        assert!(claims.get("roles").is_none());
    }
    assert_eq!(kit.token("https://vault.azure.net/secrets/.default").await.refusal().2, 500_011);
}
