//! `/error?code=…`, where `error_uri` of every error points: what a code means and who must do what.

use axum::extract::Request;
use axum::response::Response;
use countersign_protocol::AadSts;
use http::StatusCode;
use maud::{Markup, html};

use super::{Policy, layout, send};

pub(super) async fn page(request: Request) -> Response {
    let (status, page) = page_of(request.uri().query());
    send(status, &page, Policy::Read)
}

/// The page for a query.
pub(super) fn page_of(query: Option<&str>) -> (StatusCode, Markup) {
    let Some(code) = code(query) else { return (StatusCode::NOT_FOUND, unknown()) };
    let entries: Vec<_> = AadSts::variants(code).collect();
    if entries.is_empty() { (StatusCode::NOT_FOUND, unknown()) } else { (StatusCode::OK, known(code, &entries)) }
}

/// Only digits are taken, so that nothing of the query reaches the page.
fn code(query: Option<&str>) -> Option<u32> {
    query?.split('&').find_map(|pair| pair.strip_prefix("code=")?.trim_start_matches("AADSTS").parse().ok())
}

fn known(code: u32, entries: &[&AadSts]) -> Markup {
    let content = html! {
        @for entry in entries {
            section {
                h2 { "What to do" }
                p { (entry.who) }
                h2 { "What it says" }
                p { (entry.text) }
                dl {
                    dt { "OAuth error" }
                    dd { code { (entry.error) } }
                    dt { "HTTP status" }
                    dd { code { (entry.status) } }
                    dt { "Worth another try" }
                    dd {
                        @if entry.retryable { span.word.attention { "yes, in a moment" } }
                        @else { span.word.refused { "no, not unchanged" } }
                    }
                }
            }
        }
    };
    layout(
        &format!("AADSTS{code}"),
        "What this code means and who must do what. Braces stand for what was inserted.",
        &content,
    )
}

fn unknown() -> Markup {
    let content = html! {
        section {
            p { "Add a code that this authority knows: " a href="/error?code=7000215" { code { "/error?code=7000215" } } "." }
        }
    };
    layout("No such code here", "Microsoft has more codes than this authority answers with.", &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_is_taken_from_the_query() {
        assert_eq!(code(Some("code=7000215")), Some(7_000_215));
        assert_eq!(code(Some("x=1&code=AADSTS90002")), Some(90_002));
        assert_eq!(code(Some("code=<script>")), None);
        assert_eq!(code(Some("code=-1")), None);
        assert_eq!(code(None), None);
    }
}
