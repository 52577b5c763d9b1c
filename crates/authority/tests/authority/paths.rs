//! One canonical path, and a `Host` that never reaches an answer (pitfalls B39, B73, B74, B96, B97).

use http::Method;

use crate::kit::{API, CLIENT, Kit, SECRET, TENANT};
use crate::raw::Raw;

#[tokio::test]
async fn case_and_doubled_slashes_of_a_path_do_not_matter() {
    let kit = Kit::start().await;
    let form = format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&scope={API}/.default");
    for path in [
        format!("/{TENANT}/OAuth2/V2.0/Token"),
        format!("//{TENANT}//oauth2/v2.0//token"),
        format!("/{}/oauth2/v2.0/TOKEN?client-request-id=x", TENANT.to_uppercase()),
    ] {
        assert_eq!(kit.post(&path, &form).await.status, 200, "{path}");
    }
    assert_eq!(kit.get("/Common/Discovery/Keys").await.status, 200);
    assert_eq!(kit.get("/CONTOSO.com/v2.0/.Well-Known/OpenID-Configuration").await.status, 200);
}

#[tokio::test]
async fn b96_what_is_no_route_is_a_json_404_whatever_is_tried() {
    let kit = Kit::start().await;
    for path in [
        "/index.html",
        "/.env",
        "/lab/clock",
        "/common",
        "/common/oauth2/v2.0/token/",
        "/common/oauth2/v2.0/tok%65n",
        "/common/oauth2/%76%32.0/token",
        "/common/./oauth2/v2.0/token;x=1",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/common/oauth2/v3.0/token",
    ] {
        for method in [Method::GET, Method::POST] {
            let request = http::Request::builder().method(method).uri(kit.url(path)).body(bytes::Bytes::new()).unwrap();
            let answer = kit.send(request).await;
            assert_eq!(answer.refusal(), (404, "invalid_request", 9_002_313), "{path} {answer:?}");
            assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
        }
    }
}

#[tokio::test]
async fn b39_b97_methods_are_what_they_are_and_no_header_or_query_changes_them() {
    let kit = Kit::start().await;
    let token = format!("/{TENANT}/oauth2/v2.0/token");
    let form = format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&scope={API}/.default");
    for method in ["GET", "PUT", "DELETE", "PATCH", "HEAD", "TRACE", "BREW"] {
        let request = http::Request::builder()
            .method(method)
            .uri(kit.url(&format!("{token}?{form}")))
            .header("x-http-method-override", "POST")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(bytes::Bytes::new())
            .unwrap();
        let answer = kit.send(request).await;
        assert_eq!(answer.status, 400, "{method}");
        if method != "HEAD" {
            assert_eq!(answer.refusal(), (400, "invalid_request", 900_561), "{method}");
        }
    }
    // B39: a parameter in the query is refused, whatever the body says.
    let mixed = form.replace(&format!("&client_secret={SECRET}"), "");
    for (query, body) in [(form.as_str(), ""), (&format!("client_secret={SECRET}"), &mixed), ("scope=x", &form)] {
        let answer = kit.post(&format!("{token}?{query}"), body).await;
        assert_eq!(answer.refusal(), (400, "invalid_request", 9_002_313), "{query}");
    }
    for method in [Method::POST, Method::PUT, Method::TRACE] {
        let request = http::Request::builder()
            .method(method)
            .uri(kit.url("/common/discovery/keys"))
            .header("x-http-method-override", "GET")
            .body(bytes::Bytes::new())
            .unwrap();
        let answer = kit.send(request).await;
        assert_eq!(answer.refusal(), (405, "invalid_request", 9_002_313));
        assert_eq!(answer.header("allow"), "GET,HEAD,OPTIONS", "RFC 9110 §15.5.6");
    }
}

#[tokio::test]
async fn b73_no_host_header_is_ever_reflected() {
    let kit = Kit::start().await;
    let path = format!("/{TENANT}/v2.0/.well-known/openid-configuration");
    let as_it_is = kit.get(&path).await.body;
    for headers in [
        "Host: evil.example\r\n",
        "Host: login.microsoftonline.com\r\n",
        "Host: localhost\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: http\r\n",
        "Host: localhost\r\nForwarded: host=evil.example;proto=http\r\nX-Original-URL: /evil\r\n",
        "Host: localhost\r\nX-Host: evil.example\r\nX-Forwarded-Server: evil.example\r\n",
    ] {
        let mut raw = Raw::connect(&kit.authority).await;
        raw.write(format!("GET {path} HTTP/1.1\r\n{headers}\r\n").as_bytes()).await.unwrap();
        let answer = raw.answer().await;
        assert_eq!(answer.status(), 200, "{answer:?}");
        assert_eq!(answer.json(), as_it_is);
        assert!(!answer.text.contains("evil"));
        // Refusals name nobody else either.
        raw.write(format!("POST /common/oauth2/token HTTP/1.1\r\n{headers}content-length: 0\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let answer = raw.answer().await;
        assert_eq!(answer.json()["error_uri"], kit.url("/error?code=900144"), "{answer:?}");
    }
}

#[tokio::test]
async fn b74_a_request_that_is_not_clearly_ours_is_refused_and_the_connection_closed() {
    let kit = Kit::start().await;
    let path = "/common/discovery/keys";
    for head in [
        format!("GET {path} HTTP/1.1\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: \r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: user@localhost\r\n"),
        format!("GET https://evil.example{path} HTTP/1.1\r\nHost: localhost\r\n"),
        format!("GET http://169.254.169.254{path} HTTP/1.1\r\nHost: 169.254.169.254\r\n"),
        "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n".to_owned(),
    ] {
        let mut raw = Raw::connect(&kit.authority).await;
        raw.write(format!("{head}\r\n").as_bytes()).await.unwrap();
        let answer = raw.until_closed().await;
        assert_eq!(answer.status(), 400, "{head}{answer:?}");
        assert_eq!(answer.json()["error_codes"][0], 9_002_313, "{head}{answer:?}");
        assert!(!answer.text.contains("evil"), "{answer:?}");
    }
    // RFC 9112 §3.2.2: the absolute form of our own address must be taken.
    let mut raw = Raw::connect(&kit.authority).await;
    raw.write(format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", kit.url(path)).as_bytes()).await.unwrap();
    assert_eq!(raw.answer().await.status(), 200);
}
