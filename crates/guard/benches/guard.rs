//! What the guard costs beside the signature. Run with `cargo bench -p countersign-guard`.
//!
//! Every line is a ratio to a bare RSA verification of the same token, taken in one run. "The layer" is the guard in front
//! of a service that does nothing, with one request that is handed round, so that no line pays for building requests; the
//! lines for axum build a request each and go through a router, once with and once without the guard.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and may stop")]

#[path = "../../../benches/ratio.rs"]
mod ratio;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::ops::Range;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use countersign_discovery::{BoxFuture, KeySource, Limits, RemoteKeys, Transport, TransportError};
use countersign_guard::{Guard, GuardService, GuardedRouter, Permission, Policy, Verifier};
use countersign_token::{
    Algorithm, Clock, SigningKey, SystemClock, Timestamp, authenticate, base64url_decode_strict, base64url_encode,
};
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use serde_json::{Value, json};
use tower::{Layer, Service};

const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
const API: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
const KID: &str = "1LTMzakihiRla_8z2BEJVXeWMqo";

/// The authority's key endpoint: one document that never changes.
#[derive(Debug)]
struct Published(Bytes);

impl Transport for Published {
    fn send(&self, _: Request<Bytes>, _: Limits) -> BoxFuture<'static, Result<Response<Bytes>, TransportError>> {
        let response = Response::builder().header("content-type", "application/json").body(self.0.clone()).unwrap();
        Box::pin(async { Ok(response) })
    }
}

/// A service that does nothing but put the request down where it can be taken again.
#[derive(Clone, Default)]
struct PutDown(Rc<RefCell<Vec<Request<()>>>>);

impl Service<Request<()>> for PutDown {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        self.0.borrow_mut().push(request);
        ready(Ok(Response::new(())))
    }
}

/// The result of a future that is ready at once.
fn now_or_never<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}

struct World {
    key: SigningKey,
    keys: RemoteKeys,
    policy: Policy,
    claims: Value,
}

impl World {
    fn new(runtime: &tokio::runtime::Runtime) -> Self {
        let key = SigningKey::from_pkcs8_der(KID, &SigningKey::generate_pkcs8().unwrap()).unwrap();
        let public = key.private_key().public_key();
        let set = json!({"keys": [{
            "kty": "RSA", "use": "sig", "kid": KID, "x5t": KID,
            "n": base64url_encode(public.modulus()), "e": base64url_encode(public.exponent()),
            "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"
        }]});
        let transport = Arc::new(Published(set.to_string().into()));
        let keys = RemoteKeys::from_jwks_uri("https://login.microsoftonline.com/keys", transport).unwrap().build();
        runtime.block_on(keys.ready()).unwrap();
        let policy = serde_json::from_value(json!({
            "tenants": [TENANT], "audiences": [API, format!("api://{API}")], "app_roles": ["Resource.Read"],
            "issuers": ["https://login.microsoftonline.com/{tenantid}/v2.0", "https://sts.windows.net/{tenantid}/"]
        }))
        .unwrap();
        let now = SystemClock.now().as_unix_seconds();
        // A realistic application token of about 1.5 kB: every claim Entra writes, and three roles.
        let claims = json!({
            "aud": API, "iss": format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
            "iat": now - 300, "nbf": now - 300, "exp": now + 86_400,
            "aio": "k2RgYPj/f0aLb8Kr9R6v2vlvSxhXrL5a8y7J1fVv3WZ2q9yZ4wYA", "azp": "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2b55",
            "azpacr": "2", "oid": "33333333-6f5e-4d3c-9b8a-0f1e2d3c4b5a",
            "rh": "1.AXoAraq7a0tgrECp15_ZfAt3n7D52KUuDYpMnUMPDy1KXBEAAAA.",
            "roles": ["Resource.Read", "Resource.Write", "Resource.Administer.All"],
            "sub": "33333333-6f5e-4d3c-9b8a-0f1e2d3c4b5a", "tid": TENANT, "uti": "pq4Zz8yVxk2mW6v3u7QaAA", "ver": "2.0",
            "xms_ftd": "x5JQ1Zl2v0Y0u8c9Vb3Z1kQmHk7m4S2pT8rN6wXyZ4s",
            "xms_idrel": "7 24", "xms_rd": "0.42LlYBRi9MpKLWZgYGBgYGD", "appid_note": "orders-worker-west-europe-production-0001",
            "wids": ["0997a1d0-0d1d-4acb-b408-d5ca73121e90"], "xms_tcdt": 1_600_000_000, "tenant_region_scope": "EU"
        });
        Self { key, keys, policy, claims }
    }

    /// So many genuine tokens that differ in `uti` alone. Signing is slow, so every processor signs its share.
    fn tokens(&self, count: usize) -> Vec<String> {
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": KID});
        let signer = self.key.signer(Algorithm::Rs256, &header).unwrap();
        let share = count.div_ceil(std::thread::available_parallelism().map_or(1, usize::from));
        let sign = |numbers: Range<usize>| {
            let mut claims = self.claims.clone();
            let token = |number| {
                claims["uti"] = format!("pq4Zz8yVxk2mW6v3{number:06}").into();
                signer.sign(&claims).unwrap()
            };
            numbers.map(token).collect::<Vec<String>>()
        };
        std::thread::scope(|scope| {
            let shares: Vec<_> = (0..count)
                .step_by(share)
                .map(|first| scope.spawn(move || sign(first..count.min(first + share))))
                .collect();
            shares.into_iter().flat_map(|share| share.join().unwrap()).collect()
        })
    }

    fn guard(&self, cache_bytes: u64) -> Guard {
        let keys = KeySource::from(self.keys.clone());
        Guard::builder(keys, &self.policy).unwrap().cache_bytes(cache_bytes).build()
    }

    fn verifier(&self, cache_bytes: u64) -> Verifier {
        let keys = KeySource::from(self.keys.clone());
        Verifier::builder(keys, &self.policy).unwrap().cache_bytes(cache_bytes).build()
    }
}

/// The layer in front of [`PutDown`], and the one request that goes round.
struct Layered {
    service: GuardService<PutDown>,
    request: PutDown,
    header: HeaderValue,
}

impl Layered {
    fn new(guard: &Guard, token: &str) -> Self {
        let header = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
        let request = PutDown::default();
        request.0.borrow_mut().push(request_with(&header));
        let service = guard.layer_for(Permission::any_app_role(["Resource.Read"])).layer(request.clone());
        Self { service, request, header }
    }

    fn go(&mut self) {
        let request = self.request.0.borrow_mut().pop().unwrap();
        self.let_in(request);
    }

    fn let_in(&mut self, request: Request<()>) {
        let response = now_or_never(self.service.call(request)).unwrap();
        assert_eq!(response.status(), 200);
    }

    /// Like [`Layered::go`], for tokens that are refused: the request is gone with them.
    fn refuse(&mut self, status: u16) {
        let mut request = Request::new(());
        request.headers_mut().insert(AUTHORIZATION, self.header.clone());
        let response = now_or_never(self.service.call(request)).unwrap();
        assert_eq!(response.status(), status);
    }
}

fn request_with(header: &HeaderValue) -> Request<()> {
    let mut request = Request::new(());
    request.headers_mut().insert(AUTHORIZATION, header.clone());
    request
}

/// A request through an axum router.
fn through(router: &mut axum::Router, header: &HeaderValue) {
    let request = Request::get("/orders").header(AUTHORIZATION, header.clone()).body(Body::empty()).unwrap();
    let response = now_or_never(router.call(request)).unwrap();
    assert_eq!(response.status(), 200);
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let world = World::new(&runtime);
    let token = &world.tokens(1)[0];
    println!("token: {} bytes", token.len());

    let public = world.key.private_key().public_key();
    let bare = RsaPublicKeyComponents { n: public.modulus(), e: public.exponent() }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .unwrap();
    let dot = token.rfind('.').unwrap();
    let (input, signature) = (&token.as_bytes()[..dot], base64url_decode_strict(&token[dot + 1..]).unwrap());
    let bare = || bare.verify_sig(input, &signature).unwrap();
    let bare_name = "bare aws-lc-rs RSA-2048 verify, parsed key";

    first_sight(&world, token, (bare_name, &bare));
    repeated(&world, token, (bare_name, &bare));
    refusals(&world, token, (bare_name, &bare));
    many(&world, (bare_name, &bare));
    growth(&world, token);
}

type Bare<'a> = (&'a str, &'a dyn Fn());

fn first_sight(world: &World, token: &str, (name, bare): Bare<'_>) {
    let uncached = world.guard(0);
    let mut layered = Layered::new(&uncached, token);
    let header = layered.header.clone();
    let mut axum = GuardedRouter::new(uncached.clone())
        .route("/orders", get(|| async {}))
        .requires(Permission::any_app_role(["Resource.Read"]))
        .into_router()
        .unwrap()
        .with_state(());
    let validator = world.policy.compile().unwrap();
    let keys = now_or_never(world.keys.ready()).unwrap();
    let now: Timestamp = SystemClock.now();
    ratio::compare(
        "first sight of a token (no cache)",
        41,
        &mut [
            (name, Box::new(bare)),
            (
                "countersign_token::authenticate, whole policy",
                Box::new(|| drop(black_box(authenticate(token, &keys, &validator, now).unwrap()))),
            ),
            (
                "Verifier::verify",
                Box::new(|| drop(black_box(now_or_never(uncached.verifier().verify(token)).unwrap()))),
            ),
            ("the layer", Box::new(|| layered.go())),
            ("axum: request, router, guard, handler, response", Box::new(|| through(&mut axum, &header))),
        ],
    );
}

fn repeated(world: &World, token: &str, (name, bare): Bare<'_>) {
    let guard = world.guard(64 << 20);
    let mut one = Layered::new(&guard, token);
    let header = one.header.clone();
    let handler = get(|| async {});
    let mut plain = axum::Router::new().route("/orders", handler.clone()).with_state(());
    let mut axum = GuardedRouter::new(guard.clone())
        .route("/orders", handler)
        .requires(Permission::any_app_role(["Resource.Read"]))
        .into_router()
        .unwrap()
        .with_state(());
    let verifier = world.verifier(64 << 20);
    ratio::compare(
        "a token already verified",
        41,
        &mut [
            (name, Box::new(bare)),
            (
                "Verifier::verify, one token",
                Box::new(|| drop(black_box(now_or_never(verifier.verify(token)).unwrap()))),
            ),
            ("the layer, one token", Box::new(|| one.go())),
            ("axum: request, router, handler, response; no guard", Box::new(|| through(&mut plain, &header))),
            ("axum: the same behind the guard", Box::new(|| through(&mut axum, &header))),
        ],
    );
}

fn refusals(world: &World, token: &str, (name, bare): Bare<'_>) {
    let guard = world.guard(64 << 20);
    let (signed, _) = token.rsplit_once('.').unwrap();
    let header = base64url_encode(br#"{"typ":"JWT","alg":"none"}"#);
    let unsigned = format!("{header}.{}.AAAA", signed.split_once('.').unwrap().1);
    let mut candidates: Vec<ratio::Candidate<'_>> = vec![(name, Box::new(bare))];
    for (what, token, status) in [
        ("two tokens in the header (400)", format!("{token} {token}"), 400),
        ("no JWT at all", "A".repeat(1_500), 401),
        ("alg none", unsigned, 401),
        ("a signature of three bytes", format!("{signed}.AAAA"), 401),
        ("a 17 kB token", "A".repeat(17 * 1024), 401),
    ] {
        let mut layered = Layered::new(&guard, &token);
        candidates.push((what, Box::new(move || layered.refuse(status))));
    }
    ratio::compare("the layer's refusals (the target is 1 µs)", 21, &mut candidates);
    assert_eq!(guard.verifier().cached(), (0, 0));
}

/// A hundred million tokens that are none, no two alike: what they cost, and what the process keeps of them.
fn growth(world: &World, token: &str) {
    const COUNT: u64 = 100_000_000;
    if !ratio::is_wanted("growth") {
        return;
    }
    let guard = world.guard(64 << 20);
    let mut layered = Layered::new(&guard, token);
    let (signed, _) = token.rsplit_once('.').unwrap();
    let (_, payload) = signed.split_once('.').unwrap();
    let unsigned = base64url_encode(br#"{"typ":"JWT","alg":"none"}"#);
    let mut pass = |numbers: Range<u64>| {
        let mut spent = Duration::ZERO;
        let mut requests = Vec::with_capacity(16);
        for first in numbers.step_by(16) {
            requests.extend((first..first + 16).map(|number| {
                let text = match number % 4 {
                    0 => format!("Bearer {number:032}"),
                    1 => format!("Bearer {unsigned}.{payload}.{number:016}"),
                    2 => format!("Bearer {signed}.{number:016}"),
                    _ => format!("Bearer {number:08}.{number:08}.{number:08}.{number:08}"),
                };
                request_with(&HeaderValue::try_from(text).unwrap())
            }));
            let start = Instant::now();
            for request in requests.drain(..) {
                assert_eq!(now_or_never(layered.service.call(request)).unwrap().status(), 401);
            }
            spent += start.elapsed();
        }
        spent
    };
    pass(0..1_000_000);
    let before = resident_kib();
    let spent = pass(1_000_000..COUNT);
    let grown = resident_kib() - before;
    let each = spent.as_nanos() as f64 / (COUNT - 1_000_000) as f64;
    println!("\ngrowth over {COUNT} tokens that are none: {grown} KiB resident, {each:.1} ns each");
    assert_eq!(guard.verifier().cached(), (0, 0));
}

/// The process's resident memory in KiB, as Linux counts it.
fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Whether the cache stays flat with the number of tokens in it.
///
/// A server has just read a request's headers from its socket when the guard sees them, so they are in the processor's
/// cache; what is not is the guard's own memory. Here likewise: sixteen requests are written, with texts copied from the
/// hundred thousand that lie in memory, and then sixteen requests are timed.
fn many(world: &World, (name, bare): Bare<'_>) {
    if !ratio::is_wanted("among many") {
        return;
    }
    let tokens = world.tokens(MANY);
    let guard = world.guard(160 << 20);
    let mut layered = Layered::new(&guard, "");
    let written = |token: &String| request_with(&HeaderValue::try_from(format!("Bearer {token}")).unwrap());
    for token in &tokens {
        layered.let_in(written(token));
        layered.request.0.borrow_mut().clear();
    }
    let (count, bytes) = guard.verifier().cached();
    println!("\nkept: {count} tokens of the last benchmark in {bytes} bytes");
    assert_eq!(count, MANY);

    let state = Cell::new(1_usize);
    let random = |_: usize| {
        state.set(state.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
        (state.get() >> 33) % MANY
    };
    type Order<'a> = (&'a str, Box<dyn Fn(usize) -> usize + 'a>);
    let orders: [Order<'_>; 6] = [
        ("1 token", Box::new(|_| 0)),
        ("16 tokens in turn", Box::new(|at| at % 16)),
        ("1,024 tokens in turn", Box::new(|at| at % 1_024)),
        ("10,000 tokens in turn", Box::new(|at| at % 10_000)),
        ("100,000 tokens in turn", Box::new(|at| at % MANY)),
        ("any of 100,000 tokens", Box::new(random)),
    ];
    println!("\nthe layer, a token already verified, among many");
    let mut requests = Vec::with_capacity(16);
    let mut at = 0;
    for (what, next) in &orders {
        let mut ratios = Vec::new();
        let mut times = Vec::new();
        for _ in 0..41 {
            let start = Instant::now();
            (0..500).for_each(|_| bare());
            let bare_time = start.elapsed().as_nanos() as f64 / 500.0;
            let mut took = Duration::ZERO;
            for _ in 0..1_250 {
                requests.extend((0..16).map(|_| {
                    at += 1;
                    written(&tokens[next(at)])
                }));
                let start = Instant::now();
                requests.drain(..).for_each(|request| layered.let_in(request));
                took += start.elapsed();
                layered.request.0.borrow_mut().clear();
            }
            let time = took.as_nanos() as f64 / 20_000.0;
            ratios.push(bare_time / time);
            times.push(time);
        }
        println!("  {what:<58} {:>9.1} ns   {:>8.3} x {name}", ratio::median(&times), ratio::median(&ratios));
    }
}

const MANY: usize = 100_000;
