//! Tokens that are bound to a certificate: a proof or nothing, and headers prove nothing by themselves.

use countersign_guard::{CertificateForm, ClientCertificate, Guard, TrustedProxy};
use countersign_token::{base64_encode_standard, base64url_encode, sha256};
use http::header::HeaderName;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};

use crate::kit::service::Inside;
use crate::kit::token::Token;
use crate::kit::{bearer, builder, clock, guard, policy, verdict};

/// Something that looks like a certificate's DER form; only its digest matters.
fn der(seed: u8) -> Vec<u8> {
    let mut der = vec![seed; 300];
    der[..4].copy_from_slice(&[0x30, 0x82, 1, 40]);
    der
}

fn bound_to(seed: u8) -> String {
    Token::app().claim("cnf", json!({"x5t#S256": base64url_encode(&sha256(&der(seed)))})).sign()
}

/// The status of a request with this token, certificate and header.
async fn status(guard: &Guard, token: &str, certificate: Option<u8>, header: Option<(&str, &str)>) -> u16 {
    let mut request = bearer(token);
    if let Some(seed) = certificate {
        request.extensions_mut().insert(ClientCertificate::from_der(&der(seed)));
    }
    if let Some((name, value)) = header {
        request.headers_mut().append(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    guard.layer().layer(Inside::default()).oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_bound_token_needs_the_certificate_it_is_bound_to() {
    let guard = guard();
    let token = bound_to(1);
    // Twice, since the second time the verdict is known.
    for _ in 0..2 {
        assert_eq!(status(&guard, &token, None, None).await, 401, "stolen, and sent as a bearer token");
        assert_eq!(status(&guard, &token, Some(2), None).await, 401);
        assert_eq!(status(&guard, &token, Some(1), None).await, 200);
        assert_eq!(verdict(&guard, &token).await, "binding_proof_missing", "without a request nothing is proven");
    }
    // A certificate does no harm to tokens that are not bound.
    assert_eq!(status(&guard, &Token::app().sign(), Some(1), None).await, 200);
}

#[tokio::test]
async fn a_binding_that_is_not_understood_is_refused_whatever_is_shown() {
    let guard = guard();
    let thumbprint = base64url_encode(&sha256(&der(1)));
    for confirmation in [
        json!({}),
        json!("x"),
        Value::Null,
        json!({"jkt": "x"}),
        json!({"kid": "x", "xms_ksl": "sw"}),
        json!({"jwk": {"kty": "RSA"}}),
        json!({"x5t#S256": 1}),
        json!({"x5t#S256": format!("{thumbprint}=")}),
        json!({"x5t#S256": thumbprint, "jkt": "x"}),
    ] {
        let token = Token::app().claim("cnf", confirmation.clone()).sign();
        assert_eq!(status(&guard, &token, Some(1), None).await, 401, "{confirmation}");
    }
}

/// A mark that the acceptor of the proxy's connections leaves.
#[derive(Clone)]
struct FromProxy;

fn behind(name: &'static str, form: CertificateForm) -> Guard {
    let is_proxy = |extensions: &http::Extensions| extensions.get::<FromProxy>().is_some();
    let proxy = TrustedProxy::new(HeaderName::from_static(name), form, is_proxy);
    builder(&policy(), &clock()).trusted_proxy(proxy).build()
}

async fn through_proxy(guard: &Guard, token: &str, is_proxy: bool, values: &[(&'static str, String)]) -> u16 {
    let mut request = bearer(token);
    if is_proxy {
        request.extensions_mut().insert(FromProxy);
    }
    // The proxy's own certificate is nobody's proof.
    request.extensions_mut().insert(ClientCertificate::from_der(&der(1)));
    for (name, value) in values {
        request.headers_mut().append(HeaderName::from_static(name), value.parse().unwrap());
    }
    guard.layer().layer(Inside::default()).oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn d06_the_proxys_header_counts_on_the_proxys_connections_alone() {
    let base64 = base64_encode_standard(&der(1));
    let pem = format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
    let escaped: String = pem.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for (name, form, value) in [
        ("client-cert", CertificateForm::Rfc9440, format!(":{base64}:")),
        ("x-ssl-client-cert", CertificateForm::EscapedPem, escaped),
        ("x-arr-clientcert", CertificateForm::Base64, base64.clone()),
    ] {
        let guard = behind(name, form);
        let header = [(name, value.clone())];
        assert_eq!(through_proxy(&guard, &bound_to(1), true, &header).await, 200, "{name}");
        assert_eq!(through_proxy(&guard, &bound_to(1), false, &header).await, 401, "{name}: anybody can write it");
        assert_eq!(through_proxy(&guard, &bound_to(2), true, &header).await, 401, "{name}: another certificate");
        assert_eq!(through_proxy(&guard, &bound_to(1), true, &[]).await, 401, "{name}: no header");
        let twice = [(name, value.clone()), (name, value)];
        assert_eq!(through_proxy(&guard, &bound_to(1), true, &twice).await, 401, "{name}: two headers");
        for broken in ["", ":", "::", "%", "%zz", "MIIB", "-----BEGIN CERTIFICATE-----"] {
            assert_eq!(through_proxy(&guard, &bound_to(1), true, &[(name, broken.to_owned())]).await, 401, "{broken}");
        }
    }
}
