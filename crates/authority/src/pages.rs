//! Pages for people: HTML from the server, readable without script or style.
//!
//! A page is a function from a view to markup. Views are filled by whoever knows: pages read no directory, decide
//! nothing and keep nothing. [`send`] gives each its headers; [`Policy`] names the kinds of page there are. Text that
//! others wrote (names, descriptions, addresses) is escaped, isolated and bounded in `text` and `source`.
//!
//! Read on in `card` for what all pages of a flow share, and look at them with `cargo xtask pages --out DIR`.

mod answer;
mod assets;
mod card;
mod check_session;
mod consent;
mod device;
mod error_lookup;
mod form_post;
mod front;
#[cfg(test)]
mod gallery;
mod refusal;
mod sign_in;
mod sign_out;
mod source;
mod text;

pub(crate) use answer::{Policy, send};
pub(crate) use {
    card::{Account, Asking, Step},
    check_session::{COOKIE as CHECK_SESSION_COOKIE, check_session},
    consent::{AdminConsentView, ConsentView, NeedApprovalView, Permission, admin_consent, consent, need_approval},
    device::{
        DeviceCodeFault, DeviceCodeView, DeviceConfirmView, DeviceDoneView, device_code, device_confirm, device_done,
    },
    form_post::{FormPostView, form_post},
    refusal::{ErrorView, error},
    sign_in::{AccountPickerView, SignInFault, SignInView, StaySignedInView, account_picker, sign_in, stay_signed_in},
    sign_out::{SignOutChoiceView, SignOutView, SignedOutView, sign_out, sign_out_choice, signed_out},
};

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use countersign_protocol::AuthorityHost;
use http::StatusCode;
use maud::{DOCTYPE, Markup, html};

/// The pages' routes: those that are the same for everybody, and what all pages load.
pub(crate) fn router(host: &AuthorityHost, ca_pem: &str) -> Router {
    let (host, ca_pem) = (host.clone(), ca_pem.to_owned());
    let front = front::page(&host);
    let ca = move || async move { ([("content-type", "application/x-pem-file")], ca_pem).into_response() };
    let portal = front.clone();
    Router::new()
        .route("/", get(|| async move { send(StatusCode::OK, &front, Policy::Read) }))
        .route("/portal", get(|| async move { send(StatusCode::OK, &portal, Policy::Read) }))
        .route("/error", get(error_lookup::page))
        .route("/ca.pem", get(ca))
        .merge(assets::router())
}

/// A page that is read: its title, one line that says what it is for, and its content.
fn layout(title: &str, lead: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head { (card::head(title)) }
            body {
                header {
                    (mark())
                    span { "Countersign authority" }
                }
                main {
                    h1 { (title) }
                    p.lead { (lead) }
                    (content)
                }
                footer { "A local authority for development and tests. It is not Microsoft Entra ID." }
            }
        }
    }
}

/// The mark: two halves of a seal, a tally that must fit.
fn mark() -> Markup {
    html! {
        svg viewBox="0 0 32 32" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linejoin="round" {
            path d="M16 3a13 13 0 1 0 0 26v-6l-4-3.5 4-3.5-4-3.5 4-3.5z" {}
            path d="M19 3.4a13 13 0 0 1 0 25.2v-5.6l-4-3.5 4-3.5-4-3.5 4-3.5z" fill="currentColor" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    async fn get_page(path: &str) -> (StatusCode, http::HeaderMap, String) {
        let host = AuthorityHost::parse("https://localhost:8443").unwrap();
        let request = http::Request::get(path).body(Body::empty()).unwrap();
        let (parts, body) = router(&host, "the CA").oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn b65_every_page_is_unframeable_and_has_no_script_of_its_own() {
        for path in ["/", "/portal", "/error?code=7000215", "/error?code=1", "/error?code=%3Cscript%3E"] {
            let (_, headers, body) = get_page(path).await;
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
            assert!(!policy.contains("unsafe"), "{path}");
            assert!(!body.contains("<script") && !body.contains("style="), "{path}");
            assert!(body.len() < 60_000, "{path}");
        }
    }

    #[tokio::test]
    async fn an_error_uri_leads_to_what_the_code_means() {
        let (status, _, body) = get_page("/error?code=7000215").await;
        assert_eq!(status, StatusCode::OK);
        assert!(
            body.contains("AADSTS7000215") && body.contains("configures the secret&#x27;s value")
                || body.contains("configures the secret's value"),
            "{body}"
        );
        // A code with several meanings shows them all; an unknown one says so.
        assert_eq!(get_page("/error?code=700027").await.2.matches("What to do").count(), 3);
        assert_eq!(get_page("/error?code=1").await.0, StatusCode::NOT_FOUND);
        assert_eq!(get_page("/ca.pem").await.2, "the CA");
    }

    #[test]
    fn what_is_written_into_a_page_is_escaped() {
        let page = layout("<script>", "\"lead\"", &html! { p { "<img src=x>" } }).0;
        assert!(!page.contains("<script>") && !page.contains("<img"), "{page}");
    }
}
