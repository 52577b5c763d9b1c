//! The error page: for whoever sits in front of it and for whoever they ask.
//!
//! It is shown where an error must not travel to a redirect URI, because that URI is what is wrong, or there is none.

use maud::{Markup, html};

use super::card::{alert, page};
use super::text::{message, name};

/// What went wrong, in the words of the catalogue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrorView<'a> {
    pub(crate) tenant: Option<&'a str>,
    /// The application's display name, if it is known.
    pub(crate) application: Option<&'a str>,
    /// The AADSTS number.
    pub(crate) code: u32,
    /// What it means: the catalogue's text, rendered, without code and ids.
    pub(crate) meaning: &'a str,
    /// Who must do what: the catalogue's `who`.
    pub(crate) advice: &'a str,
    pub(crate) correlation_id: &'a str,
    pub(crate) trace_id: &'a str,
    /// `2026-11-20 13:33:10Z`.
    pub(crate) time: &'a str,
}

/// The error page.
pub(crate) fn error(view: &ErrorView<'_>) -> Markup {
    let code = format!("AADSTS{}", view.code);
    let content = html! {
        h1 { "Signing in did not work" }
        @if let Some(application) = view.application { p.lead { "The application is " (name(application)) "." } }
        (alert(&message(view.meaning)))
        h2 { "What to do" }
        p { (message(view.advice)) }
        h2 { "For whoever helps you" }
        div.copied {
            pre #details {
                "Code: " (code) "\n"
                "Correlation ID: " span.whole { (view.correlation_id) } "\n"
                "Trace ID: " span.whole { (view.trace_id) } "\n"
                "Timestamp: " (view.time)
            }
            button type="button" data-copy="details" hidden { "Copy" }
            span.unseen role="status" aria-live="polite" {}
        }
        p { a href={ "/error?code=" (view.code) } { "More about " (code) } }
    };
    page("Signing in did not work", view.tenant, &content, Some("/assets/app.js"))
}
