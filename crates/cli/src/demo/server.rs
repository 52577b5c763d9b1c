//! A service of the demo on a free port of this machine, over HTTPS with a certificate of the authority's CA.

use axum::Router;
use countersign_authority::{Authority, serve};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::error::DemoError;

/// A running service.
pub(crate) struct Server {
    /// `https://localhost:<port>`.
    pub(crate) origin: String,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(authority: &Authority, app: Router) -> Result<Self, DemoError> {
        let tls = authority.server_tls(&["localhost"])?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(DemoError::Listen)?;
        let port = listener.local_addr().map_err(DemoError::Listen)?.port();
        let (stop, mut stopping) = watch::channel(false);
        let shutdown = async move {
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        let task = tokio::spawn(serve::https(listener, tls, app, serve::ServeLimits::default(), shutdown));
        Ok(Self { origin: format!("https://localhost:{port}"), stop, task })
    }

    /// Stops it.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}
