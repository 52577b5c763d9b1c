//! A47 to A61: one token has one spelling, and its header no surprises.

use countersign_token::base64url_encode;
use serde_json::{Value, json};

use crate::kit::encrypt::Envelope;
use crate::kit::{GENUINE_KID, Kit, genuine, segments};
use crate::{Family, bases, two_bases};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(crate) fn families() -> Vec<Family> {
    let mut families = vec![padding(), blanks(), standard_alphabet(), second_spellings(), around(), segment_counts()];
    families.extend([dots(), detached(), serialisations(), encrypted(), bombs(), nested(), critical(), zip(), typ()]);
    families
}

/// Each segment spoiled: header and payload signed in the spoiled form, as a sloppy issuer would, and the payload
/// afterwards too.
fn each_segment(family: &mut Family, kit: &Kit, spoil: impl Fn(&str) -> String) {
    let token = kit.token();
    let (header, payload, signature) = segments(&token);
    family.push_token(kit, kit.token_over(&spoil(header), payload));
    family.push_token(kit, kit.token_over(header, &spoil(payload)));
    family.push_token(kit, format!("{header}.{}.{signature}", spoil(payload)));
    family.push_token(kit, format!("{header}.{payload}.{}", spoil(signature)));
}

fn padding() -> Family {
    let mut family = Family::new(47, "base64 with padding", 48, &["base64", "signature_invalid"]);
    for kit in bases() {
        for padding in ["=", "==", "===="] {
            each_segment(&mut family, &kit, |segment| format!("{segment}{padding}"));
        }
    }
    family
}

fn blanks() -> Family {
    let mut family = Family::new(48, "blanks in a segment", 112, &["base64", "signature_invalid"]);
    for kit in two_bases() {
        for blank in [" ", "\n", "\r\n", "\t", "\0", "%20", "\u{a0}"] {
            for place in [3, 8] {
                each_segment(&mut family, &kit, |segment| format!("{}{blank}{}", &segment[..place], &segment[place..]));
            }
        }
    }
    family
}

fn standard_alphabet() -> Family {
    let mut family = Family::new(49, "the standard alphabet", 12, &["base64"]);
    let standard = |segment: &str| segment.replace('-', "+").replace('_', "/");
    for base in bases() {
        // These bytes need the letters 62 and 63; nearly every signature has them by itself.
        let base = base.header("x", "???>>>~~~").claim("x", "???>>>~~~");
        let mut kits = (0..).map(|number: u32| base.clone().claim("uti", number.to_string()));
        let kit = kits.find(|kit| segments(&kit.token()).2.contains(['-', '_'])).unwrap();
        let token = kit.token();
        let (header, payload, signature) = segments(&token);
        assert!(header.contains(['-', '_']) && payload.contains(['-', '_']), "the sample has letters that differ");
        family.push_token(&kit, kit.token_over(&standard(header), payload));
        family.push_token(&kit, kit.token_over(header, &standard(payload)));
        family.push_token(&kit, format!("{header}.{payload}.{}", standard(signature)));
    }
    family
}

/// The segment with these bits set in its last letter, which stand for nothing.
fn other_spelling(segment: &str, bits: usize) -> String {
    let (head, last) = segment.split_at(segment.len() - 1);
    let place = ALPHABET.iter().position(|&letter| letter == last.as_bytes()[0]).unwrap();
    format!("{head}{}", char::from(ALPHABET[place | bits]))
}

fn second_spellings() -> Family {
    let mut family = Family::new(50, "a second spelling of the same bytes", 68, &["base64"]);
    // A text whose last letter has bits to spare.
    let spare = |object: &Value| {
        let mut object = object.clone();
        while object.to_string().len().is_multiple_of(3) {
            object["x"] = format!("{}x", object["x"].as_str().unwrap_or_default()).into();
        }
        base64url_encode(object.to_string().as_bytes())
    };
    for kit in bases() {
        let token = kit.token();
        let (header, payload, signature) = segments(&token);
        // 256 bytes leave four bits of the last letter unused.
        for bits in 1..16 {
            family.push_token(&kit, format!("{header}.{payload}.{}", other_spelling(signature, bits)));
        }
        family.push_token(&kit, kit.token_over(&other_spelling(&spare(&kit.header), 1), payload));
        family.push_token(&kit, kit.token_over(header, &other_spelling(&spare(&kit.claims), 1)));
    }
    family
}

fn around() -> Family {
    let mut family = Family::new(51, "something round the token", 72, &["base64"]);
    for kit in bases() {
        let token = kit.token();
        for around in [" ", "\0", "\u{feff}", "\n", "\r\n", "\"", "'", "<", ","] {
            family.push_token(&kit, format!("{around}{token}"));
            family.push_token(&kit, format!("{token}{around}"));
        }
    }
    family
}

fn segment_counts() -> Family {
    let mut family = Family::new(52, "other numbers of segments", 38, &["not_compact_jws"]);
    let [kit, ..] = bases();
    for text in ["", ".", "..", "..."] {
        family.push_token(&kit, text);
    }
    for kit in two_bases() {
        family.push_token(&kit, segments(&kit.token()).0);
    }
    for kit in bases() {
        let token = kit.token();
        let (header, payload, signature) = segments(&token);
        for text in [
            format!("{header}.{payload}"),
            format!("{token}."),
            format!(".{token}"),
            format!("{token}.{signature}"),
            format!("{header}.{payload}..{signature}"),
            format!("{header}.{payload}.{payload}.{payload}.{signature}"),
            format!("{header}.{payload}.{payload}.{payload}.{payload}.{signature}"),
            format!(".{payload}.{signature}"),
        ] {
            family.push_token(&kit, text);
        }
    }
    family
}

fn dots() -> Family {
    let mut family = Family::new(53, "a hundred thousand segments", 5, &["too_large", "not_compact_jws"]);
    let [kit, ..] = bases();
    for text in [".".repeat(100_000), "a.".repeat(50_000), ".".repeat(16_384), "a.".repeat(8_000)] {
        family.push_token(&kit, text);
    }
    family.push_token(&kit, format!("{}{}", kit.token(), ".".repeat(10_000)));
    family
}

fn detached() -> Family {
    let codes = &["not_compact_jws", "header_unsupported"];
    let mut family = Family::new(54, "a detached or unencoded payload", 18, codes);
    for kit in bases() {
        let token = kit.token();
        let (header, _, signature) = segments(&token);
        family.push_token(&kit, format!("{header}..{signature}"));
        family.headers(&kit, "b64", [json!(false), json!(true)]);
        family.push(unencoded(&kit));
    }
    for kit in two_bases() {
        // RFC 7797: the payload is signed as it is, here without any dot of its own.
        let kit = unencoded(&kit);
        let header = base64url_encode(kit.header.to_string().as_bytes());
        family.push_token(&kit, kit.token_over(&header, "payload"));
    }
    family
}

fn unencoded(kit: &Kit) -> Kit {
    kit.clone().header("crit", json!(["b64"])).header("b64", false)
}

fn serialisations() -> Family {
    let mut family = Family::new(55, "JSON serialisations", 12, &["not_compact_jws", "base64"]);
    for kit in bases() {
        let token = kit.token();
        let (header, payload, signature) = segments(&token);
        let flattened = json!({"protected": header, "payload": payload, "signature": signature});
        let general = json!({"payload": payload, "signatures": [{"protected": header, "signature": signature}]});
        family.push_token(&kit, flattened.to_string());
        family.push_token(&kit, general.to_string());
        // Both forms in one text (CVE-2022-39227).
        family.push_token(&kit, format!(r#"{{" {token}":"", "payload":"{payload}"}}"#));
    }
    family
}

fn encrypted() -> Family {
    let codes = &["not_compact_jws", "header_unsupported"];
    let mut family = Family::new(56, "encrypted to the public signing key", 20, codes);
    let public = genuine().private_key().public_key();
    for kit in bases() {
        let unsigned = format!(
            "{}.{}.",
            base64url_encode(br#"{"alg":"none"}"#),
            base64url_encode(kit.claims.to_string().as_bytes())
        );
        for (algorithm, encryption, inner) in
            [("RSA-OAEP", "A128CBC-HS256", unsigned.clone()), ("RSA-OAEP-256", "A256GCM", kit.token())]
        {
            let sealed = Envelope::new(algorithm, encryption, public).header("kid", GENUINE_KID).seal(&inner);
            // With only three segments its header gives it away.
            let three: Vec<_> = sealed.split('.').take(3).collect();
            family.push_token(&kit, three.join("."));
            family.push_token(&kit, sealed);
        }
        family.push(kit.header("enc", "A256GCM"));
    }
    family
}

fn bombs() -> Family {
    let codes = &["not_compact_jws", "too_large", "algorithm_not_allowed"];
    let mut family = Family::new(57, "bombs of compression and key derivation", 7, codes);
    let header = |text: &str| base64url_encode(text.as_bytes());
    let bomb = header(r#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#);
    let slow = header(r#"{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA"}"#);
    let [kit, ..] = bases();
    for (first, length) in [(&bomb, 8_000), (&slow, 8_000), (&bomb, 99_999)] {
        family.push_token(&kit, format!("{first}..AAAA.{}.AAAA", "A".repeat(length)));
    }
    for kit in bases() {
        family.push(kit.header("alg", "PBES2-HS256+A128KW").header("p2c", 2_147_483_647));
    }
    family
}

fn nested() -> Family {
    let mut family = Family::new(58, "a token inside a token", 20, &["header_unsupported", "claims_malformed"]);
    for kit in bases() {
        family.headers(&kit, "cty", ["JWT", "jwt", "application/jwt", "json"]);
        family.push_payload(&kit, kit.token());
    }
    family
}

fn critical() -> Family {
    let mut family = Family::new(59, "crit", 36, &["critical_header"]);
    for kit in bases() {
        let values = [json!(["exp"]), json!(["b64"]), json!(["urn:x"]), json!([]), json!(["alg"])];
        family.headers(&kit.header("exp", 0), "crit", values);
    }
    for kit in bases() {
        family.headers(&kit, "crit", [json!(null), json!("exp"), json!({}), json!(0)]);
    }
    family
}

fn zip() -> Family {
    let mut family = Family::new(60, "zip on a signed token", 16, &["header_unsupported"]);
    for kit in bases() {
        family.headers(&kit, "zip", [json!("DEF"), json!("GZ"), json!(""), json!(null)]);
    }
    family
}

fn typ() -> Family {
    let mut family = Family::new(61, "typ of another kind of JWT", 72, &["type", "header_malformed"]);
    for kit in bases() {
        let kinds = ["at+jwt", "application/at+jwt", "dpop+jwt", "logout+jwt", "client-authentication+jwt", "pop"];
        family.headers(&kit, "typ", kinds);
        family.headers(&kit, "typ", ["secevent+jwt", "kb+jwt", "JWE", "JOSE", "jwt", "JWT ", "JWT\0", "", "token"]);
        family.headers(&kit, "typ", [json!(null), json!(1), json!(["JWT"])]);
    }
    family
}
