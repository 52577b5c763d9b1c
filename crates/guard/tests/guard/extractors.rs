//! `Caller` in axum handlers: what it demands, what it holds, and what is said where no guard stands.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use countersign_guard::{AppRole, ByScope, Caller, CallerRejection, Requirement, Scope};
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

use crate::kit::log::Log;
use crate::kit::token::{CLIENT, OBJECT, TENANT, TOKEN_ID, Token, USER};
use crate::kit::{bearer, guard, header};

struct Read;
impl AppRole for Read {
    const VALUE: &'static str = "Resource.Read";
}

struct Write;
impl AppRole for Write {
    const VALUE: &'static str = "Resource.Write";
}

struct AsUser;
impl Scope for AsUser {
    const VALUE: &'static str = "access_as_user";
}

/// A scope that is called like a role.
struct ReadScope;
impl Scope for ReadScope {
    const VALUE: &'static str = "Resource.Read";
}

/// A role that is called like a scope.
struct UserRole;
impl AppRole for UserRole {
    const VALUE: &'static str = "access_as_user";
}

fn app<P: Requirement + Send + 'static>() -> Router {
    Router::new()
        .route("/orders", get(|caller: Caller<P>| async move { caller.client().to_string() }))
        .layer(guard().layer())
}

async fn ask<P: Requirement + Send + 'static>(token: &Token) -> Response<Body> {
    app::<P>().oneshot(bearer(&token.sign())).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_role_or_scope_as_a_type_lets_its_holders_in_and_nobody_else() {
    let (app, user) = (Token::app(), Token::user());
    assert_eq!(ask::<()>(&app).await.status(), 200);
    assert_eq!(ask::<()>(&user).await.status(), 200);
    assert_eq!(ask::<Read>(&app).await.status(), 200);
    assert_eq!(ask::<ByScope<AsUser>>(&user).await.status(), 200);
    assert_eq!(text(ask::<Read>(&app).await).await, CLIENT);

    assert_eq!(ask::<Write>(&app).await.status(), 403);
    assert_eq!(ask::<Read>(&user).await.status(), 403);
    assert_eq!(ask::<ByScope<AsUser>>(&app).await.status(), 403);
}

#[tokio::test]
async fn a95_a96_roles_are_only_applications_and_scopes_only_users() {
    let with_role = Token::user().claim("roles", json!(["Resource.Read", "access_as_user"]));
    assert_eq!(ask::<()>(&with_role).await.status(), 200);
    assert_eq!(ask::<Read>(&with_role).await.status(), 403);
    assert_eq!(ask::<UserRole>(&with_role).await.status(), 403);
    let with_name = Token::app().claim("roles", json!(["Resource.Read", "access_as_user"]));
    assert_eq!(ask::<UserRole>(&with_name).await.status(), 200);
    assert_eq!(ask::<ByScope<AsUser>>(&with_name).await.status(), 403);
    assert_eq!(ask::<ByScope<ReadScope>>(&with_name).await.status(), 403);
}

#[tokio::test]
async fn a94_values_are_compared_whole() {
    for role in ["resource.read", "Resource.Read.All", "Resource", "Resource.Read ", "Resource.Rеad"] {
        let token = Token::app().claim("roles", json!(["Resource.Read", role]));
        assert_eq!(ask::<Read>(&token).await.status(), 200);
        let response = ask::<Write>(&token.claim("roles", json!(["Resource.Read", role.replace("ead", "rite")]))).await;
        assert_eq!(response.status(), 403, "{role}");
    }
}

#[tokio::test]
async fn a_wrong_caller_gets_403_with_the_role_that_is_missing() {
    let (log, _logging) = Log::start();
    let response = ask::<Write>(&Token::app()).await;
    assert_eq!(response.status(), 403);
    let challenge =
        "Bearer error=\"insufficient_scope\", error_description=\"The caller needs one of: Resource.Write.\"";
    assert_eq!(header(&response, "www-authenticate"), Some(challenge));
    assert_eq!(text(response).await, "");
    let lines = log.take();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[1].contains("reason=requirement_unmet") && lines[1].contains(CLIENT), "{lines:?}");
}

#[tokio::test]
async fn where_no_guard_stands_the_answer_is_500_and_names_the_layer() {
    let (log, _logging) = Log::start();
    let app = Router::new().route("/orders", get(|_: Caller<Read>| async { "inside" }));
    let response = app.oneshot(bearer(&Token::app().sign())).await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(text(response).await, "no countersign_guard::GuardLayer stands in front of this handler");
    let lines = log.take();
    assert!(lines.len() == 1 && lines[0].starts_with("ERROR") && lines[0].contains("reason=no_guard"), "{lines:?}");
}

/// Everything an API may want to know of its caller, as types.
#[tokio::test]
async fn the_callers_claims_are_typed() {
    let describe = |caller: Caller| async move {
        let described = json!({
            "tenant": caller.tenant(), "client": caller.client(), "object": caller.object_id(), "kind": caller.kind(),
            "version": caller.version(), "subject": caller.subject(), "token": caller.token_id(),
            "proof": caller.client_authentication(), "scopes": caller.scopes().collect::<Vec<_>>(),
            "roles": caller.roles().collect::<Vec<_>>(), "expires": caller.expires_at(), "name": caller.claim("name"),
        });
        described.to_string()
    };
    let app = Router::new().route("/orders", get(describe)).layer(guard().layer());
    let answer = text(app.oneshot(bearer(&Token::user().sign())).await.unwrap()).await;
    let expected = json!({
        "tenant": TENANT, "client": CLIENT, "object": USER, "kind": "user", "version": "2.0",
        "subject": "k7Yp3tQ0XvB2mN5cR8wZ1aD4fG6hJ9lK", "token": TOKEN_ID, "proof": "0",
        "scopes": ["access_as_user", "profile"], "roles": [], "expires": crate::kit::token::NOW + 3600, "name": "Ada",
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&answer).unwrap(), expected);
}

#[tokio::test]
async fn debug_of_a_caller_shows_no_personal_data() {
    let app = Router::new()
        .route("/orders", get(|caller: Caller| async move { format!("{caller:?}") }))
        .layer(guard().layer());
    let token = Token::user().sign();
    let printed = text(app.oneshot(bearer(&token)).await.unwrap()).await;
    assert!(printed.contains(TOKEN_ID) && printed.contains(CLIENT), "{printed}");
    for secret in ["Ada", "ada@contoso.com", USER, OBJECT, &token[..40]] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

/// The rejections are public, so that a service may answer in its own words.
#[tokio::test]
async fn a_handler_may_take_the_rejection_itself() {
    let handler = |caller: Result<Caller<Write>, CallerRejection>| async move {
        match caller {
            Ok(_) => "let in",
            Err(CallerRejection::Lacking(_)) => "lacking",
            Err(CallerRejection::NoGuard) => "no guard",
            Err(_) => "something new",
        }
    };
    let app = Router::new().route("/orders", get(handler));
    let ask = async |app: Router| text(app.oneshot(bearer(&Token::app().sign())).await.unwrap()).await;
    assert_eq!(ask(app.clone().layer(guard().layer())).await, "lacking");
    assert_eq!(ask(app).await, "no guard");
}

#[tokio::test]
async fn the_layer_goes_round_a_whole_router_too() {
    let app = app::<Read>().fallback(|| async { "fallback" });
    let elsewhere = Request::get("/elsewhere").body(Body::empty()).unwrap();
    // axum's `layer` covers the routes that were there before; a fallback that is added later is the owner's business.
    assert_eq!(text(app.oneshot(elsewhere).await.unwrap()).await, "fallback");
}
