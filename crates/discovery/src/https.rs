//! [`HttpsTransport`]: the door to the real world, over reqwest, rustls and aws-lc-rs.
//!
//! It speaks https only, follows no redirect, keeps no cookies, retries nothing, decompresses nothing, and asks no
//! environment variable for a proxy (`pitfalls` C10, C11): what is not configured here does not happen. There is no way
//! to switch off the check of a server's certificate; a laptop's authority is trusted by adding its root instead, and a
//! server with a certificate of its own making by that certificate's thumbprint (`pinned.rs`). Public
//! roots are the operating system's, through rustls-platform-verifier; where OpenSSL's variables `SSL_CERT_FILE` and
//! `SSL_CERT_DIR` are set, they name those roots on Unix.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::sign::SingleCertAndKey;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use zeroize::Zeroizing;

use crate::client_identity::{ClientIdentity, ClientIdentityError};
use crate::pinned::{Pinned, Sha1Thumbprint};
use crate::public_address::{Exceptions, PublicOnly};
use crate::transport::{BoxFuture, Cause, Limits, Transport, TransportError};

/// An [`HttpsTransport`] could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpsTransportError {
    /// The PEM text of a root certificate does not parse.
    #[error("the PEM text of the root certificates does not parse")]
    RootPem(#[source] rustls_pki_types::pem::Error),
    /// The PEM text holds no certificate at all.
    #[error("the PEM text holds no certificate")]
    NoRoot,
    /// A root certificate cannot serve as one, or the operating system's roots cannot be read.
    #[error("the root certificates cannot be used")]
    Roots(#[source] Cause),
    /// The thumbprint is not one.
    #[error("the thumbprint is not 40 hexadecimal digits")]
    Thumbprint,
    /// Roots were given beside a thumbprint that lets one certificate in and no other.
    #[error("a pinned certificate and own root certificates exclude each other")]
    PinAndRoots,
    /// The client's certificate and key cannot be used for TLS.
    #[error("the client's certificate and key cannot be used")]
    ClientIdentity(#[source] Cause),
    /// The proxy's address does not parse.
    #[error("the proxy's address does not parse")]
    Proxy(#[source] Cause),
    /// The HTTP client refused its configuration.
    #[error("the HTTP client refused its configuration")]
    Client(#[source] Cause),
}

/// What an [`HttpsTransport`] trusts and how it connects.
#[derive(Debug, Default)]
#[must_use]
pub struct HttpsTransportBuilder {
    roots: Vec<CertificateDer<'static>>,
    exclusive: bool,
    pin: Option<Sha1Thumbprint>,
    identity: Option<ClientIdentity>,
    proxy: Option<String>,
    connect_timeout: Option<Duration>,
    only_public: Option<Exceptions>,
}

/// How long a connection, its TLS handshake included, may take unless the builder says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends over https. Clones share one pool of keep-alive connections.
///
/// The pool belongs to the tokio runtime in which a request is sent.
#[derive(Debug, Clone)]
pub struct HttpsTransport {
    client: reqwest::Client,
    identity: Option<ClientIdentity>,
    only_public: Option<Exceptions>,
}

impl HttpsTransport {
    /// Trusts the operating system's roots, and nothing else.
    ///
    /// # Errors
    /// [`HttpsTransportError::Roots`] where the operating system has no roots that can be read.
    pub fn new() -> Result<Self, HttpsTransportError> {
        Self::builder().build()
    }

    /// Starts from the defaults of [`HttpsTransport::new`].
    pub fn builder() -> HttpsTransportBuilder {
        HttpsTransportBuilder::default()
    }
}

impl HttpsTransportBuilder {
    /// Trusts these roots beside the operating system's. `pem` holds one or more certificates.
    ///
    /// # Errors
    /// [`HttpsTransportError::RootPem`] for a broken text, [`HttpsTransportError::NoRoot`] for one without certificates.
    pub fn add_roots_pem(mut self, pem: &[u8]) -> Result<Self, HttpsTransportError> {
        let before = self.roots.len();
        for root in CertificateDer::pem_slice_iter(pem) {
            self.roots.push(root.map_err(HttpsTransportError::RootPem)?);
        }
        if self.roots.len() == before {
            return Err(HttpsTransportError::NoRoot);
        }
        Ok(self)
    }

    /// Trusts these roots and no other: not the operating system's either. Right for an authority with a CA of its own,
    /// and quicker to build, since no store has to be read.
    ///
    /// # Errors
    /// As [`HttpsTransportBuilder::add_roots_pem`].
    pub fn only_roots_pem(mut self, pem: &[u8]) -> Result<Self, HttpsTransportError> {
        self.exclusive = true;
        self.add_roots_pem(pem)
    }

    /// Trusts the one certificate whose SHA-1 thumbprint this is (40 hexadecimal digits), and nothing else. For servers
    /// whose certificate nobody vouches for, as Service Fabric's; a root is better wherever there is one.
    ///
    /// The thumbprint takes the place of chain and name: **issuer, host name and revocation are not looked at.** The
    /// certificate's dates are, and the server proves that it has the key. The certificate must be RSA.
    ///
    /// # Errors
    /// [`HttpsTransportError::Thumbprint`].
    pub fn only_certificate_sha1(mut self, thumbprint: &str) -> Result<Self, HttpsTransportError> {
        self.pin = Some(Sha1Thumbprint::parse(thumbprint).ok_or(HttpsTransportError::Thumbprint)?);
        Ok(self)
    }

    /// Shows this certificate to servers that ask for one (mutual TLS, RFC 8705 §2).
    pub fn client_identity(mut self, identity: ClientIdentity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// As [`HttpsTransportBuilder::client_identity`], from PEM text: the chain, the client's own certificate first, and
    /// its private key (PKCS#8 or PKCS#1).
    ///
    /// # Errors
    /// [`ClientIdentityError`].
    pub fn client_identity_pem(self, pem: &[u8]) -> Result<Self, ClientIdentityError> {
        Ok(self.client_identity(ClientIdentity::from_pem(pem)?))
    }

    /// Sends everything through this proxy, for example `http://proxy.contoso.com:3128` (TLS runs end to end through it).
    pub fn proxy(mut self, address: impl Into<String>) -> Self {
        self.proxy = Some(address.into());
        self
    }

    /// How long a connection, its TLS handshake included, may take (5 s otherwise).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// Connects to public addresses only, whatever a name resolves to, and to these hosts wherever they are: for addresses
    /// that somebody else wrote down. A proxy would resolve names by itself, so there must be none.
    ///
    /// The hosts are names or addresses without a port.
    pub fn only_public_addresses(mut self, except: impl IntoIterator<Item = String>) -> Self {
        self.only_public = Some(Exceptions::of(except));
        self
    }

    /// Builds the transport. With the operating system's roots this reads and parses their store, some milliseconds.
    ///
    /// # Errors
    /// [`HttpsTransportError::Roots`], [`HttpsTransportError::Proxy`], [`HttpsTransportError::Client`],
    /// [`HttpsTransportError::PinAndRoots`], [`HttpsTransportError::ClientIdentity`].
    pub fn build(self) -> Result<HttpsTransport, HttpsTransportError> {
        let provider: Arc<CryptoProvider> = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match self.pin {
            Some(_) if self.exclusive || !self.roots.is_empty() => return Err(HttpsTransportError::PinAndRoots),
            Some(thumbprint) => Arc::new(Pinned::new(thumbprint, Arc::clone(&provider))),
            None => trust(self.roots, self.exclusive, Arc::clone(&provider))?,
        };
        let tls = tls_config(verifier, self.identity.as_ref(), provider)?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(self.connect_timeout.unwrap_or(CONNECT_TIMEOUT))
            .pool_idle_timeout(Duration::from_secs(90))
            .tcp_keepalive(Duration::from_secs(60))
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")));
        if let Some(address) = self.proxy {
            if self.only_public.is_some() {
                let both = "a proxy and public addresses only exclude each other";
                return Err(HttpsTransportError::Proxy(both.into()));
            }
            let proxy = reqwest::Proxy::all(address).map_err(|error| HttpsTransportError::Proxy(error.into()))?;
            builder = builder.proxy(proxy);
        }
        if let Some(exceptions) = &self.only_public {
            builder = builder.dns_resolver(Arc::new(PublicOnly(exceptions.clone())));
        }
        let client = builder.build().map_err(|error| HttpsTransportError::Client(error.into()))?;
        Ok(HttpsTransport { client, identity: self.identity, only_public: self.only_public })
    }
}

/// What judges a server's certificate: own roots alone, or the operating system's and own ones beside them.
fn trust(
    roots: Vec<CertificateDer<'static>>,
    exclusive: bool,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, HttpsTransportError> {
    let unusable = |error: rustls::Error| HttpsTransportError::Roots(error.into());
    if !exclusive {
        return Ok(Arc::new(Verifier::new_with_extra_roots(roots, provider).map_err(unusable)?));
    }
    let mut store = rustls::RootCertStore::empty();
    for root in roots {
        store.add(root).map_err(unusable)?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
    Ok(verifier.map_err(|error| HttpsTransportError::Roots(error.into()))?)
}

/// The TLS side: aws-lc-rs by name rather than by process-wide default, so that no other crate's choice matters.
fn tls_config(
    verifier: Arc<dyn ServerCertVerifier>,
    identity: Option<&ClientIdentity>,
    provider: Arc<CryptoProvider>,
) -> Result<rustls::ClientConfig, HttpsTransportError> {
    let certified = identity.map(|identity| identity.certified(&provider)).transpose();
    let certified = certified.map_err(|error| HttpsTransportError::ClientIdentity(error.into()))?;
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpsTransportError::Client(error.into()))?
        // rustls calls every verifier that is handed in "dangerous"; each of ours lets in less than everybody.
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match certified {
        Some(key) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

impl Transport for HttpsTransport {
    fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> BoxFuture<'static, Result<http::Response<Bytes>, TransportError>> {
        let admitted = self.only_public.as_ref().is_none_or(|exceptions| {
            url::Url::parse(&request.uri().to_string()).is_ok_and(|url| exceptions.admit(&url))
        });
        if !admitted {
            return Box::pin(std::future::ready(Err(TransportError::Connect("the address is not public".into()))));
        }
        let client = self.client.clone();
        Box::pin(async move {
            match tokio::time::timeout(limits.timeout, exchange(&client, request, limits.max_body_bytes)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(TransportError::Timeout { after: limits.timeout }),
            }
        })
    }

    fn client_identity(&self) -> Option<&ClientIdentity> {
        self.identity.as_ref()
    }
}

async fn exchange(
    client: &reqwest::Client,
    request: http::Request<Bytes>,
    limit: usize,
) -> Result<http::Response<Bytes>, TransportError> {
    if request.uri().scheme() != Some(&http::uri::Scheme::HTTPS) {
        return Err(TransportError::NotHttps);
    }
    let request = reqwest::Request::try_from(request).map_err(|error| TransportError::Request(plain(error)))?;
    let mut response = client.execute(request).await.map_err(classify)?;
    if response.status().is_redirection() {
        return Err(TransportError::Redirect { status: response.status().as_u16() });
    }
    // A stated length is believed only to refuse early; the bytes are counted all the same.
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(TransportError::TooLarge { limit });
    }
    let stated = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    let mut body = Zeroizing::new(Vec::with_capacity(stated.min(limit)));
    while let Some(chunk) = response.chunk().await.map_err(classify)? {
        if chunk.len() > limit - body.len() {
            return Err(TransportError::TooLarge { limit });
        }
        append(&mut body, &chunk, limit);
    }
    let mut out = http::Response::new(Bytes::from_owner(body));
    *out.status_mut() = response.status();
    *out.version_mut() = response.version();
    std::mem::swap(out.headers_mut(), response.headers_mut());
    Ok(out)
}

/// Behind what is there already; a body may be a token, so that no copy stays where it grew out of its room. What the
/// connection has buffered meanwhile is beyond reach.
fn append(body: &mut Zeroizing<Vec<u8>>, chunk: &[u8], limit: usize) {
    let needed = body.len() + chunk.len();
    if needed > body.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max((body.capacity() * 2).min(limit))));
        larger.extend_from_slice(body);
        // Wipes the one before it.
        *body = larger;
    }
    body.extend_from_slice(chunk);
}

/// Takes the address out of the client's error: whoever called knows it, and a query may hold what no log should.
fn plain(error: reqwest::Error) -> Cause {
    error.without_url().into()
}

fn classify(error: reqwest::Error) -> TransportError {
    if is_tls(&error) {
        TransportError::Tls(plain(error))
    } else if error.is_connect() {
        TransportError::Connect(plain(error))
    } else if error.is_builder() {
        TransportError::Request(plain(error))
    } else {
        TransportError::Interrupted(plain(error))
    }
}

/// Whether a rustls error hides in the chain; it travels inside an `io::Error`, whose `source()` steps over it.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return true;
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if inner.is_some_and(|inner| is_tls(inner)) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_that_is_no_certificate_is_named_at_build_time() {
        let error = HttpsTransport::builder().only_roots_pem(b"no PEM at all").unwrap_err();
        assert!(matches!(error, HttpsTransportError::NoRoot), "{error:?}");
        let broken = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
        let error = HttpsTransport::builder().add_roots_pem(broken).unwrap_err();
        assert!(matches!(error, HttpsTransportError::RootPem(_)), "{error:?}");
        let no_x509 = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let error = HttpsTransport::builder().only_roots_pem(no_x509).unwrap().build().unwrap_err();
        assert!(matches!(error, HttpsTransportError::Roots(_)), "{error:?}");
    }

    #[test]
    fn a_proxy_that_is_no_address_is_named_at_build_time() {
        let error = HttpsTransport::builder().proxy("http://[").build().unwrap_err();
        assert!(matches!(error, HttpsTransportError::Proxy(_)), "{error:?}");
    }

    #[test]
    fn c27_a_body_grows_by_copies_that_are_wiped_and_never_in_place() {
        let mut body: Zeroizing<Vec<u8>> = Zeroizing::new(Vec::new());
        let mut rooms = Vec::new();
        for number in 0..100_u8 {
            append(&mut body, &[number; 10], 1000);
            rooms.push(body.capacity());
        }
        assert_eq!(body.len(), 1000);
        assert!(body.chunks(10).enumerate().all(|(index, chunk)| chunk.iter().all(|byte| usize::from(*byte) == index)));
        rooms.dedup();
        assert!(rooms.len() < 12 && body.capacity() <= 1000, "it doubles, and not beyond the limit: {rooms:?}");
        let place = body.as_ptr();
        let bytes = Bytes::from_owner(body);
        assert_eq!(bytes.as_ptr(), place, "handed out as it is");
    }

    #[test]
    fn a_rustls_error_is_found_inside_an_io_error() {
        let inner = std::io::Error::other(rustls::Error::DecryptError);
        let outer = std::io::Error::other(inner);
        assert!(is_tls(&outer));
        assert!(!is_tls(&std::io::Error::other("x")));
    }
}
