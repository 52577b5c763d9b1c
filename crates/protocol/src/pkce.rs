//! Proof Key for Code Exchange (RFC 7636): what an authorization request promises, and what the redemption must show.
//!
//! The challenge comes with the authorization request and is kept with the code; the verifier comes with the code.
//! Refused: a challenge or verifier outside 43 to 128 unreserved characters, a method nobody defined, a method without a
//! challenge, and for S256 a challenge that is no SHA-256 in base64url. Whether PKCE must be used at all is for the
//! authority to say, as is what a verifier without a challenge means (RFC 9700 §4.8.2: a downgrade).

use std::fmt;

use countersign_token::base64url_encode;

use crate::aadsts::AadSts;

/// The length of challenges and verifiers, in characters (RFC 7636 §4.1 and §4.2).
const LENGTH: std::ops::RangeInclusive<usize> = 43..=128;

/// The length of a SHA-256 in base64url without padding, in characters.
const S256_LENGTH: usize = 43;

/// How the challenge was made from the verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodeChallengeMethod {
    /// `plain`: it is the verifier. Assumed when no method is named (RFC 7636 §4.3).
    Plain,
    /// `S256`: it is the verifier's SHA-256.
    S256,
}

impl CodeChallengeMethod {
    /// Reads `code_challenge_method`; the text is compared exactly.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "plain" => Some(Self::Plain),
            "S256" => Some(Self::S256),
            _ => None,
        }
    }

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::S256 => "S256",
        }
    }
}

/// What is wrong with a challenge or a verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PkceError {
    /// A method without a challenge.
    #[error("the code_challenge_method has no code_challenge")]
    ChallengeMissing,
    /// The challenge is too short, too long, or has characters that none has.
    #[error("the code_challenge has not 43 to 128 unreserved characters")]
    ChallengeInvalid,
    /// A method that is neither `plain` nor `S256`.
    #[error("the code_challenge_method is unknown")]
    MethodUnknown,
    /// The verifier is too short, too long, or has characters that none has.
    #[error("the code_verifier has not 43 to 128 unreserved characters")]
    VerifierInvalid,
    /// The verifier is not the one from which the challenge was made.
    #[error("the code_verifier does not match the code_challenge")]
    Mismatch,
}

impl PkceError {
    /// What the authority answers.
    #[must_use]
    pub const fn aadsts(self) -> &'static AadSts {
        match self {
            Self::ChallengeMissing => AadSts::CODE_CHALLENGE_INVALID,
            Self::ChallengeInvalid => AadSts::CODE_CHALLENGE_SIZE,
            Self::MethodUnknown => AadSts::INVALID_PARAMETER,
            Self::VerifierInvalid => AadSts::CODE_VERIFIER_INVALID,
            Self::Mismatch => AadSts::CODE_VERIFIER_MISMATCH,
        }
    }

    /// The insertion that goes with [`aadsts`](Self::aadsts), if its text has one.
    #[must_use]
    pub const fn insertion(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::MethodUnknown => Some(("name", "code_challenge_method")),
            _ => None,
        }
    }
}

/// A challenge of the right form. `Debug` does not show it: with `plain` it is the verifier.
///
/// ```
/// use countersign_protocol::{CodeChallenge, PkceError};
///
/// // RFC 7636, appendix B.
/// let challenge = CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", Some("S256"))?;
/// challenge.verify("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")?;
/// # Ok::<(), PkceError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CodeChallenge {
    method: CodeChallengeMethod,
    text: String,
}

impl CodeChallenge {
    /// Reads `code_challenge` and `code_challenge_method`; without a method it is `plain`.
    ///
    /// # Errors
    /// [`PkceError::MethodUnknown`], [`PkceError::ChallengeInvalid`].
    ///
    /// Source: RFC 7636 §4.2 and §4.3.
    pub fn parse(challenge: &str, method: Option<&str>) -> Result<Self, PkceError> {
        let method = match method {
            None => CodeChallengeMethod::Plain,
            Some(text) => CodeChallengeMethod::parse(text).ok_or(PkceError::MethodUnknown)?,
        };
        let fits = is_unreserved(challenge)
            && match method {
                CodeChallengeMethod::Plain => true,
                CodeChallengeMethod::S256 => {
                    challenge.len() == S256_LENGTH && !challenge.bytes().any(|b| matches!(b, b'.' | b'~'))
                }
            };
        if fits { Ok(Self { method, text: challenge.to_owned() }) } else { Err(PkceError::ChallengeInvalid) }
    }

    /// The challenge of a verifier, by S256.
    ///
    /// # Errors
    /// [`PkceError::VerifierInvalid`].
    pub fn s256(verifier: &str) -> Result<Self, PkceError> {
        if !is_unreserved(verifier) {
            return Err(PkceError::VerifierInvalid);
        }
        Ok(Self { method: CodeChallengeMethod::S256, text: s256(verifier) })
    }

    /// How it was made.
    #[must_use]
    pub const fn method(&self) -> CodeChallengeMethod {
        self.method
    }

    /// The challenge as it was sent; with `plain` this is the verifier.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Checks the verifier that comes with the code.
    ///
    /// The comparison's time is of no use to anybody: a code can be tried once, whatever comes of it.
    ///
    /// # Errors
    /// [`PkceError::VerifierInvalid`], [`PkceError::Mismatch`].
    ///
    /// Source: RFC 7636 §4.6.
    pub fn verify(&self, verifier: &str) -> Result<(), PkceError> {
        if !is_unreserved(verifier) {
            return Err(PkceError::VerifierInvalid);
        }
        let matches = match self.method {
            CodeChallengeMethod::Plain => self.text == verifier,
            CodeChallengeMethod::S256 => self.text == s256(verifier),
        };
        if matches { Ok(()) } else { Err(PkceError::Mismatch) }
    }
}

impl fmt::Debug for CodeChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeChallenge").field("method", &self.method).finish_non_exhaustive()
    }
}

fn s256(verifier: &str) -> String {
    base64url_encode(&countersign_token::sha256(verifier.as_bytes()))
}

fn is_unreserved(text: &str) -> bool {
    LENGTH.contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_rfcs_own_example_verifies() {
        assert_eq!(CodeChallenge::s256(VERIFIER), CodeChallenge::parse(CHALLENGE, Some("S256")));
        let challenge = CodeChallenge::parse(CHALLENGE, Some("S256")).unwrap();
        assert_eq!(challenge.verify(VERIFIER), Ok(()));
        assert_eq!(challenge.verify(CHALLENGE), Err(PkceError::Mismatch));
        assert_eq!((challenge.method().as_str(), challenge.text()), ("S256", CHALLENGE));
    }

    #[test]
    fn without_a_method_the_challenge_is_the_verifier() {
        let challenge = CodeChallenge::parse(VERIFIER, None).unwrap();
        assert_eq!(challenge, CodeChallenge::parse(VERIFIER, Some("plain")).unwrap());
        assert_eq!(challenge.verify(VERIFIER), Ok(()));
        assert_eq!(challenge.verify(&VERIFIER.to_ascii_lowercase()), Err(PkceError::Mismatch));
        assert!(!format!("{challenge:?}").contains(VERIFIER));
    }

    #[test]
    fn b29_unknown_methods_and_illegal_texts_are_refused() {
        for method in ["s256", "S512", "PLAIN", "S256 ", "none"] {
            assert_eq!(CodeChallenge::parse(CHALLENGE, Some(method)), Err(PkceError::MethodUnknown), "{method}");
        }
        let (short, long) = ("a".repeat(42), "a".repeat(129));
        for text in ["", &short, &long, &format!("{}+", &CHALLENGE[1..]), &format!("{}=", &CHALLENGE[1..])] {
            assert_eq!(CodeChallenge::parse(text, None), Err(PkceError::ChallengeInvalid), "{text}");
            let challenge = CodeChallenge::parse(CHALLENGE, Some("S256")).unwrap();
            assert_eq!(challenge.verify(text), Err(PkceError::VerifierInvalid), "{text}");
            assert_eq!(CodeChallenge::s256(text), Err(PkceError::VerifierInvalid), "{text}");
        }
        for text in ["a".repeat(44), format!("~{}", &CHALLENGE[1..])] {
            assert_eq!(CodeChallenge::parse(&text, Some("S256")), Err(PkceError::ChallengeInvalid), "{text}");
            assert!(CodeChallenge::parse(&text, None).is_ok(), "{text}");
        }
        assert!(CodeChallenge::parse(&"a".repeat(128), None).is_ok());
    }

    #[test]
    fn each_fault_has_its_code() {
        for (fault, code, word) in [
            (PkceError::ChallengeMissing, 50_147, "invalid_request"),
            (PkceError::ChallengeInvalid, 501_491, "invalid_request"),
            (PkceError::MethodUnknown, 90_100, "invalid_request"),
            (PkceError::VerifierInvalid, 501_491, "invalid_request"),
            (PkceError::Mismatch, 501_481, "invalid_grant"),
        ] {
            assert_eq!((fault.aadsts().code, fault.aadsts().error), (code, word), "{fault}");
            assert_eq!(fault.aadsts().insertions().count(), usize::from(fault.insertion().is_some()));
        }
    }
}
