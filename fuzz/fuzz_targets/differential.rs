//! Against other readers: a token that is accepted here is accepted by jsonwebtoken too, told to be strict, and with the
//! feature `josekit` by josekit; and all of them read the same claims. The other way round need not hold.
//!
//! An input of two lines is a header and a payload, as in `compact_jws`; the authority signs them.

#![no_main]

use std::sync::LazyLock;

use countersign_fuzz::{
    AUDIENCES, AUTHORITY, NOW, TENANT, V1_TEMPLATE, V2_TEMPLATE, algorithm_of, first_line, has_private_name,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

static JSONWEBTOKEN: LazyLock<(jsonwebtoken::DecodingKey, jsonwebtoken::Validation)> = LazyLock::new(|| {
    let mut strict = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    strict.algorithms.push(jsonwebtoken::Algorithm::PS256);
    strict.set_audience(&AUDIENCES);
    strict.set_issuer(&[V1_TEMPLATE, V2_TEMPLATE].map(|template| template.replace("{tenantid}", TENANT)));
    strict.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    // Its clock cannot be set; the times are compared below.
    (strict.validate_exp, strict.validate_nbf) = (false, false);
    let (modulus, exponent) = AUTHORITY.components();
    (jsonwebtoken::DecodingKey::from_rsa_raw_components(modulus, exponent), strict)
});

/// The claims as jsonwebtoken reads them, if it accepts the token.
fn jsonwebtoken_reads(token: &str) -> Option<Value> {
    let (key, strict) = &*JSONWEBTOKEN;
    jsonwebtoken::decode::<Value>(token, key, strict).ok().map(|decoded| decoded.claims)
}

#[cfg(feature = "josekit")]
mod josekit_reader {
    use std::sync::LazyLock;

    use countersign_fuzz::AUTHORITY;
    use josekit::jwk::Jwk;
    use josekit::jws::alg::rsassa::RsassaJwsVerifier;
    use josekit::jws::alg::rsassa_pss::RsassaPssJwsVerifier;
    use josekit::jws::{JwsVerifier, PS256, RS256};
    use serde_json::Value;

    static VERIFIERS: LazyLock<(RsassaJwsVerifier, RsassaPssJwsVerifier)> = LazyLock::new(|| {
        let jwk = Jwk::from_bytes(AUTHORITY.jwk().to_string().as_bytes()).unwrap();
        (RS256.verifier_from_jwk(&jwk).unwrap(), PS256.verifier_from_jwk(&jwk).unwrap())
    });

    /// The claims as josekit reads them, if it accepts the token.
    pub fn reads(token: &str) -> Option<Value> {
        let verifiers: [(&str, &dyn JwsVerifier); 2] = [("RS256", &VERIFIERS.0), ("PS256", &VERIFIERS.1)];
        verifiers.into_iter().find_map(|(name, verifier)| {
            let (payload, header) = josekit::jwt::decode_with_verifier(token, verifier).ok()?;
            assert_eq!(header.algorithm().unwrap(), name);
            Some(Value::Object(payload.claims_set().clone()))
        })
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((header, payload)) = first_line(input) else { return };
    let token = AUTHORITY.sign(algorithm_of(header), header, payload);
    let Ok(ours) = AUTHORITY.judge(&token) else { return };
    if has_private_name(ours.payload()) || std::str::from_utf8(header).is_ok_and(has_private_name) {
        return;
    }
    let read: Value = serde_json::from_str(ours.payload()).unwrap();
    assert_eq!(jsonwebtoken_reads(&token).as_ref(), Some(&read), "jsonwebtoken");
    #[cfg(feature = "josekit")]
    assert_eq!(josekit_reader::reads(&token).as_ref(), Some(&read), "josekit");
    let date = |name: &str| read.get(name).map(|date| date.as_i64().unwrap());
    assert!(NOW < date("exp").unwrap() + 60 && date("nbf").is_none_or(|nbf| nbf <= NOW + 60));
    assert_eq!(read["tid"], TENANT);
});
