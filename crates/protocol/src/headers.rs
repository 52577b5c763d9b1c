//! Header names and the fixed header sets of Entra's answers, as plain text pairs in lower case.
//!
//! What depends on the request is not in the sets: `x-ms-request-id` (the same GUID as `trace_id`), `client-request-id`
//! (echoed when `return-client-request-id: true` was sent), `x-ms-clitelem` (on token answers to requests with
//! `x-client-*` telemetry) and `Retry-After`.

/// The answer's id, equal to `trace_id`.
pub const X_MS_REQUEST_ID: &str = "x-ms-request-id";
/// The caller's id for the request, a GUID; becomes `correlation_id`.
pub const CLIENT_REQUEST_ID: &str = "client-request-id";
/// `true` asks for [`CLIENT_REQUEST_ID`] to be echoed.
pub const RETURN_CLIENT_REQUEST_ID: &str = "return-client-request-id";
/// Client telemetry's answer.
pub const X_MS_CLITELEM: &str = "x-ms-clitelem";
/// Which server answered.
pub const X_MS_ESTS_SERVER: &str = "x-ms-ests-server";

/// The media type of every JSON answer.
pub const JSON_CONTENT_TYPE: &str = "application/json; charset=utf-8";

const P3P: &str = r#"CP="DSP CUR OTPi IND OTRi ONL FIN""#;
const HSTS: &str = "max-age=31536000; includeSubDomains";

/// Headers of metadata, key sets and instance discovery.
pub const DISCOVERY: &[(&str, &str)] = &[
    ("cache-control", "max-age=86400, private"),
    ("content-type", JSON_CONTENT_TYPE),
    ("strict-transport-security", HSTS),
    ("x-content-type-options", "nosniff"),
    ("access-control-allow-origin", "*"),
    ("access-control-allow-methods", "GET, OPTIONS"),
    ("p3p", P3P),
    ("x-xss-protection", "0"),
];

/// Headers of a refusal in discovery, such as for an unknown tenant: as [`DISCOVERY`], but not to be kept (recorded 2022,
/// 2023).
pub const DISCOVERY_ERROR: &[(&str, &str)] = &[
    ("cache-control", "private"),
    ("content-type", JSON_CONTENT_TYPE),
    ("strict-transport-security", HSTS),
    ("x-content-type-options", "nosniff"),
    ("access-control-allow-origin", "*"),
    ("access-control-allow-methods", "GET, OPTIONS"),
    ("p3p", P3P),
    ("x-xss-protection", "0"),
];

/// Headers of token answers, good and bad, and of the device code start.
///
/// `Cache-Control: no-store` and `Pragma: no-cache` are required by RFC 6749 §5.1.
pub const TOKEN: &[(&str, &str)] = &[
    ("cache-control", "no-store, no-cache"),
    ("pragma", "no-cache"),
    ("content-type", JSON_CONTENT_TYPE),
    ("expires", "-1"),
    ("strict-transport-security", HSTS),
    ("x-content-type-options", "nosniff"),
    ("p3p", P3P),
    ("x-xss-protection", "0"),
];

/// What the user realm has besides [`TOKEN`].
pub const USER_REALM_DISPOSITION: (&str, &str) = ("content-disposition", "inline; filename=userrealm.json");

/// The value of `x-ms-clitelem`: version, error code (0 on success), sub-error code, token age, SPE ring.
///
/// ```
/// use countersign_protocol::headers::clitelem;
///
/// assert_eq!(clitelem(None), "1,0,0,,");
/// assert_eq!(clitelem(Some(7000215)), "1,7000215,0,,");
/// ```
#[must_use]
pub fn clitelem(aadsts: Option<u32>) -> String {
    format!("1,{},0,,", aadsts.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_in_discovery_differs_in_its_age_only() {
        assert_eq!(DISCOVERY[1..], DISCOVERY_ERROR[1..]);
    }

    #[test]
    fn names_are_lower_case_and_stand_once() {
        for set in [DISCOVERY, DISCOVERY_ERROR, TOKEN] {
            for (index, (name, value)) in set.iter().enumerate() {
                assert_eq!(*name, name.to_ascii_lowercase());
                assert!(!set[..index].iter().any(|(earlier, _)| earlier == name), "{name}");
                assert!(value.bytes().all(|b| (0x20..0x7f).contains(&b)), "{name}");
            }
        }
    }
}
