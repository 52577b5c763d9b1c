//! The development bypass: who is let in, and that it cannot be overlooked.

use std::sync::Mutex;

use countersign_guard::{DevelopmentBypass, Guard, GuardedRouter, Permission};
use tower::{Layer, ServiceExt};

use crate::kit::log::Log;
use crate::kit::service::Inside;
use crate::kit::token::Token;
use crate::kit::{bearer, header, policy, request};

/// Builds one at a time: tracing loses an event whose place in the code one thread reaches for the first time while another
/// begins to listen.
fn build(bypass: DevelopmentBypass) -> Guard {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock();
    bypass.build(&policy()).unwrap()
}

#[tokio::test]
async fn everybody_is_the_made_up_caller_and_every_answer_says_so() {
    let bypass = DevelopmentBypass::as_application(&["Resource.Read"]).claim("uti", "me");
    build(bypass.clone());
    let (log, _logging) = Log::start();
    let guard = build(bypass);
    let warning = log.take_all().into_iter().find(|line| line.contains("BYPASSED")).unwrap();
    assert!(warning.starts_with("WARN countersign_guard::bypass"), "{warning}");
    let inside = Inside::default();
    let read = guard.layer().layer(inside.clone());
    let write = guard.layer_for(Permission::any_app_role(["Resource.Write"])).layer(inside.clone());
    for request in [request(&[]), request(&["Basic dTpw"]), bearer("opaque"), bearer(&Token::user().sign())] {
        let response = read.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(header(&response, "x-countersign-bypass").unwrap().contains("no caller was authenticated"));
        assert_eq!(inside.caller().unwrap().token_id(), Some("me"));
    }
    // What the made-up caller lacks is missing here as elsewhere.
    let response = write.oneshot(request(&[])).await.unwrap();
    assert_eq!(response.status(), 403);
    assert!(header(&response, "x-countersign-bypass").is_some());
}

#[tokio::test]
async fn a_user_can_be_made_up_too_and_open_routes_are_as_they_were() {
    let guard = build(DevelopmentBypass::as_user(&["access_as_user"]));
    let app = GuardedRouter::new(guard)
        .route("/orders", axum::routing::get(|| async { "tea" }))
        .requires(Permission::any_scope(["access_as_user"]))
        .into_router()
        .unwrap();
    let response = app.with_state(()).oneshot(request(&[])).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(header(&response, "x-countersign-bypass").is_some());
}

#[tokio::test]
async fn a_guard_without_a_bypass_never_says_that_it_has_one() {
    for token in ["opaque".to_owned(), Token::app().sign()] {
        let response = crate::kit::answer(&crate::kit::guard(), &token).await;
        assert_eq!(header(&response, "x-countersign-bypass"), None);
    }
}
