//! A62 to A70: two readers must never read two different tokens.

use serde_json::{Map, json};

use crate::kit::GENUINE_KID;
use crate::{Family, bases, payload_with, two_bases};

const MALFORMED: &str = "claims_malformed";

pub(crate) fn families() -> Vec<Family> {
    let mut families = vec![last_bad(), first_bad(), header_twice(), other_letters(), more(), encodings()];
    families.extend([look_alikes(), no_object(), extents()]);
    families
}

/// Another value for claims that every base has.
const OTHERS: [&str; 9] = [
    r#""aud":"api://other""#,
    r#""exp":0"#,
    r#""nbf":0"#,
    r#""iat":0"#,
    r#""tid":"x""#,
    r#""iss":"https://login.microsoftonline.com/""#,
    r#""ver":"3.0""#,
    r#""sub":"x""#,
    r#""oid":"x""#,
];

fn last_bad() -> Family {
    let mut family = Family::new(62, "a claim twice, the last value bad", 36, &["claim_duplicate"]);
    for kit in bases() {
        OTHERS.iter().for_each(|member| family.push_payload(&kit, kit.payload_and(member)));
    }
    family
}

fn first_bad() -> Family {
    let mut family = Family::new(63, "a claim twice, the first bad, or escaped", 84, &["claim_duplicate"]);
    for kit in bases() {
        let escaped = [r#""\u0061ud":"api://other""#, r#""t\u0069d":"x""#, r#""\u0065\u0078\u0070":0"#];
        let unknown = [
            r#""unknown":1,"unknown":1"#,
            r#""unknown":1,"\u0075nknown":1"#,
            r#""groups":[],"groups":[]"#,
            r#""nonce":"a","nonce":"a""#,
            r#""cnf":{"kid":"a","kid":"b"}"#,
            r#""x":[[{"a":{"b":1,"\u0062":2}}]]"#,
            r#""":1,"":2"#,
            r#""x":{"":1,"":1}"#,
            r#""\ud83e\udd80":1,"🦀":1"#,
        ];
        for member in OTHERS.iter().chain(&escaped).chain(&unknown) {
            family.push_payload(&kit, kit.payload_after(member));
        }
    }
    family
}

fn header_twice() -> Family {
    let mut family = Family::new(64, "a header member twice", 64, &["header_duplicate"]);
    for kit in bases() {
        let header = kit.header.to_string();
        for member in [
            r#""alg":"none""#,
            r#""alg":"RS256""#,
            r#""\u0061lg":"RS256""#,
            r#""kid":"other""#,
            r#""k\u0069d":"other""#,
            r#""typ":"JWT""#,
            r#""x":1,"x":1"#,
            r#""x":{"a":1,"a":1}"#,
        ] {
            family.push_header(&kit, format!("{{{member},{}", &header[1..]));
            family.push_header(&kit, format!("{},{member}}}", &header[..header.len() - 1]));
        }
    }
    family
}

fn other_letters() -> Family {
    let codes = &["claim_missing", "no_permission", "kind_contradictory", "header_malformed", "key_id_missing"];
    let mut family = Family::new(65, "names in other letters", 44, codes);
    for kit in bases() {
        let granted = if kit.claims.get("roles").is_some() { ("roles", "Roles") } else { ("scp", "Scp") };
        let renamed = [("aud", "Aud"), ("exp", "EXP"), ("iss", "iſs"), ("tid", "TID"), ("ver", "Ver"), ("sub", "Sub")];
        for (name, other) in renamed.into_iter().chain([granted, ("exp", "exp ")]) {
            let value = kit.claims[name].clone();
            family.push(kit.clone().without(name).claim(other, value));
        }
        for name in ["alg", "kid"] {
            family.push_header(
                &kit,
                kit.header.to_string().replace(&format!("\"{name}\""), &format!("\"{}\"", name.to_uppercase())),
            );
        }
        family.push_header(&kit, kit.header.to_string().replace("\"kid\"", "\"kid \""));
    }
    family
}

fn more() -> Family {
    let mut family = Family::new(66, "bytes before or behind the JSON", 104, &[MALFORMED, "header_malformed"]);
    for kit in bases() {
        let (header, claims) = (kit.header.to_string(), kit.claims.to_string());
        for behind in ["{}", "x", "\0", ",", "}", "null", "\u{feff}", "//", "\u{a0}"] {
            family.push_payload(&kit, format!("{claims}{behind}"));
            family.push_header(&kit, format!("{header}{behind}"));
        }
        for before in ["\u{feff}", "\0", "x", "//\n"] {
            family.push_payload(&kit, format!("{before}{claims}"));
            family.push_header(&kit, format!("{before}{header}"));
        }
    }
    family
}

fn encodings() -> Family {
    let mut family = Family::new(67, "other encodings than UTF-8", 68, &[MALFORMED, "header_malformed"]);
    for kit in two_bases() {
        let (header, claims) = (kit.header.to_string(), kit.claims.to_string());
        let wide = |text: &str, unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        let (low, high) = (wide(&claims, u16::to_le_bytes), wide(&claims, u16::to_be_bytes));
        let utf32: Vec<u8> = claims.chars().flat_map(|letter| u32::from(letter).to_be_bytes()).collect();
        for payload in [[b"\xff\xfe".as_slice(), &low].concat(), low, high, utf32] {
            family.push_payload(&kit, payload);
        }
        family.push_header(&kit, wide(&header, u16::to_le_bytes));
        family.push_header(&kit, wide(&header, u16::to_be_bytes));
        // A lone continuation, an overlong slash, surrogates as CESU-8 writes them, beyond Unicode, Latin-1.
        let broken =
            [&b"\x80"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xed\xa0\xbd\xed\xb8\x80", b"\xf4\x90\x80\x80", b"\xe4"];
        for bytes in broken {
            for name in [&b"aio"[..], b"tid", b"unknown"] {
                let start = [b"{\"", name, b"\":\"", bytes, b"\","].concat();
                family.push_payload(&kit, [&start, &claims.as_bytes()[1..]].concat());
            }
            family.push_header(&kit, [b"{\"x\":\"", bytes, b"\",", &header.as_bytes()[1..]].concat());
        }
        for text in [r#""\ud800""#, r#""\udc00\ud800""#, r#""\u00""#, r#""\x41""#] {
            family.push_payload(&kit, kit.payload_and(&format!("\"unknown\":{text}")));
        }
    }
    family
}

fn look_alikes() -> Family {
    let mut family = Family::new(68, "what only looks like JSON", 108, &[MALFORMED]);
    for kit in bases() {
        for text in ["NaN", "Infinity", "-Infinity", "01", "+1", "1.", ".5", "0x10", "'1'", "undefined", "True", "1,"] {
            family.push_payload(&kit, kit.payload_and(&format!("\"x\":{text}")));
        }
        for text in ["\"a\tb\"", "[1,]", "[1 2]", "{\"a\":1,}", "1_000"] {
            family.push_payload(&kit, kit.payload_and(&format!("\"x\":{text}")));
        }
        for member in ["'x':1", "x:1", "1:1", "/* */\"x\":1", "\"x\"", "\"x\" 1"] {
            family.push_payload(&kit, kit.payload_and(member));
        }
        for text in ["NaN", "01", "'1'", ""] {
            family.push_payload(&kit, payload_with(&kit, "exp", text));
        }
    }
    family
}

fn no_object() -> Family {
    let codes = &[MALFORMED, "header_malformed", "not_compact_jws", "claim_missing"];
    let mut family = Family::new(69, "payloads and headers that are no object", 19, codes);
    let [kit, ..] = bases();
    let (array, text) = (json!([kit.claims]).to_string(), json!(kit.claims.to_string()).to_string());
    for payload in ["[]", "\"text\"", "1", "null", "true", " ", "{", &array, &text, "", "{}"] {
        family.push_payload(&kit, payload);
    }
    let array = json!([kit.header]).to_string();
    for header in ["[]", "\"alg\"", "null", "{", "[\"RS256\"]", " ", "", &array] {
        family.push_header(&kit, header);
    }
    family
}

/// Depth, breadth and length.
fn extents() -> Family {
    let codes = &[MALFORMED, "header_malformed", "too_large", "too_many_claims", "audience_mismatch"];
    let mut family = Family::new(70, "depth, breadth and length", 30, codes);
    for kit in two_bases() {
        for depth in [500, 1_500] {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            family.push_payload(&kit, kit.payload_and(&format!("\"x\":{open}{close}")));
            let (open, close) = ("{\"a\":".repeat(depth), "}".repeat(depth));
            family.push_payload(&kit, kit.payload_and(&format!("\"x\":{open}1{close}")));
        }
        family.push_payload(&kit, "[".repeat(200_000));
        family.push_payload(&kit, "[".repeat(10_000));
        let members = |count: usize| (0..count).map(|number| format!("\"x{number}\":0,")).collect::<String>();
        let known = kit.claims.as_object().map_or(0, Map::len);
        for count in [201 - known, 800, 20_000] {
            family.push_payload(&kit, format!("{{{}{}", members(count), &kit.claims.to_string()[1..]));
        }
        family.push_header(&kit, format!("{{{}\"alg\":\"RS256\",\"kid\":\"{GENUINE_KID}\"}}", members(31)));
        let nested = format!("\"x\":{}{}", "[".repeat(500), "]".repeat(500));
        family.push_header(&kit, format!("{{{nested},{}", &kit.header.to_string()[1..]));
        family.push_payload(&kit, kit.payload_and(&format!("\"x\":{}", "9".repeat(10_000))));
        family.push_payload(&kit, payload_with(&kit, "exp", &"9".repeat(10_000)));
        family.push_payload(&kit, kit.payload_and(&format!("\"x\":{}", "9".repeat(100_000))));
        family.claims(&kit, "aud", ["a".repeat(9_000)]);
    }
    family
}
