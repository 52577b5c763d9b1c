//! [`HttpsTransport`] against real TLS on the loopback interface.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use countersign_discovery::{HttpsTransport, Limits, Transport, TransportError};
use support::tls::{Authority, Server, Valid};

const LIMITS: Limits = Limits { timeout: Duration::from_secs(20), max_body_bytes: 1000 };

fn get(url: &str) -> http::Request<Bytes> {
    http::Request::get(url).body(Bytes::new()).unwrap()
}

fn trusting(authority: &Authority) -> HttpsTransport {
    HttpsTransport::builder().only_roots_pem(authority.pem().as_bytes()).unwrap().build().unwrap()
}

fn answer(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[tokio::test]
async fn an_answer_arrives_whole_over_one_kept_connection_without_cookies() {
    let ca = Authority::new();
    let server = Server::answering(&ca, Valid::Now, "localhost", |_| {
        answer("503 Busy\r\nretry-after: 7\r\nset-cookie: a=b", "later")
    })
    .await;
    let transport = trusting(&ca);
    for _ in 0..2 {
        let mut request = get(&server.url("localhost"));
        *request.method_mut() = http::Method::POST;
        *request.body_mut() = Bytes::from_static(b"x=1");
        let response = transport.send(request, LIMITS).await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(response.body(), "later");
    }
    assert_eq!(server.connections(), 1);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        let lower = request.to_ascii_lowercase();
        assert!(lower.starts_with("post / http/1.1\r\n") && lower.ends_with("\r\n\r\nx=1"), "{request}");
        assert!(!lower.contains("cookie") && !lower.contains("referer"), "{request}");
        assert!(lower.contains("user-agent: countersign/"), "{request}");
    }
}

#[tokio::test]
async fn c02_no_redirect_is_followed() {
    let ca = Authority::new();
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = Server::answering(&ca, Valid::Now, "localhost", |_| answer("200 OK", "caught")).await;
        let location = elsewhere.url("localhost");
        let server = Server::answering(&ca, Valid::Now, "localhost", move |_| {
            answer(&format!("{status} Moved\r\nlocation: {location}"), "")
        })
        .await;
        let mut request = get(&server.url("localhost"));
        *request.method_mut() = http::Method::POST;
        *request.body_mut() = Bytes::from_static(b"client_secret=x");
        let error = trusting(&ca).send(request, LIMITS).await.unwrap_err();
        assert!(matches!(error, TransportError::Redirect { status: s } if s == status), "{error:?}");
        assert_eq!((server.requests().len(), elsewhere.connections()), (1, 0));
    }
}

#[tokio::test]
async fn c13_an_oversized_body_is_cut_off_stated_or_not() {
    let ca = Authority::new();
    let stated = Server::answering(&ca, Valid::Now, "localhost", |_| {
        b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\nxxxx".to_vec()
    })
    .await;
    let error = trusting(&ca).send(get(&stated.url("localhost")), LIMITS).await.unwrap_err();
    assert!(matches!(error, TransportError::TooLarge { limit: 1000 }), "{error:?}");

    let endless = Server::endless(
        &ca,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"40\r\n\
        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n",
    )
    .await;
    let error = trusting(&ca).send(get(&endless.url("localhost")), LIMITS).await.unwrap_err();
    assert!(matches!(error, TransportError::TooLarge { limit: 1000 }), "{error:?}");

    let exact = Server::answering(&ca, Valid::Now, "localhost", |_| answer("200 OK", &"x".repeat(1000))).await;
    let response = trusting(&ca).send(get(&exact.url("localhost")), LIMITS).await.unwrap();
    assert_eq!(response.body().len(), 1000);
}

#[tokio::test]
async fn e04_a_body_that_does_not_end_in_time_is_given_up() {
    let ca = Authority::new();
    let server = Server::answering(&ca, Valid::Now, "localhost", |_| {
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nxxxx".to_vec()
    })
    .await;
    let limits = Limits { timeout: Duration::from_millis(300), ..LIMITS };
    let error = trusting(&ca).send(get(&server.url("localhost")), limits).await.unwrap_err();
    assert!(matches!(error, TransportError::Timeout { after } if after == limits.timeout), "{error:?}");
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let transport = HttpsTransport::builder()
        .only_roots_pem(Authority::new().pem().as_bytes())
        .unwrap()
        .connect_timeout(Duration::from_millis(200))
        .build()
        .unwrap();
    let error = transport.send(get(&url), LIMITS).await.unwrap_err();
    assert!(matches!(error, TransportError::Connect(_)), "{error:?}");
}

#[tokio::test]
async fn c10_only_a_certificate_of_a_trusted_root_for_this_name_and_time_will_do() {
    let ca = Authority::new();
    let ok = |_: &str| answer("200 OK", "");
    let foreign = Server::answering(&Authority::new(), Valid::Now, "localhost", ok).await;
    let other_name = Server::answering(&ca, Valid::Now, "login.contoso.com", ok).await;
    let expired = Server::answering(&ca, Valid::LastYear, "localhost", ok).await;
    for (what, server) in [("foreign root", &foreign), ("other name", &other_name), ("expired", &expired)] {
        let error = trusting(&ca).send(get(&server.url("localhost")), LIMITS).await.unwrap_err();
        assert!(matches!(error, TransportError::Tls(_)), "{what}: {error:?}");
        assert!(server.requests().is_empty(), "{what}: something was sent");
    }
    // Without an own root the operating system's decide, and they do not know this one.
    let error = HttpsTransport::new().unwrap().send(get(&foreign.url("localhost")), LIMITS).await.unwrap_err();
    assert!(matches!(error, TransportError::Tls(_)), "{error:?}");
}

#[tokio::test]
async fn an_own_root_is_trusted_beside_the_operating_systems() {
    let ca = Authority::new();
    let server = Server::answering(&ca, Valid::Now, "localhost", |_| answer("200 OK", "hello")).await;
    let transport = HttpsTransport::builder().add_roots_pem(ca.pem().as_bytes()).unwrap().build().unwrap();
    assert_eq!(transport.send(get(&server.url("localhost")), LIMITS).await.unwrap().body(), "hello");
}

#[tokio::test]
async fn plain_http_is_refused_before_anything_is_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let transport = trusting(&Authority::new());
    for url in [format!("http://127.0.0.1:{port}/"), "/relative".to_owned(), format!("ftp://127.0.0.1:{port}/")] {
        let error = transport.send(get(&url), LIMITS).await.unwrap_err();
        assert!(matches!(error, TransportError::NotHttps), "{url}: {error:?}");
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn nobody_listening_and_nobody_speaking_http_are_told_apart() {
    let ca = Authority::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = trusting(&ca).send(get(&format!("https://127.0.0.1:{port}/")), LIMITS).await.unwrap_err();
    assert!(matches!(error, TransportError::Connect(_)), "{error:?}");

    let garbage = Server::answering(&ca, Valid::Now, "localhost", |_| b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec()).await;
    let error = trusting(&ca).send(get(&garbage.url("localhost")), LIMITS).await.unwrap_err();
    assert!(matches!(error, TransportError::Interrupted(_)), "{error:?}");
}

#[tokio::test]
async fn an_error_does_not_repeat_the_address() {
    let ca = Authority::new();
    let url = "https://127.0.0.1:1/path?client_secret=hunter2";
    let error = trusting(&ca).send(get(url), LIMITS).await.unwrap_err();
    let mut text = format!("{error:?}");
    let mut next: Option<&dyn std::error::Error> = Some(&error);
    while let Some(cause) = next {
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    assert!(!text.contains("hunter2"), "{text}");
}
