//! Standing in for Entra's hosts: who comes through the proxy is answered under the name it asked for, and comes nowhere
//! else.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use countersign_authority::{Authority, StandInHost, StartError};
use countersign_discovery::{HttpsTransport, Limits, Transport, TransportError};
use countersign_token::{FakeClock, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::kit::{API, CLIENT, Kit, NOW, SECRET, TENANT, claims, directory};

const ENTRA: &str = "login.microsoftonline.com";

struct StandIn {
    kit: Kit,
    proxy: SocketAddr,
    through: HttpsTransport,
}

impl StandIn {
    async fn start(hosts: &[&str]) -> Self {
        let clock = FakeClock::at(Timestamp::from_unix_seconds(NOW));
        let mut builder = Authority::builder().clock(std::sync::Arc::new(clock.clone())).directory(directory());
        for host in hosts {
            builder = builder.stand_in(host.parse().unwrap());
        }
        let kit = Kit::from(builder, clock).await;
        let proxy = kit.authority.proxy_address().unwrap();
        let trusting = HttpsTransport::builder().only_roots_pem(kit.authority.ca_pem().as_bytes()).unwrap();
        let through = trusting.proxy(format!("http://{proxy}")).build().unwrap();
        Self { kit, proxy, through }
    }

    async fn send(&self, request: http::Request<Bytes>) -> Result<(u16, Value), TransportError> {
        let limits = Limits { timeout: Duration::from_secs(20), max_body_bytes: 1 << 20 };
        let answer = self.through.send(request, limits).await?;
        let status = answer.status().as_u16();
        Ok((status, serde_json::from_slice(answer.body()).unwrap_or(Value::Null)))
    }

    async fn get(&self, url: &str) -> Result<(u16, Value), TransportError> {
        self.send(http::Request::get(url).body(Bytes::new()).unwrap()).await
    }

    /// Speaks to the proxy by hand.
    async fn says(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.proxy).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 512];
        let length = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..length]).lines().next().unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn through_the_proxy_everything_has_entras_names() {
    let stand_in = StandIn::start(&[ENTRA, "graph.microsoft.com"]).await;
    let (status, metadata) =
        stand_in.get(&format!("https://{ENTRA}/contoso.com/v2.0/.well-known/openid-configuration")).await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(metadata["issuer"], format!("https://{ENTRA}/{TENANT}/v2.0"));
    assert_eq!(metadata["token_endpoint"], format!("https://{ENTRA}/{TENANT}/oauth2/v2.0/token"));
    let form = format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&scope={API}/.default");
    let ask = async |form: String| {
        let request = http::Request::post(format!("https://{ENTRA}/{TENANT}/oauth2/v2.0/token"))
            .header("content-type", "application/x-www-form-urlencoded");
        stand_in.send(request.body(form.into()).unwrap()).await.unwrap()
    };
    let (status, body) = ask(form.clone()).await;
    assert_eq!((status, &claims(&body["access_token"])["iss"]), (200, &metadata["issuer"]), "{body}");
    let (_, refused) = ask(form.replace(SECRET, "wrong")).await;
    assert_eq!(refused["error_uri"], format!("https://{ENTRA}/error?code=7000215"));
    // Under its own name it has its own names, as before.
    let own = stand_in.kit.get("/contoso.com/v2.0/.well-known/openid-configuration").await;
    assert_eq!(own.body["issuer"], json!(stand_in.kit.url(&format!("/{TENANT}/v2.0"))));
    let question = format!(
        "/common/discovery/instance?api-version=1.1&authorization_endpoint=https://{ENTRA}/common/oauth2/v2.0/authorize"
    );
    let (status, discovered) = stand_in.get(&format!("https://{ENTRA}{question}")).await.unwrap();
    assert_eq!(status, 200);
    assert!(discovered["tenant_discovery_endpoint"].as_str().unwrap().starts_with(&format!("https://{ENTRA}/common/")));
}

#[tokio::test]
async fn the_proxy_leads_nowhere_else() {
    let stand_in = StandIn::start(&[ENTRA]).await;
    for elsewhere in
        ["https://example.com/", "https://graph.microsoft.com/", "https://localhost/", "https://127.0.0.1/"]
    {
        assert!(stand_in.get(elsewhere).await.is_err(), "{elsewhere}");
    }
    let connect = |target: &str| format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    for target in
        ["example.com:443", "login.microsoftonline.com:80", "127.0.0.1:443", "login.microsoftonline.com.evil:443"]
    {
        assert!(stand_in.says(&connect(target)).await.contains(" 403 "), "{target}");
    }
    for other in [
        "GET http://login.microsoftonline.com/ HTTP/1.1\r\nHost: login.microsoftonline.com\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    ] {
        assert!(stand_in.says(other).await.contains(" 405 "), "{other}");
    }
    assert!(stand_in.says(&connect("LOGIN.microsoftonline.com:443")).await.contains(" 200 "));
}

#[tokio::test]
async fn the_clouds_names_go_with_the_host() {
    let stand_in = StandIn::start(&["login.partner.microsoftonline.cn"]).await;
    let url = format!("https://login.partner.microsoftonline.cn/{TENANT}/.well-known/openid-configuration");
    let (_, metadata) = stand_in.get(&url).await.unwrap();
    assert_eq!(metadata["issuer"], format!("https://sts.chinacloudapi.cn/{TENANT}/"));
    assert_eq!(metadata["msgraph_host"], "microsoftgraph.chinacloudapi.cn");
}

#[tokio::test]
async fn nobody_is_stood_in_for_unless_it_is_asked_for_and_on_loopback_only() {
    assert_eq!(Kit::start().await.authority.proxy_address(), None);
    let host: StandInHost = ENTRA.parse().unwrap();
    let everywhere: SocketAddr = "0.0.0.0:0".parse().unwrap();
    for builder in [
        Authority::builder().listen(everywhere).stand_in(host.clone()),
        Authority::builder().stand_in(host).stand_in_proxy(everywhere),
    ] {
        let error = builder.start().await.unwrap_err();
        assert!(matches!(error, StartError::StandIn { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn the_proxy_ends_with_the_authority() {
    let StandIn { kit, proxy, .. } = StandIn::start(&[ENTRA]).await;
    let Kit { authority, .. } = kit;
    authority.shutdown().await;
    assert!(TcpStream::connect(proxy).await.is_err());
}
