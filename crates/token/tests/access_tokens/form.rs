//! A47 to A61: one token has one spelling, and its header no surprises.

use countersign_token::{Rejection, base64url_encode};
use serde_json::{Value, json};

use crate::kit::{GENUINE_KID, Kit, segments};

const HEADER: Rejection = Rejection::Base64("header");
const PAYLOAD: Rejection = Rejection::Base64("payload");
const SIGNATURE: Rejection = Rejection::Base64("signature");

/// Spoils each segment with `spoil` and expects the refusal that belongs to it: header and payload are signed in the
/// spoiled form, as a sloppy issuer would; a payload spoiled afterwards fails by its signature.
#[track_caller]
fn each_segment(spoil: impl Fn(&str) -> String) {
    let kit = Kit::v2_app();
    let token = kit.token();
    let (header, payload, signature) = segments(&token);
    kit.refuses(&kit.token_over(&spoil(header), payload), HEADER);
    kit.refuses(&kit.token_over(header, &spoil(payload)), PAYLOAD);
    kit.refuses(&format!("{header}.{}.{signature}", spoil(payload)), Rejection::SignatureInvalid);
    kit.refuses(&format!("{header}.{payload}.{}", spoil(signature)), SIGNATURE);
}

#[test]
fn a47_base64_padding() {
    each_segment(|segment| format!("{segment}="));
    each_segment(|segment| format!("{segment}=="));
    each_segment(|segment| format!("{segment}{}", "=".repeat((4 - segment.len() % 4) % 4 + 4)));
}

#[test]
fn a48_blanks_and_newlines_inside_a_segment() {
    for blank in [" ", "\n", "\r\n", "\t", "\0", "%20", "\u{a0}"] {
        each_segment(|segment| format!("{}{blank}{}", &segment[..8], &segment[8..]));
        each_segment(|segment| format!("{segment}{blank}"));
    }
}

#[test]
fn a49_the_standard_alphabet() {
    // `??>` and `???` are the bytes that need the letters 62 and 63.
    let kit = Kit::v2_app().header("x", "???>>>~~~").claim("x", "???>>>~~~");
    let token = kit.token();
    let (header, payload, signature) = segments(&token);
    let standard = |segment: &str| segment.replace('-', "+").replace('_', "/");
    for segment in [header, payload, signature] {
        assert_ne!(standard(segment), segment, "the sample has letters that differ");
    }
    kit.refuses(&kit.token_over(&standard(header), payload), HEADER);
    kit.refuses(&kit.token_over(header, &standard(payload)), PAYLOAD);
    kit.refuses(&format!("{header}.{payload}.{}", standard(signature)), SIGNATURE);
}

#[test]
fn a50_a_second_spelling_of_the_same_bytes() {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let kit = Kit::v2_app();
    let token = kit.token();
    let (input, last) = token.split_at(token.len() - 1);
    let place = ALPHABET.iter().position(|&letter| letter == last.as_bytes()[0]).unwrap();
    // 256 bytes leave four bits of the last letter unused.
    for bits in 1..16 {
        kit.refuses(&format!("{input}{}", char::from(ALPHABET[place | bits])), SIGNATURE);
    }
    let odd = |object: &Value| {
        let mut object = object.clone();
        while object.to_string().len().is_multiple_of(3) {
            object["x"] = format!("{}x", object["x"].as_str().unwrap_or_default()).into();
        }
        base64url_encode(object.to_string().as_bytes())
    };
    let spoil = |segment: &str| {
        let (head, last) = segment.split_at(segment.len() - 1);
        let place = ALPHABET.iter().position(|&letter| letter == last.as_bytes()[0]).unwrap();
        format!("{head}{}", char::from(ALPHABET[place | 1]))
    };
    let (header, payload) = (odd(&kit.header), odd(&kit.claims));
    assert!(kit.judge(&kit.token_over(&header, &payload)).is_ok());
    kit.refuses(&kit.token_over(&spoil(&header), &payload), HEADER);
    kit.refuses(&kit.token_over(&header, &spoil(&payload)), PAYLOAD);
}

#[test]
fn a51_blanks_nul_and_bom_round_the_token() {
    let kit = Kit::v2_app();
    let token = kit.token();
    for around in [" ", "\0", "\u{feff}", "\n", "\"", "'", "<", ","] {
        kit.refuses(&format!("{around}{token}"), HEADER);
        kit.refuses(&format!("{token}{around}"), SIGNATURE);
    }
}

#[test]
fn a52_other_numbers_of_segments() {
    let kit = Kit::v2_app();
    let token = kit.token();
    let (header, payload, signature) = segments(&token);
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{header}.{payload}..{signature}"),
        format!("{header}.{payload}.{payload}.{payload}.{signature}"),
        format!("{header}.{payload}.{payload}.{payload}.{payload}.{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}..{signature}"),
        format!("{header}.{payload}."),
    ] {
        kit.refuses(&text, Rejection::NotCompactJws);
    }
}

#[test]
fn a53_a_hundred_thousand_dots() {
    let kit = Kit::v2_app();
    kit.refuses(&".".repeat(100_000), Rejection::TooLarge);
    kit.refuses(&"a.".repeat(50_000), Rejection::TooLarge);
    kit.refuses(&".".repeat(16_384), Rejection::NotCompactJws);
    kit.refuses(&"a.".repeat(8_000), Rejection::NotCompactJws);
}

#[test]
fn a54_detached_payload() {
    let kit = Kit::v2_app();
    let token = kit.token();
    let (header, _, signature) = segments(&token);
    kit.refuses(&format!("{header}..{signature}"), Rejection::NotCompactJws);
    kit.clone().header("b64", false).refused(Rejection::HeaderUnsupported("b64"));
    kit.clone().header("b64", true).refused(Rejection::HeaderUnsupported("b64"));
    kit.header("crit", json!(["b64"])).refused(Rejection::CriticalHeader);
}

#[test]
fn a55_json_serialisations() {
    let kit = Kit::v2_app();
    let token = kit.token();
    let (header, payload, signature) = segments(&token);
    let flattened = json!({"protected": header, "payload": payload, "signature": signature});
    let general = json!({"payload": payload, "signatures": [{"protected": header, "signature": signature}]});
    kit.refuses(&flattened.to_string(), Rejection::NotCompactJws);
    kit.refuses(&general.to_string(), Rejection::NotCompactJws);
    // Both forms in one text (CVE-2022-39227).
    kit.refuses(&format!(r#"{{" {token}":"", "payload":"{payload}"}}"#), HEADER);
}

#[test]
fn a56_a_jwe_to_the_public_signing_key() {
    let header = base64url_encode(
        format!(r#"{{"alg":"RSA-OAEP-256","enc":"A256GCM","cty":"JWT","kid":"{GENUINE_KID}"}}"#).as_bytes(),
    );
    let kit = Kit::v2_app();
    kit.refuses(&format!("{header}.AAAA.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA"), Rejection::NotCompactJws);
    // With only three segments its header gives it away.
    kit.refuses(&format!("{header}.AAAA.AAAA"), Rejection::HeaderUnsupported("enc"));
    kit.header("enc", "A256GCM").refused(Rejection::HeaderUnsupported("enc"));
}

#[test]
fn a57_decompression_and_key_derivation_bombs() {
    let header = |text: &str| base64url_encode(text.as_bytes());
    let bomb = header(r#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#);
    let slow = header(r#"{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA"}"#);
    let kit = Kit::v2_app();
    for first in [&bomb, &slow] {
        kit.refuses(&format!("{first}..AAAA.{}.AAAA", "A".repeat(8_000)), Rejection::NotCompactJws);
    }
    kit.refuses(&format!("{bomb}..AAAA.{}.AAAA", "A".repeat(99_999)), Rejection::TooLarge);
    let counts = kit.header("alg", "PBES2-HS256+A128KW").header("p2c", 2_147_483_647);
    counts.refused(Rejection::AlgorithmNotAllowed);
}

#[test]
fn a58_a_jwt_inside_a_jwt() {
    let kit = Kit::v2_app();
    for cty in ["JWT", "jwt", "application/jwt", "json"] {
        kit.clone().header("cty", cty).refused(Rejection::HeaderUnsupported("cty"));
    }
    kit.refuses_payload(kit.token(), Rejection::ClaimsMalformed);
}

#[test]
fn a59_crit_with_any_value() {
    for value in
        [json!(["exp"]), json!(["b64"]), json!(["urn:x"]), json!([]), json!(null), json!("exp"), json!({}), json!(0)]
    {
        Kit::v2_app().header("crit", value).header("exp", 0).refused(Rejection::CriticalHeader);
    }
}

#[test]
fn a60_zip_on_a_jws() {
    for value in [json!("DEF"), json!(""), json!(null)] {
        Kit::v2_app().header("zip", value).refused(Rejection::HeaderUnsupported("zip"));
    }
}

#[test]
fn a61_typ_of_another_kind_of_jwt() {
    for typ in [
        "at+jwt",
        "application/at+jwt",
        "dpop+jwt",
        "logout+jwt",
        "client-authentication+jwt",
        "secevent+jwt",
        "kb+jwt",
        "JWE",
        "JOSE",
        "jwt",
        "JWT ",
        "",
    ] {
        Kit::v2_app().header("typ", typ).refused(Rejection::Type);
    }
    for value in [json!(null), json!(1), json!(["JWT"])] {
        Kit::v2_app().header("typ", value).refused(Rejection::HeaderMalformed);
    }
}

#[test]
fn members_that_nobody_reads_have_their_registered_type_too() {
    for (name, text) in [("x5t#S256", "YQ"), ("url", "any text")] {
        Kit::v2_app().header(name, text).accepted();
        for value in [serde_json::json!(0), serde_json::json!([]), serde_json::json!(null)] {
            Kit::v2_app().header(name, value).refused(Rejection::HeaderMalformed);
        }
    }
}
