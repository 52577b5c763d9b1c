//! The device code pages (RFC 8628 §3.3): enter the code, confirm who signs in, done.
//!
//! The person confirms the application's name before anything is granted, so that a code slipped to them by somebody
//! else does not sign that somebody in unnoticed (pitfalls B59, RFC 8628 §5.4).

use maud::{Markup, html};

use super::card::{Account, Asking, Step, alert, asking, form, page, pair, signed_in_as, tick};
use super::text::{name, typed};

/// Where the code is entered. Fields: `code`, `flow`; button `next=yes`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeviceCodeView<'a> {
    pub(crate) step: Step<'a>,
    /// What was typed.
    pub(crate) code: &'a str,
    pub(crate) fault: Option<DeviceCodeFault>,
}

/// Why the code is asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceCodeFault {
    Missing,
    /// Not nine letters and digits, unknown, used, or expired: one text for all of them.
    Wrong,
    TooManyAttempts,
}

impl DeviceCodeFault {
    fn message(self) -> &'static str {
        match self {
            Self::Missing => "Enter the code that the other device shows.",
            Self::Wrong => "This code is not valid, or no longer. Check it, or have the device show a new one.",
            Self::TooManyAttempts => "Too many attempts. Wait a minute, then enter the code again.",
        }
    }
}

/// The page that a device sends people to.
pub(crate) fn device_code(view: &DeviceCodeView<'_>) -> Markup {
    let faulty = view.fault.is_some();
    let fields = html! {
        @if let Some(fault) = view.fault { (alert(&html! { (fault.message()) })) }
        label for="code" { "Code" }
        input.code #code type="text" name="code" value=(typed(view.code)) autocomplete="one-time-code" autocapitalize="characters"
            spellcheck="false" maxlength="16" required autofocus
            aria-invalid=[faulty.then_some("true")]
            aria-describedby=(if faulty { "fault about-code" } else { "about-code" });
        p.quiet #about-code { "Nine letters and digits. Small letters do as well." }
        button.primary name="next" value="yes" { "Next" }
    };
    let content = html! {
        h1 { "Enter the code" }
        p { "The application or device that wants to sign in shows it. Enter a code only if you asked for it yourself." }
        (form(&view.step, &fields))
    };
    page(if faulty { "Error: Enter the code" } else { "Enter the code" }, view.step.tenant, &content, None)
}

/// Confirms who signs in. Buttons: `decision=accept`, `decision=decline`, `switch=yes` if an account is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeviceConfirmView<'a> {
    /// With the application: a device code belongs to one.
    pub(crate) step: Step<'a>,
    /// The account that would sign in, once known.
    pub(crate) account: Option<Account<'a>>,
    /// The code, shown so that it can be compared.
    pub(crate) code: &'a str,
}

/// "Are you trying to sign in to …?"
pub(crate) fn device_confirm(view: &DeviceConfirmView<'_>) -> Markup {
    let application =
        view.step.application.unwrap_or(Asking { name: "", publisher: None, verified: false, homepage: None });
    let content = html! {
        (asking(&application))
        h1 { "Sign in on another device?" }
        @if let Some(account) = &view.account { (signed_in_as(&view.step, account)) }
        p { strong { (name(application.name)) } " asks to sign in on the device that shows this code:" }
        p.shown { code { (name(view.code)) } }
        p.quiet { "Continue only if you started this yourself and see the code in front of you. Whoever sent you a code would be signed in as you." }
        (form(&view.step, &pair(("decision", "accept", "Continue"), ("decision", "decline", "Cancel"))))
    };
    page("Sign in on another device?", view.step.tenant, &content, None)
}

/// The end of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeviceDoneView<'a> {
    pub(crate) tenant: Option<&'a str>,
    pub(crate) application: Asking<'a>,
    pub(crate) approved: bool,
}

/// Signed in, or not.
pub(crate) fn device_done(view: &DeviceDoneView<'_>) -> Markup {
    let title = if view.approved { "Signed in" } else { "Not signed in" };
    let content = html! {
        (asking(&view.application))
        h1 { (title) }
        @if view.approved {
            p { span.word.granted { (tick()) "Done" } " – " (name(view.application.name)) " is signed in on the other device." }
            p { "You can close this window and go on there." }
        } @else {
            p { (name(view.application.name)) " was not signed in. You can close this window." }
            p.quiet { "If you did not expect the question, nothing else needs to be done." }
        }
    };
    page(title, view.tenant, &content, None)
}
