//! Everything that runs during the demo, and how the daemon in it asks and calls.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_authority::Authority;
use countersign_client::{AccessToken, CertificateOptions, ConfidentialClient, ConfidentialClientBuilder};
use countersign_discovery::{HttpsTransport, Limits, Transport};
use countersign_protocol::{EndpointVersion, ResourceIdentifier, TenantSegment};
use countersign_token::{OffsetClock, SystemRandomness, TenantId};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};

use super::api::Api;
use super::cast::Cast;
use super::error::DemoError;
use super::middle::Middle;
use super::person::Person;
use super::wire::Recorder;

/// The authority, the APIs, the daemon, the person, and the clock that they share.
pub(crate) struct World {
    pub(crate) cast: Cast,
    pub(crate) authority: Authority,
    pub(crate) api: Api,
    pub(crate) middle: Middle,
    pub(crate) alice: Person,
    pub(crate) clock: OffsetClock,
    pub(crate) wire: Arc<Recorder>,
    /// The token of the first acquisition, with which later steps go on.
    pub(crate) token: Option<AccessToken>,
}

const LIMITS: Limits = Limits { timeout: Duration::from_secs(10), max_body_bytes: 256 * 1024 };

impl World {
    /// Starts authority and APIs.
    pub(crate) async fn start() -> Result<Self, DemoError> {
        let clock = OffsetClock::default();
        let cast = Cast::assemble(&SystemRandomness).await?;
        let authority =
            Authority::builder().directory(cast.directory()?).clock(Arc::new(clock.clone())).start().await?;
        let transport = HttpsTransport::builder().only_roots_pem(authority.ca_pem().as_bytes())?.build()?;
        let transport: Arc<dyn Transport> = Arc::new(transport);
        let api = Api::start(&authority, &cast, &clock, Arc::clone(&transport)).await?;
        let wire = Arc::new(Recorder::around(Arc::clone(&transport)));
        let sent: Arc<dyn Transport> = Arc::clone(&wire) as _;
        let orders = api.orders.clone();
        let middle = Middle::start(&authority, &cast, &clock, transport, Arc::clone(&sent), orders).await?;
        let alice = Person::alice(&authority, &cast, &clock, sent)?;
        Ok(Self { cast, authority, api, middle, alice, clock, wire, token: None })
    }

    /// The daemon with its secret, in one tenant.
    pub(crate) fn daemon(&self, tenant: TenantId) -> ConfidentialClientBuilder {
        self.daemon_without_credential(tenant).secret(self.cast.secret.clone())
    }

    /// The daemon with its certificate.
    pub(crate) fn daemon_with_certificate(&self) -> Result<ConfidentialClientBuilder, DemoError> {
        let key = self.cast.private_key()?;
        let certificate = self.cast.certificate.clone();
        let builder = self.daemon_without_credential(self.cast.contoso);
        Ok(builder.certificate(key, certificate, CertificateOptions::default()))
    }

    /// Each acquisition has a client of its own: what is in a cache would not be seen on the wire.
    fn daemon_without_credential(&self, tenant: TenantId) -> ConfidentialClientBuilder {
        let wire: Arc<dyn Transport> = Arc::clone(&self.wire) as _;
        ConfidentialClient::builder(self.authority.host().clone(), TenantSegment::from(tenant), self.cast.client_app)
            .transport(wire)
            .clock(Arc::new(self.clock.clone()))
    }

    /// A token for `resource`.
    pub(crate) async fn acquire(
        &self,
        builder: ConfidentialClientBuilder,
        resource: &str,
        version: EndpointVersion,
    ) -> Result<AccessToken, DemoError> {
        let client = builder.endpoint_version(version).build()?;
        // The resources are constants of this demo and well-formed.
        let resource = ResourceIdentifier::parse(resource).map_err(|_| DemoError::NoToken)?;
        Ok(client.acquire_token_for_resource(&resource).await?)
    }

    /// The token of the first acquisition.
    pub(crate) fn token(&self) -> Result<AccessToken, DemoError> {
        self.token.clone().ok_or(DemoError::NoToken)
    }

    /// A request to the API, with or without a header.
    pub(crate) async fn call(
        &self,
        method: Method,
        authorization: Option<HeaderValue>,
    ) -> Result<Response<Bytes>, DemoError> {
        let mut request = Request::builder().method(&method).uri(&self.api.orders);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let body = if method == Method::POST {
            request = request.header(CONTENT_TYPE, "application/json");
            Bytes::from_static(br#"{"item":"sealing wax"}"#)
        } else {
            Bytes::new()
        };
        Ok(self.wire.send(request.body(body)?, LIMITS).await?)
    }

    /// A request of any method with a token to any address.
    pub(crate) async fn call_with(
        &self,
        method: Method,
        url: &str,
        token: &AccessToken,
    ) -> Result<Response<Bytes>, DemoError> {
        let request = Request::builder().method(method).uri(url).header(AUTHORIZATION, token.authorization().clone());
        Ok(self.wire.send(request.body(Bytes::new())?, LIMITS).await?)
    }

    /// A request without credentials to the authority.
    pub(crate) async fn fetch(&self, url: &str) -> Result<Response<Bytes>, DemoError> {
        Ok(self.wire.send(Request::get(url).body(Bytes::new())?, LIMITS).await?)
    }

    /// Stops everything, without waiting long for connections that idle.
    pub(crate) async fn stop(self) {
        let stopping = async {
            self.middle.stop().await;
            self.api.stop().await;
            self.authority.shutdown().await;
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), stopping).await;
    }
}
