//! Serving HTTPS with bounds: on connections, on headers, on time.
//!
//! HTTP/1.1 and HTTP/2 by ALPN. A sender that takes longer than the limits for its handshake or its headers is cut off, and
//! so is a connection on which nothing goes on, whatever keeps it open: pings, a half-sent header, a reader that does not
//! read. Bodies are bounded where they are read. Shutting down lets requests under way finish.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

/// The bounds of a server.
#[derive(Debug, Clone, Copy)]
pub struct ServeLimits {
    /// Connections served at once; more wait in the system's queue.
    pub connections: usize,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a request's headers may take, and how long a connection may idle between requests.
    pub headers: Duration,
    /// How long a sender may take for a body.
    pub body: Duration,
    /// How many bytes of headers a request may have.
    pub header_bytes: usize,
    /// How long the requests under way at shutdown may go on.
    pub drain: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            connections: 4096,
            handshake: Duration::from_secs(10),
            headers: Duration::from_secs(30),
            body: Duration::from_secs(15),
            header_bytes: 16 * 1024,
            drain: Duration::from_secs(10),
        }
    }
}

/// What connections are told about the server's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// Requests under way may finish, no new ones begin.
    Draining,
    /// Whatever is left is cut off.
    Over,
}

/// Serves `app` until `shutdown` is ready, then lets requests under way finish.
pub async fn https(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    app: Router,
    limits: ServeLimits,
    shutdown: impl Future<Output = ()>,
) {
    serve(listener, Some(TlsAcceptor::from(tls)), app, limits, shutdown).await;
}

/// As [`https`], in the clear and by HTTP/1.1 only: for what is served on loopback and nowhere else.
pub(crate) async fn http(listener: TcpListener, app: Router, limits: ServeLimits, shutdown: impl Future<Output = ()>) {
    serve(listener, None, app, limits, shutdown).await;
}

async fn serve(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    app: Router,
    limits: ServeLimits,
    shutdown: impl Future<Output = ()>,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let (phase, phases) = watch::channel(Phase::Serving);
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            // A slot first: without one the connection stays in the system's queue and costs nothing here.
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, stream) = tokio::select! {
            () = &mut shutdown => break,
            (slot, accepted) = accepted => match (slot, accepted) {
                (Ok(slot), Ok((stream, _))) => (slot, stream),
                (_, Err(error)) => {
                    // Out of file descriptors, most likely: give those in use time to close.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
                (Err(_), _) => break,
            },
        };
        let (acceptor, app, phases) = (acceptor.clone(), app.clone(), phases.clone());
        tokio::spawn(async move {
            connection(stream, acceptor.as_ref(), app, limits, phases).await;
            drop(slot);
        });
    }
    drop(listener);
    phase.send_replace(Phase::Draining);
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    if timeout(limits.drain, slots.acquire_many(all)).await.is_err() {
        tracing::warn!("some requests did not finish in time");
        phase.send_replace(Phase::Over);
    }
}

/// Serves one connection. What goes wrong here is the peer's affair: it is noted for debugging and nothing else.
async fn connection(
    stream: TcpStream,
    acceptor: Option<&TlsAcceptor>,
    app: Router,
    limits: ServeLimits,
    mut phases: watch::Receiver<Phase>,
) {
    // Answers are small and complete: waiting for more to send only adds latency.
    let _ = stream.set_nodelay(true);
    let work = Arc::new(Work::default());
    let service = Watched { inner: TowerToHyperService::new(app), work: Arc::clone(&work) };
    let mut http1 = http1::Builder::new();
    http1.timer(TokioTimer::new()).header_read_timeout(limits.headers).max_header_size(limits.header_bytes);
    let Some(acceptor) = acceptor else {
        return drive(http1.serve_connection(TokioIo::new(stream), service), &work, limits, phases).await;
    };
    let shaken = tokio::select! {
        shaken = timeout(limits.handshake, acceptor.accept(stream)) => shaken,
        _ = phases.wait_for(|phase| *phase > Phase::Serving) => return,
    };
    let stream = match shaken {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => return tracing::debug!("a TLS handshake took too long"),
    };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let io = TokioIo::new(stream);
    if is_http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(64)
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(20)
            .keep_alive_interval(limits.headers)
            .keep_alive_timeout(limits.handshake);
        drive(builder.serve_connection(io, service), &work, limits, phases).await;
    } else {
        drive(http1.serve_connection(io, service), &work, limits, phases).await;
    }
}

/// Runs a connection to its end, which comes when the peer goes, when the server stops, or when for the time that headers
/// may take no request was under way and none began.
async fn drive<C>(connection: C, work: &Work, limits: ServeLimits, mut phases: watch::Receiver<Phase>)
where
    C: GracefulConnection,
    C::Error: std::fmt::Display,
{
    let mut connection = pin!(connection);
    let mut seen = work.begun();
    let mut look = pin!(sleep_until(Instant::now() + limits.headers));
    let mut closing = false;
    let mut phase = Phase::Serving;
    loop {
        tokio::select! {
            served = &mut connection => {
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            () = &mut look => {
                let begun = work.begun();
                if begun == seen && work.under_way() == 0 {
                    if closing {
                        // It was asked to go and does not.
                        return tracing::debug!("an idle connection was cut off");
                    }
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                seen = begun;
                look.as_mut().reset(Instant::now() + if closing { limits.handshake } else { limits.headers });
            }
            changed = phases.wait_for(|now| *now > phase) => {
                // A server that is gone has no requests to finish.
                phase = changed.map_or(Phase::Over, |phase| *phase);
                if phase == Phase::Over {
                    return;
                }
                closing = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// How much a connection has done and is doing.
#[derive(Default)]
struct Work {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

impl Work {
    fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    fn under_way(&self) -> usize {
        self.begun().wrapping_sub(self.ended.load(Ordering::Relaxed))
    }
}

/// Counts a request as ended, however it ends.
struct UnderWay(Arc<Work>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// A service that counts its requests.
struct Watched<S> {
    inner: S,
    work: Arc<Work>,
}

/// In the extensions of a response: the connection is closed in its place. Only the lab asks for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HangUp;

/// The connection ends here.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed without an answer")]
struct HungUp;

impl<S> Service<Request<Incoming>> for Watched<S>
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = HungUp;
    type Future = CountedFuture<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.work.begun.fetch_add(1, Ordering::Relaxed);
        CountedFuture { inner: Box::pin(self.inner.call(request)), _under_way: UnderWay(Arc::clone(&self.work)) }
    }
}

/// The answer to come.
struct CountedFuture<F> {
    inner: std::pin::Pin<Box<F>>,
    _under_way: UnderWay,
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for CountedFuture<F> {
    type Output = Result<Response, HungUp>;

    fn poll(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        self.inner.as_mut().poll(context).map(|answer| match answer {
            Ok(response) if response.extensions().get::<HangUp>().is_some() => Err(HungUp),
            Ok(response) => Ok(response),
            Err(never) => match never {},
        })
    }
}
