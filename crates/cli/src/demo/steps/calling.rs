//! Steps in which the daemon calls the API, once as it should and six times as it should not.

use bytes::Bytes;
use countersign_guard::{Permission, Refusal};
use countersign_protocol::{Challenge, EndpointVersion};
use countersign_token::base64url_encode;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::decode;
use crate::demo::cast::{RESOURCE, WRITE};
use crate::demo::error::DemoError;
use crate::demo::step::{Detail, Scene};
use crate::demo::world::World;

/// By how much the clocks are moved to see a token expire; it lives one hour.
const TWO_HOURS: i64 = 2 * 3600;

pub(super) async fn with_token(world: &mut World) -> Result<Scene, DemoError> {
    let token = world.token()?;
    let response = world.call(Method::GET, Some(token.authorization().clone())).await?;
    Ok(Scene::new(answer(&response, None)))
}

pub(super) async fn without_token(world: &mut World) -> Result<Scene, DemoError> {
    let response = world.call(Method::GET, None).await?;
    Ok(Scene::new(answer(&response, None)))
}

pub(super) async fn expired(world: &mut World) -> Result<Scene, DemoError> {
    let token = world.token()?;
    world.clock.advance_seconds(TWO_HOURS);
    let scene = refused(world, Method::GET, token.secret()).await;
    world.clock.advance_seconds(-TWO_HOURS);
    scene
}

pub(super) async fn other_audience(world: &mut World) -> Result<Scene, DemoError> {
    let daemon = world.daemon(world.cast.contoso);
    let token = world.acquire(daemon, "https://graph.microsoft.com", EndpointVersion::V2).await?;
    refused(world, Method::GET, token.secret()).await.map(|scene| with_claim(scene, token.secret(), "aud"))
}

pub(super) async fn other_tenant(world: &mut World) -> Result<Scene, DemoError> {
    let daemon = world.daemon(world.cast.fabrikam);
    let token = world.acquire(daemon, RESOURCE, EndpointVersion::V2).await?;
    refused(world, Method::GET, token.secret()).await.map(|scene| with_claim(scene, token.secret(), "tid"))
}

pub(super) async fn role_not_granted(world: &mut World) -> Result<Scene, DemoError> {
    let token = world.token()?;
    refused(world, Method::POST, token.secret()).await
}

pub(super) async fn altered(world: &mut World) -> Result<Scene, DemoError> {
    let token = world.token()?;
    let altered = with_role(token.secret(), WRITE)?;
    refused(world, Method::POST, &altered).await.map(|scene| with_claim(scene, &altered, "roles"))
}

/// Calls with a token that must not pass; the outcome names the answer and the guard's reason.
async fn refused(world: &World, method: Method, token: &str) -> Result<Scene, DemoError> {
    // Tokens are base64url and dots, so this cannot fail.
    let header = HeaderValue::try_from(format!("Bearer {token}")).map_err(http::Error::from)?;
    let response = world.call(method.clone(), Some(header)).await?;
    let reason = reason(world, &method, token).await;
    let usual = if response.status() == StatusCode::FORBIDDEN { "insufficient_scope" } else { "invalid_token" };
    let note = format!("What the caller is not told, the API's own log has: {reason}.");
    Ok(Scene::new(format!("{} {reason}", answer(&response, Some(usual)))).with(Detail::Note(note)))
}

/// The reason, as the guard's log has it: the same verifier decides once more.
async fn reason(world: &World, method: &Method, token: &str) -> &'static str {
    match world.api.guard.verifier().verify(token).await {
        Err(refusal) => refusal.code(),
        Ok(claims) if *method == Method::POST => match Permission::any_app_role([WRITE]).check(&claims) {
            Ok(()) => "none",
            Err(rejection) => Refusal::from(rejection).code(),
        },
        Ok(_) => "none",
    }
}

/// The status, and the challenge's error word unless it is the one that belongs there (RFC 6750 §3.1).
fn answer(response: &Response<Bytes>, usual: Option<&str>) -> String {
    let status = response.status().as_u16();
    let challenge = response.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
    let challenge = challenge.and_then(Challenge::bearer);
    match challenge.as_ref().and_then(|challenge| challenge.get("error")) {
        error if error == usual => status.to_string(),
        Some(error) => format!("{status} {error}"),
        None => format!("{status} without an error"),
    }
}

fn with_claim(scene: Scene, token: &str, claim: &str) -> Scene {
    let Ok(mut decoded) = decode::decode(token) else { return scene };
    decoded.claims.retain(|name, _| name == claim);
    scene.with(Detail::Claims(decoded.claims))
}

/// The token with a role written into its claims, and its old signature.
fn with_role(token: &str, role: &str) -> Result<String, DemoError> {
    let mut claims = decode::decode(token)?.claims;
    match claims.get_mut("roles").and_then(Value::as_array_mut) {
        Some(roles) => roles.push(json!(role)),
        None => {
            claims.insert("roles".to_owned(), json!([role]));
        }
    }
    let payload = base64url_encode(Value::Object(claims).to_string().as_bytes());
    let (header, rest) = token.split_once('.').ok_or(DemoError::NoToken)?;
    let (_, signature) = rest.split_once('.').ok_or(DemoError::NoToken)?;
    Ok(format!("{header}.{payload}.{signature}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_written_in_and_the_rest_stays() {
        let claims = base64url_encode(br#"{"aud":"x","roles":["Resource.Read"]}"#);
        let altered = with_role(&format!("e30.{claims}.c2ln"), WRITE).unwrap();
        let decoded = decode::decode(&altered).ok().unwrap();
        assert_eq!(decoded.claims["roles"], json!(["Resource.Read", "Resource.Write"]));
        assert_eq!(decoded.claims["aud"], "x");
        assert!(altered.starts_with("e30.") && altered.ends_with(".c2ln"));
    }

    #[test]
    fn an_unusual_error_word_is_part_of_the_answer() {
        let mut response = Response::new(Bytes::new());
        assert_eq!(answer(&response, None), "200");
        assert_eq!(answer(&response, Some("invalid_token")), "200 without an error");
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
        assert_eq!(answer(&response, Some("invalid_token")), "401");
        assert_eq!(answer(&response, Some("insufficient_scope")), "401 invalid_token");
        assert_eq!(answer(&response, None), "401 invalid_token");
    }
}
