//! Reading the credential of a request: exactly one `Authorization: Bearer` header, nothing else.
//!
//! RFC 6750 §2 also knows tokens in bodies and queries; both end up in logs, so they are not read. Two `Authorization`
//! headers are refused rather than chosen from: proxies and servers choose differently (CVE-2025-64527).

use http::HeaderMap;
use http::header::AUTHORIZATION;

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

/// The token of the request, still unverified.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Result<&str, CredentialError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(CredentialError::Missing)?;
    if values.next().is_some() {
        return Err(CredentialError::Several);
    }
    let value = value.to_str().map_err(|_| CredentialError::Malformed)?;
    let Some((scheme, token)) = value.split_once(' ') else {
        return Err(if value.eq_ignore_ascii_case("bearer") {
            CredentialError::Malformed
        } else {
            CredentialError::Missing
        });
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(CredentialError::Missing);
    }
    // RFC 6750 §2.1 allows b64token only; a comma or a blank would be a second credential.
    let token = token.trim_matches(' ');
    if token.is_empty() || token.bytes().any(|byte| !byte.is_ascii_graphic() || matches!(byte, b',' | b';' | b'"')) {
        return Err(CredentialError::Malformed);
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<String, CredentialError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        bearer_token(&headers).map(str::to_owned)
    }

    #[test]
    fn one_bearer_token_is_read_whatever_the_case_of_the_scheme() {
        assert_eq!(read(&["Bearer a.b.c"]).unwrap(), "a.b.c");
        assert_eq!(read(&["bEARER  a.b.c "]).unwrap(), "a.b.c");
    }

    #[test]
    fn a100_two_headers_and_two_tokens_are_refused() {
        assert_eq!(read(&["Bearer a", "Bearer a"]), Err(CredentialError::Several));
        assert_eq!(read(&["Bearer a", "Basic b"]), Err(CredentialError::Several));
        for value in ["Bearer", "Bearer ", "Bearer a b", "Bearer Bearer a", "Bearer a,Bearer b", "Bearer \"a\""] {
            assert_eq!(read(&[value]), Err(CredentialError::Malformed), "{value:?}");
        }
    }

    #[test]
    fn another_scheme_is_no_attempt() {
        for value in ["Basic dTpw", "a.b.c", "Negotiate", "DPoP a.b.c"] {
            assert_eq!(read(&[value]), Err(CredentialError::Missing), "{value:?}");
        }
        assert_eq!(read(&[]), Err(CredentialError::Missing));
    }
}
