//! [`LocalHttpTransport`]: plain http to this machine and its link, for the endpoints of managed identities.
//!
//! [`crate::HttpsTransport`] speaks https only, as it must; the metadata services speak nothing but http. So this small
//! second door leads no further than loopback and link-local addresses (`pitfalls` C24): everything else is refused, and so are
//! redirects. No proxy, no cookies, no pool of connections worth the name.

use std::net::IpAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::transport::{BoxFuture, Limits, Transport, TransportError};

/// Sends plain http to loopback and link-local addresses, and nowhere else.
#[derive(Debug, Clone)]
pub struct LocalHttpTransport {
    client: Client<HttpConnector, Full<Bytes>>,
}

impl LocalHttpTransport {
    /// A transport.
    #[must_use]
    pub fn new() -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Whether this host, as a URL writes it, may be spoken to: this machine, or a link-local address. Of names only
    /// `localhost` is: what another one resolves to is for others to say.
    #[must_use]
    pub fn reaches(host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        match bare.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_link_local(),
            Ok(IpAddr::V6(ip)) => ip.is_loopback() || (ip.segments()[0] & 0xffc0) == 0xfe80,
            Err(_) => host.eq_ignore_ascii_case("localhost"),
        }
    }
}

impl Default for LocalHttpTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl Transport for LocalHttpTransport {
    fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> BoxFuture<'static, Result<http::Response<Bytes>, TransportError>> {
        let client = self.client.clone();
        Box::pin(async move {
            let uri = request.uri();
            if uri.scheme() != Some(&http::uri::Scheme::HTTP) || !uri.host().is_some_and(Self::reaches) {
                return Err(TransportError::Request("plain http goes to this machine and its link only".into()));
            }
            let limit = limits.max_body_bytes;
            let exchange = async {
                let response = client.request(request.map(Full::new)).await.map_err(|error| {
                    let is_connect = error.is_connect();
                    if is_connect {
                        TransportError::Connect(error.into())
                    } else {
                        TransportError::Interrupted(error.into())
                    }
                })?;
                let (parts, body) = response.into_parts();
                if parts.status.is_redirection() {
                    return Err(TransportError::Redirect { status: parts.status.as_u16() });
                }
                let body = Limited::new(body, limit).collect().await.map_err(|error| {
                    if error.is::<LengthLimitError>() {
                        TransportError::TooLarge { limit }
                    } else {
                        TransportError::Interrupted(error)
                    }
                })?;
                Ok(http::Response::from_parts(parts, body.to_bytes()))
            };
            let late = |_| TransportError::Timeout { after: limits.timeout };
            tokio::time::timeout(limits.timeout, exchange).await.map_err(late)?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c24_only_this_machine_and_its_link_are_beside_us() {
        for host in ["127.0.0.1", "169.254.169.254", "localhost", "[::1]", "169.254.129.3", "[fe80::1]"] {
            assert!(LocalHttpTransport::reaches(host), "{host}");
        }
        for host in ["10.0.0.1", "evil.com", "169.253.169.254", "[2001:db8::1]", "", "localhost.evil.com", "0177.0.0.1"]
        {
            assert!(!LocalHttpTransport::reaches(host), "{host}");
        }
    }
}
