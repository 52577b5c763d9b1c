//! Access tokens. An input with dots is a whole token and must be refused, since nobody could sign it. An input of two
//! lines is a header and a payload that the authority signs, so that claims are reached; what is then accepted must
//! carry what the policy asks for, in JSON that no two readers read differently.

#![no_main]

use countersign_fuzz::{
    AUDIENCES, AUTHORITY, KEY_ID, NOW, TENANT, V1_TEMPLATE, V2_TEMPLATE, algorithm_of, first_line, has_private_name,
    place, spoiled,
};
use countersign_token::{Algorithm, Claims, TokenKind, TokenVersion, Verified, parse_strict_object};
use libfuzzer_sys::fuzz_target;

/// What the policy asks for.
fn is_meant(token: &Verified<Claims>) {
    assert_eq!(token.tenant().to_string(), TENANT);
    let template = if token.version() == TokenVersion::V1 { V1_TEMPLATE } else { V2_TEMPLATE };
    assert_eq!(token.issuer(), template.replace("{tenantid}", TENANT));
    assert!(AUDIENCES.contains(&token.audience()));
    assert!(token.expires_at().0 + 60 > NOW && token.not_before().is_none_or(|from| from.0 <= NOW + 60));
    assert!(match token.kind() {
        TokenKind::App => token.roles().any(|role| role == "Resource.Read"),
        TokenKind::User => token.scopes().any(|scope| scope == "access_as_user"),
    });
}

/// What was signed, read once more.
fn is_plain(token: &Verified<Claims>, header: &[u8], payload: &[u8], algorithm: Algorithm) {
    assert_eq!(token.payload().as_bytes(), payload);
    let claims = parse_strict_object(token.payload()).unwrap();
    assert_eq!(claims["tid"], TENANT);
    assert!(["nonce", "at_hash", "c_hash", "actort", "actortoken"].iter().all(|name| !claims.contains_key(*name)));
    if !has_private_name(token.payload()) {
        assert!(claims.iter().all(|(name, value)| token.claim(name).as_ref() == Some(value)));
    }
    let header = parse_strict_object(std::str::from_utf8(header).unwrap()).unwrap();
    assert_eq!((&header["alg"], &header["kid"]), (&algorithm.name().into(), &KEY_ID.into()));
    assert!(header.get("typ").is_none_or(|typ| typ == "JWT"));
    let foreign = ["crit", "jwk", "jku", "x5c", "x5u", "b64", "zip", "enc", "cty", "nonce"];
    assert!(foreign.iter().all(|name| !header.contains_key(*name)));
}

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input) {
        assert!(AUTHORITY.judge(text).is_err(), "nobody signed this");
    }
    let Some((header, payload)) = first_line(input) else { return };
    let algorithm = algorithm_of(header);
    let token = AUTHORITY.sign(algorithm, header, payload);
    if let Ok(verified) = AUTHORITY.judge(&token) {
        is_meant(&verified);
        is_plain(&verified, header, payload, algorithm);
    }
    let altered = spoiled(&token, place(input, token.len()));
    assert!(AUTHORITY.judge(&altered).is_err(), "nobody signed it so");
});
