//! Which account goes on: one that is signed in, one that is chosen, or one that proves itself with a password.
//!
//! Every task of a flow asks here first. What it needs of the sign-in stands in a [`Wish`]; what it gets is an account with
//! a good session, or the page that asks the person. Without a person to ask (`prompt=none`) it gets the refusal, which
//! says no more than that (pitfalls B71).

use axum::response::Response;
use countersign_directory::{Application, Directory};
use countersign_protocol::{AadSts, ServedTenant};
use http::StatusCode;
use maud::Markup;

use super::accounts::Account;
use super::flow::{Flow, Page};
use super::visit::Visit;
use crate::call::Place;
use crate::pages::{self, AccountPickerView, Asking, Policy, SignInFault, SignInView, StaySignedInView, Step};
use crate::refused::Refused;

/// Where every form of a flow is posted to.
pub(super) const ACTION: &str = "/login";

/// How much of a sign-in is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    /// One that is there already will do.
    Any,
    /// Credentials, now (`prompt=login`).
    Fresh,
    /// The person chooses (`prompt=select_account`).
    Chosen,
    /// Nobody may be asked (`prompt=none`).
    Silent,
}

/// What a task needs of the sign-in.
pub(super) struct Wish<'a> {
    pub(super) place: &'a Place,
    pub(super) application: Option<&'a Application>,
    pub(super) demand: Demand,
    /// A user name, or an object id.
    pub(super) login_hint: Option<&'a str>,
    pub(super) domain_hint: Option<&'a str>,
    /// An older sign-in must be repeated, in seconds.
    pub(super) max_age: Option<u32>,
    /// Authentication contexts, one of which the session must satisfy. A sign-in with credentials satisfies all.
    pub(super) contexts: Vec<String>,
    /// Whether to ask about staying signed in.
    pub(super) may_stay: bool,
    /// Where the flow may end.
    pub(super) leads_to: Option<&'a str>,
}

impl<'a> Wish<'a> {
    /// Any account that the path admits, for nobody in particular.
    pub(super) fn at(place: &'a Place) -> Self {
        Self {
            place,
            application: None,
            demand: Demand::Any,
            login_hint: None,
            domain_hint: None,
            max_age: None,
            contexts: Vec::new(),
            may_stay: false,
            leads_to: None,
        }
    }
}

/// What came of it.
pub(super) enum Settled {
    Page(Box<Response>),
    Account(Box<Account>),
}

/// Why the sign-in page is shown again, and what was typed there.
#[derive(Debug, Clone, Default)]
pub(super) struct Retry {
    pub(super) fault: Option<SignInFault>,
    pub(super) login: String,
}

/// Who asks, for pages.
pub(super) fn asking(application: &Application) -> Asking<'_> {
    let registration = application.registration();
    let verified = registration.verified_publisher.as_ref().and_then(|publisher| publisher.get("displayName"));
    Asking {
        name: application.display_name(),
        publisher: registration.publisher_domain.as_deref(),
        verified: verified.is_some_and(|name| !name.is_null()),
        homepage: registration.web.home_page_url.as_deref().or(registration.info.marketing_url.as_deref()),
    }
}

impl<D: Directory> Visit<'_, D> {
    /// A page of the flow with its form.
    pub(super) fn ask(
        &self,
        flow: &mut Flow,
        page: Page,
        wish: &Wish<'_>,
        markup: impl FnOnce(Step<'_>) -> Markup,
    ) -> Response {
        flow.progress.page = page;
        let sealed = self.seal(flow);
        let tenant = super::tenant_name(wish.place);
        let step = Step { tenant, application: wish.application.map(asking), action: ACTION, flow: &sealed };
        pages::send(StatusCode::OK, &markup(step), Policy::Ask { leads_to: wish.leads_to })
    }
}

/// Whether a path admits accounts of this account's tenant.
fn admits(place: &Place, account: &Account) -> bool {
    match place {
        Place::Tenant(tenant) => tenant.id == account.tenant.id,
        Place::Alias(ServedTenant::Consumers) => account.tenant.id == countersign_protocol::MSA_TENANT,
        Place::Alias(_) => true,
    }
}

/// What must be done about an account that would go on.
enum Lack {
    Nothing,
    SignIn,
    Context,
}

fn lack(flow: &Flow, wish: &Wish<'_>, account: &Account, now: i64) -> Lack {
    let Some(session) = &account.session else { return Lack::SignIn };
    if flow.progress.fresh == Some(account.key) {
        return Lack::Nothing;
    }
    let too_old = wish.max_age.is_some_and(|age| now - session.auth_time > i64::from(age));
    if wish.demand == Demand::Fresh || too_old {
        return Lack::SignIn;
    }
    if !wish.contexts.is_empty() && !wish.contexts.iter().any(|context| session.contexts.contains(context)) {
        return Lack::Context;
    }
    Lack::Nothing
}

/// The account that goes on, or the page that finds out.
pub(super) async fn settle<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    wish: &Wish<'_>,
    retry: &Retry,
) -> Result<Settled, Refused> {
    let accounts = visit.accounts().await?;
    let page = |response| Ok(Settled::Page(Box::new(response)));
    if flow.progress.choose && !accounts.is_empty() {
        return page(picker(visit, flow, wish, &accounts));
    }
    if flow.progress.another || flow.progress.choose {
        return page(credentials(visit, flow, wish, retry, &accounts, None));
    }
    let chosen = flow.progress.account.and_then(|id| accounts.iter().find(|account| account.object_id() == id));
    let account = match chosen {
        Some(account) => account,
        None => match pick(wish, &accounts)? {
            Picked::One(account) => account,
            Picked::Choice => return page(picker(visit, flow, wish, &accounts)),
            Picked::Nobody => return page(credentials(visit, flow, wish, retry, &accounts, None)),
        },
    };
    if !admits(wish.place, account) {
        return Err(not_in_tenant(visit, wish, account));
    }
    match (lack(flow, wish, account, visit.now()), wish.demand) {
        (Lack::Nothing, _) => {}
        (Lack::SignIn, Demand::Silent) => return Err(Refused::new(AadSts::NO_SESSION)),
        (Lack::Context, Demand::Silent) => {
            let resource = wish.application.map(|application| application.app_id().to_string()).unwrap_or_default();
            return Err(Refused::new(AadSts::MFA_REQUIRED_ON_BEHALF_OF).with("resource", resource));
        }
        (Lack::SignIn | Lack::Context, _) => {
            flow.progress.account = Some(account.object_id());
            return page(credentials(visit, flow, wish, retry, &accounts, Some(account)));
        }
    }
    flow.progress.account = Some(account.object_id());
    let stays = visit.sessions.entry(account.object_id()).is_some_and(|entry| entry.long);
    if wish.may_stay && flow.progress.fresh == Some(account.key) && !flow.progress.asked_to_stay && !stays {
        return page(visit.ask(flow, Page::StaySignedIn, wish, |step| {
            pages::stay_signed_in(&StaySignedInView { step, account: account.view() })
        }));
    }
    Ok(Settled::Account(Box::new(account.clone())))
}

enum Picked<'a> {
    One(&'a Account),
    Choice,
    Nobody,
}

/// The account that nobody has to be asked for, if there is one.
fn pick<'a>(wish: &Wish<'_>, accounts: &'a [Account]) -> Result<Picked<'a>, Refused> {
    if wish.demand == Demand::Chosen {
        return Ok(if accounts.is_empty() { Picked::Nobody } else { Picked::Choice });
    }
    let mut fitting: Vec<&Account> = accounts.iter().filter(|account| admits(wish.place, account)).collect();
    if let Some(hint) = wish.login_hint {
        fitting.retain(|account| account.is_meant_by(hint));
    } else if let Some(domain) = wish.domain_hint {
        let has = |account: &&Account| account.tenant.domains.iter().any(|own| own.eq_ignore_ascii_case(domain));
        if fitting.iter().any(has) {
            fitting.retain(has);
        }
    }
    let signed_in: Vec<_> = fitting.iter().filter(|account| account.session.is_some()).copied().collect();
    match (signed_in.as_slice(), wish.demand) {
        ([only], _) => Ok(Picked::One(only)),
        ([], Demand::Silent) => Err(Refused::new(AadSts::NO_SESSION)),
        (_, Demand::Silent) => Err(Refused::new(AadSts::ACCOUNT_SELECTION_REQUIRED)),
        ([], _) => Ok(Picked::Nobody),
        _ => Ok(Picked::Choice),
    }
}

/// AADSTS50020: the account is another tenant's.
fn not_in_tenant<D: Directory>(visit: &Visit<'_, D>, wish: &Wish<'_>, account: &Account) -> Refused {
    let (app_id, app_name) = match wish.application {
        Some(application) => (application.app_id().to_string(), application.display_name().to_owned()),
        None => (String::new(), String::new()),
    };
    let tenant = match wish.place {
        Place::Tenant(tenant) => tenant.display_name.clone(),
        Place::Alias(alias) => alias.to_string(),
    };
    Refused::new(AadSts::USER_NOT_IN_TENANT)
        .with("user", account.user.user_principal_name.clone())
        .with("issuer", visit.exchange.origin.cloud.issuer_v1(account.tenant.id))
        .with("tenant", tenant)
        .with("app_id", app_id)
        .with("app_name", app_name)
}

fn picker<D: Directory>(visit: &Visit<'_, D>, flow: &mut Flow, wish: &Wish<'_>, accounts: &[Account]) -> Response {
    let shown: Vec<_> = accounts.iter().map(Account::view).collect();
    visit.ask(flow, Page::Accounts, wish, |step| pages::account_picker(&AccountPickerView { step, accounts: &shown }))
}

fn credentials<D: Directory>(
    visit: &Visit<'_, D>,
    flow: &mut Flow,
    wish: &Wish<'_>,
    retry: &Retry,
    accounts: &[Account],
    account: Option<&Account>,
) -> Response {
    let login = if retry.login.is_empty() { wish.login_hint.unwrap_or_default() } else { &retry.login };
    let others = accounts.iter().any(|other| account.is_none_or(|account| account.object_id() != other.object_id()));
    visit.ask(flow, Page::SignIn, wish, |step| {
        pages::sign_in(&SignInView {
            step,
            account: account.map(Account::view),
            login,
            fault: retry.fault,
            has_others: others,
        })
    })
}
