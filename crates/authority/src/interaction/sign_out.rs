//! `/{tenant}/oauth2[/v2.0]/logout`: the end of sessions, for this authority and for the applications that listen.
//!
//! A link from anywhere must not sign people out (pitfalls B72). An id_token that this authority signed for the session is
//! proof enough of the wish; without one the person is asked. Afterwards the browser goes where the request says only if
//! that is a registered redirect URI of the client it came from.
//!
//! Source: OpenID Connect RP-Initiated Logout 1.0, Front-Channel Logout 1.0.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_directory::Directory;
use countersign_protocol::form::Form;
use countersign_protocol::{AadSts, EndpointVersion, FormEncoder, LogoutRequest, RedirectUris};
use countersign_token::{ClientId, ObjectId};
use http::StatusCode;
use secrecy::ExposeSecret;

use super::accounts::Account;
use super::flow::{Flow, Page, Question, Task};
use super::question;
use super::sessions::Entry;
use super::sign_in::Wish;
use super::visit::{Visit, see_other};
use crate::call::Place;
use crate::core::Core;
use crate::endpoints::TenantPath;
use crate::issue::{OwnToken, pairwise_subject, read_own_token};
use crate::pages::{self, Policy, SignOutChoiceView, SignOutView, SignedOutView};
use crate::refused::Refused;

/// A request to sign out, by GET or POST.
pub(crate) async fn logout<D: Directory>(
    State(core): State<Arc<Core<D>>>,
    tenant: TenantPath,
    version: EndpointVersion,
    request: Request,
) -> Response {
    question::begin(&core, &tenant, version, request, Task::SignOut).await
}

/// A request that is understood.
struct Leaving {
    place: Place,
    request: LogoutRequest,
    /// The session's own id_token, if one was sent.
    hint: Option<OwnToken>,
    /// The accounts that are signed in.
    accounts: Vec<Account>,
}

impl Leaving {
    async fn read<D: Directory>(visit: &mut Visit<'_, D>, question: &Question) -> Result<Self, Refused> {
        let place = super::place_of(visit.core, &question.tenant).await?;
        let request = LogoutRequest::parse(question.query.as_bytes())
            .map_err(|error| Refused::new(error.aadsts()).because(error.to_string()))?;
        visit.exchange.correlate(request.client_request_id);
        let hint = match &request.id_token_hint {
            Some(hint) => read_own_token(visit.core, hint.expose_secret()).await.ok().filter(OwnToken::is_id_token),
            None => None,
        };
        let mut accounts = visit.accounts().await?;
        accounts.retain(|account| account.session.is_some());
        Ok(Self { place, request, hint, accounts })
    }

    /// The account whose id_token was sent: nobody else has it but the client and the person.
    fn proven<D: Directory>(&self, core: &Core<D>) -> Option<&Account> {
        let hint = self.hint.as_ref()?;
        let client: ClientId = hint.aud.parse().ok()?;
        self.accounts.iter().find(|account| {
            let (tenant, user) = (account.tenant.id, account.object_id());
            tenant == hint.tid && pairwise_subject(&core.vault, tenant, user, client) == hint.sub
        })
    }

    /// Where to go afterwards: a redirect URI of the client that asks, with `state`.
    async fn onward<D: Directory>(&self, core: &Core<D>, left: &[Entry]) -> Result<Option<String>, Refused> {
        let Some(wanted) = &self.request.post_logout_redirect_uri else { return Ok(None) };
        let named = self.hint.as_ref().map(|hint| hint.aud.as_str()).or(self.request.client_id.as_deref());
        let clients: Vec<ClientId> = match named {
            Some(named) => named.parse().into_iter().collect(),
            // A client that names itself nowhere is one that was signed in to.
            None => left.iter().flat_map(|entry| &entry.applications).copied().collect(),
        };
        for client in clients {
            let Ok(application) = super::authorization::application(core, &self.place, &client.to_string()).await
            else {
                continue;
            };
            if RedirectUris::of(application.registration()).find(wanted).is_some() {
                let Some(state) = &self.request.state else { return Ok(Some(wanted.clone())) };
                let state = FormEncoder::new().field("state", state).finish();
                let separator = if wanted.contains('?') { '&' } else { '?' };
                return Ok(Some(format!("{wanted}{separator}{}", String::from_utf8_lossy(&state))));
            }
        }
        Ok(None)
    }

    /// All the accounts' entries, as they are before they leave.
    fn entries<D: Directory>(&self, visit: &Visit<'_, D>) -> Vec<Entry> {
        let of = |account: &Account| visit.sessions.entry(account.object_id()).cloned();
        self.accounts.iter().filter_map(of).collect()
    }
}

/// Signs out what provably wants to be, or asks.
pub(super) async fn go_on<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    question: &Question,
) -> Result<Response, Refused> {
    let leaving = Leaving::read(visit, question).await?;
    if let Some(account) = leaving.proven(visit.core) {
        let id = account.object_id();
        return leave(visit, &leaving, &[id]).await;
    }
    let hinted = leaving.request.logout_hint.as_deref();
    let hinted = hinted.and_then(|hint| leaving.accounts.iter().find(|account| account.is_meant_by(hint)));
    let onward = leaving.onward(visit.core, &leaving.entries(visit)).await?;
    let wish = Wish { leads_to: onward.as_deref(), ..Wish::at(&leaving.place) };
    match (hinted, leaving.accounts.as_slice()) {
        (None, []) => leave(visit, &leaving, &[]).await,
        (Some(only), _) | (None, [only]) => {
            flow.progress.account = Some(only.object_id());
            Ok(visit.ask(flow, Page::SignOut, &wish, |step| {
                pages::sign_out(&SignOutView { step, account: Some(only.view()) })
            }))
        }
        (None, several) => {
            let shown: Vec<_> = several.iter().map(Account::view).collect();
            Ok(visit.ask(flow, Page::SignOut, &wish, |step| {
                pages::sign_out_choice(&SignOutChoiceView { step, accounts: &shown })
            }))
        }
    }
}

/// Takes in the person's answer.
pub(super) async fn take<D: Directory>(
    visit: &mut Visit<'_, D>,
    flow: &mut Flow,
    question: &Question,
    form: &Form,
) -> Result<Response, Refused> {
    let leaving = Leaving::read(visit, question).await?;
    let listed = |id: ObjectId| leaving.accounts.iter().any(|account| account.object_id() == id);
    let chosen: Vec<ObjectId> = match (form.get("account"), form.get("signout")) {
        (Some("all"), _) => leaving.accounts.iter().map(Account::object_id).collect(),
        (Some(text), _) => text.parse().into_iter().filter(|id| listed(*id)).collect(),
        (None, Some("yes")) => flow.progress.account.into_iter().filter(|id| listed(*id)).collect(),
        _ => {
            // They stay, and go where the request would have led them.
            let onward = leaving.onward(visit.core, &leaving.entries(visit)).await?;
            let stay = see_other(onward.as_deref().unwrap_or("/"));
            return stay.ok_or_else(|| Refused::new(AadSts::MALFORMED_REQUEST));
        }
    };
    leave(visit, &leaving, &chosen).await
}

/// Ends these accounts' sessions and tells the applications.
async fn leave<D: Directory>(
    visit: &mut Visit<'_, D>,
    leaving: &Leaving,
    accounts: &[ObjectId],
) -> Result<Response, Refused> {
    let mut left = Vec::with_capacity(accounts.len());
    for id in accounts {
        // Who does not stay signed in leaves no trace on a shared computer.
        let forget = visit.sessions.entry(*id).is_some_and(|entry| !entry.long);
        if let Some(ended) = visit.sessions.sign_out(*id, forget) {
            visit.spend_session(&ended).await?;
            tracing::info!(target: "countersign_authority::signed_out", tenant = %ended.tenant, user = %ended.user);
            left.push(ended);
        }
    }
    if !left.is_empty() {
        visit.change_level();
    }
    let known = if left.is_empty() { leaving.entries(visit) } else { left.clone() };
    let onward = leaving.onward(visit.core, &known).await?;
    let frames = frames(visit, &left).await?;
    if frames.is_empty()
        && let Some(response) = onward.as_deref().and_then(see_other)
    {
        return Ok(response);
    }
    let upn = match accounts {
        [only] => leaving.accounts.iter().find(|account| account.object_id() == *only),
        _ => None,
    };
    let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
    let view = SignedOutView {
        tenant: super::tenant_name(&leaving.place),
        upn: upn.map(|account| account.user.user_principal_name.as_str()),
        frames: &frames,
        continue_to: onward.as_deref(),
    };
    Ok(pages::send(StatusCode::OK, &pages::signed_out(&view), Policy::Frames(&frames)))
}

/// Front-channel logout URLs of the applications that were signed in to, with `iss` and `sid`.
async fn frames<D: Directory>(visit: &Visit<'_, D>, left: &[Entry]) -> Result<Vec<String>, Refused> {
    let mut frames = Vec::new();
    for entry in left {
        let Some(session) = &entry.session else { continue };
        let issuer = visit.exchange.origin.host.issuer_v2(entry.tenant);
        for application in &entry.applications {
            let Some(client) = visit.core.registry.client(entry.tenant, *application).await? else { continue };
            let Some(url) = &client.application.registration().web.logout_url else { continue };
            let parameters = FormEncoder::new().field("sid", &session.id.to_string()).field("iss", &issuer).finish();
            let separator = if url.contains('?') { '&' } else { '?' };
            frames.push(format!("{url}{separator}{}", String::from_utf8_lossy(&parameters)));
        }
    }
    Ok(frames)
}

/// `/{tenant}/oauth2/checksession`
pub(crate) async fn check_session() -> Response {
    pages::send(StatusCode::OK, &pages::check_session(), Policy::Framed)
}
