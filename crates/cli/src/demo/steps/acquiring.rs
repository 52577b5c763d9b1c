//! Steps in which the daemon asks for a token.

use countersign_client::{AccessToken, AcquireError};
use countersign_protocol::EndpointVersion;
use countersign_token::{Randomness, SystemRandomness};
use http::Method;
use serde_json::{Map, Value};

use crate::decode;
use crate::demo::cast::RESOURCE;
use crate::demo::error::DemoError;
use crate::demo::step::{Detail, Scene};
use crate::demo::world::World;

/// The claims of a token, unverified: the demo looks on; verifying is the API's business.
pub(super) fn claims(token: &AccessToken) -> Result<Map<String, Value>, DemoError> {
    Ok(decode::decode(token.secret())?.claims)
}

pub(super) fn text(claims: &Map<String, Value>, name: &str) -> String {
    claims.get(name).and_then(Value::as_str).unwrap_or("none").to_owned()
}

pub(super) async fn by_secret(world: &mut World) -> Result<Scene, DemoError> {
    let daemon = world.daemon(world.cast.contoso);
    let token = world.acquire(daemon, RESOURCE, EndpointVersion::V2).await?;
    let claims = claims(&token)?;
    let roles = claims.get("roles").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let roles: Vec<&str> = roles.iter().filter_map(Value::as_str).collect();
    let got = format!("200, {}", roles.join(" "));
    world.token = Some(token);
    Ok(Scene::new(got).with(Detail::Claims(claims)))
}

pub(super) async fn by_certificate(world: &mut World) -> Result<Scene, DemoError> {
    let daemon = world.daemon_with_certificate()?;
    let token = world.acquire(daemon, RESOURCE, EndpointVersion::V2).await?;
    acquired_and_used(world, &token, "azpacr").await
}

pub(super) async fn on_v1(world: &mut World) -> Result<Scene, DemoError> {
    let daemon = world.daemon(world.cast.contoso);
    let token = world.acquire(daemon, RESOURCE, EndpointVersion::V1).await?;
    acquired_and_used(world, &token, "ver").await
}

/// Calls the API with a new token and tells one of its claims.
async fn acquired_and_used(world: &World, token: &AccessToken, claim: &'static str) -> Result<Scene, DemoError> {
    let mut claims = claims(token)?;
    let response = world.call(Method::GET, Some(token.authorization().clone())).await?;
    let got = format!("200, {claim} {}, API {}", text(&claims, claim), response.status().as_u16());
    claims.retain(|name, _| name == claim);
    Ok(Scene::new(got).with(Detail::Claims(claims)))
}

pub(super) async fn wrong_secret(world: &mut World) -> Result<Scene, DemoError> {
    let daemon = world.daemon(world.cast.contoso).secret(SystemRandomness.base64url(30));
    let error = match world.acquire(daemon, RESOURCE, EndpointVersion::V2).await {
        Ok(_) => return Ok(Scene::new("200")),
        Err(DemoError::Acquire(error)) => error,
        Err(other) => return Err(other),
    };
    let AcquireError::Refused(refusal) = &error else { return Err(error.into()) };
    let code = error.code().map_or_else(|| "no AADSTS code".to_owned(), |code| format!("AADSTS{code}"));
    // The word that belongs to this number is not worth a column; another one would be.
    let word = if refusal.error() == "invalid_client" { String::new() } else { format!("{} ", refusal.error()) };
    let mut scene = Scene::new(format!("{} {word}{code}", refusal.status()));
    if let Some(remedy) = error.remedy() {
        scene = scene.with(Detail::Note(format!("Who must do what: {remedy}")));
    }
    Ok(scene)
}
