//! Our own guard before our own management routes: the authority's tokens, checked as any API would check them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_directory::Directory;
use countersign_discovery::{BoxFuture, KeySource, Limits, RefreshPolicy, RemoteKeys, Transport, TransportError};
use countersign_protocol::EndpointVersion;
use http::StatusCode;

use crate::StartError;
use crate::core::Core;
use crate::endpoints::key_set;

/// The authority's own published keys, for its own guards: no network, and never out of date.
struct OwnKeys<D: Directory>(Arc<Core<D>>);

impl<D: Directory> std::fmt::Debug for OwnKeys<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnKeys")
    }
}

impl<D: Directory> Transport for OwnKeys<D> {
    fn send(
        &self,
        _: http::Request<Bytes>,
        _: Limits,
    ) -> BoxFuture<'static, Result<http::Response<Bytes>, TransportError>> {
        let core = Arc::clone(&self.0);
        Box::pin(async move {
            Ok(match key_set(&core, core.origins.own()).await {
                Ok(keys) => http::Response::new(keys.to_json(EndpointVersion::V2).into()),
                Err(_) => {
                    let mut response = http::Response::new(Bytes::new());
                    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                    response
                }
            })
        })
    }
}

/// Every key that signs for some tenant here.
pub(crate) fn own_keys<D: Directory>(core: &Arc<Core<D>>) -> Result<KeySource, StartError> {
    let jwks_uri = core.origins.own().host.jwks_uri("common", EndpointVersion::V2);
    let keys = RemoteKeys::from_jwks_uri(&jwks_uri, Arc::new(OwnKeys(Arc::clone(core))))
        .map_err(|error| StartError::Lab(error.to_string()))?
        .clock(Arc::clone(&core.clock))
        // These keys are a function call away: one rolled over a moment ago is asked for at once.
        .policy(RefreshPolicy { cooldown: Duration::ZERO, ..RefreshPolicy::default() })
        .build();
    Ok(KeySource::from(keys))
}
