//! The part of Microsoft Graph that clients of an authority need for its own sake: who is signed in, userinfo, the end of
//! a user's sessions. Behind our own guard, like any API (`own_guard`), and answering as Graph does.
//!
//! Graph evaluates access continuously: after a user's sessions were revoked, a client that understands claims challenges
//! (`xms_cc` with `cp1`) is told at once to get a new token; one that does not is let in until its token ends, because it
//! could make nothing of a challenge.
//!
//! Source: Microsoft Graph REST API v1.0; "Continuous access evaluation", Microsoft; answers recorded 2021.

mod answer;
mod caller;
mod revocation;
mod user;
mod user_info;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, any, get, post};
use countersign_directory::Directory;
use countersign_guard::{Guard, GuardedRouter, Permission, Policy};
use countersign_protocol::user_scopes::MICROSOFT_GRAPH;
use countersign_token::TokenVersion;

use crate::StartError;
use crate::core::Core;
use crate::own_guard::own_keys;

const READ_ONESELF: [&str; 5] =
    ["User.Read", "User.ReadWrite", "User.Read.All", "User.ReadWrite.All", "Directory.Read.All"];
const READ_USERS: [&str; 5] =
    ["User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
const READ_GROUPS: [&str; 5] =
    ["GroupMember.Read.All", "Group.Read.All", "Directory.Read.All", "Directory.ReadWrite.All", "User.Read.All"];
const REVOKE: [&str; 4] =
    ["User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All", "Directory.AccessAsUser.All"];

/// The routes. Paths are in the one canonical form, lower case, in which they reach a router.
pub(crate) fn router<D: Directory>(core: &Arc<Core<D>>) -> Result<Router, StartError> {
    let misconfigured = |error: String| StartError::Lab(error);
    let mut routes = GuardedRouter::new(guard(core)?);
    let checked = |handlers: MethodRouter<Arc<Core<D>>>| {
        handlers.layer(from_fn_with_state(Arc::clone(core), caller::evaluate::<D>))
    };
    let user = |scopes: &[&str]| Permission::any_scope(scopes.iter().copied());
    let both = |scopes: &[&str], roles: &[&str]| user(scopes).or(Permission::any_app_role(roles.iter().copied()));
    for version in ["/v1.0", "/beta"] {
        let oneself = [READ_ONESELF.as_slice(), &["User.RevokeSessions.All"]].concat();
        let of_users = [READ_ONESELF.as_slice(), &READ_USERS].concat();
        let of_groups = [READ_ONESELF.as_slice(), &READ_GROUPS].concat();
        routes = routes
            // An application is told that it is nobody here, not that it lacks a permission.
            .route(&format!("{version}/me"), checked(get(user::me::<D>)))
            .requires(both(&READ_ONESELF, &READ_USERS))
            .route(&format!("{version}/me/revokesigninsessions"), checked(post(revocation::my_sessions::<D>)))
            .requires(user(&[oneself.as_slice(), &REVOKE].concat()))
            .route(&format!("{version}/me/getmemberobjects"), checked(post(user::my_member_objects::<D>)))
            .requires(user(&of_groups))
            .route(&format!("{version}/users/{{id}}"), checked(get(user::user::<D>)))
            .requires(both(&of_users, &READ_USERS))
            .route(&format!("{version}/users/{{id}}/revokesigninsessions"), checked(post(revocation::sessions::<D>)))
            .requires(both(&[oneself.as_slice(), &REVOKE].concat(), &REVOKE))
            .route(&format!("{version}/users/{{id}}/getmemberobjects"), checked(post(user::member_objects::<D>)))
            .requires(both(&of_groups, &READ_GROUPS));
    }
    let nowhere = "there is nothing here, whoever asks";
    let routes = routes
        .route("/oidc/userinfo", checked(get(user_info::graph::<D>).post(user_info::graph::<D>)))
        .requires(user(&["openid"]))
        .route("/{tenant}/openid/userinfo", checked(get(user_info::tenant::<D>).post(user_info::tenant::<D>)))
        .requires(user(&["openid"]))
        .open("/v1.0/{*rest}", nowhere, any(answer::unknown_route::<D>))
        .open("/beta/{*rest}", nowhere, any(answer::unknown_route::<D>))
        .into_router()
        .map_err(|error| misconfigured(error.to_string()))?;
    Ok(routes.layer(from_fn_with_state(Arc::clone(core), answer::dress::<D>)).with_state(Arc::clone(core)))
}

/// Tokens of this authority for Microsoft Graph, of any tenant.
fn guard<D: Directory>(core: &Arc<Core<D>>) -> Result<Guard, StartError> {
    let mut issuers: Vec<String> = core.origins.all().map(|origin| origin.cloud.issuer_v1("{tenantid}")).collect();
    issuers.sort_unstable();
    issuers.dedup();
    let policy = Policy {
        any_tenant: true,
        issuers,
        audiences: MICROSOFT_GRAPH.iter().flat_map(|name| [(*name).to_owned(), format!("{name}/")]).collect(),
        versions: vec![TokenVersion::V1],
        ..Policy::default()
    };
    let builder = Guard::builder(own_keys(core)?, &policy).map_err(|error| StartError::Lab(error.to_string()))?;
    // Keys are published for tenants of this directory only; which of them still exists is asked per request.
    Ok(builder.clock(Arc::clone(&core.clock)).tenants(|_| true).build())
}
