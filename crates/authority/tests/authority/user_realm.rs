//! The user realm: what is asked before a password flow.

use crate::crowd::start;

#[tokio::test]
async fn the_domain_alone_tells_who_keeps_the_password() {
    let kit = start().await;
    for path in [
        "/common/userrealm/alice@contoso.com?api-version=1.0",
        "/common/UserRealm/alice%40Contoso.com?api-version=1.0",
        // B86: whether the user exists does not matter.
        "/organizations/userrealm/nobody@contoso.com?api-version=1.0",
        "/contoso.com/userrealm/x@y@contoso.com",
    ] {
        let answer = kit.get(path).await;
        assert_eq!(answer.status, 200, "{path} {answer:?}");
        assert_eq!(
            answer.body,
            serde_json::json!({
                "ver": "1.0", "account_type": "Managed", "domain_name": "contoso.com",
                "cloud_instance_name": "microsoftonline.com", "cloud_audience_urn": "urn:federation:MicrosoftOnline"
            }),
            "{path}"
        );
    }
    for name in
        ["alice@nowhere.example", "alice", "%22%3Cscript%3E@x", "a@common", "a@6babcaad-604b-40ac-a9d7-9fd97c0b779f"]
    {
        let answer = kit.get(&format!("/common/userrealm/{name}?api-version=1.0")).await;
        assert_eq!(answer.body["account_type"], "Unknown", "{name} {answer:?}");
        // MSAL Go wants all four.
        for member in ["domain_name", "cloud_instance_name", "cloud_audience_urn"] {
            assert!(answer.body[member].as_str().is_some_and(|text| !text.is_empty()), "{name} {member}");
        }
    }
}

#[tokio::test]
async fn its_headers_are_the_recorded_ones() {
    let kit = start().await;
    let request = http::Request::get(kit.url("/common/userrealm/alice@contoso.com?api-version=1.0"))
        .header("x-client-sku", "MSAL.Python")
        .body(bytes::Bytes::new())
        .unwrap();
    let answer = kit.send(request).await;
    assert_eq!(answer.header("content-disposition"), "inline; filename=userrealm.json");
    assert_eq!(answer.header("cache-control"), "no-store, no-cache");
    assert_eq!(answer.header("x-ms-clitelem"), "");
    assert_eq!(answer.header("x-ms-request-id").len(), 36);
}

#[tokio::test]
async fn each_fault_has_its_code() {
    let kit = start().await;
    let long = format!("/common/userrealm/{}@contoso.com", "x".repeat(400));
    for (path, code) in [
        ("/common/userrealm/a@contoso.com?api-version=2.1", 9002313),
        (long.as_str(), 9002313),
        ("/nobody.example/userrealm/a@contoso.com", 90002),
        ("/common/userrealm/%ff@contoso.com", 9002313),
    ] {
        assert_eq!(kit.get(path).await.refusal(), (400, "invalid_request", code), "{path}");
    }
    assert_eq!(kit.post("/common/userrealm/a@contoso.com", "").await.status, 405);
}
