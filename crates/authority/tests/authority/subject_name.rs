//! Clients known by their certificate's subject and issuer instead of its thumbprint, and what a strict tenant wants of
//! assertions.

use std::sync::LazyLock;

use countersign_directory::DirectoryFile;
use countersign_token::{Certificate, PrivateKey, base64_encode_standard, base64url_encode};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_RSA_SHA256};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};

use crate::forge::{Assertion, REGISTERED, form};
use crate::kit::{API, Answer, CLIENT, Kit, NOW, TENANT, directory_text, directory_with};

/// A client's key, and the certificates that a CA gave it.
struct Issued {
    key: PrivateKey,
    certificate: Certificate,
    /// Of the same key, under another name.
    other_name: Certificate,
    root_pem: String,
}

static ISSUED: LazyLock<Issued> = LazyLock::new(|| {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Contoso CA");
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2024, 1, 1), rcgen::date_time_ymd(2034, 1, 1));
    let root_pkcs8 = PrivateKey::generate_pkcs8().unwrap();
    let root_key = pair(&root_pkcs8);
    let root = CertifiedIssuer::self_signed(params, root_key).unwrap();
    let pkcs8 = PrivateKey::generate_pkcs8().unwrap();
    let key = pair(&pkcs8);
    let issue = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(2025, 1, 1), rcgen::date_time_ymd(2027, 1, 1));
        let made = params.signed_by(&key, &root).unwrap();
        Certificate::from_der(made.der().to_vec()).unwrap()
    };
    Issued {
        certificate: issue("daemon.contoso.com"),
        other_name: issue("other.contoso.com"),
        key: PrivateKey::from_pkcs8_der(&pkcs8).unwrap(),
        root_pem: root.pem(),
    }
});

fn pair(pkcs8: &[u8]) -> KeyPair {
    KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(pkcs8), &PKCS_RSA_SHA256).unwrap()
}

/// The client is known by this subject, the tenant trusts the CA if told so.
async fn kit(subject: &str, trusts: bool) -> Kit {
    let members = format!("trustedCertificateSubjects: [{{subjectName: \"{subject}\"}}]");
    let roots =
        format!("displayName: Contoso\n  trustedCertificateAuthorities: [{}]", Value::from(ISSUED.root_pem.as_str()));
    let text = directory_text(&members, "");
    let text = if trusts { text.replacen("displayName: Contoso", &roots, 1) } else { text };
    Kit::with(DirectoryFile::parse("test.yaml", &text).unwrap().file).await
}

fn assertion(kit: &Kit, certificate: &Certificate) -> String {
    let chain = json!([base64_encode_standard(certificate.der())]);
    let thumbprint = base64url_encode(&certificate.sha256_thumbprint());
    Assertion::new(kit).with_header(json!({"x5t#S256": thumbprint, "x5c": chain})).signed_by(&ISSUED.key)
}

async fn ask(kit: &Kit, assertion: &str) -> Answer {
    let form = form(assertion, &format!("&client_id={CLIENT}&scope={API}/.default"));
    kit.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await
}

#[tokio::test]
async fn a_certificate_of_the_registered_subject_under_a_trusted_root_is_taken() {
    let kit = kit("CN=daemon.contoso.com", true).await;
    let answer = ask(&kit, &assertion(&kit, &ISSUED.certificate)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn every_other_subject_root_or_moment_is_not() {
    let trusting = kit("CN=daemon.contoso.com", true).await;
    let refused = async |kit: &Kit, certificate: &Certificate| ask(kit, &assertion(kit, certificate)).await.refusal().2;
    assert_eq!(refused(&trusting, &ISSUED.other_name).await, 700_030, "another subject");
    assert_eq!(refused(&kit("CN=daemon.contoso.com", false).await, &ISSUED.certificate).await, 700_030, "no root");
    assert_eq!(refused(&kit("CN=daemon.contoso.com.evil", true).await, &ISSUED.certificate).await, 700_030);
    // The thumbprint in the header must be that of the certificate in the header.
    let chain = json!([base64_encode_standard(ISSUED.certificate.der())]);
    let other = base64url_encode(&ISSUED.other_name.sha256_thumbprint());
    let mixed = Assertion::new(&trusting).with_header(json!({"x5t#S256": other, "x5c": chain})).signed_by(&ISSUED.key);
    assert_eq!(ask(&trusting, &mixed).await.refusal().2, 7_000_274);
    // Signed by somebody else's key, with the right certificate beside it.
    let thumbprint = base64url_encode(&ISSUED.certificate.sha256_thumbprint());
    let stolen = Assertion::new(&trusting).with_header(json!({"x5t#S256": thumbprint, "x5c": chain})).signed();
    assert_eq!(ask(&trusting, &stolen).await.refusal().2, 7_000_274);
    // A self-signed one of the right name leads to no root.
    let own = base64url_encode(&REGISTERED.certificate.sha256_thumbprint());
    let chain = json!(base64_encode_standard(REGISTERED.certificate.der()));
    let self_signed = Assertion::new(&trusting).with_header(json!({"x5t#S256": own, "x5c": chain})).signed();
    assert_eq!(ask(&trusting, &self_signed).await.refusal().2, 700_030);
    trusting.clock.advance(std::time::Duration::from_secs(2 * 366 * 86_400));
    let late = Assertion::new(&trusting).with(json!({"nbf": NOW, "exp": NOW + 3 * 366 * 86_400}));
    let chain = json!([base64_encode_standard(ISSUED.certificate.der())]);
    let late = late.with_header(json!({"x5t#S256": thumbprint, "x5c": chain})).signed_by(&ISSUED.key);
    assert_eq!(ask(&trusting, &late).await.refusal().2, 700_030, "the certificate has ended");
}

async fn strict() -> Kit {
    let text = directory_text(&REGISTERED.key_credentials(""), "");
    let text = text.replacen("displayName: Contoso", "displayName: Contoso\n  strict: true", 1);
    Kit::with(DirectoryFile::parse("test.yaml", &text).unwrap().file).await
}

#[tokio::test]
async fn b12_a_strict_tenant_takes_an_assertion_once_however_many_try() {
    let kit = strict().await;
    let signed = Assertion::new(&kit).signed();
    let answers = futures_util::future::join_all((0..8).map(|_| ask(&kit, &signed))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).map(Answer::refusal).collect();
    assert_eq!(refused, vec![(401, "invalid_client", 50_012); 7]);
    // The same jti again, in another assertion.
    let again = Assertion::new(&kit).with(json!({"exp": NOW + 500})).signed();
    assert_eq!(ask(&kit, &again).await.refusal().2, 50_012);
}

#[tokio::test]
async fn b13_b14_a_strict_tenant_wants_a_jti_a_short_life_and_its_own_name_spelled_exactly() {
    let kit = strict().await;
    let token_endpoint = |tenant: &str| kit.url(&format!("/{tenant}/oauth2/v2.0/token"));
    for (claims, code) in [
        (json!({"jti": null}), 90_014),
        (json!({"jti": ""}), 90_014),
        (json!({"exp": NOW + 3_600 + 301}), 700_024),
        (json!({"aud": token_endpoint("contoso.com")}), 700_023),
        (json!({"aud": token_endpoint(&TENANT.to_uppercase())}), 700_023),
        (json!({"aud": format!("{}/", token_endpoint(TENANT))}), 700_023),
        (json!({"aud": [token_endpoint(TENANT), token_endpoint(TENANT)]}), 700_023),
    ] {
        let answer = ask(&kit, &Assertion::new(&kit).with(claims.clone()).signed()).await;
        assert_eq!(answer.refusal().2, code, "{claims}");
        // Elsewhere each of them is taken, as Entra does.
        let lax = Kit::with(directory_with(&REGISTERED.key_credentials(""))).await;
        let mut claims = claims;
        if let Some(aud) = claims.get_mut("aud") {
            let moved = aud.to_string().replace(kit.authority.host().origin(), lax.authority.host().origin());
            *aud = serde_json::from_str(&moved).unwrap();
        }
        assert_eq!(ask(&lax, &Assertion::new(&lax).with(claims.clone()).signed()).await.status, 200, "{claims}");
    }
    for aud in
        [token_endpoint(TENANT), kit.url(&format!("/{TENANT}/oauth2/token")), kit.url(&format!("/{TENANT}/v2.0"))]
    {
        let answer = ask(&kit, &Assertion::new(&kit).with(json!({"aud": aud, "jti": aud})).signed()).await;
        assert_eq!(answer.status, 200, "{aud} {answer:?}");
    }
}
