//! What do callers feel while tokens are being fetched? Beside azure_identity, in one run, with an endpoint that takes
//! 100 ms: `cargo bench -p countersign-client --bench cold`.
//!
//! - Twenty scopes, cold, asked for at once.
//! - A token at hand, asked for while another scope is being fetched.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and may stop")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, ClientOptions, HttpClient, Request, StatusCode, Transport as AzureTransport};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use bytes::Bytes;
use countersign_client::ConfidentialClient;
use countersign_discovery::{BoxFuture, Limits, Transport, TransportError};
use countersign_protocol::{AuthorityHost, ScopeSet, TenantSegment};
use futures_util::future::join_all;
use tokio::time::Instant;

const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const CLIENT: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
const SCOPES: usize = 20;
const ROUNDS: usize = 5;
const LATENCY: Duration = Duration::from_millis(100);

/// Answers after 100 ms, however many ask at once.
#[derive(Debug)]
struct Slow;

const BODY: &[u8] = br#"{"token_type":"Bearer","expires_in":86399,"ext_expires_in":86399,"access_token":"t"}"#;

impl Transport for Slow {
    fn send(
        &self,
        _request: http::Request<Bytes>,
        _limits: Limits,
    ) -> BoxFuture<'static, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async {
            tokio::time::sleep(LATENCY).await;
            Ok(http::Response::new(Bytes::from_static(BODY)))
        })
    }
}

type AzureFuture<'a> = Pin<Box<dyn Future<Output = azure_core::Result<AsyncRawResponse>> + Send + 'a>>;

impl HttpClient for Slow {
    fn execute_request<'a, 'b, 'c>(&'a self, _request: &'b Request) -> AzureFuture<'c>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async {
            tokio::time::sleep(LATENCY).await;
            Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::new(), BODY.to_vec()))
        })
    }
}

fn client() -> ConfidentialClient {
    ConfidentialClient::builder(
        AuthorityHost::parse("https://login.microsoftonline.com").unwrap(),
        TenantSegment::parse(TENANT).unwrap(),
        CLIENT.parse().unwrap(),
    )
    .secret("s3cret".to_owned())
    .transport(Arc::new(Slow))
    .build()
    .unwrap()
}

fn azure() -> Arc<ClientSecretCredential> {
    let transport = Some(AzureTransport::new(Arc::new(Slow)));
    let options =
        ClientSecretCredentialOptions { client_options: ClientOptions { transport, ..ClientOptions::default() } };
    ClientSecretCredential::new(TENANT, CLIENT.to_owned(), "s3cret".into(), Some(options)).unwrap()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let names: Vec<String> = (0..SCOPES).map(|index| format!("https://r{index}.contoso.com/.default")).collect();
    let scopes: Vec<ScopeSet> = names.iter().map(|name| ScopeSet::parse(name).unwrap()).collect();
    let (mut ours, mut theirs, mut our_hit, mut their_hit) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    runtime.block_on(async {
        for _ in 0..ROUNDS {
            let (client, azure) = (client(), azure());
            let begun = Instant::now();
            for outcome in join_all(scopes.iter().map(|scopes| client.acquire_token_for_client(scopes))).await {
                outcome.unwrap();
            }
            ours.push(begun.elapsed());
            let begun = Instant::now();
            let asked: Vec<[&str; 1]> = names.iter().map(|name| [name.as_str()]).collect();
            for outcome in join_all(asked.iter().map(|name| azure.get_token(name, None))).await {
                outcome.unwrap();
            }
            theirs.push(begun.elapsed());

            // While a scope nobody has asked for yet is being fetched:
            let (other, name) = (ScopeSet::parse("api://other/.default").unwrap(), ["api://other/.default"]);
            let fetching = tokio::spawn({
                let client = client.clone();
                async move { client.acquire_token_for_client(&other).await.unwrap() }
            });
            tokio::time::sleep(LATENCY / 10).await;
            let begun = Instant::now();
            client.acquire_token_for_client(&scopes[0]).await.unwrap();
            our_hit.push(begun.elapsed());
            fetching.await.unwrap();
            let fetching = tokio::spawn({
                let azure = Arc::clone(&azure);
                async move { azure.get_token(&name, None).await.unwrap() }
            });
            tokio::time::sleep(LATENCY / 10).await;
            let begun = Instant::now();
            azure.get_token(&[&names[0]], None).await.unwrap();
            their_hit.push(begun.elapsed());
            fetching.await.unwrap();
        }
    });
    let (ours, theirs) = (median(ours), median(theirs));
    println!("{SCOPES} scopes, cold, {LATENCY:?} endpoint, median of {ROUNDS}");
    println!("  azure_identity 1.0   {theirs:>10.1?}");
    println!("  countersign-client   {ours:>10.1?}   (wanted: at most 120 ms)");
    println!("a token at hand, while another scope is fetched");
    println!("  azure_identity 1.0   {:>10.1?}", median(their_hit));
    println!("  countersign-client   {:>10.1?}   (wanted: no waiting)", median(our_hit));
    assert!(ours <= Duration::from_millis(120), "{ours:?}");
}
