//! Too much, too slow, not HTTP.
//!
//! Where time must pass, the clock of the runtime is moved, never waited for: `advance` lets the server's own patience
//! run out.

use std::fmt::Write as _;
use std::time::Duration;

use countersign_conformance::contoso::{CLIENT, House, RESOURCE_URI, SECRET};
use countersign_conformance::tokens::acquire;
use countersign_conformance::wire::{Answer, connect, exchange, form, get, post, read, request, tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::refusal::assert_refusal;

const V2: &str = "/6babcaad-604b-40ac-a9d7-9fd97c0b779f/oauth2/v2.0/token";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

fn padded_form(length: usize) -> String {
    let scope = format!("{RESOURCE_URI}/.default");
    let fields =
        [("grant_type", "client_credentials"), ("client_id", CLIENT), ("client_secret", SECRET), ("scope", &scope)];
    let mut body = format!("{}&padding=", form(&fields));
    let missing = length - body.len();
    body.extend(std::iter::repeat_n('x', missing));
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_over_64_kilobytes_are_refused() {
    let house = House::open().await;
    assert_eq!(post(&house, V2, &padded_form(64 * 1024)).await.status, 200);
    assert_refusal("declared", &post(&house, V2, &padded_form(64 * 1024 + 1)).await, 413, 9_002_313);
    let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
    let chunked = format!("{FORM}Transfer-Encoding: chunked\r\n");
    let head = format!("POST {V2} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{chunked}\r\n");
    let answer = exchange(&house, format!("{head}{chunk}{chunk}{chunk}0\r\n\r\n").as_bytes()).await.unwrap();
    assert_refusal("chunked", &answer, 413, 9_002_313);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_many_small_parameters_is_an_error_like_any_other() {
    let house = House::open().await;
    let body = (0..12_000).fold(String::new(), |mut body, number| {
        let _ = write!(body, "&{number:x}=");
        body
    });
    let answer = post(&house, V2, &body[1..65_000]).await;
    assert_eq!(answer.status, 400);
    assert!([900_144, 9_002_313].contains(&answer.codes()[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_over_16_kilobytes_are_refused() {
    let house = House::open().await;
    let path = "/common/discovery/keys";
    let header = |length: usize| format!("X-Padding: {}\r\n", "x".repeat(length));
    assert_eq!(request(&house, "GET", path, &header(15_000), b"").await.status, 200);
    assert_eq!(request(&house, "GET", path, &header(16_500), b"").await.status, 431);
    let many = (0..500).fold(String::new(), |mut headers, number| {
        let _ = write!(headers, "X-{number}: x\r\n");
        headers
    });
    assert_eq!(request(&house, "GET", path, &many, b"").await.status, 431);
    let target = format!("{path}?{}", "x".repeat(20_000));
    let answer = get(&house, &target).await;
    assert!([414, 431].contains(&answer.status), "{}", answer.status);
}

/// The same over HTTP/2, where headers are compressed: what counts is their size when they are not.
#[tokio::test(flavor = "multi_thread")]
async fn headers_over_16_kilobytes_are_refused_over_http_2() {
    let house = House::open().await;
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls(&house, &["h2"])).build().unwrap();
    let url = format!("{}/common/discovery/keys", house.origin());
    let send = async |length: usize| client.get(&url).header("x-padding", "x".repeat(length)).send().await;
    let small = send(10_000).await.unwrap();
    assert_eq!((small.status().as_u16(), small.version()), (200, reqwest::Version::HTTP_2));
    // Refused with a status, or the stream is reset.
    if let Ok(large) = send(20_000).await {
        assert_eq!(large.status().as_u16(), 431);
    }
    assert_eq!(send(10).await.unwrap().status().as_u16(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_http_is_refused() {
    let house = House::open().await;
    let cases: [&[u8]; 9] = [
        b"\r\n\r\n\r\n\r\nGARBAGE\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Header: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    ];
    for bytes in cases {
        let what = String::from_utf8_lossy(bytes).into_owned();
        if let Some(Answer { status, body, .. }) = exchange(&house, bytes).await {
            assert!([400, 404, 505].contains(&status), "{what}: {status}");
            assert!(!String::from_utf8_lossy(&body).contains('<'), "{what}");
        }
    }
    // And the authority is as well as before.
    acquire(&house, RESOURCE_URI).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_is_not_spoken() {
    let house = House::open().await;
    let mut plain = TcpStream::connect(house.address()).await.unwrap();
    plain.write_all(b"GET /common/discovery/keys HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    let _ = plain.read_to_end(&mut heard).await;
    assert!(!heard.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&heard));
}

/// Moves the runtime's clock, so that what the server waits for is over.
async fn let_pass(time: Duration) {
    // What was written must have reached the server's tasks first: a round trip of its own takes longer than that.
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_handshake_that_never_begins_is_cut_off() {
    let house = House::open().await;
    let mut silent = TcpStream::connect(house.address()).await.unwrap();
    acquire(&house, RESOURCE_URI).await;
    let_pass(Duration::from_secs(11)).await;
    let mut heard = Vec::new();
    let _ = silent.read_to_end(&mut heard).await;
    assert!(heard.is_empty());
}

#[tokio::test]
async fn a_sender_of_slow_headers_is_cut_off() {
    let house = House::open().await;
    let mut slow = connect(&house).await;
    slow.write_all(b"GET /common/discovery/keys HTTP/1.1\r\nHost: local").await.unwrap();
    acquire(&house, RESOURCE_URI).await;
    let_pass(Duration::from_secs(31)).await;
    let answer = read(&mut slow).await;
    assert!(answer.is_none_or(|answer| answer.status == 408));
}

#[tokio::test]
async fn a_sender_of_a_slow_body_is_told_so() {
    let house = House::open().await;
    let mut slow = connect(&house).await;
    let head =
        format!("POST {V2} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{FORM}Content-Length: 100\r\n\r\n");
    slow.write_all(head.as_bytes()).await.unwrap();
    slow.write_all(b"grant_type=").await.unwrap();
    acquire(&house, RESOURCE_URI).await;
    let_pass(Duration::from_secs(16)).await;
    assert_refusal("slow body", &read(&mut slow).await.unwrap(), 408, 9_002_313);
}

/// A connection without a request does not keep others waiting, nor stay for ever.
#[tokio::test]
async fn an_idle_connection_is_closed() {
    let house = House::open().await;
    let mut idle = connect(&house).await;
    idle.write_all(b"GET /common/discovery/keys HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut first = [0; 64];
    assert!(idle.read(&mut first).await.unwrap() > 0);
    acquire(&house, RESOURCE_URI).await;
    let_pass(Duration::from_secs(31)).await;
    // Reading ends, which it does only when the server closes.
    read(&mut idle).await;
}
