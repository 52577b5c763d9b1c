//! Signing in: account and password, which account, and whether to stay signed in.
//!
//! The page never says which half of the credentials was wrong (pitfalls on user enumeration): there is one fault for
//! both.

use maud::{Markup, html};

use super::card::{Account, Step, account, alert, asking, form, page, pair, signed_in_as, tick};
use super::text::{address, typed};

/// The sign-in page. Fields: `login`, `passwd`, `flow`; buttons `signin=yes`, `cancel=yes`, `switch=yes`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignInView<'a> {
    pub(crate) step: Step<'a>,
    /// The account that must prove itself, already chosen: only the password is asked for. `login` is sent along,
    /// hidden.
    pub(crate) account: Option<Account<'a>>,
    /// What was typed as account, or `login_hint`.
    pub(crate) login: &'a str,
    pub(crate) fault: Option<SignInFault>,
    /// Whether other accounts are signed in, so that there is a way back to them (`switch`).
    pub(crate) has_others: bool,
}

/// Why the sign-in page is shown again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignInFault {
    /// No account was typed.
    LoginMissing,
    /// No password was typed.
    PasswordMissing,
    /// Account or password is wrong, the account is not there or switched off (AADSTS50126, 50034, 50057).
    Credentials,
    /// Too many attempts; the same words whether or not the account is there (AADSTS50053).
    TooManyAttempts,
    /// The page stood open for too long, or its state does not fit this browser.
    Stale,
}

impl SignInFault {
    fn message(self) -> &'static str {
        match self {
            Self::LoginMissing => "Enter the account, for example anna@contoso.example.",
            Self::PasswordMissing => "Enter the password.",
            Self::Credentials => "Account or password is not right. Check both and sign in again.",
            Self::TooManyAttempts => "Too many attempts. Wait a minute, then sign in again.",
            Self::Stale => "This page stood open for too long. Sign in again.",
        }
    }
}

/// One page with both fields; with a chosen account only the password.
pub(crate) fn sign_in(view: &SignInView<'_>) -> Markup {
    let message = view.fault.map(|_| "fault");
    let login_faulty =
        view.fault.is_some_and(|fault| matches!(fault, SignInFault::LoginMissing | SignInFault::Credentials));
    let password_faulty =
        view.fault.is_some_and(|fault| matches!(fault, SignInFault::PasswordMissing | SignInFault::Credentials));
    // After a wrong pair the account stays and the password must be typed anew, whichever was wrong.
    let login_first =
        view.account.is_none() && (view.login.is_empty() || view.fault == Some(SignInFault::LoginMissing));
    let fields = html! {
        @if let Some(fault) = view.fault { (alert(&html! { (fault.message()) })) }
        @match &view.account {
            Some(account) => {
                input type="hidden" name="login" value=(account.upn) autocomplete="username";
            }
            None => {
                label for="login" { "Account" }
                input #login name="login" type="text" inputmode="email" value=(typed(view.login)) autocomplete="username"
                    autocapitalize="none" spellcheck="false" maxlength="256" required autofocus[login_first]
                    aria-invalid=[login_faulty.then_some("true")] aria-describedby=[message.filter(|_| login_faulty)];
            }
        }
        label for="passwd" { "Password" }
        input #passwd name="passwd" type="password" autocomplete="current-password" maxlength="256" required
            autofocus[!login_first]
            aria-invalid=[password_faulty.then_some("true")] aria-describedby=[message.filter(|_| password_faulty)];
        (pair(("signin", "yes", "Sign in"), ("cancel", "yes", "Cancel")))
    };
    let content = html! {
        @if let Some(application) = &view.step.application { (asking(application)) }
        h1 { "Sign in" }
        @if let Some(account) = &view.account { (signed_in_as(&view.step, account)) }
        (form(&view.step, &fields))
        @if view.account.is_none() && view.has_others {
            (form(&view.step, &html! { button.link name="switch" value="yes" { "Choose an account that is signed in" } }))
        }
    };
    page(if view.fault.is_some() { "Error: Sign in" } else { "Sign in" }, view.step.tenant, &content, None)
}

/// The account picker. Buttons: `account={id}` each, `account=other`, `forget={id}` (sign out and leave the list),
/// `cancel=yes`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AccountPickerView<'a> {
    pub(crate) step: Step<'a>,
    pub(crate) accounts: &'a [Account<'a>],
}

/// Which of the accounts goes on.
pub(crate) fn account_picker(view: &AccountPickerView<'_>) -> Markup {
    let signed_in = html! { span.word.granted { (tick()) "Signed in" } };
    let signed_out = html! { span.quiet { "Signed out" } };
    let list = html! {
        ul.accounts {
            @for each in view.accounts {
                li {
                    button.row name="account" value=(each.id) {
                        (account(each, Some(if each.signed_in { &signed_in } else { &signed_out })))
                    }
                    button.link name="forget" value=(each.id) {
                        @if each.signed_in { "Sign out" } @else { "Forget" }
                        span.unseen { " " (address(each.upn)) }
                    }
                }
            }
            li {
                button.row name="account" value="other" {
                    span.tile.round aria-hidden="true" { "+" }
                    span.lines { strong { "Use another account" } }
                }
            }
        }
        button name="cancel" value="yes" { "Cancel" }
    };
    let content = html! {
        @if let Some(application) = &view.step.application { (asking(application)) }
        h1 { "Choose an account" }
        (form(&view.step, &list))
    };
    page("Choose an account", view.step.tenant, &content, None)
}

/// Whether to stay signed in. Buttons: `kmsi=yes`, `kmsi=no`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StaySignedInView<'a> {
    pub(crate) step: Step<'a>,
    pub(crate) account: Account<'a>,
}

/// The question after a password.
pub(crate) fn stay_signed_in(view: &StaySignedInView<'_>) -> Markup {
    let content = html! {
        @if let Some(application) = &view.step.application { (asking(application)) }
        h1 { "Stay signed in?" }
        div.chip { (account(&view.account, None)) }
        p { "If you stay signed in, this browser does not ask for the password again after it is closed." }
        p.quiet { "Say no on a computer that you share." }
        (form(&view.step, &pair(("kmsi", "yes", "Yes"), ("kmsi", "no", "No"))))
    };
    page("Stay signed in?", view.step.tenant, &content, None)
}
