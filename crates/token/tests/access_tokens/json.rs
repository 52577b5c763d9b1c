//! A62 to A70: two readers must never read two different tokens.

use countersign_token::Rejection;
use serde_json::json;

use crate::kit::{API, GENUINE_KID, Kit, NOW};

const MALFORMED: Rejection = Rejection::ClaimsMalformed;
const DUPLICATE: Rejection = Rejection::ClaimDuplicate;

#[test]
fn a62_a_claim_twice_the_last_value_bad() {
    for member in [r#""aud":"api://other""#, r#""exp":0"#, r#""roles":[]"#, r#""tid":"x""#, r#""xms_ftd":"""#] {
        let kit = Kit::v2_app();
        kit.refuses_payload(kit.payload_and(member), DUPLICATE);
    }
}

#[test]
fn a63_a_claim_twice_the_first_value_bad_or_the_name_escaped() {
    let kit = Kit::v2_app();
    for member in [
        r#""aud":"api://other""#,
        r#""roles":[]"#,
        r#""\u0061ud":"api://other""#,
        r#""rol\u0065s":["Resource.Write"]"#,
        r#""xms\u005fftd":1"#,
        r#""groups":[],"groups":[]"#,
        r#""unknown":1,"unknown":1"#,
        r#""unknown":1,"\u0075nknown":1"#,
        r#""nonce":"a","nonce":"a""#,
    ] {
        kit.refuses_payload(kit.payload_after(member), DUPLICATE);
    }
    // Deeper down nobody here reads, but others may.
    for member in [r#""cnf":{"kid":"a","kid":"b"}"#, r#""x":[[{"a":{"b":1,"\u0062":2}}]]"#] {
        kit.refuses_payload(kit.payload_and(member), DUPLICATE);
    }
    for member in [r#""x":{"aud":1}"#, r#""x":[{"a":1},{"a":1}]"#] {
        assert!(kit.judge(&kit.token_of(kit.header.to_string(), kit.payload_and(member))).is_ok(), "{member}");
    }
}

#[test]
fn a64_a_header_member_twice() {
    let kit = Kit::v2_app();
    let header = kit.header.to_string();
    for member in [
        r#""alg":"none""#,
        r#""alg":"RS256""#,
        r#""\u0061lg":"RS256""#,
        r#""kid":"other""#,
        r#""typ":"JWT""#,
        r#""x":1,"x":1"#,
        r#""x":{"a":1,"a":1}"#,
    ] {
        kit.refuses_header(format!("{{{member},{}", &header[1..]), Rejection::HeaderDuplicate);
        kit.refuses_header(format!("{},{member}}}", &header[..header.len() - 1]), Rejection::HeaderDuplicate);
    }
}

#[test]
fn a65_names_in_other_letters_are_other_names() {
    let moved = |name: &str, other: &str| {
        let kit = Kit::v2_app();
        let value = kit.claims[name].clone();
        kit.without(name).claim(other, value)
    };
    moved("aud", "Aud").refused(Rejection::ClaimMissing("aud"));
    moved("exp", "EXP").refused(Rejection::ClaimMissing("exp"));
    moved("iss", "iſs").refused(Rejection::ClaimMissing("iss"));
    moved("tid", "TID").refused(Rejection::ClaimMissing("tid"));
    moved("roles", "Roles").refused(Rejection::NoPermission);
    // Beside the claim they change nothing.
    Kit::v2_app().claim("AUD", "api://other").claim("Exp", 0).claim("Nonce", "n").accepted();
    let kit = Kit::v2_app();
    for (name, expected) in [("alg", Rejection::HeaderMalformed), ("kid", Rejection::KeyIdMissing)] {
        let header = kit.header.to_string().replace(name, &name.to_uppercase());
        kit.refuses_header(header, expected);
    }
}

#[test]
fn a66_bytes_behind_the_json() {
    let kit = Kit::v2_app();
    let (header, claims) = (kit.header.to_string(), kit.claims.to_string());
    for behind in ["{}", "x", "\0", ",", "}", "null", "\u{feff}", "//", &claims] {
        kit.refuses_payload(format!("{claims}{behind}"), MALFORMED);
        if header.len() + behind.len() < 500 {
            kit.refuses_header(format!("{header}{behind}"), Rejection::HeaderMalformed);
        }
    }
    for before in ["\u{feff}", "\0", "x", "//\n"] {
        kit.refuses_payload(format!("{before}{claims}"), MALFORMED);
        kit.refuses_header(format!("{before}{header}"), Rejection::HeaderMalformed);
    }
    // White space belongs to JSON.
    assert!(kit.judge(&kit.token_of(format!(" {header}\n"), format!("\t{claims}\r\n "))).is_ok());
}

#[test]
fn a67_other_encodings_than_utf8() {
    let kit = Kit::v2_app();
    let claims = kit.claims.to_string();
    let wide = |unit: fn(u16) -> [u8; 2]| claims.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    let utf32: Vec<u8> = claims.chars().flat_map(|letter| u32::from(letter).to_be_bytes()).collect();
    kit.refuses_payload(wide(u16::to_le_bytes), MALFORMED);
    kit.refuses_payload(wide(u16::to_be_bytes), MALFORMED);
    kit.refuses_payload([b"\xff\xfe".as_slice(), &wide(u16::to_le_bytes)].concat(), MALFORMED);
    kit.refuses_payload(utf32, MALFORMED);
    // A lone continuation, an overlong slash, a surrogate as CESU-8 writes it, beyond Unicode, Latin-1.
    for bytes in [&b"\x80"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xed\xa0\xbd\xed\xb8\x80", b"\xf4\x90\x80\x80", b"\xe4"]
    {
        for name in [&b"aio"[..], b"tid", b"unknown"] {
            let object = [b"{\"", name, b"\":\"", bytes, b"\",", &claims.as_bytes()[1..]].concat();
            kit.refuses_payload(object, MALFORMED);
        }
        let header = [b"{\"x\":\"", bytes, b"\",", &kit.header.to_string().as_bytes()[1..]].concat();
        kit.refuses_header(header, Rejection::HeaderMalformed);
    }
    // Escapes of half a surrogate pair stand for no character.
    for text in [r#""\ud800""#, r#""\udc00\ud800""#, r#""\u00""#, r#""\x41""#] {
        kit.refuses_payload(kit.payload_and(&format!("\"unknown\":{text}")), MALFORMED);
        kit.refuses_payload(kit.payload_and(&format!("\"sid\":{text}")), MALFORMED);
    }
}

#[test]
fn a68_what_only_looks_like_json() {
    let kit = Kit::v2_app();
    for member in [
        r#""exp2":NaN"#,
        r#""exp2":Infinity"#,
        r#""exp2":-Infinity"#,
        r#""exp2":01"#,
        r#""exp2":+1"#,
        r#""exp2":1."#,
        r#""exp2":.5"#,
        r#""exp2":0x10"#,
        r#""exp2":'1'"#,
        r#""exp2":undefined"#,
        r#""exp2":True"#,
        r#""exp2":1,"#,
        r#""exp2":"a	b""#,
        r#"'exp2':1"#,
        "exp2:1",
        "1:1",
        r#"/* */"exp2":1"#,
        "\"exp2\":1//\n",
        r#""exp2":[1,]"#,
        r#""exp2":[1 2]"#,
        r#""exp2""#,
    ] {
        kit.refuses_payload(kit.payload_and(member), MALFORMED);
    }
    for value in ["NaN", "Infinity", "01", "'1'", ""] {
        let payload = kit.claims.to_string().replace(&format!("\"exp\":{}", NOW + 3600), &format!("\"exp\":{value}"));
        kit.refuses_payload(payload, MALFORMED);
    }
}

#[test]
fn a69_payloads_that_are_no_object() {
    let kit = Kit::v2_app();
    for payload in ["[]", "\"text\"", "1", "null", "true", " ", "{", &json!([kit.claims]).to_string()] {
        kit.refuses_payload(payload, MALFORMED);
    }
    kit.refuses_payload(json!(kit.claims.to_string()).to_string(), MALFORMED);
    kit.refuses_payload("", Rejection::NotCompactJws);
    kit.refuses_payload("{}", Rejection::ClaimMissing("ver"));
    for header in ["[]", "\"alg\"", "null", "{", "[\"RS256\"]", " "] {
        kit.refuses_header(header, Rejection::HeaderMalformed);
    }
    kit.refuses_header("", Rejection::NotCompactJws);
}

#[test]
fn a70_depth() {
    let kit = Kit::v2_app();
    for depth in [500, 1_500] {
        let nested = format!("\"x\":{}{}", "[".repeat(depth), "]".repeat(depth));
        kit.refuses_payload(kit.payload_and(&nested), MALFORMED);
        let nested = format!("\"x\":{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        kit.refuses_payload(kit.payload_and(&nested), MALFORMED);
    }
    kit.refuses_payload("[".repeat(200_000), Rejection::TooLarge);
    kit.refuses_payload("[".repeat(10_000), MALFORMED);
    let nested = format!("{{\"x\":{}{}}}", "[".repeat(500), "]".repeat(500));
    kit.refuses_header(nested, Rejection::HeaderMalformed);
}

#[test]
fn a70_breadth() {
    let kit = Kit::v2_app();
    let members = |count: usize| (0..count).map(|number| format!("\"x{number}\":0,")).collect::<String>();
    let known = kit.claims.as_object().map(serde_json::Map::len).unwrap_or_default();
    let payload = |count: usize| format!("{{{}{}", members(count - known), &kit.claims.to_string()[1..]);
    assert!(kit.judge(&kit.token_of(kit.header.to_string(), payload(200))).is_ok());
    kit.refuses_payload(payload(201), Rejection::TooManyClaims);
    kit.refuses_payload(payload(800), Rejection::TooManyClaims);
    kit.refuses_payload(payload(20_000), Rejection::TooLarge);
    let header = |count: usize| format!("{{{}\"alg\":\"RS256\",\"kid\":\"{GENUINE_KID}\"}}", members(count - 2));
    assert!(kit.judge(&kit.token_of(header(32), kit.claims.to_string())).is_ok());
    kit.refuses_header(header(33), Rejection::HeaderMalformed);
}

#[test]
fn a70_long_numbers() {
    let kit = Kit::v2_app();
    let digits = "9".repeat(10_000);
    kit.refuses_payload(kit.payload_and(&format!("\"x\":{digits}")), MALFORMED);
    kit.refuses_payload(kit.payload_and(&format!("\"x\":{}", "9".repeat(100_000))), Rejection::TooLarge);
    let payload = kit.claims.to_string().replace(&format!("\"exp\":{}", NOW + 3600), &format!("\"exp\":{digits}"));
    kit.refuses_payload(payload, MALFORMED);
    kit.refuses_payload(kit.claims.to_string().replace(API, &"a".repeat(9_000)), Rejection::AudienceMismatch);
}

#[test]
fn a65_a_name_that_only_one_reader_gives_a_meaning_has_none() {
    let kit = Kit::v2_app();
    let inside = r#"{"$serde_json::private::RawValue":"{\"jkt\":\"a\",\"jkt\":\"b\"}"}"#;
    for (member, confirmation) in [
        (format!(r#""cnf":{inside}"#), json!({"$serde_json::private::RawValue": "{\"jkt\":\"a\",\"jkt\":\"b\"}"})),
        (r#""cnf":{"$serde_json::private::Number":"1"}"#.to_owned(), json!({"$serde_json::private::Number": "1"})),
    ] {
        let token = kit.token_of(kit.header.to_string(), kit.payload_and(&member));
        assert_eq!(kit.judge(&token).unwrap().claim("cnf"), Some(confirmation));
    }
}

#[test]
fn what_nobody_here_reads_has_the_type_that_others_demand() {
    for value in [json!(1), json!(null), json!(["a"]), json!({})] {
        Kit::v2_app().claim("jti", value).refused(Rejection::ClaimType("jti"));
    }
    for value in ["!!", "a", "YQ==", "YR"] {
        Kit::v2_app().header("x5t#S256", value).refused(Rejection::HeaderMalformed);
    }
}
