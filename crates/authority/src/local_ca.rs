//! The local CA: made at the first start, trusted by whoever chooses to. It signs for the authority's own names and for
//! servers that its owner puts beside it; its key never leaves unsealed.
//!
//! Certificates follow the machine's clock and not the authority's: the peer that checks them has no other.

use std::net::IpAddr;
use std::sync::Arc;

use countersign_token::{Clock, Randomness, SystemClock, Vault};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::StartError;
use crate::data_dir::{CA_KEY, DataDir, read_if_there, replace_durably};

const SEAL: &str = "local CA key";

/// A CA that signs certificates for this authority and what stands beside it.
pub(crate) struct LocalCa {
    certificate: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn failed(error: rcgen::Error) -> StartError {
    StartError::Certificate(error.to_string())
}

/// Valid from yesterday for so many days, in whole days.
fn valid_for(params: &mut CertificateParams, days: i64) {
    let day = |offset: i64| {
        let seconds = SystemClock.now().as_unix_seconds() + offset * 86_400;
        let date = jiff::Timestamp::from_second(seconds).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC).date();
        date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = day(-1);
    params.not_after = day(days);
}

impl LocalCa {
    /// A CA that lives as long as the process.
    pub(crate) fn ephemeral(randomness: &dyn Randomness) -> Result<Self, StartError> {
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::default();
        // The name carries a random part, so that two CAs in one trust store can be told apart.
        let name = format!("Countersign local CA {}", randomness.base64url(6));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        valid_for(&mut params, 3650);
        let certificate = params.self_signed(&key).map_err(failed)?;
        Self::assemble(certificate.der().clone(), certificate.pem(), key)
    }

    /// The data directory's CA, made there at the first start.
    pub(crate) fn open(data: &DataDir, vault: &Vault, randomness: &dyn Randomness) -> Result<Self, StartError> {
        let (pem_path, key_path) = (data.path("ca.pem"), data.path(CA_KEY));
        if let Some(pem) = read_if_there(&pem_path)? {
            let damaged = |what| StartError::Damaged { path: pem_path.clone(), what };
            // Not made anew behind the back of everybody who trusts the one that is there.
            let Some(sealed) = read_if_there(&key_path)? else {
                let what =
                    "it is missing; restore it from a copy, or remove ca.pem too and have clients trust a new CA";
                return Err(StartError::Damaged { path: key_path, what });
            };
            let pem = String::from_utf8(pem).map_err(|_| damaged("a PEM certificate was expected"))?;
            let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
                .map_err(|_| damaged("a PEM certificate was expected"))?;
            let key = vault.open(SEAL, &sealed)?;
            let key = PrivatePkcs8KeyDer::from(key.to_vec());
            return Self::assemble(certificate, pem, KeyPair::try_from(&key).map_err(failed)?);
        }
        let ca = Self::ephemeral(randomness)?;
        let sealed = vault.seal(SEAL, ca.issuer.key().serialized_der(), randomness)?;
        // The certificate last: while it is missing, the next start makes both anew.
        replace_durably(&key_path, &sealed, 0o600)?;
        replace_durably(&pem_path, ca.pem.as_bytes(), 0o644)?;
        Ok(ca)
    }

    fn assemble(certificate: CertificateDer<'static>, pem: String, key: KeyPair) -> Result<Self, StartError> {
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(failed)?;
        Ok(Self { certificate, pem, issuer })
    }

    /// The CA's certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// TLS for a server of these names and addresses, with a fresh key and a certificate for 397 days.
    pub(crate) fn server_tls(&self, names: &[&str]) -> Result<Arc<rustls::ServerConfig>, StartError> {
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::default();
        for name in names {
            let bare = name.trim_start_matches('[').trim_end_matches(']');
            params.subject_alt_names.push(match bare.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(bare.try_into().map_err(failed)?),
            });
        }
        params.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or("localhost"));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        valid_for(&mut params, 397);
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config =
            rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}
