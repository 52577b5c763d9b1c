//! The guard in front of every kind of server there is an adapter for, with tokens of the test kit.

#![expect(clippy::unwrap_used, reason = "tests")]

mod actix;
mod grpc;
mod hyper;
mod test_kit;
mod tls;

use std::sync::Arc;

use countersign_discovery::{BoxFuture, Limits, RemoteKeys, Transport, TransportError};
use countersign_guard::test_kit::TestAuthority;
use countersign_guard::{Guard, Permission, Policy};
use serde_json::json;

/// An API's policy.
fn policy() -> Policy {
    serde_json::from_value(json!({
        "tenants": ["6babcaad-604b-40ac-a9d7-9fd97c0b779f"],
        "issuers": ["https://login.microsoftonline.com/{tenantid}/v2.0", "https://sts.windows.net/{tenantid}/"],
        "audiences": ["a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11", "api://a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11"],
        "app_roles": ["Orders.Read"], "scopes": ["access_as_user"]
    }))
    .unwrap()
}

/// Its guard, and an authority whose tokens pass it.
fn guarded() -> (Guard, TestAuthority) {
    let authority = TestAuthority::of(&policy());
    (Guard::builder(authority.keys(), &policy()).unwrap().build(), authority)
}

/// A guard whose authority does not answer.
fn cut_off() -> Guard {
    #[derive(Debug)]
    struct Down;
    impl Transport for Down {
        fn send(
            &self,
            _: http::Request<bytes::Bytes>,
            _: Limits,
        ) -> BoxFuture<'static, Result<http::Response<bytes::Bytes>, TransportError>> {
            Box::pin(async { Err(TransportError::Connect("refused".into())) })
        }
    }
    let keys = RemoteKeys::from_jwks_uri("https://login.contoso.test/keys", Arc::new(Down)).unwrap().build();
    Guard::builder(keys.into(), &policy()).unwrap().build()
}

fn read() -> Permission {
    Permission::any_app_role(["Orders.Read"])
}
