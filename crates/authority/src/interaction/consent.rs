//! What a client may do in a person's name: shown before it is granted, and granted as it was shown.
//!
//! The page lists what is missing, all of it. What comes back is compared with what is missing then: the same person, in
//! the same browser, and nothing beyond what was shown (pitfalls B67, B69). Administrators may decide for everybody; what
//! only they may decide, others are told (AADSTS90094). The first consent in a tenant brings a multi-tenant application's
//! service principal along.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::response::Response;
use countersign_directory::{
    AppRoleAssignment, Commit, Directory, Grants, PermissionGrant, Principal, ServicePrincipals, StoreError,
};
use countersign_protocol::form::Form;
use countersign_protocol::graph::{AppRole, PermissionScope};
use countersign_protocol::{AadSts, Prompt, UserScopes};
use countersign_token::{ClientId, ObjectId, TenantId, base64url_encode};
use uuid::Uuid;

use super::accounts::Account;
use super::authorize::Standing;
use super::combined::combined;
use super::flow::{Flow, Page, Shown};
use super::sign_in::{Demand, Wish};
use super::visit::Visit;
use crate::core::Core;
use crate::grants::consent::{Extent, MissingConsent, asked_consent, consent_required};
use crate::grants::digest::digest;
use crate::pages::{self, AdminConsentView, ConsentView, NeedApprovalView, Permission};
use crate::refused::Refused;
use crate::registry::Resource;

/// What a client asks for.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) wanted: &'a UserScopes,
    pub(super) prompt: Option<Prompt>,
}

impl Request<'_> {
    /// Whether the page is wanted though everything is granted.
    fn is_prompted(&self) -> bool {
        matches!(self.prompt, Some(Prompt::Consent | Prompt::AdminConsent))
    }
}

/// What the person decided.
pub(super) enum Decision {
    /// The flow goes on, with a page or with the answer.
    GoOn,
    /// They want none of it, or may not decide.
    Declined(&'static AadSts),
}

/// What came of the question.
pub(super) enum Outcome {
    Page(Box<Response>),
    /// Everything is granted that has to be.
    Settled,
}

/// The consent page, if something is missing.
pub(super) async fn settle<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    wish: &Wish<'_>,
    request: Request<'_>,
    account: &Account,
    standing: &Standing,
) -> Result<Outcome, Refused> {
    let extent = if request.is_prompted() && !flow.progress.accepted { Extent::Everything } else { Extent::Missing };
    let list = asked(visit, request, account, standing, extent).await?;
    if list.is_empty() && standing.installed {
        return Ok(Outcome::Settled);
    }
    if wish.demand == Demand::Silent {
        return Err(consent_required(AadSts::CONSENT_REQUIRED_AT_AUTHORIZE, &standing.client));
    }
    Ok(Outcome::Page(Box::new(ask(visit, flow, wish, account, standing, &list, request.prompt))))
}

async fn asked<D: Directory>(
    visit: &Visit<'_, D>,
    request: Request<'_>,
    account: &Account,
    standing: &Standing,
    extent: Extent,
) -> Result<Vec<MissingConsent>, Refused> {
    // A v1.0 request without a resource wants to know who signs in and nothing else; at v2.0 it means Microsoft Graph.
    if request.wanted.default && request.wanted.resource.is_none() && !request.wanted.is_microsoft_graph() {
        return Ok(Vec::new());
    }
    let (client, principal, wanted) = (&standing.client, &standing.principal, request.wanted);
    let list = asked_consent(visit.core, &account.tenant, client, principal, &account.user, wanted, extent).await;
    match (list, &wanted.resource) {
        (Err(refused), Some(name)) if refused.aadsts.code == AadSts::RESOURCE_NOT_FOUND.code && wanted.default => {
            combined(visit.core, account, standing, name.as_str()).await?.ok_or(refused)
        }
        (list, _) => list,
    }
}

/// Whether accepting would bring an application into a tenant in which people may not consent, whatever it asks for.
fn brings_in(account: &Account, standing: &Standing) -> bool {
    !standing.installed && !account.tenant.user_consent_allowed
}

/// The page that asks, or the one that says who must be asked.
fn ask<D: Directory>(
    visit: &Visit<'_, D>,
    flow: &mut Flow,
    wish: &Wish<'_>,
    account: &Account,
    standing: &Standing,
    list: &[MissingConsent],
    prompt: Option<Prompt>,
) -> Response {
    flow.progress.shown = Some(Shown { user: account.object_id(), permissions: names(visit.core, list) });
    let lines = lines(list, account.user.is_administrator);
    let shown: Vec<Permission<'_>> = lines.iter().map(Line::view).collect();
    let for_everybody = prompt == Some(Prompt::AdminConsent);
    let administrators_only = for_everybody || brings_in(account, standing) || lines.iter().any(|line| line.admin_only);
    if for_everybody && account.user.is_administrator {
        // The page that says that it is for everybody: what is granted is what was read.
        return visit.ask(flow, Page::Consent, wish, |step| {
            pages::admin_consent(&AdminConsentView { step, account: account.view(), permissions: &shown })
        });
    }
    if administrators_only && !account.user.is_administrator {
        return visit.ask(flow, Page::NeedApproval, wish, |step| {
            pages::need_approval(&NeedApprovalView { step, account: account.view(), permissions: &shown })
        });
    }
    visit.ask(flow, Page::Consent, wish, |step| {
        pages::consent(&ConsentView {
            step,
            account: account.view(),
            permissions: &shown,
            administrator: account.user.is_administrator,
        })
    })
}

/// Takes in what was posted from the consent page.
pub(super) async fn take<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    request: Request<'_>,
    account: &Account,
    standing: &Standing,
    form: &Form,
) -> Result<Decision, Refused> {
    match (flow.progress.page, form.get("decision")) {
        (Page::Consent, Some("accept")) => {}
        (Page::NeedApproval, Some("decline")) => return Ok(Decision::Declined(AadSts::ADMIN_CONSENT_REQUIRED)),
        (Page::Consent, Some("decline")) => return Ok(Decision::Declined(AadSts::CONSENT_DECLINED)),
        _ => return Ok(Decision::GoOn),
    }
    let Some(shown) = flow.progress.shown.take() else { return Ok(Decision::GoOn) };
    let extent = if request.is_prompted() { Extent::Everything } else { Extent::Missing };
    let list = asked(visit, request, account, standing, extent).await?;
    let within = names(visit.core, &list).iter().all(|name| shown.permissions.contains(name));
    let may = account.user.is_administrator
        || !(brings_in(account, standing)
            || list.iter().flat_map(|entry| &entry.scopes).any(|scope| scope.needs_administrator));
    if shown.user != account.object_id() || !within || !may {
        // Shown anew, to whoever sits there now.
        return Ok(Decision::GoOn);
    }
    let for_all = form.get("for_all") == Some("yes") || request.prompt == Some(Prompt::AdminConsent);
    let whom = if for_all && account.user.is_administrator { None } else { Some(account.object_id()) };
    grant(visit, account.tenant.id, standing, &list, &[], whom).await?;
    flow.progress.accepted = true;
    Ok(Decision::GoOn)
}

/// Writes what was accepted, all of it or nothing.
pub(super) async fn grant<D: Directory>(
    visit: &Visit<'_, D>,
    tenant: TenantId,
    standing: &Standing,
    list: &[MissingConsent],
    roles: &[(Arc<Resource>, AppRole)],
    user: Option<ObjectId>,
) -> Result<(), Refused> {
    let mut tx = visit.core.registry.directory().begin().await?;
    let parties = list.iter().flat_map(|entry| [&entry.client, &entry.resource.service_principal]);
    for principal in std::iter::once(&standing.principal).chain(parties) {
        if tx.service_principal(tenant, principal.app_id).await?.is_some() {
            continue;
        }
        match tx.insert_service_principal(principal).await {
            // Somebody else's consent came first.
            Ok(()) | Err(StoreError::AlreadyExists(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    for entry in list {
        let resource = entry.resource.service_principal.object_id;
        let held = tx.permission_grants_of(tenant, entry.client.object_id).await?;
        let held = held.into_iter().filter(|grant| grant.resource == resource && grant.user == user);
        let mut scopes: BTreeSet<String> = held.flat_map(|grant| grant.scopes).collect();
        scopes.extend(entry.scopes.iter().filter_map(|missing| missing.scope.value.clone()));
        tx.put_permission_grant(&PermissionGrant::new(tenant, entry.client.object_id, resource, user, scopes)).await?;
    }
    for (resource, role) in roles {
        let client = Principal::ServicePrincipal(standing.principal.object_id);
        let id = resource.service_principal.object_id;
        let assignment = AppRoleAssignment::new(tenant, client, id, role.id, visit.exchange.now);
        match tx.assign_app_role(&assignment).await {
            Ok(()) | Err(StoreError::AlreadyExists(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    tx.commit().await?;
    tracing::info!(
        target: "countersign_authority::consented",
        %tenant,
        client = %standing.principal.app_id,
        for_everybody = user.is_none(),
        correlation_id = %visit.exchange.correlation_id(),
    );
    Ok(())
}

/// What a list grants, for comparing: a short name for each permission that a client would have at a resource.
pub(super) fn names<D: Directory>(core: &Core<D>, list: &[MissingConsent]) -> Vec<String> {
    let of = |entry: &MissingConsent| -> Vec<String> {
        let (client, resource) = (entry.client.app_id, entry.resource.application.app_id());
        entry.scopes.iter().map(|missing| name(core, client, resource, missing.scope.id)).collect()
    };
    list.iter().flat_map(of).collect()
}

/// The name of one permission. A registration may list 400, and a page carries them all.
pub(super) fn name<D: Directory>(core: &Core<D>, client: ClientId, resource: ClientId, permission: Uuid) -> String {
    base64url_encode(&digest(&core.vault, "shown", &format!("{client} {resource} {permission}"))[..12])
}

/// One line of a page.
pub(super) struct Line {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) value: String,
    pub(super) admin_only: bool,
    pub(super) application_role: bool,
}

impl Line {
    pub(super) fn view(&self) -> Permission<'_> {
        Permission {
            title: &self.title,
            description: &self.description,
            value: &self.value,
            admin_only: self.admin_only,
            application_role: self.application_role,
        }
    }
}

/// The permissions as a reader understands them: a user in the words for users, an administrator in those for them.
pub(super) fn lines(list: &[MissingConsent], administrator: bool) -> Vec<Line> {
    let of = |entry: &MissingConsent| -> Vec<Line> {
        let application = &entry.resource.application;
        let prefix = application.identifier_uris().first().cloned().unwrap_or_else(|| application.app_id().to_string());
        let line = |scope: &PermissionScope, admin_only| {
            let pick = |user: &Option<String>, admin: &Option<String>| {
                let (first, second) = if administrator { (admin, user) } else { (user, admin) };
                first.clone().or_else(|| second.clone()).unwrap_or_default()
            };
            Line {
                title: pick(&scope.user_consent_display_name, &scope.admin_consent_display_name),
                description: pick(&scope.user_consent_description, &scope.admin_consent_description),
                value: format!("{}/{}", prefix.trim_end_matches('/'), scope.value.as_deref().unwrap_or_default()),
                admin_only,
                application_role: false,
            }
        };
        entry.scopes.iter().map(|missing| line(&missing.scope, missing.needs_administrator)).collect()
    };
    list.iter().flat_map(of).collect()
}
