//! What does a token at hand cost? Beside azure_identity, in one run: `cargo bench -p countersign-client`.
//!
//! Neither client touches a network: a fake transport answers the first call of each question. Each hit is polled once,
//! without an executor, since both are ready at once.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and may stop")]

#[path = "../../../benches/ratio.rs"]
#[allow(clippy::unit_arg, reason = "shared by the benchmarks of several crates")]
mod ratio;

use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use azure_core::credentials::TokenCredential;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, ClientOptions, HttpClient, Request, StatusCode, Transport as AzureTransport};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use bytes::Bytes;
use countersign_client::{ConfidentialClient, TokenCache};
use countersign_discovery::{BoxFuture, Limits, Transport, TransportError};
use countersign_protocol::{AuthorityHost, ScopeSet, TenantSegment};

const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const CLIENT: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
const MANY: usize = 100_000;

/// Answers every request with a token of 1.5 kB that lives a day.
#[derive(Debug, Default)]
struct Canned(AtomicUsize);

impl Canned {
    fn body(&self) -> Vec<u8> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let token = "a".repeat(1500);
        format!(r#"{{"token_type":"Bearer","expires_in":86399,"ext_expires_in":86399,"access_token":"{token}"}}"#)
            .into()
    }
}

impl Transport for Canned {
    fn send(
        &self,
        _request: http::Request<Bytes>,
        _limits: Limits,
    ) -> BoxFuture<'static, Result<http::Response<Bytes>, TransportError>> {
        let body = Bytes::from(self.body());
        Box::pin(async move {
            // As a network would, this lets the other callers come in before it answers.
            tokio::task::yield_now().await;
            Ok(http::Response::new(body))
        })
    }
}

type AzureFuture<'a> = Pin<Box<dyn Future<Output = azure_core::Result<AsyncRawResponse>> + Send + 'a>>;

impl HttpClient for Canned {
    fn execute_request<'a, 'b, 'c>(&'a self, _request: &'b Request) -> AzureFuture<'c>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        let body = self.body();
        Box::pin(async move { Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::new(), body)) })
    }
}

/// The output of a future that does not have to wait.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a token at hand makes nobody wait"),
    }
}

fn client(transport: Arc<Canned>) -> ConfidentialClient {
    ConfidentialClient::builder(
        AuthorityHost::parse("https://login.microsoftonline.com").unwrap(),
        TenantSegment::parse(TENANT).unwrap(),
        CLIENT.parse().unwrap(),
    )
    .secret("s3cret".to_owned())
    .transport(transport)
    .cache(TokenCache::with_capacity(MANY))
    .build()
    .unwrap()
}

fn azure(transport: Arc<Canned>) -> Arc<ClientSecretCredential> {
    let client_options = ClientOptions { transport: Some(AzureTransport::new(transport)), ..ClientOptions::default() };
    let options = ClientSecretCredentialOptions { client_options };
    ClientSecretCredential::new(TENANT, CLIENT.to_owned(), "s3cret".into(), Some(options)).unwrap()
}

/// A walk through all indices that no prefetcher foresees.
fn walk(index: &mut usize) -> usize {
    *index = (*index + 61_803) % MANY;
    *index
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let names: Vec<String> = (0..MANY).map(|index| format!("https://resource-{index}.contoso.com/.default")).collect();
    let scopes: Vec<ScopeSet> = names.iter().map(|name| ScopeSet::parse(name).unwrap()).collect();

    let (one, azure_one) = (client(Arc::default()), azure(Arc::default()));
    let (many, azure_many) = (client(Arc::default()), azure(Arc::default()));
    runtime.block_on(async {
        one.acquire_token_for_client(&scopes[0]).await.unwrap();
        azure_one.get_token(&[&names[0]], None).await.unwrap();
        for (name, scopes) in names.iter().zip(&scopes) {
            many.acquire_token_for_client(scopes).await.unwrap();
            azure_many.get_token(&[name], None).await.unwrap();
        }
    });

    let (mut at, mut azure_at) = (0, 0);
    let medians = ratio::compare(
        "a token at hand",
        41,
        &mut [
            ("azure_identity 1.0, 1 token", Box::new(|| drop(black_box(now(azure_one.get_token(&[&names[0]], None)))))),
            (
                "countersign-client, 1 token",
                Box::new(|| drop(black_box(now(one.acquire_token_for_client(&scopes[0]))))),
            ),
            (
                "azure_identity 1.0, 1 of 100,000 tokens",
                Box::new(|| drop(black_box(now(azure_many.get_token(&[&names[0]], None))))),
            ),
            (
                "countersign-client, 1 of 100,000 tokens",
                Box::new(|| drop(black_box(now(many.acquire_token_for_client(&scopes[0]))))),
            ),
            (
                "azure_identity 1.0, 100,000 tokens at random",
                Box::new(|| drop(black_box(now(azure_many.get_token(&[&names[walk(&mut azure_at)]], None))))),
            ),
            (
                "countersign-client, 100,000 tokens at random",
                Box::new(|| drop(black_box(now(many.acquire_token_for_client(&scopes[walk(&mut at)]))))),
            ),
        ],
    );
    for (what, pair) in ["1 token", "1 of 100,000", "100,000 at random"].iter().zip(medians.chunks(2)) {
        println!("  {what}: {:.2} times azure_identity's rate", pair[0] / pair[1]);
    }

    let transport = Arc::new(Canned::default());
    let cold = client(Arc::clone(&transport));
    runtime.block_on(async {
        let callers: Vec<_> = (0..1000)
            .map(|_| {
                let (client, scopes) = (cold.clone(), scopes[0].clone());
                tokio::spawn(async move { client.acquire_token_for_client(&scopes).await.unwrap() })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
    });
    let requests = transport.0.load(Ordering::Relaxed);
    println!("\n1,000 concurrent cold callers: {requests} request(s) (wanted: 1)");
    assert_eq!(requests, 1);
}
