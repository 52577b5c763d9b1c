//! The posts of the sign-in pages: account and password, a choice among accounts, staying signed in.
//!
//! Whoever is not signed in learns nothing about accounts: the page says the same and takes the same time for a wrong
//! password, an unknown name, an unknown domain and another tenant's user (pitfalls B86). What keeps a known user out is
//! said after the password was right.

use std::sync::Arc;
use std::time::Duration;

use countersign_directory::{Directory, Purpose, Tenant, User};
use countersign_protocol::form::Form;
use countersign_protocol::{AadSts, MSA_TENANT, ServedTenant, TenantSegment};
use countersign_token::{ObjectId, Timestamp};
use secrecy::SecretString;

use super::accounts::{enabled_tenant, password_name};
use super::flow::{Flow, Page, Progress};
use super::sessions::LONG_SECONDS;
use super::sign_in::{Retry, Wish};
use super::visit::Visit;
use crate::call::Place;
use crate::grants::password::check_password;
use crate::pages::SignInFault;
use crate::refused::Refused;
use crate::subject::SessionFacts;

/// What the person wants whose post this is.
#[derive(Debug)]
pub(super) enum Said {
    /// Nothing that ends the way: go on.
    GoOn(Retry),
    /// They want no more of it.
    Cancelled,
}

/// Takes in what was posted from the page on which the flow stands, if it is one of these pages.
pub(super) async fn take<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    wish: &Wish<'_>,
    form: &Form,
) -> Result<Said, Refused> {
    let on = Ok(Said::GoOn(Retry::default()));
    if form.get("switch").is_some() {
        let any = !visit.sessions.0.is_empty() && flow.progress.page != Page::Accounts;
        flow.progress = Progress { choose: any, another: !any, ..Progress::default() };
        return on;
    }
    match flow.progress.page {
        Page::SignIn | Page::Accounts if form.get("cancel").is_some() => Ok(Said::Cancelled),
        Page::SignIn => Ok(Said::GoOn(sign_in(visit, flow, wish, form).await?)),
        Page::Accounts => {
            choose(visit, flow, form).await?;
            on
        }
        Page::StaySignedIn => {
            if let Some(user) = flow.progress.account {
                let now = visit.now();
                visit.sessions.stay(user, form.get("kmsi") == Some("yes"), now);
                flow.progress.asked_to_stay = true;
            }
            on
        }
        _ => on,
    }
}

/// One of the listed accounts goes on, another one signs in, or one leaves the list.
async fn choose<D: Directory>(visit: &mut Visit<'_, D>, flow: &mut Flow, form: &Form) -> Result<(), Refused> {
    let listed = |text: &str| -> Option<ObjectId> {
        let id = text.parse().ok()?;
        visit.sessions.entry(id).map(|entry| entry.user)
    };
    if let Some(id) = form.get("forget").and_then(listed) {
        if let Some(ended) = visit.sessions.sign_out(id, true) {
            visit.spend_session(&ended).await?;
        }
        flow.progress.choose = !visit.sessions.0.is_empty();
        flow.progress.another = !flow.progress.choose;
        return Ok(());
    }
    match form.get("account") {
        Some("other") => flow.progress = Progress { another: true, ..Progress::default() },
        Some(text) => {
            if let Some(id) = listed(text) {
                flow.progress = Progress { account: Some(id), ..Progress::default() };
            }
        }
        None => {}
    }
    Ok(())
}

async fn sign_in<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    wish: &Wish<'_>,
    form: &Form,
) -> Result<Retry, Refused> {
    let login = form.get("login").map(str::trim).unwrap_or_default().to_owned();
    let again = |fault| Ok(Retry { fault: Some(fault), login: login.clone() });
    if login.is_empty() {
        return again(SignInFault::LoginMissing);
    }
    let Some(password) = form.secret("passwd") else { return again(SignInFault::PasswordMissing) };
    let (tenant, user) = match prove(visit, wish, &login, password).await {
        Ok(proven) => proven,
        Err(refused) => match refused.aadsts.code {
            50034 | 50056 | 50126 => return again(SignInFault::Credentials),
            50053 => return again(SignInFault::TooManyAttempts),
            _ => return Err(refused),
        },
    };
    if !user.account_enabled {
        return Err(Refused::new(AadSts::ACCOUNT_DISABLED));
    }
    // Each page's form is good for one sign-in, so that nobody signs in again by going back in somebody else's browser.
    let until = Timestamp::from_unix_seconds(flow.expires);
    let form_digest = visit.digest("sign-in form", flow.form);
    if !visit.core.registry.directory().spend(Purpose::Interaction, &form_digest, until).await? {
        return again(SignInFault::Stale);
    }
    begin_session(visit, flow, wish, &tenant, &user).await?;
    Ok(Retry::default())
}

/// Gives the account a session, under new ids for session and browser (pitfalls B66).
async fn begin_session<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    wish: &Wish<'_>,
    tenant: &Tenant,
    user: &User,
) -> Result<(), Refused> {
    let (now, randomness) = (visit.now(), &*visit.core.randomness);
    // A revocation in this very second lies behind whoever signs in after it.
    let revoked_until = user.tokens_valid_from.plus(Duration::from_nanos(999_999_999)).as_unix_seconds();
    let mut session = SessionFacts::by_password(randomness.uuid_v4(), now.max(revoked_until.min(now + 1)));
    session.contexts.clone_from(&wish.contexts);
    let key = randomness.uuid_v4();
    let password = password_name(visit.core, user);
    if let Some(before) = visit.sessions.sign_in(tenant.id, user.object_id, key, password, session, now) {
        visit.spend_key(before, now + LONG_SECONDS).await?;
    }
    visit.change_level();
    flow.progress = Progress { account: Some(user.object_id), fresh: Some(key), ..Progress::default() };
    tracing::info!(
        target: "countersign_authority::signed_in",
        tenant = %tenant.id,
        user = %user.object_id,
        correlation_id = %visit.exchange.correlation_id(),
    );
    Ok(())
}

/// The user with this name and password. Whatever comes of it, one password was checked.
async fn prove<D: Directory>(
    visit: &Visit<'_, D>,
    wish: &Wish<'_>,
    login: &str,
    password: &SecretString,
) -> Result<(Arc<Tenant>, Arc<User>), Refused> {
    let tenant = tenant_of(visit, wish, login).await?;
    let Some(tenant) = tenant else {
        // Nobody's domain: the time is spent at the application's home.
        let home = match wish.application {
            Some(application) => enabled_tenant(visit.core, application.tenant()).await?,
            None => None,
        };
        if let Some(home) = home {
            check_password(visit.core, &home, &format!("{login}\u{0}"), password, visit.exchange.now).await?;
        }
        return Err(Refused::new(AadSts::USER_NOT_FOUND)
            .with("user", login.to_owned())
            .with("tenant", "organizations"));
    };
    let user = check_password(visit.core, &tenant, login, password, visit.exchange.now).await?;
    Ok((tenant, user))
}

/// The tenant in which a name signs in: the path's, if it has such a user or none other has the domain; else the domain's.
async fn tenant_of<D: Directory>(
    visit: &Visit<'_, D>,
    wish: &Wish<'_>,
    login: &str,
) -> Result<Option<Arc<Tenant>>, Refused> {
    let registry = &visit.core.registry;
    let here = match wish.place {
        Place::Tenant(tenant) => Some(Arc::clone(tenant)),
        Place::Alias(ServedTenant::Consumers) => return enabled_tenant(visit.core, MSA_TENANT).await,
        Place::Alias(_) => None,
    };
    let domain = login.rsplit_once('@').map(|(_, domain)| TenantSegment::parse(domain));
    let by_domain = match domain {
        Some(Ok(segment @ TenantSegment::Domain(_))) => {
            registry.tenant(&segment).await?.filter(|tenant| tenant.enabled)
        }
        _ => None,
    };
    let Some(here) = here else { return Ok(by_domain) };
    if registry.user_named(here.id, login).await?.is_some() {
        return Ok(Some(here));
    }
    Ok(Some(by_domain.unwrap_or(here)))
}
