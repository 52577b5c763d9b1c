//! What the examples share: where values come from, and a small HTTP client.
//!
//! Values are those of Microsoft's own libraries (`AZURE_TENANT_ID` and its kin), so that the same program runs against
//! `countersign authority` and against Entra. `AZURE_AUTHORITY_HOST` names another authority than Entra's, and
//! `AUTHORITY_CA_FILE` the certificate authority that vouches for it, where the system does not know it.

pub mod orders_v1;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use countersign_client::ConfidentialClient;
use countersign_discovery::HttpsTransport;
use countersign_protocol::{AuthorityHost, TenantSegment};
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use secrecy::SecretString;
use serde::Deserialize;

/// The examples stop at whatever goes wrong and say what it was.
pub type Failure = Box<dyn Error + Send + Sync>;

/// An API's file, in the place of an `appsettings.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiSettings {
    /// Where to listen; on the loopback, behind a proxy that ends TLS.
    pub listen: SocketAddr,
    /// The tenant whose metadata name the keys: an id, a domain, or `organizations` for an API of many tenants.
    pub tenant: String,
    /// Which tokens are taken, in the shape of `countersign_guard::Policy`; read by `PolicyFile`.
    pub policy_file: PathBuf,
    /// The tenants of an API of many that are its customers.
    #[serde(default)]
    pub customers: Vec<countersign_token::TenantId>,
}

impl ApiSettings {
    /// Reads the file that the first argument names.
    ///
    /// # Errors
    /// If there is none, or it is no such file.
    pub fn from_arguments() -> Result<Self, Failure> {
        let path = PathBuf::from(std::env::args().nth(1).ok_or("the first argument is the settings file")?);
        let mut settings: Self = serde_json::from_slice(&std::fs::read(&path)?)?;
        if let Some(folder) = path.parent() {
            settings.policy_file = folder.join(settings.policy_file);
        }
        Ok(settings)
    }
}

/// A value of the environment.
///
/// # Errors
/// If it is not set.
#[expect(clippy::disallowed_methods, reason = "a program reads its environment; the libraries do not")]
pub fn value(name: &str) -> Result<String, Failure> {
    std::env::var(name).map_err(|_| format!("set {name}").into())
}

/// The authority: Entra unless the environment says otherwise.
///
/// # Errors
/// If it is no https origin.
pub fn authority() -> Result<AuthorityHost, Failure> {
    let host = value("AZURE_AUTHORITY_HOST").unwrap_or_else(|_| "https://login.microsoftonline.com".to_owned());
    Ok(AuthorityHost::parse(host.trim_end_matches('/'))?)
}

/// The way to the authority.
///
/// # Errors
/// If `AUTHORITY_CA_FILE` names no file with certificates.
pub fn transport() -> Result<Arc<HttpsTransport>, Failure> {
    Ok(Arc::new(match value("AUTHORITY_CA_FILE") {
        Ok(path) => HttpsTransport::builder().only_roots_pem(&std::fs::read(path)?)?.build()?,
        Err(_) => HttpsTransport::new()?,
    }))
}

/// The application that `AZURE_CLIENT_ID` names, with its secret if it has one.
///
/// # Errors
/// If a value is missing or wrong.
pub fn client() -> Result<ConfidentialClient, Failure> {
    let tenant = TenantSegment::parse(&value("AZURE_TENANT_ID")?)?;
    let builder = ConfidentialClient::builder(authority()?, tenant, value("AZURE_CLIENT_ID")?.parse()?);
    let builder = match value("AZURE_CLIENT_SECRET") {
        Ok(secret) => builder.secret(SecretString::from(secret)),
        Err(_) => builder.public_client(),
    };
    Ok(builder.transport(transport()?).build()?)
}

/// Makes a request over plain HTTP on this machine and returns the status, the challenge if there is one, and the body.
///
/// Between machines your API stands behind TLS, and you call it with the HTTP client of your choice: all that it takes is
/// the `Authorization` header.
///
/// # Errors
/// If nobody answers.
pub async fn call(method: Method, url: &str, authorization: &http::HeaderValue) -> Result<String, Failure> {
    let uri: http::Uri = url.parse()?;
    let host = uri.authority().ok_or("the URL has no host")?.as_str();
    let stream = tokio::net::TcpStream::connect(host).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(uri.path())
        .header(http::header::HOST, host)
        .header(http::header::AUTHORIZATION, authorization)
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let challenge = response.headers().get(http::header::WWW_AUTHENTICATE).cloned();
    let body = response.into_body().collect().await?.to_bytes();
    let said = challenge.map_or_else(|| String::from_utf8_lossy(&body).into_owned(), |it| format!("{it:?}"));
    Ok(format!("{} {said}", status.as_u16()))
}

/// Says where an API listens, for people and for the script that starts the next program.
#[expect(clippy::print_stdout, reason = "a program's own output")]
pub fn announce(listener: &tokio::net::TcpListener) -> Result<(), Failure> {
    println!("listening on http://{}", listener.local_addr()?);
    Ok(())
}
