//! Signing out: the question, the choice, and the page that tells other applications (OpenID Connect Front-Channel
//! Logout 1.0).
//!
//! Without a valid hint a link from anywhere could sign people out, so the page asks first (pitfalls B72).

use maud::{Markup, html};

use super::card::{Account, Step, account, form, page, pair, tick};
use super::source::{safe, web};
use super::text::address;

/// Asks before signing out. Buttons: `signout=yes`, `signout=no`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignOutView<'a> {
    pub(crate) step: Step<'a>,
    pub(crate) account: Option<Account<'a>>,
}

/// "Sign out?"
pub(crate) fn sign_out(view: &SignOutView<'_>) -> Markup {
    let content = html! {
        h1 { "Sign out?" }
        @if let Some(shown) = &view.account { div.chip { (account(shown, None)) } }
        p { "You will be signed out of this authority in this browser, and of the applications that listen to it." }
        (form(&view.step, &pair(("signout", "yes", "Sign out"), ("signout", "no", "Stay signed in"))))
    };
    page("Sign out?", view.step.tenant, &content, None)
}

/// Which of several accounts signs out. Buttons: `account={id}`, `account=all`, `signout=no`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignOutChoiceView<'a> {
    pub(crate) step: Step<'a>,
    pub(crate) accounts: &'a [Account<'a>],
}

/// "Which account do you want to sign out of?"
pub(crate) fn sign_out_choice(view: &SignOutChoiceView<'_>) -> Markup {
    let list = html! {
        ul.accounts {
            @for each in view.accounts {
                li { button.row name="account" value=(each.id) { (account(each, None)) } }
            }
        }
        (pair(("account", "all", "Sign out of all"), ("signout", "no", "Stay signed in")))
    };
    let content = html! {
        h1 { "Which account do you want to sign out of?" }
        (form(&view.step, &list))
    };
    page("Sign out", view.step.tenant, &content, None)
}

/// The end of a session. Send it with `Policy::Frames(view.frames)`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedOutView<'a> {
    pub(crate) tenant: Option<&'a str>,
    /// User principal name of who has left, if one account did.
    pub(crate) upn: Option<&'a str>,
    /// Front-channel logout URLs of the applications that were signed in to, with `iss` and `sid` where asked for.
    pub(crate) frames: &'a [&'a str],
    /// Where the application asked to go afterwards, if registered: the page goes there by itself once the frames have
    /// loaded.
    pub(crate) continue_to: Option<&'a str>,
}

/// The signed-out page.
pub(crate) fn signed_out(view: &SignedOutView<'_>) -> Markup {
    let next = view.continue_to.and_then(safe);
    let content = html! {
        h1 { "Signed out" }
        p {
            span.word.granted { (tick()) "Done" } " – "
            @match view.upn {
                Some(upn) => { (address(upn)) " is signed out in this browser." }
                None => { "You are signed out in this browser." }
            }
        }
        @if let Some(next) = next {
            a.button #continue href=(next) rel="noreferrer" { "Continue" }
        } @else {
            p.quiet { "Close the browser if others use this computer too." }
        }
        @for url in view.frames.iter().copied().filter_map(web) {
            iframe hidden src=(url) title="Signing out of an application" {}
        }
    };
    page("Signed out", view.tenant, &content, next.map(|_| "/assets/continue.js"))
}
