//! The card that a person meets during a flow, and the parts it is made of.
//!
//! Every form of a flow posts the sealed `flow` back, and nothing else that was decided before: what a person may do is
//! the engine's knowledge, not the page's (pitfalls B70). Names that others gave go through [`super::text`].

use maud::{DOCTYPE, Markup, html};

use super::mark;
use super::source::web;
use super::text::{address, initial, name};

/// What every page of a flow knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<'a> {
    /// The tenant's display name; `None` under `common` and its kin, as long as nobody has signed in.
    pub(crate) tenant: Option<&'a str>,
    /// Who asks.
    pub(crate) application: Option<Asking<'a>>,
    /// Where forms post to: a path of this authority.
    pub(crate) action: &'a str,
    /// The sealed state of the flow, hidden field `flow`. It is tied to the browser, so it also stands against forged
    /// posts.
    pub(crate) flow: &'a str,
}

/// The application that asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    /// Its display name.
    pub(crate) name: &'a str,
    /// The domain of who publishes it; `None` is shown as unknown where it matters.
    pub(crate) publisher: Option<&'a str>,
    /// Whether the publisher's domain was verified.
    pub(crate) verified: bool,
    /// Its homepage; only the host is shown.
    pub(crate) homepage: Option<&'a str>,
}

/// A person's account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account<'a> {
    /// An opaque id that means something in this flow only; value of the button `account`.
    pub(crate) id: &'a str,
    /// Display name.
    pub(crate) name: &'a str,
    /// User principal name.
    pub(crate) upn: &'a str,
    /// Whether its session is still good, so that no password is asked for.
    pub(crate) signed_in: bool,
}

/// A page with one card. `title` is ours, never somebody's text: a window's title cannot isolate it. It says "Error:"
/// first when a form is shown again, because it is the first thing that a screen reader says.
pub(super) fn page(title: &str, step_tenant: Option<&str>, content: &Markup, script: Option<&str>) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (head(title))
                @if let Some(script) = script { script src=(script) defer {} }
            }
            body.flow {
                header {
                    (mark())
                    @match step_tenant {
                        Some(tenant) => { span.tenant { (name(tenant)) } }
                        None => { span.tenant { "Countersign" } }
                    }
                }
                main.card { (content) }
                footer { "A local authority for development and tests. It is not Microsoft Entra ID." }
            }
        }
    }
}

/// What stands in every page's head.
pub(super) fn head(title: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="robots" content="noindex";
        title { (title) " – Countersign" }
        link rel="icon" href="/assets/mark.svg" type="image/svg+xml";
        link rel="stylesheet" href="/assets/style.css";
    }
}

/// A form of the flow, with its hidden state.
pub(super) fn form(step: &Step<'_>, content: &Markup) -> Markup {
    html! {
        form method="post" action=(step.action) {
            (hidden("flow", step.flow))
            (content)
        }
    }
}

pub(super) fn hidden(field: &str, value: &str) -> Markup {
    html! { input type="hidden" name=(field) value=(value); }
}

/// Two buttons of equal size: `(field, value, words)` each. The first is what Enter does.
pub(super) fn pair(first: (&str, &str, &str), second: (&str, &str, &str)) -> Markup {
    html! {
        div.pair {
            button.primary name=(first.0) value=(first.1) { (first.2) }
            button name=(second.0) value=(second.1) formnovalidate { (second.2) }
        }
    }
}

/// Who asks, above a page's question.
pub(super) fn asking(application: &Asking<'_>) -> Markup {
    html! {
        div.who {
            span.tile aria-hidden="true" { (initial(application.name)) }
            div {
                strong.clamp { (name(application.name)) }
                @if let Some(domain) = application.publisher {
                    span.quiet { (address(domain)) }
                }
            }
        }
    }
}

/// An account as it stands in a page: sign, name, user principal name.
pub(super) fn account(account: &Account<'_>, note: Option<&Markup>) -> Markup {
    html! {
        span.tile.round aria-hidden="true" { (initial(account.name)) }
        span.lines {
            strong.clamp { (name(account.name)) }
            span.quiet { (address(account.upn)) }
            @if let Some(note) = note { (note) }
        }
    }
}

/// The account that is signed in, and the way to another: a form of its own, so that Enter in the page's main form
/// never means this button.
pub(super) fn signed_in_as(step: &Step<'_>, shown: &Account<'_>) -> Markup {
    html! {
        form.chip method="post" action=(step.action) {
            (hidden("flow", step.flow))
            (account(shown, None))
            button.link name="switch" value="yes" aria-label="Change account" { "Change" }
        }
    }
}

/// A message above a form, with the id `fault`: something was not right, and what to do.
pub(super) fn alert(message: &Markup) -> Markup {
    html! {
        p.alert #fault role="alert" {
            (sign_of_refusal())
            span { (message) }
        }
    }
}

fn sign_of_refusal() -> Markup {
    html! {
        svg viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" {
            circle cx="8" cy="8" r="6.6" {}
            path d="M8 4.6v4M8 11.2v.1" {}
        }
    }
}

/// A padlock.
pub(super) fn lock() -> Markup {
    html! {
        svg viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linejoin="round" {
            rect x="3" y="7" width="10" height="7" rx="1.6" {}
            path d="M5.2 7V5a2.8 2.8 0 0 1 5.6 0v2" {}
        }
    }
}

/// A tick.
pub(super) fn tick() -> Markup {
    html! {
        svg viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" {
            path d="M3.2 8.6l3.2 3.2 6.4-7.2" {}
        }
    }
}

/// The host of a web address, for people.
pub(super) fn host_of(uri: &str) -> Option<&str> {
    let (_, rest) = web(uri)?.split_once("//")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (!host.is_empty()).then_some(host)
}
