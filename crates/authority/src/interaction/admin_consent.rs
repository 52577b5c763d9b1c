//! `/{tenant}/adminconsent` and `/{tenant}/v2.0/adminconsent`: an administrator's consent for the whole organisation.
//!
//! v1.0 and `.default` ask for all that the registration lists, application permissions included; a v2.0 request may name
//! delegated permissions of one resource instead. What is granted holds for everybody and is exactly what the page showed.
//!
//! Source: "Admin consent on the Microsoft identity platform", Microsoft.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_directory::{Application, Directory};
use countersign_protocol::form::Form;
use countersign_protocol::graph::{AppRole, ResourceAccessType};
use countersign_protocol::{AadSts, AdminConsentRequest, AdminConsentResponse, EndpointVersion, UserScopes};
use countersign_token::ClientId;

use super::accounts::Account;
use super::answer::deliver;
use super::authorization::{Fault, Reply, client, parse_fault};
use super::authorize::Standing;
use super::consent::{Line, grant, lines, name, names};
use super::credentials::{self, Said};
use super::fault::{Names, page};
use super::flow::{Flow, Page, Question, Shown, Task};
use super::question::{self, Heard, Understood};
use super::sign_in::{Retry, Settled, Wish, settle};
use super::visit::Visit;
use crate::call::Place;
use crate::core::Core;
use crate::endpoints::TenantPath;
use crate::grants::consent::{Extent, MissingConsent, MissingScope, asked_consent};
use crate::pages::{self, AdminConsentView, NeedApprovalView, Permission};
use crate::refused::Refused;
use crate::registry::Resource;

/// A request for an administrator's consent.
pub(crate) async fn admin_consent<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    tenant: TenantPath,
    version: EndpointVersion,
    request: Request,
) -> Response {
    question::begin(&core, &tenant, version, request, Task::AdminConsent).await
}

/// A request that is understood.
pub(super) struct Asking {
    place: Place,
    version: EndpointVersion,
    application: Arc<Application>,
    reply: Reply,
    request: AdminConsentRequest,
}

impl Asking {
    fn wish(&self) -> Wish<'_> {
        Wish {
            application: Some(&self.application),
            may_stay: true,
            leads_to: Some(&self.reply.redirect_uri),
            ..Wish::at(&self.place)
        }
    }

    fn answer(&self, response: &AdminConsentResponse) -> Response {
        let names = Names { tenant: None, application: Some(self.application.display_name()) };
        deliver(&response.deliver(&self.reply.redirect_uri, self.version), names)
    }

    fn declined(&self) -> Response {
        self.answer(&AdminConsentResponse::Declined { state: self.request.state.clone() })
    }

    /// All that would be granted in the account's tenant.
    async fn wanted<D: Directory>(
        &self,
        visit: &Visit<'_, D>,
        account: &Account,
        standing: &Standing,
    ) -> Result<Wanted, Refused> {
        if let Some(scope) = self.request.scope.as_deref() {
            let scopes = UserScopes::parse(EndpointVersion::V2, Some(scope), None).map_err(|error| {
                let refused = Refused::new(error.aadsts_at_authorize());
                match error.insertion() {
                    Some((name, value)) => refused.with(name, value.to_owned()),
                    None => refused,
                }
            })?;
            if !scopes.default {
                let (client, principal, user) = (&standing.client, &standing.principal, &account.user);
                let delegated =
                    asked_consent(visit.core, &account.tenant, client, principal, user, &scopes, Extent::Everything)
                        .await?;
                return Ok(Wanted { delegated, roles: Vec::new() });
            }
        }
        registered(visit.core, account, standing).await
    }
}

/// Delegated permissions and application permissions.
struct Wanted {
    delegated: Vec<MissingConsent>,
    roles: Vec<(Arc<Resource>, AppRole)>,
}

impl Wanted {
    /// For comparing with what was shown.
    fn names<D: Directory>(&self, core: &Core<D>, client: ClientId) -> Vec<String> {
        let roles =
            self.roles.iter().map(|(resource, role)| name(core, client, resource.application.app_id(), role.id));
        names(core, &self.delegated).into_iter().chain(roles).collect()
    }

    fn lines(&self) -> Vec<Line> {
        let roles = self.roles.iter().map(|(resource, role)| Line {
            title: role.display_name.clone().unwrap_or_default(),
            description: role.description.clone().unwrap_or_default(),
            value: full_name(resource, role.value.as_deref().unwrap_or_default()),
            admin_only: true,
            application_role: true,
        });
        lines(&self.delegated, true).into_iter().chain(roles).collect()
    }

    /// What was granted, as v2.0 says it.
    fn scope(&self) -> String {
        let delegated = self.delegated.iter().flat_map(|entry| {
            entry.scopes.iter().filter_map(|scope| Some(full_name(&entry.resource, scope.scope.value.as_deref()?)))
        });
        let roles = self.roles.iter().filter_map(|(resource, role)| Some(full_name(resource, role.value.as_deref()?)));
        delegated.chain(roles).collect::<Vec<_>>().join(" ")
    }
}

fn full_name(resource: &Resource, value: &str) -> String {
    let application = &resource.application;
    let prefix = application.identifier_uris().first().cloned().unwrap_or_else(|| application.app_id().to_string());
    format!("{}/{value}", prefix.trim_end_matches('/'))
}

/// What the registration lists (`requiredResourceAccess`).
async fn registered<D: Directory>(core: &Core<D>, account: &Account, standing: &Standing) -> Result<Wanted, Refused> {
    let mut wanted = Wanted { delegated: Vec::new(), roles: Vec::new() };
    for entry in &standing.client.application.registration().required_resource_access {
        let id = entry.resource_app_id.to_string();
        let resource = core.registry.resource(account.tenant.id, &id).await?.ok_or_else(|| {
            Refused::new(AadSts::SERVICE_PRINCIPAL_LACKING)
                .with("resource_id", id.clone())
                .with("resource_name", id)
                .with("tenant", account.tenant.id.to_string())
        })?;
        let lists = |kind, id| entry.resource_access.iter().any(|access| access.access_type == kind && access.id == id);
        let scopes: Vec<MissingScope> = resource
            .application
            .oauth2_permission_scopes()
            .iter()
            .filter(|scope| scope.is_enabled && lists(ResourceAccessType::Scope, scope.id))
            .map(|scope| MissingScope { scope: scope.clone(), needs_administrator: false })
            .collect();
        let roles = resource.application.app_roles().iter();
        let roles = roles.filter(|role| role.is_enabled && lists(ResourceAccessType::Role, role.id));
        wanted.roles.extend(roles.map(|role| (Arc::clone(&resource), role.clone())));
        if !scopes.is_empty() {
            wanted.delegated.push(MissingConsent { client: standing.principal.clone(), resource, scopes });
        }
    }
    Ok(wanted)
}

impl Understood for Asking {
    async fn read<D: Directory>(visit: &mut Visit<'_, D>, question: &Question) -> Result<Self, Fault> {
        let version = if question.v1 { EndpointVersion::V1 } else { EndpointVersion::V2 };
        let place = super::place_of(visit.core, &question.tenant).await?;
        let request = AdminConsentRequest::parse(question.query.as_bytes(), version)
            .map_err(|fault| parse_fault(&fault.error))?;
        visit.exchange.correlate(request.client_request_id);
        let (application, reply) =
            client(visit.core, &place, &request.client_id, request.redirect_uri.as_deref()).await?;
        Ok(Self { place, version, application, reply, request })
    }

    async fn hear<D: Directory>(
        &self,
        visit: &mut Visit<'_, D>,
        flow: &mut Flow,
        form: &Form,
    ) -> Result<Heard, Refused> {
        let wish = self.wish();
        let decision = form.get("decision").filter(|_| form.get("switch").is_none());
        match (flow.progress.page, decision) {
            (Page::Consent | Page::NeedApproval, Some("decline")) => {
                return Ok(Heard::Answered(Box::new(self.declined())));
            }
            (Page::Consent, Some("accept")) => {}
            _ => {
                return Ok(match credentials::take(visit, flow, &wish, form).await? {
                    Said::GoOn(retry) => Heard::GoOn(retry),
                    Said::Cancelled => Heard::Answered(Box::new(self.declined())),
                });
            }
        }
        let account = match settle(visit, flow, &wish, &Retry::default()).await? {
            Settled::Page(response) => return Ok(Heard::Answered(response)),
            Settled::Account(account) => account,
        };
        let standing = Standing::of(visit, &self.application, &account).await?;
        let wanted = self.wanted(visit, &account, &standing).await?;
        let shown = flow.progress.shown.take();
        let as_shown = shown.is_some_and(|shown| {
            let names = wanted.names(visit.core, standing.principal.app_id);
            shown.user == account.object_id() && names.iter().all(|name| shown.permissions.contains(name))
        });
        if !as_shown || !account.user.is_administrator {
            return Ok(Heard::GoOn(Retry::default()));
        }
        grant(visit, account.tenant.id, &standing, &wanted.delegated, &wanted.roles, None).await?;
        let scope = (self.version == EndpointVersion::V2).then(|| wanted.scope());
        let state = self.request.state.clone();
        let granted = AdminConsentResponse::Granted { tenant: account.tenant.id, scope, state };
        Ok(Heard::Answered(Box::new(self.answer(&granted))))
    }

    async fn proceed<D: Directory>(
        &self,
        visit: &mut Visit<'_, D>,
        flow: &mut Flow,
        retry: &Retry,
    ) -> Result<Response, Refused> {
        let wish = self.wish();
        let account = match settle(visit, flow, &wish, retry).await? {
            Settled::Page(response) => return Ok(*response),
            Settled::Account(account) => account,
        };
        let standing = Standing::of(visit, &self.application, &account).await?;
        let wanted = self.wanted(visit, &account, &standing).await?;
        flow.progress.shown =
            Some(Shown { user: account.object_id(), permissions: wanted.names(visit.core, standing.principal.app_id) });
        let lines = wanted.lines();
        let permissions: Vec<Permission<'_>> = lines.iter().map(Line::view).collect();
        let view = account.view();
        Ok(if account.user.is_administrator {
            visit.ask(flow, Page::Consent, &wish, |step| {
                pages::admin_consent(&AdminConsentView { step, account: view, permissions: &permissions })
            })
        } else {
            visit.ask(flow, Page::NeedApproval, &wish, |step| {
                pages::need_approval(&NeedApprovalView { step, account: view, permissions: &permissions })
            })
        })
    }

    fn refuse<D: Directory>(&self, visit: &Visit<'_, D>, refused: &Refused) -> Response {
        let names =
            Names { tenant: super::tenant_name(&self.place), application: Some(self.application.display_name()) };
        page(visit, refused, names)
    }
}
