//! Files that pages load: one style sheet, four small scripts, the mark. Built in, public, and the same for everybody.

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Path, content type, content.
pub(super) const ALL: [(&str, &str, &str); 6] = [
    ("/assets/style.css", CSS, include_str!("style.css")),
    ("/assets/app.js", SCRIPT, include_str!("app.js")),
    ("/assets/submit.js", SCRIPT, include_str!("submit.js")),
    ("/assets/continue.js", SCRIPT, include_str!("continue.js")),
    ("/assets/session.js", SCRIPT, include_str!("session.js")),
    ("/assets/mark.svg", "image/svg+xml", include_str!("mark.svg")),
];

/// The assets' routes.
pub(super) fn router() -> Router {
    ALL.iter().fold(Router::new(), |router, &(path, kind, content)| {
        let answer = move || async move {
            let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "max-age=3600"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
            (headers, content).into_response()
        };
        router.route(path, get(answer))
    })
}
