//! Services to stand behind a guard.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use countersign_guard::VerifiedCaller;
use http::{Request, Response};
use tower::Service;

/// A body that nothing can be read from: it implements no trait of bodies.
#[derive(Debug, PartialEq)]
pub(crate) struct Unreadable(pub(crate) u32);

/// Counts its calls, notes its callers, and answers with the text `inside`.
///
/// Like a service with a limited capacity it may only be called after it said that it is ready, and a clone has not said
/// so yet.
#[derive(Debug, Default)]
pub(crate) struct Inside {
    calls: Arc<AtomicUsize>,
    callers: Arc<Mutex<Vec<Option<VerifiedCaller>>>>,
    ready: bool,
}

impl Clone for Inside {
    fn clone(&self) -> Self {
        Self { calls: Arc::clone(&self.calls), callers: Arc::clone(&self.callers), ready: false }
    }
}

impl Inside {
    /// How often it was called since the last call of this.
    pub(crate) fn calls(&self) -> usize {
        self.calls.swap(0, Ordering::SeqCst)
    }

    /// The caller of the last request.
    pub(crate) fn caller(&self) -> Option<VerifiedCaller> {
        self.callers.lock().unwrap().pop().unwrap()
    }
}

impl<B> Service<Request<B>> for Inside {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called before it was ready");
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.callers.lock().unwrap().push(request.extensions().get().cloned());
        ready(Ok(Response::new("inside".to_owned())))
    }
}
