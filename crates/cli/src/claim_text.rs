//! What each claim and header member of an Entra token means, in one line, for people who never saw one.
//!
//! Source: Microsoft identity platform, "Access token claims reference"; RFC 7515 §4.1, RFC 7519 §4.1.

use serde_json::Value;

use crate::instant;

/// What a header member says.
pub(crate) fn header_member(name: &str) -> &'static str {
    match name {
        "typ" => "the kind of object: a JSON Web Token",
        "alg" => "how it is signed",
        "kid" => "which of the authority's published keys verifies the signature",
        "x5t" => "thumbprint of that key's certificate (SHA-1), in v1.0 tokens",
        "x5t#S256" => "thumbprint of the signing certificate (SHA-256), in client assertions",
        "nonce" => "only in Microsoft Graph's tokens: nobody but Graph can verify this one",
        "x5c" | "x5u" | "jwk" | "jku" => "a key that the token brings along; no guard may use it",
        "crit" => "extensions that a reader must understand or refuse",
        _ => "",
    }
}

/// Where a claim stands when claims are told in order: for whom, from whom, who calls, what it may do, when.
pub(crate) fn rank(name: &str) -> usize {
    const ORDER: &[&str] = &[
        "aud", "iss", "tid", "azp", "appid", "azpacr", "appidacr", "oid", "sub", "idtyp", "roles", "scp", "iat", "nbf",
        "exp", "ver",
    ];
    ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len())
}

/// What a claim says, with its value taken into account. `now` is in seconds since the epoch. Empty for unknown claims.
pub(crate) fn claim(name: &str, value: &Value, now: i64) -> String {
    if let ("iat" | "nbf" | "exp" | "auth_time", Some(seconds)) = (name, value.as_i64()) {
        let what = match name {
            "iat" => "issued at",
            "nbf" => "valid from",
            "exp" => "valid until",
            _ => "the person signed in at",
        };
        let moment = instant::utc(seconds);
        let distance = instant::relative(seconds, now);
        // Entra dates both back so that clocks may differ.
        let backdated = if matches!(name, "iat" | "nbf") { "; 5 minutes early, for slow clocks" } else { "" };
        return format!("{what} {moment} ({distance}{backdated})");
    }
    let text = match (name, value.as_str()) {
        ("azpacr" | "appidacr", Some("0")) => "it did not prove itself: a public client, anybody can claim to be it",
        ("azpacr" | "appidacr", Some("1")) => "it proved itself with a client secret",
        ("azpacr" | "appidacr", Some("2")) => "it proved itself with a certificate or a federated credential",
        ("idtyp", Some("app")) => "an application's own token; no person is involved",
        ("ver", Some("1.0")) => "token version 1.0, as the API's registration asks",
        ("ver", Some("2.0")) => "token version 2.0, as the API's registration asks",
        _ => plain(name),
    };
    text.to_owned()
}

fn plain(name: &str) -> &'static str {
    match name {
        "aud" => "audience: the API this token is for; every other API must refuse it",
        "iss" => "issuer: the authority and tenant that made it",
        "tid" => "the tenant (directory) it was issued in",
        "ver" => "the token's version",
        "azp" => "the calling application's client id",
        "appid" => "the calling application's client id (v1.0's name for azp)",
        "azpacr" | "appidacr" => "how the calling application proved itself",
        "oid" => "object id: the caller's service principal, or the user, in this tenant",
        "sub" => "subject: the same as oid for an application, another one per API for a user",
        "roles" => "app roles: what an administrator granted the calling application at this API",
        "scp" => "scopes: what the application may do on behalf of the user",
        "idp" => "who signed the caller in",
        "idtyp" => "whether an application or a user speaks",
        "uti" => "the token's own number, as the sign-in log has it",
        "rh" => "the authority's own, opaque",
        "aio" => "the authority's own, opaque",
        "xms_ftd" => "the authority's own, opaque",
        "acr" => "how strongly the user was authenticated",
        "amr" => "by what means the user was authenticated",
        "name" => "the user's name for display; never decide by it",
        "preferred_username" | "upn" | "unique_name" => "the user's sign-in name; it can change, never decide by it",
        "email" => "an address the user may have typed; never decide by it",
        "family_name" | "given_name" => "the user's name",
        "ipaddr" => "where the user called from",
        "groups" => "object ids of the groups the caller is in",
        "hasgroups" => "there are more groups than fit; ask Microsoft Graph",
        "wids" => "directory roles",
        "sid" => "the user's session",
        "nonce" => "ties an id_token to the sign-in that asked for it",
        "acct" => "0 for a member of the tenant, 1 for a guest",
        "xms_cc" => "what the client understands, such as claims challenges (cp1)",
        "cnf" => "the key whose holder alone may use the token",
        "jti" => "the token's own number",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_claim_of_an_application_token_is_explained() {
        // The members of Entra's own app-only tokens of both versions.
        for name in [
            "aud", "iss", "iat", "nbf", "exp", "aio", "azp", "azpacr", "appid", "appidacr", "idp", "oid", "rh",
            "roles", "sub", "tid", "uti", "ver", "xms_ftd",
        ] {
            assert!(!claim(name, &json!(1), 0).is_empty(), "{name}");
        }
        assert_eq!(claim("unheard_of", &json!(1), 0), "");
    }

    #[test]
    fn values_are_read() {
        assert!(claim("azpacr", &json!("2"), 0).contains("certificate"));
        assert!(claim("azpacr", &json!("1"), 0).contains("secret"));
        assert_eq!(
            claim("exp", &json!(1_767_225_600), 1_767_225_600 - 3_540),
            "valid until 2026-01-01 00:00:00 UTC (in 59 min)"
        );
        assert!(claim("exp", &json!("soon"), 0).is_empty());
    }
}
