//! What an application asks for: consent of a person, of an administrator for the organisation, and the page for those
//! who may not decide.
//!
//! Everything that would be granted is shown, nothing is folded away or cut from the list (pitfalls B69); names are
//! bounded and isolated, and the publisher is named because a name alone can be forged (B68).

use maud::{Markup, html};

use super::card::{Account, Asking, Step, asking, form, host_of, lock, page, pair, signed_in_as, tick};
use super::text::{address, sentence};

/// One permission that is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permission<'a> {
    /// What it allows, as the API's registration says to this reader: `userConsentDisplayName`,
    /// `adminConsentDisplayName`, or an app role's `displayName`.
    pub(crate) title: &'a str,
    /// The description that goes with it; may be empty.
    pub(crate) description: &'a str,
    /// Its technical name: `api://orders/Orders.Read`.
    pub(crate) value: &'a str,
    /// Only an administrator can grant it.
    pub(crate) admin_only: bool,
    /// An app role: the application uses it without a person.
    pub(crate) application_role: bool,
}

/// A person's consent. Buttons: `decision=accept`, `decision=decline`, `switch=yes`; checkbox `for_all=yes`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConsentView<'a> {
    pub(crate) step: Step<'a>,
    pub(crate) account: Account<'a>,
    pub(crate) permissions: &'a [Permission<'a>],
    /// Whether the person is an administrator, who may decide for everybody (`for_all`).
    pub(crate) administrator: bool,
}

/// The consent page.
pub(crate) fn consent(view: &ConsentView<'_>) -> Markup {
    let decide = html! {
        @if view.administrator {
            label.check {
                input type="checkbox" name="for_all" value="yes";
                span {
                    "Consent on behalf of your organisation"
                    span.quiet { "Nobody else in it will be asked for these permissions." }
                }
            }
        }
        (pair(("decision", "accept", "Accept"), ("decision", "decline", "Cancel")))
    };
    let content = html! {
        (opening("Permissions requested", &view.step, &view.account))
        h2 { "This application would like to" }
        (list(view.permissions))
        p.quiet { "Accept only if you trust the application. Consent can be withdrawn at any time." }
        (form(&view.step, &decide))
    };
    page("Permissions requested", view.step.tenant, &content, None)
}

/// An administrator's consent for the organisation (`/adminconsent`). Buttons as in [`ConsentView`], without checkbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdminConsentView<'a> {
    pub(crate) step: Step<'a>,
    pub(crate) account: Account<'a>,
    /// Delegated permissions and app roles, all that would be granted.
    pub(crate) permissions: &'a [Permission<'a>],
}

/// The administrator's page: what people share with the application and what it may do alone, told apart.
pub(crate) fn admin_consent(view: &AdminConsentView<'_>) -> Markup {
    let (roles, delegated): (Vec<Permission<'_>>, Vec<_>) =
        view.permissions.iter().partition(|permission| permission.application_role);
    let content = html! {
        (opening("Permissions for the organisation", &view.step, &view.account))
        @if !delegated.is_empty() {
            h2 { "With a person signed in, it may" }
            (list(&delegated))
        }
        @if !roles.is_empty() {
            h2 { "On its own, without a person, it may" }
            (list(&roles))
        }
        @if view.permissions.is_empty() { p { "It asks for no permission. Accepting makes it known in the organisation." } }
        p.quiet { "If you accept, it gets this access for everybody in the organisation, and nobody else is asked." }
        (form(&view.step, &pair(("decision", "accept", "Accept"), ("decision", "decline", "Cancel"))))
    };
    page("Permissions for the organisation", view.step.tenant, &content, None)
}

/// For a person who may not decide (AADSTS90094). Buttons: `decision=decline` (back to the application), `switch=yes`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NeedApprovalView<'a> {
    pub(crate) step: Step<'a>,
    pub(crate) account: Account<'a>,
    pub(crate) permissions: &'a [Permission<'a>],
}

/// The page says what is asked and who can grant it.
pub(crate) fn need_approval(view: &NeedApprovalView<'_>) -> Markup {
    let ways = html! {
        div.stack {
            button.primary name="switch" value="yes" { "Sign in with an administrator account" }
            button name="decision" value="decline" { "Back to the application" }
        }
    };
    let content = html! {
        (opening("An administrator must approve", &view.step, &view.account))
        p { "You cannot grant these permissions yourself. Ask an administrator of your organisation to approve the application, then open it again." }
        h2 { "It asks to" }
        (list(view.permissions))
        (form(&view.step, &ways))
    };
    page("An administrator must approve", view.step.tenant, &content, None)
}

/// The application and who stands behind it, the question, and who is asked.
fn opening(title: &str, step: &Step<'_>, account: &Account<'_>) -> Markup {
    html! {
        // Without the publisher, which stands below with the word that says what it is worth.
        @if let Some(application) = &step.application { (asking(&Asking { publisher: None, ..*application })) }
        h1 { (title) }
        @if let Some(application) = &step.application { (publisher(application)) }
        (signed_in_as(step, account))
    }
}

fn publisher(application: &Asking<'_>) -> Markup {
    html! {
        dl.facts {
            dt { "Publisher" }
            dd {
                @match application.publisher {
                    Some(domain) => { (address(domain)) " " }
                    None => { "unknown " }
                }
                @if application.verified && application.publisher.is_some() { span.word.granted { (tick()) "Verified" } }
                @else { span.word.attention { "Unverified" } }
            }
            @if let Some(host) = application.homepage.and_then(host_of) {
                dt { "Homepage" }
                dd { (address(host)) }
            }
        }
    }
}

fn list(permissions: &[Permission<'_>]) -> Markup {
    html! {
        ul.permissions {
            @for permission in permissions {
                li {
                    strong { (sentence(if permission.title.is_empty() { permission.value } else { permission.title })) }
                    code { (address(permission.value)) }
                    @if permission.admin_only { span.word.attention { (lock()) "needs an administrator" } }
                    @if !permission.description.is_empty() {
                        span.quiet { (sentence(permission.description)) }
                    }
                }
            }
        }
    }
}
