//! Certificates that applications prove themselves with.

use std::sync::LazyLock;

use countersign_token::{Certificate, base64_encode_standard};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, SerialNumber};
use serde_json::{Value, json};

/// A certificate and its private key, in every form that some client wants.
pub struct Identity {
    /// PKCS#8, PEM.
    pub private_key: String,
    /// PEM, ending in a line break.
    pub certificate: String,
    /// Base64 of the DER, as Microsoft Graph writes it.
    pub key: String,
    /// Upper-case hexadecimal.
    pub sha1: String,
    /// Upper-case hexadecimal.
    pub sha256: String,
}

/// The one that the fixture registers. Both of its thumbprints have a `+` or a `/` in plain base64, so that a reader who
/// takes only one of the two alphabets fails here and not, for one certificate in two, at a customer's.
pub static REGISTERED: LazyLock<Identity> = LazyLock::new(|| Identity::make(1, |text| text.contains(['+', '/'])));

/// One that nobody registered.
pub static STRANGER: LazyLock<Identity> = LazyLock::new(|| Identity::make(1_000_000, |_| true));

impl Identity {
    /// Makes a key, and certificates for it until one's thumbprints are as `wanted`.
    fn make(first_serial: u64, wanted: impl Fn(&str) -> bool) -> Self {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        for serial in first_serial.. {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, "countersign conformance");
            params.serial_number = Some(SerialNumber::from(serial));
            params.not_before = rcgen::date_time_ymd(2024, 1, 1);
            params.not_after = rcgen::date_time_ymd(2049, 1, 1);
            let certificate = params.self_signed(&key).unwrap();
            let parsed = Certificate::from_der(certificate.der().to_vec()).unwrap();
            let (sha1, sha256) = (parsed.sha1_thumbprint(), parsed.sha256_thumbprint());
            if wanted(&base64_encode_standard(&sha1)) && wanted(&base64_encode_standard(&sha256)) {
                return Self {
                    private_key: key.serialize_pem(),
                    certificate: certificate.pem(),
                    key: base64_encode_standard(certificate.der()),
                    sha1: hexadecimal(&sha1),
                    sha256: hexadecimal(&sha256),
                };
            }
        }
        unreachable!("serial numbers do not end")
    }

    /// The credential as the client scripts take it; `style` is for the client that knows several ways to use one.
    #[must_use]
    pub fn credential(&self, style: &str) -> Value {
        json!({
            "private_key": self.private_key, "certificate": self.certificate,
            "sha1": self.sha1, "sha256": self.sha256, "style": style,
        })
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
