//! Reading the credential of a request: exactly one `Authorization` header with one token, nothing else.
//!
//! RFC 6750 §2 also knows tokens in bodies and queries; both end up in logs, so they are not read. Two `Authorization`
//! headers are refused rather than chosen from: proxies and servers choose differently (CVE-2025-64527).
//!
//! Reading has two steps. [`credential`] finds the bytes behind the scheme; they are only ever compared. What is
//! not known already goes through [`token_text`], which looks at each byte.

use countersign_token::Rejection;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::Refusal;

/// The request does not carry one bearer token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// No `Authorization` header, or one of another scheme: the caller did not try (401 without an error code).
    #[error("no bearer token")]
    Missing,
    /// More than one `Authorization` header.
    #[error("more than one Authorization header")]
    Several,
    /// `Bearer` is not followed by exactly one token.
    #[error("the Authorization header is not 'Bearer' and one token")]
    Malformed,
}

/// How a token was sent (the authentication scheme, RFC 9110 §11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// RFC 6750. Tokens that are bound to a certificate come this way too (RFC 8705 §3).
    Bearer,
    /// Entra's own for tokens that are bound to a certificate.
    MtlsPop,
    /// RFC 9449 §7.1.
    #[cfg(feature = "proof-of-possession")]
    Dpop,
    /// Microsoft's signed HTTP requests.
    #[cfg(feature = "proof-of-possession")]
    Pop,
}

/// Which schemes a guard takes beside those that every guard takes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Schemes {
    #[cfg(feature = "proof-of-possession")]
    pub(crate) dpop: bool,
    #[cfg(feature = "proof-of-possession")]
    pub(crate) pop: bool,
}

/// A scheme and what stands behind it, whatever it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Credential<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) text: &'a [u8],
}

const BEARER: &[u8] = b"bearer";

/// The one credential of a request.
pub(crate) fn credential(headers: &HeaderMap, schemes: Schemes) -> Result<Credential<'_>, CredentialError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(CredentialError::Missing)?.as_bytes();
    if values.next().is_some() {
        return Err(CredentialError::Several);
    }
    let (scheme, rest) = match value.split_at_checked(BEARER.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(BEARER) => (Scheme::Bearer, rest),
        _ => schemes.other(value).ok_or(CredentialError::Missing)?,
    };
    match rest {
        [] => Err(CredentialError::Malformed),
        [b' ', text @ ..] => Ok(Credential { scheme, text: trim_blanks(text) }),
        _ => Err(CredentialError::Missing),
    }
}

impl Schemes {
    fn other(self, value: &[u8]) -> Option<(Scheme, &[u8])> {
        let known: &[(Scheme, &[u8], bool)] = &[
            (Scheme::MtlsPop, b"mtls_pop", true),
            #[cfg(feature = "proof-of-possession")]
            (Scheme::Dpop, b"dpop", self.dpop),
            #[cfg(feature = "proof-of-possession")]
            (Scheme::Pop, b"pop", self.pop),
        ];
        known.iter().filter(|(_, _, is_taken)| *is_taken).find_map(|&(scheme, name, _)| {
            let (start, rest) = value.split_at_checked(name.len())?;
            start.eq_ignore_ascii_case(name).then_some((scheme, rest))
        })
    }
}

fn trim_blanks(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = text {
        text = rest;
    }
    text
}

/// The credential as text, still unverified.
pub(crate) fn token_text(credential: &[u8], max_bytes: usize) -> Result<&str, Refusal> {
    if credential.len() > max_bytes {
        return Err(Rejection::TooLarge.into());
    }
    match simdutf8::basic::from_utf8(credential) {
        Ok(text) if !text.is_empty() => Ok(text),
        _ => Err(CredentialError::Malformed.into()),
    }
}

/// The refusal of a text that is no token: RFC 6750 §2.1 allows b64token only, and a comma or a blank would be a second
/// credential. No good token holds any of these, so that only who is refused is asked.
pub(crate) fn refused_as(text: &str, refusal: Refusal) -> Refusal {
    if matches!(refusal, Refusal::Token(_)) && !is_clean(text) { CredentialError::Malformed.into() } else { refusal }
}

/// Whether a text may be one token by its characters.
pub(crate) fn is_clean(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_graphic() & (byte != b',') & (byte != b';') & (byte != b'"');
    // Without an early exit, so that the compiler can look at sixteen bytes at once.
    text.bytes().fold(true, |clean, byte| clean & allowed(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::MAX_TOKEN_BYTES;
    use http::HeaderValue;

    fn read(values: &[&str]) -> Result<String, &'static str> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let read = credential(&headers, Schemes::default()).map_err(Refusal::from);
        let text = read.and_then(|read| token_text(read.text, MAX_TOKEN_BYTES)).map_err(|refusal| refusal.code())?;
        // As if whoever reads tokens had refused it, which it is good for here alone.
        match refused_as(text, Rejection::NotCompactJws.into()).code() {
            "not_compact_jws" => Ok(text.to_owned()),
            code => Err(code),
        }
    }

    #[test]
    fn one_bearer_token_is_read_whatever_the_case_of_the_scheme() {
        assert_eq!(read(&["Bearer a.b.c"]).unwrap(), "a.b.c");
        assert_eq!(read(&["bEARER  a.b.c "]).unwrap(), "a.b.c");
        assert_eq!(read(&["Bearer AZaz09-._~+/="]).unwrap(), "AZaz09-._~+/=");
    }

    #[test]
    fn a100_d21_two_headers_and_two_tokens_are_refused() {
        assert_eq!(read(&["Bearer a", "Bearer a"]), Err("several_credentials"));
        assert_eq!(read(&["Bearer a", "Basic b"]), Err("several_credentials"));
        assert_eq!(read(&["Basic b", "Bearer a"]), Err("several_credentials"));
        for value in [
            "Bearer",
            "Bearer ",
            "Bearer    ",
            "Bearer a b",
            "Bearer Bearer a",
            "Bearer a,Bearer b",
            "Bearer a;b",
            "Bearer \"a\"",
            "Bearer a\tb",
            "Bearer \ta",
            "Bearer aé",
            "Bearer a\u{a0}b",
        ] {
            assert_eq!(read(&[value]), Err("credential_malformed"), "{value:?}");
        }
    }

    #[test]
    fn another_scheme_is_no_attempt() {
        for value in
            ["Basic dTpw", "a.b.c", "Negotiate", "DPoP a.b.c", "Bearer\ta", "Bearertoken a", "Bear a", "", " Bearer a"]
        {
            assert_eq!(read(&[value]), Err("credential_missing"), "{value:?}");
        }
        assert_eq!(read(&[]), Err("credential_missing"));
    }

    #[test]
    fn a99_a_megabyte_is_refused_unread() {
        assert_eq!(read(&[&format!("Bearer {}", "A".repeat(MAX_TOKEN_BYTES))]).unwrap().len(), MAX_TOKEN_BYTES);
        for value in ["A".repeat(MAX_TOKEN_BYTES + 1), " ,".repeat(500_000)] {
            assert_eq!(read(&[&format!("Bearer {value}")]), Err("too_large"));
        }
    }
}
