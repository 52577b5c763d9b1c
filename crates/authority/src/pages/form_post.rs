//! `response_mode=form_post`: a page that posts the answer to the redirect URI (OAuth 2.0 Form Post Response Mode §2).
//!
//! A script of our own presses the button; without script a person does. Send it with `Policy::Post`, which admits
//! exactly the redirect URI's origin.

use maud::{Markup, html};

use super::card::{alert, hidden, page};
use super::source::web;
use super::text::name;

/// The answer, on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FormPostView<'a> {
    pub(crate) tenant: Option<&'a str>,
    /// The application's display name.
    pub(crate) application: Option<&'a str>,
    /// The redirect URI. A form can only be posted to `http` and `https`; for anything else the page has no form.
    pub(crate) redirect_uri: &'a str,
    /// Parameters of the answer, in their order. They hold codes and tokens, so the page must never be kept.
    pub(crate) fields: &'a [(&'a str, &'a str)],
}

/// The page that submits itself.
pub(crate) fn form_post(view: &FormPostView<'_>) -> Markup {
    let content = html! {
        h1 { "Continue" }
        p {
            "You go back to "
            @match view.application {
                Some(application) => { strong { (name(application)) } }
                None => { "the application" }
            }
            "."
        }
        @if let Some(uri) = web(view.redirect_uri) {
            form #answer method="post" action=(uri) {
                @for (field, value) in view.fields { (hidden(field, value)) }
                button.primary { "Continue" }
            }
        } @else {
            (alert(&html! { "The application’s address cannot take a form. Close this window and open the application again." }))
        }
    };
    page("Continue", view.tenant, &content, Some("/assets/submit.js"))
}
