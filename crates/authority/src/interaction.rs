//! Everything in which a person or a browser takes part: sign-in, consent, device codes, signing out.
//!
//! A request becomes a [`flow`](flow::Flow): a sealed text that travels from page to page, bound to the browser. Each form
//! is posted to one place, [`login`], which hands it to the task it belongs to; the task looks up again what may happen
//! and answers with the next page, or with a redirect. Who is signed in stands in the browser's [sessions](sessions), and
//! nowhere else. Nothing is kept on the server but what was decided: grants, spent sessions, decided device codes.
//!
//! - [`question`] is how a request comes and is answered
//! - [`authorize`] is the authorization endpoint, [`admin_consent`] the administrator's
//! - [`sign_in`] finds the account, [`credentials`] takes passwords, [`consent`] asks for permissions
//! - [`issuance`] writes what the client gets
//! - [`device`] decides for devices, [`sign_out`] ends sessions

mod accounts;
mod admin_consent;
mod answer;
mod authorization;
mod authorize;
mod browser;
mod combined;
mod consent;
mod credentials;
mod device;
mod fault;
mod flow;
mod issuance;
mod login;
mod question;
mod sessions;
mod sign_in;
mod sign_out;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use countersign_directory::Directory;
use countersign_protocol::{AadSts, EndpointVersion};

use crate::call::Place;
use crate::core::Core;
use crate::endpoints::{method_not_allowed, place};
use crate::refused::Refused;

/// The routes for people.
pub(crate) fn router<D: Directory>(core: &Arc<Core<D>>) -> Router {
    let authorize = |version| {
        let ask = move |core, tenant, request| authorize::authorize(core, tenant, version, request);
        get(ask).post(ask)
    };
    let logout = |version| {
        let leave = move |core, tenant, request| sign_out::logout(core, tenant, version, request);
        get(leave).post(leave)
    };
    let admin_consent =
        |version| get(move |core, tenant, request| admin_consent::admin_consent(core, tenant, version, request));
    let (v1, v2) = (EndpointVersion::V1, EndpointVersion::V2);
    Router::new()
        .route("/{tenant}/oauth2/authorize", authorize(v1))
        .route("/{tenant}/oauth2/v2.0/authorize", authorize(v2))
        .route("/{tenant}/adminconsent", admin_consent(v1))
        .route("/{tenant}/v2.0/adminconsent", admin_consent(v2))
        .route("/{tenant}/oauth2/logout", logout(v1))
        .route("/{tenant}/oauth2/v2.0/logout", logout(v2))
        .route("/{tenant}/oauth2/checksession", get(sign_out::check_session))
        .route("/{tenant}/oauth2/deviceauth", get(device::device_auth::<D>))
        .route("/devicelogin", get(device::device_login::<D>))
        .route(sign_in::ACTION, post(login::login::<D>))
        .method_not_allowed_fallback(method_not_allowed::<D>)
        .with_state(Arc::clone(core))
}

/// The tenant that a path names; one that is switched off is as good as none (pitfalls B101).
async fn place_of<D: Directory>(core: &Core<D>, text: &str) -> Result<Place, Refused> {
    match place(core, text, false).await? {
        Place::Tenant(tenant) if !tenant.enabled => {
            Err(Refused::new(AadSts::TENANT_NOT_FOUND).with("tenant", text.to_owned()))
        }
        place => Ok(place),
    }
}

/// The name that pages of this place show.
fn tenant_name(place: &Place) -> Option<&str> {
    match place {
        Place::Tenant(tenant) => Some(tenant.display_name.as_str()),
        Place::Alias(_) => None,
    }
}
