//! The routes, and running them.

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get};
use countersign_client::{CertificateOptions, ConfidentialClient};
use countersign_discovery::{HttpsTransport, KeySource, RemoteKeys, Transport};
use countersign_guard::{Guard, GuardedRouter, Permission, Policy};
use countersign_protocol::EndpointVersion;
use countersign_token::{Certificate, PrivateKey};
use secrecy::SecretString;
use tokio::net::TcpListener;

use crate::config::{ClientConfig, Config, ConfigError, read_text};
use crate::outbound::{Outbound, authorization_header};
use crate::validate::validate;

/// The sidecar cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The configuration cannot be used.
    #[error("use the configuration")]
    Config(#[from] ConfigError),
    /// The policy contradicts itself.
    #[error("keep the policy")]
    Policy(#[from] countersign_token::PolicyError),
    /// The policy lets nobody in.
    #[error("serve the routes")]
    Start(#[from] countersign_guard::StartError),
    /// TLS to the authority cannot be set up.
    #[error("set up TLS to the authority")]
    Transport(#[from] countersign_discovery::HttpsTransportError),
    /// The authority's address cannot be used.
    #[error("find the authority's keys")]
    Keys(#[from] countersign_discovery::SourceError),
    /// The private key cannot be used.
    #[error("read the private key")]
    PrivateKey(#[from] countersign_token::PrivateKeyError),
    /// The certificate cannot be used.
    #[error("read the certificate")]
    Certificate(#[from] countersign_token::CertificateError),
    /// The client cannot be made.
    #[error("prepare the client")]
    Client(#[from] countersign_client::BuildError),
    /// The address cannot be listened on, or the server failed.
    #[error("listen")]
    Listen(#[from] io::Error),
}

/// The sidecar's routes over the real network.
///
/// # Errors
/// [`RunError`].
pub fn router(config: &Config) -> Result<Router, RunError> {
    let transport = match &config.ca_file {
        Some(path) => HttpsTransport::builder().only_roots_pem(read_text(path)?.as_bytes())?.build()?,
        None => HttpsTransport::new()?,
    };
    router_over(config, Arc::new(transport))
}

/// As [`router`], over any transport.
fn router_over(config: &Config, transport: Arc<dyn Transport>) -> Result<Router, RunError> {
    config.check()?;
    let mut routes = Router::new().route("/healthz", get(|| async { "ok" }));
    if let Some(policy) = &config.policy {
        routes = routes.merge(inbound(config, policy, Arc::clone(&transport))?);
    }
    if let Some(client) = &config.client {
        let apis = config
            .downstream_apis
            .iter()
            .map(|(name, api)| {
                let named = |source| ConfigError::Scope { name: name.clone(), source };
                Ok((name.clone(), api.scopes().map_err(named)?))
            })
            .collect::<Result<_, ConfigError>>()?;
        let outbound = Arc::new(Outbound { client: acquirer(config, client, transport)?, apis });
        routes = routes
            .merge(Router::new().route("/authorization-header/{api}", get(authorization_header)).with_state(outbound));
    }
    Ok(routes)
}

/// `/validate` behind the guard. nginx asks with GET, Envoy with the method and the path of the request in question.
fn inbound(config: &Config, policy: &Policy, transport: Arc<dyn Transport>) -> Result<Router, RunError> {
    let authority = config.authority().map_err(ConfigError::from)?;
    let tenant = config.tenant().map_err(ConfigError::from)?;
    let keys = RemoteKeys::from_authority(&authority, &tenant, EndpointVersion::V2, transport)?.build();
    let guard = Guard::builder(KeySource::from(keys), policy)?
        .authorization_uri(authority.authorization_endpoint(&tenant, EndpointVersion::V2))
        .build();
    let permission: Permission = policy.compile()?.permission().clone();
    Ok(GuardedRouter::new(guard)
        .route("/validate", any(validate))
        .requires(permission.clone())
        .route("/validate/{*path}", any(validate))
        .requires(permission)
        .into_router()?)
}

fn acquirer(
    config: &Config,
    client: &ClientConfig,
    transport: Arc<dyn Transport>,
) -> Result<ConfidentialClient, RunError> {
    let authority = config.authority().map_err(ConfigError::from)?;
    let tenant = config.tenant().map_err(ConfigError::from)?;
    let builder = ConfidentialClient::builder(authority, tenant, client.client_id).transport(transport);
    let builder = match (&client.client_secret_file, &client.certificate_file) {
        (Some(path), None) => builder.secret(SecretString::from(read_text(path)?.trim_end().to_owned())),
        (None, Some(path)) => {
            let pem = read_text(path)?;
            let (key, certificate) = (PrivateKey::from_pem(&pem)?, Certificate::from_pem(&pem)?);
            builder.certificate(key, certificate, CertificateOptions::default())
        }
        _ => return Err(ConfigError::Credential.into()),
    };
    Ok(builder.build()?)
}

/// Serves until `shutdown` is ready, then lets requests under way finish.
///
/// # Errors
/// [`RunError`].
pub async fn run(config: &Config, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), RunError> {
    let routes = router(config)?;
    let listener = TcpListener::bind(config.listen).await?;
    tracing::info!(address = %listener.local_addr()?, "the sidecar is ready");
    axum::serve(listener, routes).with_graceful_shutdown(shutdown).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use bytes::Bytes;
    use countersign_discovery::{BoxFuture, Limits, TransportError};
    use countersign_token::{Algorithm, Clock, SigningKey, SystemClock, base64url_encode};
    use http::{Request, Response, StatusCode};
    use http_body_util::BodyExt;
    use serde_json::{Value, json};
    use tower::ServiceExt;

    const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
    const API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
    const CLIENT: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55";

    /// An authority's answers, without the authority.
    #[derive(Debug)]
    struct Answers {
        keys: Value,
        refuses: bool,
    }

    impl Transport for Answers {
        fn send(
            &self,
            request: Request<Bytes>,
            _: Limits,
        ) -> BoxFuture<'static, Result<Response<Bytes>, TransportError>> {
            let path = request.uri().path().to_owned();
            let origin = "https://login.example";
            let (status, body) = if path.ends_with("openid-configuration") {
                let keys = format!("{origin}/{TENANT}/discovery/v2.0/keys");
                let issuer = format!("{origin}/{TENANT}/v2.0");
                let token = format!("{origin}/{TENANT}/oauth2/v2.0/token");
                (200, json!({"issuer": issuer, "jwks_uri": keys, "token_endpoint": token}))
            } else if path.ends_with("keys") {
                (200, self.keys.clone())
            } else if self.refuses {
                (
                    401,
                    json!({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided.", "error_codes": [7_000_215]}),
                )
            } else {
                (200, json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "opaque.to.us"}))
            };
            let response = Response::builder().status(status).header("content-type", "application/json");
            let response = response.body(Bytes::from(body.to_string())).unwrap();
            Box::pin(async move { Ok(response) })
        }
    }

    /// A sidecar's routes, and a token that its policy takes if it has the role.
    fn sidecar(refuses: bool) -> (Router, impl Fn(&str) -> String, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "a-client-secret\n").unwrap();
        let key = SigningKey::from_pkcs8_der("k", &SigningKey::generate_pkcs8().unwrap()).unwrap();
        let public = key.private_key().public_key();
        let keys = json!({"keys": [{"kty": "RSA", "kid": "k", "n": base64url_encode(public.modulus()), "e": base64url_encode(public.exponent())}]});
        let config: Config = serde_json::from_value(json!({
            "listen": "127.0.0.1:0", "authority": "https://login.example", "tenant": TENANT,
            "policy": {
                "tenants": [TENANT], "issuers": ["https://login.example/{tenantid}/v2.0"], "audiences": [API],
                "app_roles": ["Orders.Read"]
            },
            "client": {"client_id": CLIENT, "client_secret_file": folder.path().join("secret")},
            "downstream_apis": {"orders": {"scope": "api://orders/.default"}}
        }))
        .unwrap();
        let routes = router_over(&config, Arc::new(Answers { keys, refuses })).unwrap();
        let signer = key.signer(Algorithm::Rs256, &json!({"alg": "RS256", "typ": "JWT", "kid": "k"})).unwrap();
        let token = move |role: &str| {
            let now = SystemClock.now().as_unix_seconds();
            let claims = json!({
                "aud": API, "iss": format!("https://login.example/{TENANT}/v2.0"), "iat": now, "nbf": now,
                "exp": now + 3600, "azp": CLIENT, "azpacr": "1", "oid": CLIENT, "sub": CLIENT, "tid": TENANT, "ver": "2.0",
                "roles": [role]
            });
            signer.sign(&claims).unwrap()
        };
        (routes, token, folder)
    }

    async fn ask(routes: &Router, path: &str, headers: &[(&str, &str)]) -> (StatusCode, http::HeaderMap, Value) {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = routes.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    #[tokio::test]
    async fn validate_tells_the_proxy_who_calls() {
        let (routes, token, _folder) = sidecar(false);
        let good = format!("Bearer {}", token("Orders.Read"));
        for path in ["/validate", "/validate/orders/1"] {
            let (status, headers, _) = ask(&routes, path, &[("authorization", &good)]).await;
            assert_eq!(status, StatusCode::OK);
            assert_eq!(headers["x-countersign-client"], CLIENT);
            assert_eq!(headers["x-countersign-tenant"], TENANT);
            assert_eq!(headers["x-countersign-kind"], "app");
            assert_eq!(headers["x-countersign-permissions"], "Orders.Read");
        }
        let (status, headers, _) = ask(&routes, "/validate", &[]).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
        let other = format!("Bearer {}", token("Orders.Write"));
        let (status, headers, _) = ask(&routes, "/validate", &[("authorization", &other)]).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(headers.get("x-countersign-client").is_none());
    }

    #[tokio::test]
    async fn the_service_gets_headers_for_listed_apis_only() {
        let (routes, _, _folder) = sidecar(false);
        let own = [("host", "localhost:5178"), (crate::REQUEST_HEADER, "1")];
        let (status, headers, body) = ask(&routes, "/authorization-header/orders", &own).await;
        assert_eq!((status, &body["authorizationHeader"]), (StatusCode::OK, &"Bearer opaque.to.us".into()));
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(ask(&routes, "/authorization-header/graph", &own).await.0, StatusCode::NOT_FOUND);
        assert_eq!(ask(&routes, "/authorization-header/orders", &own[..1]).await.0, StatusCode::FORBIDDEN);
    }

    #[tokio::test]
    async fn a_refusal_of_the_authority_is_not_passed_on() {
        let (routes, _, _folder) = sidecar(true);
        let own = [("host", "localhost:5178"), (crate::REQUEST_HEADER, "1")];
        let (status, headers, body) = ask(&routes, "/authorization-header/orders", &own).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY);
        assert_eq!(headers["content-type"], "application/problem+json");
        assert!(!body.to_string().contains("7000215"), "the detail is for the log: {body}");
    }
}
