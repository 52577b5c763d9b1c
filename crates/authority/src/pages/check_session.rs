//! The frame that tells an application whether its session is still the browser's (OpenID Connect Session Management
//! 1.0 §3.3).
//!
//! It has no text, no form and no link, so there is nothing to be tricked into clicking; it is the one page that may be
//! framed. An application posts `{client_id} {session_state}` and is told `unchanged`, `changed` or `error`.
//! `session_state` is a GUID, as Entra sends it; the script compares it with those in the cookie [`COOKIE`]. Who does
//! not know the GUID learns nothing.

use maud::{DOCTYPE, Markup, html};

/// Name of the cookie in which the script finds the browser's sessions: their `session_state` values, separated by
/// dots. It must be readable by script, `Secure`, `SameSite=None`, and hold nothing else.
pub(crate) const COOKIE: &str = "countersign-session-state";

/// The page; it is the same for everybody. Send it with `Policy::Framed`.
pub(crate) fn check_session() -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "Session check" }
                script src="/assets/session.js" data-cookie=(COOKIE) {}
            }
            body {}
        }
    }
}
