//! Each host of a managed identity: what is asked, what its answers mean, when it is asked again, and whom it may be.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_client::{
    AcquireError, ConfidentialClient, LocalHttpTransport, ManagedIdentityBuildError, ManagedIdentityClient,
    ManagedIdentityError, ManagedIdentityHost, UserAssigned,
};
use countersign_discovery::{Limits, Transport, TransportError};
use countersign_protocol::{AuthorityHost, ResourceIdentifier};
use countersign_token::Certificate;
use http::Response;
use serde_json::json;
use support::{CLIENT, Endpoint, START, answer, clock, field, jws, managed_identity, ok, settle, vault};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const CLIENT_ID: &str = "11111111-0d2e-4c8a-9d43-0f0f2d4a5c11";

/// IMDS's answer, all strings.
fn imds_answers(endpoint: &Endpoint) {
    let counted = endpoint.clone();
    endpoint.answers(move |_| {
        ok(&json!({"access_token": format!("token-{}", counted.count()), "client_id": CLIENT_ID, "expires_in": "86399",
                   "expires_on": (START + 86_399).to_string(), "ext_expires_in": "86399", "not_before": START.to_string(),
                   "resource": "https://vault.azure.net", "token_type": "Bearer"}))
    });
}

const APP_SERVICE: &[(&str, &str)] =
    &[("IDENTITY_ENDPOINT", "http://169.254.129.3:8081/msi/token"), ("IDENTITY_HEADER", "header~s3cret")];
const AZURE_ML: &[(&str, &str)] = &[("MSI_ENDPOINT", "http://127.0.0.1:46808/MSI/auth"), ("MSI_SECRET", "ml~s3cret")];

#[tokio::test(start_paused = true)]
async fn each_host_is_asked_in_its_own_dialect() {
    type Variables = &'static [(&'static str, &'static str)];
    type Case = (Variables, Option<UserAssigned>, &'static str, (&'static str, &'static str));
    let cases: [Case; 7] = [
        (
            &[],
            None,
            "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net",
            ("metadata", "true"),
        ),
        (
            &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:5000/")],
            Some(UserAssigned::ResourceId("/subscriptions/x".to_owned())),
            "http://127.0.0.1:5000/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net&msi_res_id=%2Fsubscriptions%2Fx",
            ("metadata", "true"),
        ),
        (
            APP_SERVICE,
            None,
            "http://169.254.129.3:8081/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net",
            ("x-identity-header", "header~s3cret"),
        ),
        (
            APP_SERVICE,
            Some(UserAssigned::ClientId(CLIENT_ID.parse().unwrap())),
            "http://169.254.129.3:8081/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net&client_id=11111111-0d2e-4c8a-9d43-0f0f2d4a5c11",
            ("x-identity-header", "header~s3cret"),
        ),
        (
            AZURE_ML,
            None,
            "http://127.0.0.1:46808/MSI/auth?api-version=2017-09-01&resource=https%3A%2F%2Fvault.azure.net",
            ("secret", "ml~s3cret"),
        ),
        (
            &[("MSI_ENDPOINT", "http://localhost:50342/oauth2/token")],
            None,
            "http://localhost:50342/oauth2/token",
            ("metadata", "true"),
        ),
        (
            &[
                ("IDENTITY_ENDPOINT", "https://10.0.0.4:2377/metadata/identity/oauth2/token"),
                ("IDENTITY_HEADER", "sf~s3cret"),
                ("IDENTITY_SERVER_THUMBPRINT", "AB"),
            ],
            None,
            "https://10.0.0.4:2377/metadata/identity/oauth2/token?api-version=2019-07-01-preview&resource=https%3A%2F%2Fvault.azure.net",
            ("secret", "sf~s3cret"),
        ),
    ];
    for (variables, user_assigned, address, (header, value)) in cases {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        imds_answers(&endpoint);
        let mut builder = managed_identity(&endpoint, &clock, variables);
        if let Some(identity) = user_assigned {
            builder = builder.user_assigned(identity);
        }
        let host = builder.host();
        let identity = builder.build().unwrap();
        for _ in 0..2 {
            assert_eq!(identity.acquire_token(&vault()).await.unwrap().secret(), "token-1", "{address}");
        }
        let request = &endpoint.requests()[0];
        assert_eq!(request.uri().to_string(), address);
        assert_eq!(request.headers()[header], value);
        assert_eq!((endpoint.count(), identity.cached_tokens()), (1, 1));
        let is_post = host == ManagedIdentityHost::CloudShell;
        assert_eq!(request.method() == "POST", is_post);
        if is_post {
            assert_eq!(field(&endpoint.last_form(), "resource").unwrap(), "https://vault.azure.net");
        }
        assert!(!format!("{identity:?}").contains("s3cret"), "c01");
    }
}

#[test]
fn c24_an_endpoint_elsewhere_is_refused_whoever_configured_it() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let cases: [(&[(&str, &str)], ManagedIdentityBuildError); 6] = [
        (&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://evil.test")], ManagedIdentityBuildError::ForeignHost),
        (&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://[2001:db8::1]")], ManagedIdentityBuildError::ForeignHost),
        (&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "https://127.0.0.1")], ManagedIdentityBuildError::ForeignHost),
        (&[("MSI_ENDPOINT", "http://127.0.0.1@evil.test/")], ManagedIdentityBuildError::Malformed),
        (
            &[("IDENTITY_ENDPOINT", "http://10.1.2.3/"), ("IDENTITY_HEADER", "h")],
            ManagedIdentityBuildError::ForeignHost,
        ),
        (&[("MSI_ENDPOINT", "no url at all")], ManagedIdentityBuildError::Malformed),
    ];
    for (variables, expected) in cases {
        assert_eq!(managed_identity(&endpoint, &clock, variables).build().unwrap_err(), expected, "{variables:?}");
    }
    let fabric =
        [("IDENTITY_ENDPOINT", "https://10.0.0.4/"), ("IDENTITY_HEADER", "h"), ("IDENTITY_SERVER_THUMBPRINT", "AB")];
    let without_transport = ManagedIdentityClient::builder(|name| {
        fabric.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    });
    assert_eq!(without_transport.build().unwrap_err(), ManagedIdentityBuildError::Thumbprint, "AB is cut short");
    let shell = managed_identity(&endpoint, &clock, &[("MSI_ENDPOINT", "http://127.0.0.1/")]);
    let choice = shell.user_assigned(UserAssigned::ClientId(CLIENT_ID.parse().unwrap())).build().unwrap_err();
    assert_eq!(choice, ManagedIdentityBuildError::NoChoice(ManagedIdentityHost::CloudShell));
}

#[tokio::test(start_paused = true)]
async fn imds_is_asked_again_as_its_guidance_says() {
    let cases = [(404, 3, 7), (429, 3, 7), (500, 3, 7), (410, 7, 70), (400, 0, 0), (403, 0, 0)];
    for (status, retries, seconds) in cases {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        endpoint.answers(move |_| {
            answer(status, r#"{"error":"invalid_request","error_description":"Identity not found"}"#)
        });
        let identity = managed_identity(&endpoint, &clock, &[]).build().unwrap();
        let begun = tokio::time::Instant::now();
        let error = identity.acquire_token(&vault()).await.unwrap_err();
        let AcquireError::ManagedIdentity(cause) = &error else { panic!("{error:?}") };
        assert!(
            matches!(&**cause, ManagedIdentityError::Refused { status: s, message } if *s == status && message == "Identity not found")
        );
        assert_eq!((endpoint.count(), begun.elapsed().as_secs()), (retries + 1, seconds), "{status}");
        assert_eq!(error.is_retryable(), retries > 0, "{status}");
        assert!(error.remedy().is_some());
    }
    // Elsewhere: three times, a second apart.
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    endpoint.answers(|_| answer(503, r#"{"statusCode":503,"message":"header~s3cret is busy"}"#));
    let identity = managed_identity(&endpoint, &clock, APP_SERVICE).build().unwrap();
    let begun = tokio::time::Instant::now();
    let error = identity.acquire_token(&vault()).await.unwrap_err();
    assert_eq!((endpoint.count(), begun.elapsed().as_secs()), (4, 3));
    let text = format!("{error:?}");
    assert!(text.contains("[redacted] is busy") && !text.contains("s3cret"), "c15: {text}");
}

#[tokio::test(start_paused = true)]
async fn a_token_of_the_platform_is_renewed_at_half_its_life_and_served_to_its_end() {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    imds_answers(&endpoint);
    let identity = managed_identity(&endpoint, &clock, &[]).build().unwrap();
    let token = identity.acquire_token(&vault()).await.unwrap();
    assert_eq!(token.expires_on().as_unix_seconds(), START + 86_399);
    clock.set(token.refresh_on());
    endpoint.answers(|_| Err(TransportError::Connect("refused".into())));
    identity.acquire_token(&vault()).await.unwrap();
    settle().await;
    clock.set(token.expires_on().minus(Duration::from_secs(6)));
    assert_eq!(identity.acquire_token(&vault()).await.unwrap().secret(), "token-1");
    let stale = json!({"access_token": "t", "expires_on": START.to_string(), "token_type": "Bearer"});
    clock.set(token.expires_on());
    endpoint.answers(move |_| ok(&stale));
    let error = identity.acquire_token(&vault()).await.unwrap_err();
    assert!(
        matches!(&error, AcquireError::ManagedIdentity(cause) if matches!(**cause, ManagedIdentityError::DeadToken))
    );
}

#[tokio::test(start_paused = true)]
async fn e05_a_throttling_endpoint_is_left_alone() {
    for status in [429, 500, 502, 503, 504] {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        endpoint.answers(move |_| {
            Ok(Response::builder().status(status).header("retry-after", "30").body("".into()).unwrap())
        });
        let identity = managed_identity(&endpoint, &clock, &[]).build().unwrap();
        for _ in 0..5 {
            assert!(matches!(identity.acquire_token(&vault()).await.unwrap_err(), AcquireError::Throttled { .. }));
        }
        assert_eq!(endpoint.count(), 1, "{status}");
    }
}

const ARC: &[(&str, &str)] = &[
    ("IDENTITY_ENDPOINT", "http://127.0.0.1:40342/metadata/identity/oauth2/token"),
    ("IMDS_ENDPOINT", "http://127.0.0.1:40342"),
];

/// Challenges with this key file, and takes its content.
fn challenges(endpoint: &Endpoint, path: String) {
    endpoint.answers(move |request| match request.headers().get("authorization") {
        Some(value) if value == "Basic k3y" => {
            ok(&json!({"access_token": "t", "expires_on": "2026-01-02T00:00:00Z", "token_type": "Bearer"}))
        }
        _ => Ok(Response::builder()
            .status(401)
            .header("www-authenticate", format!("Basic realm={path}"))
            .body(Bytes::new())
            .unwrap()),
    });
}

#[tokio::test(start_paused = true)]
async fn azure_arcs_challenge_is_answered_from_its_own_directory_only() {
    let directory = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let write = |path: &std::path::Path, content: &[u8]| std::fs::write(path, content).unwrap();
    let path = |name: &str| directory.path().join(name);
    write(&path("good.key"), b"k3y");
    write(&path("other.txt"), b"k3y");
    write(&path("large.key"), &[b'a'; 4097]);
    write(&outside.path().join("out.key"), b"k3y");
    #[cfg(unix)]
    std::os::unix::fs::symlink(outside.path().join("out.key"), path("link.key")).unwrap();

    let ask = async |realm: String| {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        challenges(&endpoint, realm);
        let identity = managed_identity(&endpoint, &clock, ARC).arc_directory(directory.path()).build().unwrap();
        (identity.acquire_token(&vault()).await, endpoint)
    };
    let (token, endpoint) = ask(path("good.key").display().to_string()).await;
    assert_eq!(token.unwrap().expires_on().as_unix_seconds(), START + 86_400);
    let requests = endpoint.requests();
    assert!(requests[0].headers().get("authorization").is_none() && requests[0].headers()["metadata"] == "true");
    assert_eq!(requests[1].headers()["authorization"], "Basic k3y");

    let sneaky = path("..").join(outside.path().file_name().unwrap()).join("out.key");
    for bad in [path("other.txt"), path("large.key"), path("link.key"), outside.path().join("out.key"), sneaky] {
        let (outcome, endpoint) = ask(bad.display().to_string()).await;
        let Err(AcquireError::ManagedIdentity(cause)) = outcome else { panic!("{bad:?}") };
        assert!(matches!(*cause, ManagedIdentityError::ArcChallenge), "{bad:?}: {cause:?}");
        assert_eq!(endpoint.count(), 1, "no second request: {bad:?}");
    }
    let (outcome, _) = ask(path("missing.key").display().to_string()).await;
    let Err(AcquireError::ManagedIdentity(cause)) = outcome else { panic!() };
    assert!(matches!(*cause, ManagedIdentityError::ArcKeyFile(_)));
}

#[tokio::test(start_paused = true)]
async fn the_two_legs_managed_identity_then_application() {
    let (imds, authority, clock) = (Endpoint::issuing(), Endpoint::issuing(), clock());
    let first_leg = jws(&json!({"aud": "api://AzureADTokenExchange", "exp": START + 86_399}));
    let answer = first_leg.clone();
    imds.answers(move |_| ok(&json!({"access_token": answer, "expires_in": "86399", "token_type": "Bearer"})));
    let identity = managed_identity(&imds, &clock, &[]).build().unwrap();
    let audience = ResourceIdentifier::parse("api://AzureADTokenExchange").unwrap();
    let client = ConfidentialClient::builder(
        AuthorityHost::parse("https://login.contoso.test").unwrap(),
        support::tenant(support::TENANT),
        CLIENT.parse().unwrap(),
    )
    .transport(Arc::new(authority.clone()))
    .clock(Arc::new(clock.clone()))
    .assertion(identity.as_federated_credential(&audience))
    .build()
    .unwrap();
    for api in ["api://a", "api://b"] {
        client.acquire_token_for_client(&support::scopes(api)).await.unwrap();
        assert_eq!(field(&authority.last_form(), "client_assertion").unwrap(), first_leg);
    }
    assert_eq!((imds.count(), authority.count()), (1, 2), "the first leg's token is kept");
    assert_eq!(field(imds.requests()[0].uri().query().unwrap(), "resource").unwrap(), "api://AzureADTokenExchange");

    // What is wrong with the first leg is what the error says.
    imds.answers(|_| support::answer(400, r#"{"error":"invalid_request","error_description":"Identity not found"}"#));
    clock.advance(Duration::from_secs(90_000));
    let error = client.acquire_token_for_client(&support::scopes("api://a")).await.unwrap_err();
    assert!(matches!(error, AcquireError::NoAssertion(_)) && !error.is_retryable());
    assert!(error.remedy().unwrap().contains("managed identity"), "{:?}", error.remedy());
}

/// Service Fabric's endpoint: TLS with a certificate that it made for itself.
async fn service_fabric() -> (u16, String) {
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let made = rcgen::CertificateParams::new(vec!["cluster.test".to_owned()]).unwrap().self_signed(&key).unwrap();
    let thumbprint = Certificate::from_der(made.der().to_vec()).unwrap().thumbprint_hex();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..read]).to_lowercase();
            assert!(request.contains("secret: h~s3cret"), "{request}");
            let body = r#"{"access_token":"fabric-token","expires_in":"3600","token_type":"Bearer"}"#;
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
            let _ = stream.shutdown().await;
        }
    });
    (port, thumbprint)
}

#[tokio::test]
async fn c10_service_fabrics_certificate_is_known_by_its_thumbprint_alone() {
    let (port, thumbprint) = service_fabric().await;
    let identity = |thumbprint: String| {
        ManagedIdentityClient::builder(move |name| match name {
            "IDENTITY_ENDPOINT" => Some(format!("https://localhost:{port}/token")),
            "IDENTITY_HEADER" => Some("h~s3cret".to_owned()),
            "IDENTITY_SERVER_THUMBPRINT" => Some(thumbprint.clone()),
            _ => None,
        })
        .build()
        .unwrap()
    };
    let token = identity(thumbprint.to_lowercase()).acquire_token(&vault()).await.unwrap();
    assert_eq!(token.secret(), "fabric-token");
    let error = identity("0".repeat(40)).acquire_token(&vault()).await.unwrap_err();
    let AcquireError::ManagedIdentity(error) = error else { panic!("{error:?}") };
    assert!(
        matches!(&*error, ManagedIdentityError::Transport(cause) if matches!(**cause, TransportError::Tls(_))),
        "{error:?}"
    );
}

/// A server on this machine that answers once with these bytes.
fn server(response: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).unwrap();
        stream.write_all(response.as_bytes()).unwrap();
    });
    format!("http://{address}/token")
}

#[tokio::test]
async fn c24_plain_http_goes_to_this_machine_only_and_follows_no_redirect() {
    let transport = LocalHttpTransport::new();
    let limits = Limits { timeout: Duration::from_secs(10), max_body_bytes: 10 };
    let send = async |uri: &str| transport.send(http::Request::get(uri).body(Bytes::new()).unwrap(), limits).await;
    let response = send(&server("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")).await.unwrap();
    assert_eq!((response.status().as_u16(), response.body().as_ref()), (200, b"hello".as_slice()));
    let moved = server("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n");
    assert!(matches!(send(&moved).await.unwrap_err(), TransportError::Redirect { status: 302 }));
    let large = server("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello world");
    assert!(matches!(send(&large).await.unwrap_err(), TransportError::TooLarge { limit: 10 }));
    let garbage = server("SSH-2.0-OpenSSH\r\n");
    assert!(matches!(send(&garbage).await.unwrap_err(), TransportError::Interrupted(_)));
    for elsewhere in ["http://192.0.2.1/", "https://127.0.0.1/", "http://evil.test/"] {
        assert!(matches!(send(elsewhere).await.unwrap_err(), TransportError::Request(_)), "{elsewhere}");
    }
}
