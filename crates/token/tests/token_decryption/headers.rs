//! What the header of an encrypted token must not say. All of it is refused before a key is used.

use countersign_token::{Rejection, base64url_encode};
use serde_json::{Value, json};

use crate::{envelope, refused};

/// A header of this text over segments that mean nothing.
fn under(header: impl AsRef<[u8]>) -> String {
    format!("{}.AA.AA.AA.AA", base64url_encode(header.as_ref()))
}

#[test]
fn a_header_is_one_json_object_with_texts_as_members() {
    for header in ["x", "[]", "\"a\"", "null", "{}", "{}{}", "\u{feff}{}", r#"{"alg":"RSA-OAEP"}"#] {
        refused(&under(header), Rejection::HeaderMalformed);
    }
    refused(&under(b"{\"alg\":\"\xff\"}"), Rejection::HeaderMalformed);
    refused(&envelope().without_header("alg").seal("a.b.c"), Rejection::HeaderMalformed);
    refused(&envelope().without_header("enc").seal("a.b.c"), Rejection::HeaderMalformed);
    for name in ["alg", "enc", "typ", "cty", "kid", "x5t", "x5t#S256"] {
        for value in [Value::Null, json!(1), json!(true), json!([]), json!(["JWT"]), json!({})] {
            refused(&envelope().header(name, value).seal("a.b.c"), Rejection::HeaderMalformed);
        }
    }
}

#[test]
fn members_stand_once() {
    for header in [
        r#"{"alg":"RSA-OAEP","enc":"A128GCM","alg":"RSA-OAEP"}"#,
        r#"{"alg":"RSA-OAEP","enc":"A128GCM","\u0065nc":"A128GCM"}"#,
        r#"{"alg":"RSA-OAEP","enc":"A128GCM","x":{"a":1,"a":2}}"#,
    ] {
        refused(&under(header), Rejection::HeaderDuplicate);
    }
}

#[test]
fn a06_a21_other_ways_to_encrypt_the_key() {
    for algorithm in [
        "RSA1_5",
        "RSA-OAEP-384",
        "RSA-OAEP-512",
        "dir",
        "A128KW",
        "A192KW",
        "A256KW",
        "A128GCMKW",
        "A256GCMKW",
        "ECDH-ES",
        "ECDH-ES+A128KW",
        "PBES2-HS256+A128KW",
        "PBES2-HS512+A256KW",
        "RS256",
        "HS256",
        "none",
        "",
        "rsa-oaep",
        "RSA_OAEP",
        "RSA-OAEP ",
        " RSA-OAEP",
        "RSA-OAEP\0",
        "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
    ] {
        refused(&envelope().header("alg", algorithm).seal("a.b.c"), Rejection::EncryptionNotAllowed("alg"));
    }
}

#[test]
fn other_ways_to_encrypt_the_content() {
    for encryption in [
        "A128CBC",
        "A256CBC",
        "A128CBC+HS256",
        "A128CTR",
        "XC20P",
        "C20P",
        "A512GCM",
        "a128gcm",
        "A128GCM ",
        "none",
        "",
        "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
    ] {
        refused(&envelope().header("enc", encryption).seal("a.b.c"), Rejection::EncryptionNotAllowed("enc"));
    }
}

#[test]
fn a59_crit_with_any_value() {
    for value in [json!([]), json!(["exp"]), json!(["alg"]), json!("x"), Value::Null] {
        refused(&envelope().header("crit", value).seal("a.b.c"), Rejection::CriticalHeader);
    }
}

#[test]
fn a23_to_a26_keys_in_the_header() {
    for name in ["jwk", "jku", "x5c", "x5u"] {
        for value in [json!("https://attacker.example/keys"), json!({"kty": "RSA"}), json!([]), Value::Null] {
            refused(&envelope().header(name, value).seal("a.b.c"), Rejection::KeyInHeader(name));
        }
    }
}

#[test]
fn a61_typ_and_cty_of_something_else() {
    for kind in ["at+jwt", "jwt", "JWE", "JOSE", "application/jwt", "dpop+jwt", ""] {
        refused(&envelope().header("typ", kind).seal("a.b.c"), Rejection::Type);
        refused(&envelope().header("cty", kind).seal("a.b.c"), Rejection::ContentType);
    }
}

#[test]
fn a28_a29_a30_names_that_are_no_names() {
    for key_id in ["", "a b", "a\nb", "\u{e9}", "\0", &"k".repeat(129), &"k".repeat(1_000)] {
        refused(&envelope().header("kid", key_id).seal("a.b.c"), Rejection::KeyIdMalformed);
    }
    for key_id in ["../../etc/passwd", "' OR 1=1--", "${jndi:ldap://x}", &"k".repeat(128)] {
        let expected = if key_id.contains(' ') { Rejection::KeyIdMalformed } else { Rejection::DecryptionKeyUnknown };
        refused(&envelope().header("kid", key_id).seal("a.b.c"), expected);
    }
}
