//! Looking into a token without believing it.
//!
//! This reads whatever somebody pasted, as leniently as can be, and says what a guard would object to. Nothing here
//! verifies anything, and nothing here is used by what does: that way is [`countersign_token::verify`] alone.

use countersign_token::{StrictJsonError, UnverifiedJws, base64_decode_lenient, parse_strict_object};
use serde_json::{Map, Value};

/// A token's two readable parts, and what is odd about them. `Debug` is not derived: claims are personal data.
pub(crate) struct Decoded {
    /// The JOSE header.
    pub(crate) header: Map<String, Value>,
    /// The claims.
    pub(crate) claims: Map<String, Value>,
    /// What a guard would object to, by form alone.
    pub(crate) objections: Vec<String>,
}

/// Why a text cannot be looked into.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum DecodeError {
    /// Nothing was given.
    #[error("nothing was given")]
    Empty,
    /// Bytes that are no text.
    #[error("it is not text in UTF-8")]
    NotText,
    /// Five segments: a JWE.
    #[error("it has five segments: an encrypted token (JWE), which only its audience can read")]
    Encrypted,
    /// Another number of segments.
    #[error("it has {0} segments instead of three")]
    Segments(usize),
    /// A segment is not base64.
    #[error("its {0} is not base64url")]
    Base64(&'static str),
    /// A segment is not one JSON object.
    #[error("its {0} is not one JSON object")]
    NotJson(&'static str),
}

/// Finds the token in what was pasted: a bare token, a header (`Authorization: Bearer …`), or a token endpoint's answer.
pub(crate) fn find_token(pasted: &[u8]) -> Result<String, DecodeError> {
    let text = std::str::from_utf8(pasted).map_err(|_| DecodeError::NotText)?.trim();
    if text.is_empty() {
        return Err(DecodeError::Empty);
    }
    if text.starts_with('{')
        && let Ok(Value::Object(object)) = serde_json::from_str(text)
        && let Some(token) = ["access_token", "token", "id_token"].iter().find_map(|name| object.get(*name)?.as_str())
    {
        return Ok(token.to_owned());
    }
    let text = strip_prefix_ignoring_case(text, "authorization:").unwrap_or(text).trim_start();
    let text = strip_prefix_ignoring_case(text, "bearer ").unwrap_or(text);
    // Mails and chats break long lines.
    Ok(text.chars().filter(|character| !character.is_whitespace()).collect())
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Decodes a token. The signature is not looked at.
pub(crate) fn decode(token: &str) -> Result<Decoded, DecodeError> {
    let segments: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = segments[..] else {
        return Err(match segments.len() {
            5 => DecodeError::Encrypted,
            other => DecodeError::Segments(other),
        });
    };
    let mut objections = Vec::new();
    let header = object(header, "header", &mut objections)?;
    let claims = object(payload, "payload", &mut objections)?;
    if signature.is_empty() {
        objections.push("it has no signature at all".to_owned());
    }
    if let Err(rejection) = UnverifiedJws::parse(token) {
        objections.push(format!("a guard refuses its form: {rejection} ({})", rejection.code()));
    }
    Ok(Decoded { header, claims, objections })
}

fn object(segment: &str, name: &'static str, objections: &mut Vec<String>) -> Result<Map<String, Value>, DecodeError> {
    let json = base64_decode_lenient(segment).map_err(|_| DecodeError::Base64(name))?;
    let text = std::str::from_utf8(&json).map_err(|_| DecodeError::NotJson(name))?;
    match parse_strict_object(text) {
        Ok(object) => Ok(object),
        Err(StrictJsonError::Duplicate(duplicate)) => {
            objections.push(format!("its {name} is ambiguous: {duplicate}; the last one is shown"));
            serde_json::from_str(text).map_err(|_| DecodeError::NotJson(name))
        }
        Err(_) => Err(DecodeError::NotJson(name)),
    }
}

#[cfg(test)]
mod tests {
    use countersign_token::base64url_encode;

    use super::*;

    fn token(header: &str, claims: &str, signature: &str) -> String {
        format!("{}.{}.{signature}", base64url_encode(header.as_bytes()), base64url_encode(claims.as_bytes()))
    }

    #[test]
    fn a_token_is_found_in_what_people_paste() {
        for pasted in [
            "a.b.c",
            " a.b.c\n",
            "Bearer a.b.c",
            "authorization: bearer a.b.c\r\n",
            "a.b\n.c",
            r#"{"token_type":"Bearer","access_token":"a.b.c"}"#,
            r#"{"token":"a.b.c"}"#,
        ] {
            assert_eq!(find_token(pasted.as_bytes()).as_deref(), Ok("a.b.c"), "{pasted:?}");
        }
        assert_eq!(find_token(b" \n"), Err(DecodeError::Empty));
        assert_eq!(find_token(b"\xff"), Err(DecodeError::NotText));
    }

    #[test]
    fn what_a_guard_would_object_to_is_said() {
        let text = token(r#"{"alg":"none"}"#, r#"{"a":1,"a":2}"#, "");
        let decoded = decode(&text).ok().unwrap();
        assert_eq!(decoded.claims["a"], 2);
        assert!(decoded.objections.iter().any(|text| text.contains("\"a\" stands twice")), "{:?}", decoded.objections);
        assert!(decoded.objections.iter().any(|text| text.contains("no signature")), "{:?}", decoded.objections);
    }

    #[test]
    fn a_good_form_meets_no_objection() {
        let text = token(r#"{"alg":"RS256","kid":"k","typ":"JWT"}"#, r#"{"a":1}"#, "AA");
        assert!(decode(&text).ok().unwrap().objections.is_empty());
    }

    #[test]
    fn each_fault_has_its_name() {
        let error = |text: &str| decode(text).err().unwrap();
        assert_eq!(error("a.b"), DecodeError::Segments(2));
        assert_eq!(error("a.b.c.d.e"), DecodeError::Encrypted);
        assert_eq!(error("!.b.c"), DecodeError::Base64("header"));
        assert_eq!(error(&token("{}", "[1]", "AA")), DecodeError::NotJson("payload"));
    }
}
