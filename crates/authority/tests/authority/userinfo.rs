//! Userinfo, at Graph's path and at the tenant's.

use crate::browser::{Browser, HYBRID, HYBRID_URI, Wishes, ask, town};
use crate::kit::{Answer, Kit, OTHER_TENANT, TENANT, claims};

async fn call(kit: &Kit, method: &str, path: &str, token: Option<&str>) -> Answer {
    let mut request = http::Request::builder().method(method).uri(kit.url(path));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    kit.send(request.body(bytes::Bytes::new()).unwrap()).await
}

/// An access token and an id_token of alice at the hybrid client.
async fn tokens(kit: &Kit, scope: &str) -> (String, String) {
    let hybrid = [
        ("client_id", HYBRID),
        ("redirect_uri", HYBRID_URI),
        ("scope", scope),
        ("response_type", "id_token token"),
        ("nonce", "n"),
    ];
    let seen = Browser::new(kit).open_as(&ask(TENANT, &hybrid), "alice@contoso.com").await;
    let answer = seen.answer();
    (answer["access_token"].clone(), answer["id_token"].clone())
}

#[tokio::test]
async fn the_user_behind_a_token_for_graph() {
    let kit = Kit::with(town(&Wishes::default())).await;
    let (token, id_token) = tokens(&kit, "openid profile email User.Read").await;
    let subject = claims(&id_token.into())["sub"].clone();
    for path in
        ["/oidc/userinfo".to_owned(), format!("/{TENANT}/openid/userinfo"), "/common/openid/userinfo".to_owned()]
    {
        for method in ["GET", "POST"] {
            let answer = call(&kit, method, &path, Some(&token)).await;
            assert_eq!(answer.status, 200, "{method} {path} {answer:?}");
            let body = &answer.body;
            assert_eq!(body["sub"], subject, "the client's own subject");
            assert_eq!(
                (&body["name"], &body["given_name"], &body["family_name"], &body["email"]),
                (&"Alice A.".into(), &"Alice".into(), &"Adams".into(), &"alice@mail.example".into())
            );
            assert_eq!(body["picture"], kit.url("/v1.0/me/photo/$value"));
        }
    }
    let elsewhere = call(&kit, "GET", &format!("/{OTHER_TENANT}/openid/userinfo"), Some(&token)).await;
    assert_eq!(elsewhere.status, 401);
}

#[tokio::test]
async fn b91_nothing_for_anybody_elses_token() {
    let kit = Kit::with(town(&Wishes { grants: crate::browser::SHOP_READS, ..Wishes::default() })).await;
    let (_, id_token) = tokens(&kit, "openid profile").await;
    let mut browser = Browser::new(&kit);
    let seen = browser.open_as(&ask(TENANT, &[]), "alice@contoso.com").await;
    let for_orders =
        kit.redeem_for_shop(&seen.answer()["code"]).await.body["access_token"].as_str().unwrap().to_owned();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=https://graph.microsoft.com/.default",
        crate::browser::SHOP,
        crate::kit::SECRET
    );
    let app = kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await.body["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    for (token, status) in
        [(None, 401), (Some("x"), 401), (Some(id_token.as_str()), 401), (Some(&for_orders), 401), (Some(&app), 403)]
    {
        let answer = call(&kit, "GET", "/oidc/userinfo", token).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let error = &answer.body["error"];
        assert!(error["innerError"]["request-id"].is_string() && error["message"].is_string(), "{answer:?}");
        if status == 401 {
            assert_eq!(error["code"], "InvalidAuthenticationToken");
            assert_eq!(
                answer.header("www-authenticate"),
                format!(
                    "Bearer realm=\"\", authorization_uri=\"{}\", client_id=\"00000003-0000-0000-c000-000000000000\"",
                    kit.url("/common/oauth2/authorize")
                )
            );
        }
        assert!(!answer.body.to_string().contains("Alice"));
    }
}
