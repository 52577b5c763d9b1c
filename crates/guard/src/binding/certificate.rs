//! Certificates as proof: the one that the TLS layer of this process saw, or one that a proxy saw which the service trusts
//! by name. A header alone proves nothing, since anybody can write one; it counts only on connections that the service
//! recognises as its proxy's (`pitfalls` 27 and 30).

use std::fmt;
use std::sync::Arc;

use countersign_token::{base64_decode_lenient, base64url_decode_strict, sha256};
use http::header::HeaderName;
use http::{Extensions, HeaderMap};

use super::BindingError;

/// The certificate that a client proved to hold in this connection's TLS handshake.
///
/// Whoever accepts connections puts it into each request's extensions, from `peer_certificates()` of the TLS session.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate([u8; 32]);

impl ClientCertificate {
    /// From the certificate's DER form, the first of the chain.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Self {
        Self(sha256(der))
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate")
    }
}

/// How a proxy writes the client's certificate into its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateForm {
    /// Base64 of the DER form between colons: `Client-Cert` (RFC 9440 §2.2).
    Rfc9440,
    /// PEM, percent-encoded: nginx's `$ssl_client_escaped_cert`, AWS's `X-Amzn-Mtls-Clientcert`.
    EscapedPem,
    /// Base64 of the DER form: Azure App Service's `X-ARR-ClientCert`.
    Base64,
}

/// A proxy that ends TLS and hands the client's certificate on in a header.
#[derive(Clone)]
pub struct TrustedProxy {
    header: HeaderName,
    form: CertificateForm,
    is_proxy: Arc<dyn Fn(&Extensions) -> bool + Send + Sync>,
}

impl TrustedProxy {
    /// `is_proxy` says by a request's extensions whether its connection comes from the proxy: by the peer's address, the
    /// Unix socket it came through, or the certificate that the proxy itself showed. The proxy must remove this header
    /// from what its clients send.
    pub fn new(
        header: HeaderName,
        form: CertificateForm,
        is_proxy: impl Fn(&Extensions) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { header, form, is_proxy: Arc::new(is_proxy) }
    }

    #[cfg(feature = "actix-web")]
    pub(crate) fn header(&self) -> &HeaderName {
        &self.header
    }

    /// The certificate's thumbprint; none on connections that are not the proxy's, or without the header.
    fn thumbprint(&self, headers: &HeaderMap, extensions: &Extensions) -> Result<Option<[u8; 32]>, BindingError> {
        if !(self.is_proxy)(extensions) {
            return Ok(None);
        }
        let mut values = headers.get_all(&self.header).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(BindingError::Header);
        }
        let text = value.to_str().map_err(|_| BindingError::Header)?;
        let base64 = match self.form {
            CertificateForm::Rfc9440 => {
                text.strip_prefix(':').and_then(|text| text.strip_suffix(':')).ok_or(BindingError::Header)?.to_owned()
            }
            CertificateForm::Base64 => text.to_owned(),
            CertificateForm::EscapedPem => {
                let pem = unescape(text).ok_or(BindingError::Header)?;
                let body = pem.trim().strip_prefix("-----BEGIN CERTIFICATE-----").ok_or(BindingError::Header)?;
                // The chain behind the first certificate is the proxy's affair.
                body.split_once("-----END CERTIFICATE-----").ok_or(BindingError::Header)?.0.to_owned()
            }
        };
        let der = base64_decode_lenient(&base64).map_err(|_| BindingError::Header)?;
        // A certificate is a SEQUENCE; anything shorter than a key is none.
        if der.len() < 64 || der[0] != 0x30 {
            return Err(BindingError::Header);
        }
        Ok(Some(sha256(&der)))
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut unescaped = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            unescaped.push((digit()? * 16 + digit()?) as u8);
        } else {
            unescaped.push(byte);
        }
    }
    String::from_utf8(unescaped).ok()
}

impl fmt::Debug for TrustedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedProxy").field("header", &self.header).field("form", &self.form).finish_non_exhaustive()
    }
}

/// Checks that the sender holds the certificate of this `x5t#S256`.
pub(super) fn check(
    bound_to: &str,
    headers: &HeaderMap,
    extensions: &Extensions,
    proxy: Option<&TrustedProxy>,
) -> Result<(), BindingError> {
    let bound_to = base64url_decode_strict(bound_to).map_err(|_| BindingError::Unsupported)?;
    let shown = match (extensions.get::<ClientCertificate>(), proxy) {
        // Behind a proxy the connection's certificate is the proxy's own.
        (_, Some(proxy)) => match proxy.thumbprint(headers, extensions)? {
            Some(thumbprint) => thumbprint,
            None => return Err(BindingError::NoProof),
        },
        (Some(certificate), None) => certificate.0,
        (None, None) => return Err(BindingError::NoProof),
    };
    if bound_to == shown { Ok(()) } else { Err(BindingError::OtherCertificate) }
}
