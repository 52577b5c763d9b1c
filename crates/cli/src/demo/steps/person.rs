//! Steps in which a person is there: she signs in and consents, and an API acts for her.

use std::sync::Arc;

use countersign_client::{AccessToken, ClaimsRequest, RequestOptions};
use countersign_guard::Refusal;
use countersign_protocol::{EndpointVersion, ScopeSet};
use http::{Method, StatusCode};
use serde_json::Value;

use super::acquiring::{claims, text};
use crate::demo::browser::Browser;
use crate::demo::cast::{ALICE, DORA, MIDDLE};
use crate::demo::error::DemoError;
use crate::demo::step::{Detail, Scene};
use crate::demo::wire::Field;
use crate::demo::world::World;

/// By how much the clocks move on until a user's token, which lives 60 to 90 minutes, is surely over.
const TWO_HOURS: i64 = 2 * 3600;

/// Longer than whole seconds may blur what was before a revocation and what after. No more: with `--keep` the authority's
/// clock stays where the story leaves it, and assertions from outside must still fit.
const A_MOMENT: i64 = 3;

const GRAPH_USER_READ: &str = "https://graph.microsoft.com/User.Read";

/// The demo's own scopes are constants and well-formed.
fn scopes(text: &str) -> Result<ScopeSet, DemoError> {
    ScopeSet::parse(text).map_err(|_| DemoError::NoToken)
}

fn for_the_middle() -> Result<ScopeSet, DemoError> {
    scopes(&format!("{MIDDLE}/.default"))
}

pub(super) async fn introduced(world: &mut World) -> Result<Scene, DemoError> {
    let cast = &world.cast;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut fields = vec![Field::new("Alice", format!("{ALICE}, of Contoso"))];
    let (mut single, registrations) = (0, cast.registrations([cast.web_app, cast.middle_app]));
    for registration in &registrations {
        let id = format!("client id {}", text(&registration["appId"]));
        fields.push(Field::new(text(&registration["displayName"]), id));
        for uri in registration["web"]["redirectUris"].as_array().into_iter().flatten() {
            fields.push(Field::new("  redirect URI", text(uri)));
        }
        for scope in registration["api"]["oauth2PermissionScopes"].as_array().into_iter().flatten() {
            fields.push(Field::new("  scope", format!("{MIDDLE}/{}", text(&scope["value"]))));
        }
        single += usize::from(registration["signInAudience"] == "AzureADMyOrg");
    }
    let got = format!("{} applications, {single} for Contoso alone", registrations.len());
    Ok(Scene::new(got).with(Detail::Fields("In the directory", fields)))
}

pub(super) async fn signs_in(world: &mut World) -> Result<Scene, DemoError> {
    let visit = world.alice.sign_in(&for_the_middle()?, RequestOptions::new()).await?;
    let claims = claims(visit.signed_in.token())?;
    let consent = if visit.consented { "consented" } else { "not asked" };
    let got = format!("{consent}, scp {}", text(&claims, "scp"));
    world.alice.token = Some(visit.signed_in.token().clone());
    let pages = format!("Pages: {}.", visit.pages.join(", "));
    Ok(Scene::new(got).with(Detail::Note(pages)).with(Detail::Claims(claims)))
}

pub(super) async fn handed_on(world: &mut World) -> Result<Scene, DemoError> {
    let token = world.alice.token.clone().ok_or(DemoError::NoToken)?;
    let response = world.call_with(Method::GET, &world.api.orders, &token).await?;
    let reason = world.api.guard.verifier().verify(token.secret()).await.err().as_ref().map_or("none", Refusal::code);
    Ok(Scene::new(format!("{} {reason}", response.status().as_u16())))
}

pub(super) async fn without_a_user(world: &mut World) -> Result<Scene, DemoError> {
    let daemon = world.daemon(world.cast.contoso);
    let token = world.acquire(daemon, MIDDLE, EndpointVersion::V2).await?;
    let response = world.call_with(Method::GET, &world.middle.my_orders, &token).await?;
    let verdict = world.middle.guard.verifier().verify(token.secret()).await;
    let reason = verdict.err().as_ref().map_or("none", Refusal::code);
    Ok(Scene::new(format!("{} {reason}", response.status().as_u16())))
}

pub(super) async fn on_behalf_of(world: &mut World) -> Result<Scene, DemoError> {
    let token = world.alice.token.clone().ok_or(DemoError::NoToken)?;
    Ok(Scene::new(my_orders(world, &token).await?))
}

/// Calls the middle tier; says whose orders came from the other API, and through whom.
async fn my_orders(world: &World, token: &AccessToken) -> Result<String, DemoError> {
    let response = world.call_with(Method::GET, &world.middle.my_orders, token).await?;
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let orders = &body["orders"];
    let caller = if orders["caller"].as_str() == Some(world.cast.middle_app.to_string().as_str()) {
        "the middle tier"
    } else {
        "nobody known"
    };
    let user = orders["user"].as_str().unwrap_or("nobody");
    Ok(format!("{}, {user} through {caller}", response.status().as_u16()))
}

pub(super) async fn silently_renewed(world: &mut World) -> Result<Scene, DemoError> {
    world.clock.advance_seconds(TWO_HOURS);
    let scene = renewed(world).await;
    world.clock.advance_seconds(-TWO_HOURS);
    scene
}

async fn renewed(world: &World) -> Result<Scene, DemoError> {
    let old = world.alice.token.as_ref().ok_or(DemoError::NoToken)?;
    let refused = world.call_with(Method::GET, &world.middle.my_orders, old).await?;
    let (account, options) = (world.alice.account()?, RequestOptions::new());
    let token = world.alice.web.acquire_token_silent(&account, &for_the_middle()?, &options).await?;
    let after = my_orders(world, &token).await?;
    Ok(Scene::new(format!("{}, then {after}", refused.status().as_u16())))
}

pub(super) async fn revoked(world: &mut World) -> Result<Scene, DemoError> {
    let account = world.alice.account()?;
    let graph = scopes(GRAPH_USER_READ)?;
    let token = world.alice.web.acquire_token_silent(&account, &graph, &RequestOptions::new()).await?;
    let me = format!("{}/v1.0/me", world.authority.host().origin());
    let before = world.call_with(Method::GET, &me, &token).await?.status();
    world.clock.advance_seconds(A_MOMENT);
    let revoked = world.call_with(Method::POST, &format!("{me}/revokeSignInSessions"), &token).await?.status();
    let after = world.call_with(Method::GET, &me, &token).await?;
    let challenge = match ClaimsRequest::from_headers(after.headers()) {
        Some(_) => "with a claims challenge",
        None => "without a challenge",
    };
    world.alice.graph = Some(token);
    let got = format!("{}, {}, {} {challenge}", before.as_u16(), revoked.as_u16(), after.status().as_u16());
    Ok(Scene::new(got))
}

pub(super) async fn challenge_answered(world: &mut World) -> Result<Scene, DemoError> {
    let token = world.alice.graph.clone().ok_or(DemoError::NoToken)?;
    let me = format!("{}/v1.0/me", world.authority.host().origin());
    let refused = world.call_with(Method::GET, &me, &token).await?;
    let claims = ClaimsRequest::from_headers(refused.headers()).ok_or(DemoError::NoToken)?;
    world.clock.advance_seconds(A_MOMENT);
    // The refresh token is worth nothing either, and the authority says so: only Alice can help.
    let (account, graph) = (world.alice.account()?, scopes(GRAPH_USER_READ)?);
    let options = RequestOptions::new().challenge(claims.clone(), &token);
    let silently = match world.alice.web.acquire_token_silent(&account, &graph, &options).await {
        Ok(_) => "renewed silently".to_owned(),
        Err(error) if error.needs_user() => {
            error.code().map_or_else(|| "nobody signed in".to_owned(), |code| format!("AADSTS{code}"))
        }
        Err(error) => return Err(error.into()),
    };
    let visit = world.alice.sign_in(&graph, RequestOptions::new().claims(claims)).await?;
    let again = if visit.pages.is_empty() { "no page" } else { "signed in anew" };
    let response = world.call_with(Method::GET, &me, visit.signed_in.token()).await?;
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let who = match (response.status(), body["displayName"].as_str()) {
        (StatusCode::OK, Some(name)) => format!("200 {name}"),
        (status, _) => status.as_u16().to_string(),
    };
    Ok(Scene::new(format!("{silently}, {again}, {who}")))
}

pub(super) async fn of_another_company(world: &mut World) -> Result<Scene, DemoError> {
    let mut browser = Browser::new(Arc::clone(&world.wire) as _, world.authority.host().origin());
    let page = world.alice.stranger(&mut browser, &world.cast.password, &for_the_middle()?).await?;
    let got = match page.aadsts() {
        Some(number) => format!("AADSTS{number}"),
        None => format!("the page {:?}", page.heading()),
    };
    let note = format!("{DORA} typed the right password; it is the web app that is for Contoso's people alone.");
    Ok(Scene::new(got).with(Detail::Note(note)))
}
