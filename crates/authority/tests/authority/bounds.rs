//! Senders of too much, too slowly, or of something else (pitfalls B04, B38, B40 to B44, B95).

use std::time::Duration;

use countersign_authority::Authority;
use countersign_authority::serve::ServeLimits;
use countersign_protocol::token_request::TOKEN_PARAMETERS;
use countersign_token::{FakeClock, Randomness, SeededRandomness, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::kit::{API, Answer, CLIENT, Kit, NOW, SECRET, TENANT, directory};
use crate::raw::{Raw, RawAnswer, connect};

const PATH: &str = "/contoso.com/oauth2/v2.0/token";
const FORM_TYPE: &str = "content-type: application/x-www-form-urlencoded";

/// An authority that loses its patience after a second.
async fn impatient() -> Kit {
    let short = Duration::from_secs(1);
    let limits = ServeLimits { handshake: short, headers: short, body: short, ..ServeLimits::default() };
    Kit::from(
        Authority::builder().limits(limits).directory(directory()),
        FakeClock::at(Timestamp::from_unix_seconds(NOW)),
    )
    .await
}

fn good_form() -> String {
    format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&scope={API}/.default")
}

fn sound(answer: &Answer) {
    assert!((400..500).contains(&answer.status), "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    assert!(answer.body["error_description"].as_str().unwrap().starts_with("AADSTS"), "{answer:?}");
}

async fn still_serves(kit: &Kit) {
    assert_eq!(kit.post(PATH, &good_form()).await.status, 200);
}

async fn exchange(kit: &Kit, request: &str) -> RawAnswer {
    let mut raw = Raw::connect(&kit.authority).await;
    raw.write(request.as_bytes()).await.unwrap();
    raw.until_closed().await
}

#[tokio::test]
async fn b41_a_body_may_have_64_kb_and_no_byte_more() {
    let kit = Kit::start().await;
    let padded = |length: usize| {
        let form = good_form() + "&x=";
        format!("{form}{}", "a".repeat(length - form.len()))
    };
    assert_eq!(kit.post(PATH, &padded(64 * 1024)).await.status, 200);
    let answer = kit.post(PATH, &padded(64 * 1024 + 1)).await;
    assert_eq!(answer.refusal(), (413, "invalid_request", 9_002_313));
    sound(&answer);
    // Without a stated length the bytes are counted.
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    let head = format!("POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{FORM_TYPE}\r\n");
    let mut raw = Raw::connect(&kit.authority).await;
    raw.write(format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}1\r\na\r\n0\r\n\r\n").as_bytes()).await.unwrap();
    let chunked = raw.answer().await;
    assert_eq!(chunked.status(), 413, "{chunked:?}");
    assert_eq!(chunked.json()["error_codes"][0], 9_002_313);
    // Eight megabytes are refused before they are sent: the length is stated.
    let mut raw = Raw::connect(&kit.authority).await;
    raw.write(format!("{head}content-length: 8388608\r\nexpect: 100-continue\r\n\r\n").as_bytes()).await.unwrap();
    assert_eq!(raw.until_closed().await.status(), 413);
    still_serves(&kit).await;
}

#[tokio::test]
async fn b04_a_secret_of_a_megabyte_and_a_hundred_thousand_parameters_cost_nothing() {
    let kit = Kit::start().await;
    for form in [good_form().replace(SECRET, &"s".repeat(1 << 20)), "a=1&".repeat(100_000)] {
        sound(&kit.post(PATH, &form).await);
    }
    // Below the bound of bytes: one bound for parameters, one for the length of a secret.
    let many = kit.post(PATH, &"a=1&".repeat(16_000)).await;
    assert_eq!(many.refusal(), (400, "invalid_request", 9_002_313));
    let long = kit.post(PATH, &good_form().replace(SECRET, &"s".repeat(60_000))).await;
    assert_eq!(long.refusal(), (401, "invalid_client", 7_000_215));
    still_serves(&kit).await;
}

#[tokio::test]
async fn b41_headers_over_16_kb_or_too_many_get_431() {
    let kit = Kit::start().await;
    let request = |headers: &str| format!("GET /common/discovery/keys HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    let fits = request(&format!("x-long: {}\r\nconnection: close\r\n", "a".repeat(16_000)));
    assert_eq!(exchange(&kit, &fits).await.status(), 200);
    for headers in [
        format!("x-long: {}\r\n", "a".repeat(16 * 1024)),
        format!("{}: a\r\n", "a".repeat(16 * 1024)),
        "x: a\r\n".repeat(200),
        format!("x-long: {}\r\n", "a".repeat(200_000)),
    ] {
        let answer = exchange(&kit, &request(&headers)).await;
        assert_eq!(answer.status(), 431, "{}: {answer:?}", headers.len());
    }
    // A header that never ends is not read to its end.
    let mut raw = Raw::connect(&kit.authority).await;
    raw.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nx-long: ").await.unwrap();
    let block = vec![b'a'; 64 * 1024];
    let mut sent = 0;
    while raw.write(&block).await.is_ok() && sent < 64 << 20 {
        sent += block.len();
    }
    assert!(sent < 64 << 20, "64 MB of one header were taken");
    // The same over HTTP/2.
    let request = http::Request::get(kit.url("/common/discovery/keys")).header("x-long", "a".repeat(17 * 1024));
    let answer = kit.send(request.body(bytes::Bytes::new()).unwrap()).await;
    assert_eq!((answer.version, answer.status), (http::Version::HTTP_2, 431));
    let long_path = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\nconnection: close\r\n\r\n", "a".repeat(15_000));
    let long_path = exchange(&kit, &long_path).await;
    assert_eq!(long_path.status(), 404);
    still_serves(&kit).await;
}

#[tokio::test]
async fn b42_slow_senders_are_cut_off_and_hold_nobody_up() {
    let kit = impatient().await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(tokio::net::TcpStream::connect(kit.authority.address()).await.unwrap());
    }
    let mut half = Raw::connect(&kit.authority).await;
    half.write(b"POST /contoso.com/oauth2/token HTTP/1.1\r\nHost: local").await.unwrap();
    let mut idle = Raw::connect(&kit.authority).await;
    still_serves(&kit).await;
    // No handshake, half a header, nothing at all: each ends by itself.
    for mut stream in silent {
        let mut nothing = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut nothing)).await;
        assert!(ended.is_ok(), "a connection without a handshake stays open");
        assert_eq!(nothing, b"");
    }
    assert_eq!(half.until_closed().await.text, "");
    assert_eq!(idle.until_closed().await.text, "");
    // A body that does not come is answered, so that the log has a line for it.
    let request = format!("POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{FORM_TYPE}\r\ncontent-length: 100\r\n\r\ngrant");
    let mut slow = Raw::connect(&kit.authority).await;
    slow.write(request.as_bytes()).await.unwrap();
    let answer = slow.until_closed().await;
    assert_eq!((answer.status(), &answer.json()["error_codes"][0]), (408, &9_002_313.into()), "{answer:?}");
    // One that breaks off is not answered to anybody, and does no harm.
    let mut broken = Raw::connect(&kit.authority).await;
    broken.write(request.as_bytes()).await.unwrap();
    drop(broken);
    still_serves(&kit).await;
}

#[tokio::test]
async fn b42_an_http2_connection_on_which_nothing_goes_on_ends() {
    let kit = impatient().await;
    let mut stream = connect(&kit.authority, &["h2"]).await;
    // Preface and settings, then half a header block; pings are answered for ever by a peer that wants to stay.
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&frame(0x4, 0, 0, &[])).await.unwrap();
    stream.write_all(&frame(0x1, 0, 1, &[0x82])).await.unwrap();
    assert!(ended_answering_pings(&mut stream).await, "it stays open");
    still_serves(&kit).await;
}

#[tokio::test]
async fn b42_a_reader_that_does_not_read_is_cut_off() {
    let kit = impatient().await;
    let mut raw = Raw::connect(&kit.authority).await;
    let request = b"GET /common/discovery/keys HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(256);
    // Pipelines until the server stops reading, and reads nothing itself.
    let pipelining = async { while raw.write(&request).await.is_ok() {} };
    let ended = tokio::time::timeout(Duration::from_secs(30), pipelining).await;
    assert!(ended.is_ok(), "the connection stays open");
    still_serves(&kit).await;
}

#[tokio::test]
async fn b40_bodies_of_other_types_hold_no_parameters() {
    let kit = Kit::start().await;
    let utf16: Vec<u8> = good_form().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let json =
        format!("{{\"grant_type\":\"client_credentials\",\"client_id\":\"{CLIENT}\",\"client_secret\":\"{SECRET}\"}}");
    let multipart =
        format!("--b\r\ncontent-disposition: form-data; name=\"client_secret\"\r\n\r\n{SECRET}\r\n--b--\r\n");
    let form = "application/x-www-form-urlencoded";
    let cases: [(&str, Vec<u8>, u64); 9] = [
        ("application/json", json.into_bytes(), 900_144),
        ("multipart/form-data; boundary=b", multipart.into_bytes(), 900_144),
        ("text/plain", good_form().into_bytes(), 900_144),
        ("", good_form().into_bytes(), 900_144),
        (form, utf16, 900_144),
        (form, vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0], 9_002_313),
        (form, b"grant_type=client_credentials&client_id=%zz".to_vec(), 9_002_313),
        (form, b"grant_type=client_credentials&scope=\xff".to_vec(), 9_002_313),
        (form, b"\0\0\0".to_vec(), 900_144),
    ];
    for (content_type, body, code) in cases {
        let request = http::Request::post(kit.url(PATH)).header("content-type", content_type).body(body.into());
        let answer = kit.send(request.unwrap()).await;
        assert_eq!(answer.refusal(), (400, "invalid_request", code), "{content_type}");
        sound(&answer);
        assert!(!answer.body.to_string().contains(SECRET));
    }
    let charset = kit
        .send(
            http::Request::post(kit.url(PATH))
                .header("content-type", "application/x-www-form-urlencoded;charset=utf-8")
                .body(good_form().into())
                .unwrap(),
        )
        .await;
    assert_eq!(charset.status, 200);
}

#[tokio::test]
async fn b38_no_parameter_may_stand_there_twice() {
    let kit = Kit::start().await;
    for name in TOKEN_PARAMETERS {
        let escaped = format!("%{:02X}{}", name.as_bytes()[0], &name[1..]);
        for twice in [format!("{name}=a&{name}=a"), format!("{name}=&{name}=a"), format!("{name}=a&{escaped}=b")] {
            let answer = kit.post(PATH, &twice).await;
            assert_eq!(answer.refusal(), (400, "invalid_request", 9_002_313), "{twice}");
        }
    }
    assert_eq!(kit.post(PATH, &format!("{}&x-client-SKU=a&x-client-SKU=b", good_form())).await.status, 200);
}

#[tokio::test]
async fn b43_a_second_request_cannot_be_smuggled_in_the_first() {
    let kit = Kit::start().await;
    let hidden = "GET /common/discovery/keys HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let head = format!("POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{FORM_TYPE}\r\n");
    let chunked = format!("0\r\n\r\n{hidden}");
    for (lengths, body) in [
        (format!("content-length: {}\r\ntransfer-encoding: chunked\r\n", chunked.len()), &chunked),
        (format!("transfer-encoding: chunked\r\ncontent-length: {}\r\n", chunked.len()), &chunked),
        ("content-length: 0\r\ncontent-length: 5\r\n".to_owned(), &chunked),
        ("content-length: 0, 5\r\n".into(), &chunked),
        ("content-length: +0\r\n".into(), &chunked),
        ("content-length: 0x0\r\n".into(), &chunked),
        ("content-length : 0\r\n".into(), &chunked),
        ("content-length: 99999999999999999999\r\n".into(), &chunked),
        ("transfer-encoding: gzip\r\n".into(), &chunked),
        ("transfer-encoding: chunked, identity\r\n".into(), &chunked),
        ("transfer-encoding: chunked\r\n".into(), &format!("zz\r\n\r\n{hidden}")),
        ("transfer-encoding: chunked\r\n".into(), &format!("ffffffffffffffff1\r\n\r\n{hidden}")),
        ("x: a\r\n folded: b\r\ncontent-length: 0\r\n".into(), &chunked),
        ("x: a\0b\r\ncontent-length: 0\r\n".into(), &chunked),
    ] {
        let answer = exchange(&kit, &format!("{head}{lengths}\r\n{body}")).await;
        assert!(answer.count() <= 1, "{lengths}{answer:?}");
        assert!(answer.text.is_empty() || (400..500).contains(&answer.status()), "{lengths}{answer:?}");
        assert!(!answer.text.contains("x5c"), "{lengths}{answer:?}");
    }
    still_serves(&kit).await;
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Reads to the end of the connection, answering every ping. Says whether it came.
async fn ended_answering_pings(stream: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin)) -> bool {
    let reading = async {
        let mut head = [0; 9];
        while stream.read_exact(&mut head).await.is_ok() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            if stream.read_exact(&mut payload).await.is_err() {
                break;
            }
            if head[3] == 0x6 && head[4] & 1 == 0 && stream.write_all(&frame(0x6, 1, 0, &payload)).await.is_err() {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.is_ok()
}

#[tokio::test]
async fn b44_floods_of_http2_frames_end_the_connection() {
    let kit = Kit::start().await;
    // `:method GET`, `:scheme https`, `:path /`, `:authority localhost`, from the static table (RFC 7541 appendix A).
    let headers = [&[0x82, 0x87, 0x84, 0x41, 9][..], b"localhost"].concat();
    let rapid_reset = |round: u32| {
        let stream = round * 2 + 1;
        [frame(0x1, 0x5, stream, &headers), frame(0x3, 0, stream, &8_u32.to_be_bytes())].concat()
    };
    let continuation = |round: u32| match round {
        0 => frame(0x1, 0, 1, &headers),
        _ => frame(0x9, 0, 1, &[&[0, 1, b'x', 127, 128, 8][..], &[b'a'; 1151]].concat()),
    };
    type Flood<'f> = (&'f str, &'f dyn Fn(u32) -> Vec<u8>);
    let floods: [Flood<'_>; 2] =
        [("rapid reset, CVE-2023-44487", &rapid_reset), ("continuation, CVE-2024-27316", &continuation)];
    for (name, flood) in floods {
        let mut stream = connect(&kit.authority, &["h2"]).await;
        stream.write_all(PREFACE).await.unwrap();
        stream.write_all(&frame(0x4, 0, 0, &[])).await.unwrap();
        let mut ended = false;
        for round in 0..200_000 {
            if stream.write_all(&flood(round)).await.is_err() {
                ended = true;
                break;
            }
        }
        assert!(ended, "{name}: everything was taken");
    }
    still_serves(&kit).await;
}

#[tokio::test]
async fn b95_whatever_is_sent_the_answer_is_a_refusal_in_json_and_never_a_fault() {
    let kit = Kit::start().await;
    let random = SeededRandomness::from_seed(95);
    let pieces = [
        "grant_type=client_credentials",
        "client_id=",
        CLIENT,
        "client_secret=",
        SECRET,
        "scope=",
        "/.default",
        "&",
        "&",
        "=",
        "%",
        "%00",
        "%2",
        "%ff",
        "+",
        "\u{0}",
        "ä",
        "api://older",
        "resource=",
        "client_assertion=",
        "e30.e30.",
        ".",
        "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer",
        "claims={",
        "'",
        "\"",
    ];
    let paths = [PATH, "/common/oauth2/token", "/x/oauth2/token", "/%00/oauth2/token", "/contoso.com/oauth2/token"];
    for _ in 0..500 {
        let mut bytes = [0; 24];
        random.fill(&mut bytes);
        let count = usize::from(bytes[0] % 20);
        let form: String = bytes[2..2 + count].iter().map(|&byte| pieces[usize::from(byte) % pieces.len()]).collect();
        let answer = kit.post(paths[usize::from(bytes[1]) % paths.len()], &form).await;
        if answer.status != 200 {
            sound(&answer);
        }
    }
}

#[tokio::test]
async fn both_protocols_are_spoken() {
    let kit = Kit::start().await;
    let answer = kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &good_form()).await;
    assert_eq!((answer.version, answer.status), (http::Version::HTTP_2, 200));
    let form = good_form();
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{FORM_TYPE}\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    let mut raw = Raw::connect(&kit.authority).await;
    for _ in 0..3 {
        raw.write(request.as_bytes()).await.unwrap();
        let answer = raw.answer().await;
        assert_eq!(answer.status(), 200, "{answer:?}");
        assert!(answer.json()["access_token"].is_string());
    }
    // Plain HTTP is not served at all.
    let mut plain = tokio::net::TcpStream::connect(kit.authority.address()).await.unwrap();
    plain.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
}
