//! A71 to A75: dates are whole seconds, and a date of another type is not an absent date (CVE-2026-25537).

use countersign_token::Rejection;
use serde_json::{Value, json};

use crate::kit::{Kit, NOW, SKEW};

/// Expects a refusal for each text put as the value of a claim.
#[track_caller]
fn texts(name: &str, texts: &[&str], expected: Rejection) {
    for text in texts {
        let kit = Kit::v2_app().claim(name, "PLACE");
        kit.refuses_payload(kit.claims.to_string().replace("\"PLACE\"", text), expected);
    }
}

fn wrong_types() -> [Value; 8] {
    [
        json!("1767229200"),
        json!(""),
        json!(true),
        json!(false),
        json!([NOW]),
        json!({"seconds": NOW}),
        json!(null),
        json!(1.5),
    ]
}

#[test]
fn a71_exp_past_missing_zero_negative_null() {
    Kit::v2_app().claim("exp", NOW - SKEW).refused(Rejection::Expired);
    Kit::v2_app().claim("exp", NOW - SKEW + 1).without("iat").accepted();
    Kit::v2_app().without("exp").refused(Rejection::ClaimMissing("exp"));
    Kit::v2_app().claim("exp", 0).refused(Rejection::Expired);
    Kit::v2_app().claim("exp", -1).refused(Rejection::ClaimRange("exp"));
    Kit::v2_app().claim("exp", i64::MIN).refused(Rejection::ClaimRange("exp"));
    Kit::v2_app().claim("exp", json!(null)).refused(Rejection::ClaimType("exp"));
}

#[test]
fn a72_exp_of_another_type() {
    for value in wrong_types() {
        Kit::v2_app().claim("exp", value).refused(Rejection::ClaimType("exp"));
    }
    texts("exp", &["1767229200.0", "1767229200.5", "1.7672292e9", "-0"], Rejection::ClaimType("exp"));
}

#[test]
fn a73_exp_too_large_to_count() {
    texts("exp", &["1e400", "NaN", "Infinity", "-1e400"], Rejection::ClaimsMalformed);
    // 2^63, 2^64 and beyond.
    let beyond = ["9223372036854775808", "18446744073709551616", "340282366920938463463374607431768211456"];
    texts("exp", &beyond, Rejection::ClaimType("exp"));
    texts("exp", &["9223372036854775807", "253402300800"], Rejection::ClaimRange("exp"));
    texts("exp", &["1767229200000"], Rejection::ClaimRange("exp"));
    Kit::v2_app().claim("exp", 253_402_300_799_i64).accepted();
}

#[test]
fn a74_nbf_in_the_future_or_of_another_type() {
    Kit::v2_app().claim("nbf", NOW + SKEW).accepted();
    Kit::v2_app().claim("nbf", NOW + SKEW + 1).refused(Rejection::NotYetValid);
    Kit::v2_app().claim("nbf", NOW * 1_000).refused(Rejection::ClaimRange("nbf"));
    for value in wrong_types() {
        Kit::v2_app().claim("nbf", value).refused(Rejection::ClaimType("nbf"));
    }
}

#[test]
fn a75_iat_in_the_future_or_of_another_type() {
    Kit::v2_app().claim("iat", NOW + SKEW).accepted();
    Kit::v2_app().claim("iat", NOW + SKEW + 1).refused(Rejection::IssuedInFuture);
    // Issued after it had expired.
    Kit::v2_app().claim("iat", NOW - 5).claim("exp", NOW - 10).refused(Rejection::IssuedInFuture);
    Kit::v2_app().claim("iat", NOW - 10).claim("exp", NOW - 10).accepted();
    Kit::v2_app().claim("iat", -1).refused(Rejection::ClaimRange("iat"));
    for value in wrong_types() {
        Kit::v2_app().claim("iat", value).refused(Rejection::ClaimType("iat"));
    }
}
