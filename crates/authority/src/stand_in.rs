//! Standing in for Entra: programs in their default configuration reach this authority under Microsoft's own names.
//!
//! The names go into the server's certificate and into the set of origins that answers may name. A CONNECT proxy on
//! loopback leads exactly these names, at port 443, to the authority and nothing outwards; a program is told of it by
//! `HTTPS_PROXY`, and of the CA by its usual variable. Nothing else on the machine is touched, no name is resolved.
//!
//! Refused: names that are not Microsoft's identity or Graph hosts, listening anywhere but on loopback, any other target.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use countersign_protocol::{AuthorityHost, CloudProfile};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::StartError;
use crate::origin::Origin;

/// Tunnels at once; more wait in the system's queue.
const TUNNELS: usize = 512;

/// How long a sender may take for its CONNECT.
const PATIENCE: Duration = Duration::from_secs(10);

/// The hosts that can be stood in for, and the cloud of each.
const HOSTS: [(&str, CloudProfile); 14] = [
    ("login.microsoftonline.com", CloudProfile::GLOBAL),
    ("login.windows.net", CloudProfile::GLOBAL),
    ("login.microsoft.com", CloudProfile::GLOBAL),
    ("sts.windows.net", CloudProfile::GLOBAL),
    ("microsoft.com", CloudProfile::GLOBAL),
    ("graph.microsoft.com", CloudProfile::GLOBAL),
    ("login-us.microsoftonline.com", CloudProfile::GLOBAL),
    ("login.microsoftonline.us", CloudProfile::US_GOV),
    ("login.usgovcloudapi.net", CloudProfile::US_GOV),
    ("graph.microsoft.us", CloudProfile::US_GOV),
    ("dod-graph.microsoft.us", CloudProfile::US_GOV),
    ("login.partner.microsoftonline.cn", CloudProfile::CHINA),
    ("login.chinacloudapi.cn", CloudProfile::CHINA),
    ("microsoftgraph.chinacloudapi.cn", CloudProfile::CHINA),
];

/// Where regional names end: `westeurope.login.microsoft.com`.
const REGIONAL: &str = ".login.microsoft.com";

/// A host of Microsoft's that an authority stands in for.
///
/// ```
/// use countersign_authority::StandInHost;
///
/// let host: StandInHost = "login.microsoftonline.com".parse()?;
/// assert_eq!(host.name(), "login.microsoftonline.com");
/// assert!("example.com".parse::<StandInHost>().is_err());
/// # Ok::<(), countersign_authority::StandInHostError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandInHost {
    name: String,
    cloud: CloudProfile,
}

/// The name is not one of Microsoft's identity or Graph hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandInHostError(());

impl fmt::Display for StandInHostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a host that can be stood in for; these can: ")?;
        for (name, _) in HOSTS {
            write!(f, "{name}, ")?;
        }
        write!(f, "{{region}}{REGIONAL}")
    }
}

impl std::error::Error for StandInHostError {}

impl FromStr for StandInHost {
    type Err = StandInHostError;

    fn from_str(text: &str) -> Result<Self, StandInHostError> {
        let name = text.to_ascii_lowercase();
        let known = HOSTS.iter().find(|(host, _)| *host == name).map(|(_, cloud)| *cloud);
        let is_region = |region: &str| {
            !region.is_empty() && region.len() < 64 && region.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let regional = || name.strip_suffix(REGIONAL).filter(|region| is_region(region)).map(|_| CloudProfile::GLOBAL);
        known.or_else(regional).map(|cloud| Self { name, cloud }).ok_or(StandInHostError(()))
    }
}

impl StandInHost {
    /// The host's name, lower case.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn origin(&self) -> Result<Origin, StartError> {
        Ok(Origin { host: AuthorityHost::parse(&format!("https://{}", self.name))?, cloud: self.cloud })
    }
}

/// Serves CONNECT until `stopping`: a tunnel to `authority` for these hosts at port 443, 403 for everything else.
pub(crate) async fn proxy(
    listener: TcpListener,
    authority: SocketAddr,
    hosts: Vec<StandInHost>,
    mut stopping: watch::Receiver<bool>,
) {
    let hosts: Arc<[StandInHost]> = hosts.into();
    let slots = Arc::new(Semaphore::new(TUNNELS));
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let accepted = tokio::select! {
            () = stopped(&mut stopping) => return,
            accepted = accepted => accepted,
        };
        let (slot, stream) = match accepted {
            (Ok(slot), Ok((stream, _))) => (slot, stream),
            (_, Err(error)) => {
                tracing::warn!(%error, "the proxy could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            (Err(_), _) => return,
        };
        let (hosts, mut stopping) = (Arc::clone(&hosts), stopping.clone());
        tokio::spawn(async move {
            let answer = |request| {
                let hosts = Arc::clone(&hosts);
                async move { Ok::<_, Infallible>(connect(request, authority, &hosts)) }
            };
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(16 * 1024);
            let serving = builder.serve_connection(TokioIo::new(stream), service_fn(answer)).with_upgrades();
            tokio::select! {
                _ = serving => {}
                () = stopped(&mut stopping) => {}
            }
            drop(slot);
        });
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone means the same as one that says so.
    let _ = stopping.wait_for(|stop| *stop).await;
}

fn connect(request: Request<Incoming>, authority: SocketAddr, hosts: &[StandInHost]) -> Response<Full<Bytes>> {
    let refused = |status: StatusCode, why: &'static str| {
        let mut response = Response::new(Full::new(Bytes::from_static(why.as_bytes())));
        *response.status_mut() = status;
        response
    };
    if request.method() != Method::CONNECT {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "this proxy answers CONNECT only\n");
    }
    let target = request.uri().authority();
    let known = target.is_some_and(|target| {
        target.port_u16() == Some(443) && hosts.iter().any(|host| target.host().eq_ignore_ascii_case(&host.name))
    });
    if !known {
        tracing::info!(target = ?target.map(http::uri::Authority::as_str), "the proxy leads nowhere but to the authority");
        return refused(
            StatusCode::FORBIDDEN,
            "this proxy leads to the hosts that the authority stands in for, and nowhere else\n",
        );
    }
    tokio::spawn(async move {
        let tunnel = async {
            let mut near = TokioIo::new(hyper::upgrade::on(request).await.map_err(std::io::Error::other)?);
            let mut far = TcpStream::connect(authority).await?;
            tokio::io::copy_bidirectional(&mut near, &mut far).await
        };
        if let Err(error) = tunnel.await {
            tracing::debug!(%error, "a tunnel ended early");
        }
    });
    Response::new(Full::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_microsofts_hosts_are_stood_in_for() {
        for name in
            ["login.microsoftonline.com", "LOGIN.Windows.net", "graph.microsoft.com", "westeurope.login.microsoft.com"]
        {
            assert!(name.parse::<StandInHost>().is_ok(), "{name}");
        }
        for name in [
            "",
            "example.com",
            "login.microsoftonline.com.evil",
            ".login.microsoft.com",
            "a.b.login.microsoft.com",
            "*.login.microsoft.com",
        ] {
            assert!(name.parse::<StandInHost>().is_err(), "{name}");
        }
        let china: StandInHost = "login.partner.microsoftonline.cn".parse().unwrap();
        assert_eq!(china.origin().unwrap().cloud, CloudProfile::CHINA);
    }
}
