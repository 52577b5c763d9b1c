//! What must be let in, and what the caller then knows: a check that refuses everything would pass all other tests.

use countersign_token::{Algorithm, NumericDate, Rejection, TokenKind, TokenVersion};
use serde_json::json;

use crate::kit::{
    API, API_URI, CLIENT, GENUINE_KID, Kit, NEXT_KID, NOW, OBJECT, SKEW, TENANT, USER, V1_TEMPLATE, V2_TEMPLATE,
    genuine, issuer, jwk, next, with, without,
};

#[test]
fn a_v2_application_token() {
    let verified = Kit::v2_app().accepted();
    assert_eq!(verified.key_id(), GENUINE_KID);
    assert_eq!(verified.kind(), TokenKind::App);
    assert_eq!(verified.version(), TokenVersion::V2);
    assert_eq!(verified.tenant().to_string(), TENANT);
    assert_eq!(verified.client().to_string(), CLIENT);
    assert_eq!(verified.issuer(), issuer(V2_TEMPLATE, TENANT));
    assert_eq!(verified.audience(), API);
    assert_eq!(verified.subject(), OBJECT);
    assert_eq!(verified.object_id().unwrap().to_string(), OBJECT);
    assert_eq!(verified.token_id(), Some("pq4Zz8yVxk2mW6v3u7QaAA"));
    assert_eq!(verified.client_authentication(), Some("1"));
    assert_eq!(verified.expires_at(), NumericDate(NOW + 3600));
    assert_eq!(verified.not_before(), Some(NumericDate(NOW - 300)));
    assert_eq!(verified.issued_at(), Some(NumericDate(NOW - 300)));
    assert_eq!(verified.roles().collect::<Vec<_>>(), ["Resource.Read"]);
    assert_eq!(verified.scopes().count(), 0);
    assert_eq!(verified.claim("xms_ftd"), Some(json!("x5JQ1Zl2v0Y0u8c9Vb3Z1kQmHk7m4S2pT8rN6wXyZ4s")));
    assert_eq!(verified.claim("nothing"), None);
    assert_eq!(verified.payload(), Kit::v2_app().claims.to_string());
}

#[test]
fn a_v1_application_token_by_app_id_uri() {
    let verified = Kit::v1_app().accepted();
    assert_eq!(verified.version(), TokenVersion::V1);
    assert_eq!(verified.kind(), TokenKind::App);
    assert_eq!(verified.audience(), API_URI);
    assert_eq!(verified.issuer(), issuer(V1_TEMPLATE, TENANT));
    assert_eq!(verified.client().to_string(), CLIENT);
    assert_eq!(verified.client_authentication(), Some("2"));
}

#[test]
fn a_v1_token_asked_for_by_client_id() {
    assert_eq!(Kit::v1_app().claim("aud", API).accepted().audience(), API);
}

#[test]
fn users_tokens_of_both_versions() {
    for kit in [Kit::v2_user(), Kit::v1_user()] {
        let verified = kit.accepted();
        assert_eq!(verified.kind(), TokenKind::User);
        assert_eq!(verified.object_id().unwrap().to_string(), USER);
        assert!(verified.scopes().any(|scope| scope == "access_as_user"));
        assert_eq!(verified.client_authentication(), Some("0"));
    }
}

#[test]
fn idtyp_may_say_what_the_other_claims_say() {
    assert_eq!(Kit::v2_app().claim("idtyp", "app").accepted().kind(), TokenKind::App);
    assert_eq!(Kit::v2_user().claim("idtyp", "user").accepted().kind(), TokenKind::User);
}

#[test]
fn claim_values_written_with_escapes_are_read_unescaped() {
    let kit = Kit::v2_app();
    // Every second character of every text, and of the claims' names.
    let payload = kit.claims.to_string().replace('a', "\\u0061").replace('e', "\\u0065").replace('/', "\\/");
    let verified = kit.judge(&kit.token_of(kit.header.to_string(), &payload)).unwrap();
    assert_eq!(verified.tenant().to_string(), TENANT);
    assert_eq!(verified.issuer(), issuer(V2_TEMPLATE, TENANT));
    assert_eq!(verified.roles().collect::<Vec<_>>(), ["Resource.Read"]);
    assert_eq!(verified.claim("aio"), Some(kit.claims["aio"].clone()));
    assert_eq!(verified.payload(), payload);
    let kit = Kit::v2_app().header("kid", "KID");
    let header = kit.header.to_string().replace("KID", &GENUINE_KID.replace('1', "\\u0031"));
    assert!(kit.judge(&kit.token_of(header, kit.claims.to_string())).is_ok());
}

#[test]
fn claims_with_characters_beyond_ascii() {
    let verified = Kit::v2_user().claim("name", "Åda 日本 🦀").claim("scp", "access_as_user größe").accepted();
    assert_eq!(verified.claim("name"), Some(json!("Åda 日本 🦀")));
    assert_eq!(verified.scopes().collect::<Vec<_>>(), ["access_as_user", "größe"]);
}

#[test]
fn x5t_in_the_header_names_the_same_key() {
    Kit::v2_app().header("x5t", GENUINE_KID).accepted();
    // A key that publishes no x5t is named by its kid.
    Kit::v1_app().keys([without(jwk(genuine()), "x5t")]).accepted();
}

#[test]
fn a_header_without_typ() {
    Kit::v2_app().without_header("typ").accepted();
}

#[test]
fn keys_name_their_issuer_by_template_exactly_or_not_at_all() {
    let exact = issuer(V2_TEMPLATE, TENANT);
    for key in [
        jwk(genuine()),
        with(jwk(genuine()), "issuer", exact),
        without(jwk(genuine()), "issuer"),
        without(jwk(genuine()), "cloud_instance_name"),
        with(jwk(genuine()), "alg", "RS256"),
    ] {
        Kit::v2_app().keys([key.clone()]).accepted();
        // The same keys sign v1.0 tokens, though their document names the v2.0 issuer.
        Kit::v1_app().keys([key]).accepted();
    }
}

#[test]
fn a_v1_policy_takes_keys_published_for_the_v2_issuer() {
    Kit::v1_app().policy("issuers", json!([V1_TEMPLATE])).accepted();
    Kit::v1_app().policy("issuers", json!([issuer(V1_TEMPLATE, TENANT)])).accepted();
}

#[test]
fn a_policy_may_name_its_issuers_exactly() {
    Kit::v2_app().policy("issuers", json!([issuer(V2_TEMPLATE, TENANT)])).accepted();
}

#[test]
fn the_next_key_is_good_as_soon_as_it_is_published() {
    let verified = Kit::v2_app().header("kid", NEXT_KID).signed_by(next()).accepted();
    assert_eq!(verified.key_id(), NEXT_KID);
}

#[test]
fn ps256_only_when_the_policy_lists_it() {
    let kit = Kit::v2_app().header("alg", "PS256").signed_with(Algorithm::Ps256);
    kit.refused(Rejection::AlgorithmNotAllowed);
    kit.clone().policy("algorithms", json!(["RS256", "PS256"])).accepted();
    kit.policy("algorithms", json!(["PS256"])).accepted();
    Kit::v2_app().policy("algorithms", json!(["PS256"])).refused(Rejection::AlgorithmNotAllowed);
}

#[test]
fn an_audience_array_of_exactly_one() {
    assert_eq!(Kit::v2_app().claim("aud", json!([API])).accepted().audience(), API);
    let kit = Kit::v2_app();
    let payload = kit.claims.to_string().replace(&format!("\"{API}\""), &format!("[ \"\\u0061{}\" ]", &API[1..]));
    assert_eq!(kit.judge(&kit.token_of(kit.header.to_string(), payload)).unwrap().audience(), API);
}

#[test]
fn one_of_several_roles_or_scopes_is_enough() {
    let many: Vec<_> = (0..40).map(|number| format!("Role.{number}")).chain(["Resource.Read".to_owned()]).collect();
    let verified = Kit::v2_app().claim("roles", many.clone()).accepted();
    assert_eq!(verified.roles().collect::<Vec<_>>(), many);
    assert!(verified.size() > verified.payload().len() + 41 * 8, "spilled roles are counted");
    Kit::v2_user().claim("scp", "  openid   access_as_user ").accepted();
}

#[test]
fn the_edges_of_time_are_exact() {
    let kit = Kit::v2_app();
    let (exp, nbf) = (NOW + 3600, NOW - 300);
    kit.clone().at(exp + SKEW - 1).accepted();
    kit.clone().at(exp + SKEW).refused(Rejection::Expired);
    kit.clone().at(nbf - SKEW).accepted();
    kit.clone().at(nbf - SKEW - 1).refused(Rejection::NotYetValid);
    let strict = kit.policy("clock_skew_seconds", 0);
    strict.clone().at(exp - 1).accepted();
    strict.clone().at(exp).refused(Rejection::Expired);
    strict.clone().at(nbf).accepted();
    strict.at(nbf - 1).refused(Rejection::NotYetValid);
}

#[test]
fn a_token_without_nbf_and_iat_is_good() {
    let verified = Kit::v2_app().without("nbf").without("iat").accepted();
    assert_eq!((verified.not_before(), verified.issued_at()), (None, None));
}

#[test]
fn times_can_be_checked_again() {
    let kit = Kit::v2_app();
    let verified = kit.accepted();
    let policy: countersign_token::Policy = serde_json::from_value(kit.policy).unwrap();
    let validator = policy.compile().unwrap();
    assert_eq!(validator.clock_skew_seconds(), SKEW);
    let at = |now| validator.check_times(&verified, NumericDate(now));
    assert_eq!(at(NOW), Ok(()));
    assert_eq!(at(NOW + 3600 + SKEW - 1), Ok(()));
    assert_eq!(at(NOW + 3600 + SKEW), Err(Rejection::Expired));
    assert_eq!(at(NOW - 300 - SKEW - 1), Err(Rejection::NotYetValid));
}
