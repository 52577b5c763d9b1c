//! Client assertions of every spelling, and certificates whose thumbprints show the differences.

use std::sync::LazyLock;

use countersign_token::{Algorithm, Certificate, PrivateKey, base64_encode_standard, base64url_encode};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, SerialNumber};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};

use crate::kit::{CLIENT, Kit, NOW, TENANT};

/// A client's key with its certificate.
pub(crate) struct Pair {
    pub(crate) key: PrivateKey,
    pub(crate) certificate: Certificate,
    pub(crate) pem: String,
}

/// The certificate that the client registers.
pub(crate) static REGISTERED: LazyLock<Pair> = LazyLock::new(|| Pair::make("registered"));
/// One that nobody registers, or another client.
pub(crate) static OTHER: LazyLock<Pair> = LazyLock::new(|| Pair::make("other"));

impl Pair {
    /// Both thumbprints, in standard base64, hold `+` and `/`: a decoder that takes one alphabet only must fail.
    fn make(name: &str) -> Self {
        let pkcs8 = PrivateKey::generate_pkcs8().unwrap();
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(pkcs8.as_slice()), &PKCS_RSA_SHA256)
            .unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2024, 1, 1);
        params.not_after = rcgen::date_time_ymd(2034, 1, 1);
        for serial in 1_u64.. {
            params.serial_number = Some(SerialNumber::from(serial));
            let made = params.self_signed(&pair).unwrap();
            let certificate = Certificate::from_der(made.der().to_vec()).unwrap();
            let telling = |thumbprint: &[u8]| {
                let text = base64_encode_standard(thumbprint);
                text.contains('+') && text.contains('/')
            };
            if telling(&certificate.sha1_thumbprint()) && telling(&certificate.sha256_thumbprint()) {
                return Self { key: PrivateKey::from_pkcs8_der(&pkcs8).unwrap(), certificate, pem: made.pem() };
            }
        }
        unreachable!("there are serial numbers enough");
    }

    /// `keyCredentials` with this certificate, for the directory file; `more` goes into the entry.
    pub(crate) fn key_credentials(&self, more: &str) -> String {
        format!("keyCredentials: [{{certificatePem: {}{more}}}]", Value::from(self.pem.as_str()))
    }
}

/// How a text of bytes is spelled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spelling {
    Url,
    UrlPadded,
    Standard,
}

impl Spelling {
    pub(crate) fn of(self, bytes: &[u8]) -> String {
        let url = base64url_encode(bytes);
        match self {
            Self::Url => url,
            Self::UrlPadded => format!("{url}{}", "=".repeat((4 - url.len() % 4) % 4)),
            Self::Standard => base64_encode_standard(bytes),
        }
    }
}

/// An assertion to be signed, by default as the documentation has it.
#[derive(Clone)]
pub(crate) struct Assertion {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    pub(crate) algorithm: Algorithm,
    /// Of the three segments.
    pub(crate) spelling: Spelling,
}

impl Assertion {
    pub(crate) fn new(kit: &Kit) -> Self {
        let aud = kit.url(&format!("/{TENANT}/oauth2/v2.0/token"));
        Self {
            header: json!({"alg": "PS256", "typ": "JWT", "x5t#S256": sha256(Spelling::Url)}),
            claims: json!({
                "aud": aud, "iss": CLIENT, "sub": CLIENT, "jti": "8f2c0d4a-9a0e-4b52-8a44-0d5a4b8f6f10",
                "nbf": NOW, "exp": NOW + 600, "iat": NOW,
            }),
            algorithm: Algorithm::Ps256,
            spelling: Spelling::Url,
        }
    }

    /// RS256, with these header members besides `alg` and `typ`.
    pub(crate) fn rs256(kit: &Kit, members: Value) -> Self {
        let mut this = Self::new(kit);
        this.algorithm = Algorithm::Rs256;
        this.header = json!({"alg": "RS256", "typ": "JWT"});
        this.with_header(members)
    }

    /// Sets header members; null removes one.
    pub(crate) fn with_header(mut self, members: Value) -> Self {
        merge(&mut self.header, members);
        self
    }

    /// Sets claims; null removes one.
    pub(crate) fn with(mut self, claims: Value) -> Self {
        merge(&mut self.claims, claims);
        self
    }

    pub(crate) fn signed(&self) -> String {
        self.signed_by(&REGISTERED.key)
    }

    pub(crate) fn signed_by(&self, key: &PrivateKey) -> String {
        let input = self.signing_input();
        let signature = key.sign(self.algorithm, input.as_bytes()).unwrap();
        format!("{input}.{}", self.spelling.of(&signature))
    }

    pub(crate) fn signing_input(&self) -> String {
        let segment = |value: &Value| self.spelling.of(value.to_string().as_bytes());
        format!("{}.{}", segment(&self.header), segment(&self.claims))
    }
}

fn merge(target: &mut Value, members: Value) {
    let Value::Object(members) = members else { panic!("an object was expected") };
    for (name, value) in members {
        match value {
            Value::Null => drop(target.as_object_mut().unwrap().remove(&name)),
            value => target[name.as_str()] = value,
        }
    }
}

pub(crate) fn sha1(spelling: Spelling) -> String {
    spelling.of(&REGISTERED.certificate.sha1_thumbprint())
}

pub(crate) fn sha256(spelling: Spelling) -> String {
    spelling.of(&REGISTERED.certificate.sha256_thumbprint())
}

/// The form of a request that proves itself by this assertion.
pub(crate) fn form(assertion: &str, more: &str) -> String {
    let assertion = assertion.replace('+', "%2B").replace('=', "%3D").replace('/', "%2F");
    format!(
        "grant_type=client_credentials&client_assertion_type=\
         urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={assertion}{more}"
    )
}
