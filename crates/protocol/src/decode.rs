//! Reading JSON answers: lenient about what is unknown, exact about what is read.
//!
//! A document is split into its members once; each member is then asked for by name and type, so that every fault has
//! the member's name in it. `null` counts as absent. A member that is read and stands there twice is refused: the next
//! reader might take the other one. What it refuses otherwise: anything that is not one JSON object.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON answer that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The body is not one JSON object: a proxy's HTML page, a cut answer. The place is all that is kept, because the
    /// parser's own message may quote the body, and the body may be a token.
    #[error("the answer is not a JSON object: line {line}, column {column}")]
    NotJson {
        /// Where reading stopped, from 1.
        line: usize,
        /// Where reading stopped, from 1; 0 at a line's beginning.
        column: usize,
    },
    /// A member without which the answer means nothing is absent, null or empty.
    #[error("the answer has no member '{0}'")]
    MissingMember(&'static str),
    /// A member has a JSON type that cannot be understood.
    #[error("the answer's member '{member}' is not {expected}")]
    WrongType {
        /// The member's name.
        member: &'static str,
        /// What would have been understood.
        expected: &'static str,
    },
    /// A member that is read stands there more than once.
    #[error("the answer's member '{0}' stands there twice")]
    DuplicateMember(&'static str),
    /// A number is negative, or larger than anything the service issues.
    #[error("the answer's member '{member}' is out of range: at most {limit}")]
    OutOfRange {
        /// The member's name.
        member: &'static str,
        /// The largest value taken; the smallest is zero.
        limit: i64,
    },
    /// A text holds characters that it may not hold, or is no date, no URL, no id.
    #[error("the answer's member '{0}' has a value that cannot be used")]
    InvalidValue(&'static str),
    /// `token_type` is something else than `Bearer`.
    #[error("the token's type is '{0}', only Bearer is supported")]
    UnsupportedTokenType(String),
}

/// The members of one JSON object, in their order, not yet looked into.
pub(crate) struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(entry) = map.next_entry::<String, &'de RawValue>()? {
                    members.push(entry);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

impl<'a> Members<'a> {
    pub(crate) fn parse(json: &'a [u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(json)
            .map_err(|fault| DecodeError::NotJson { line: fault.line(), column: fault.column() })
    }

    /// The raw value; absent for `null` too.
    fn raw(&self, member: &'static str) -> Result<Option<&'a str>, DecodeError> {
        let mut found = self.0.iter().filter(|(name, _)| name == member);
        let first = found.next();
        if found.next().is_some() {
            return Err(DecodeError::DuplicateMember(member));
        }
        Ok(first.map(|(_, raw)| raw.get()).filter(|raw| *raw != "null"))
    }

    fn read<T: serde::de::DeserializeOwned>(
        &self,
        member: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, DecodeError> {
        let Some(raw) = self.raw(member)? else { return Ok(None) };
        serde_json::from_str(raw).map(Some).map_err(|_| DecodeError::WrongType { member, expected })
    }

    pub(crate) fn string(&self, member: &'static str) -> Result<Option<String>, DecodeError> {
        self.read(member, "a string")
    }

    /// A string that must be there and not be empty.
    pub(crate) fn required(&self, member: &'static str) -> Result<String, DecodeError> {
        self.string(member)?.filter(|text| !text.is_empty()).ok_or(DecodeError::MissingMember(member))
    }

    pub(crate) fn boolean(&self, member: &'static str) -> Result<Option<bool>, DecodeError> {
        self.read(member, "true or false")
    }

    pub(crate) fn strings(&self, member: &'static str) -> Result<Option<Vec<String>>, DecodeError> {
        self.read(member, "an array of strings")
    }

    pub(crate) fn array<T: serde::de::DeserializeOwned>(
        &self,
        member: &'static str,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        self.read(member, "an array of objects")
    }

    /// The members of a nested object.
    pub(crate) fn object(&self, member: &'static str) -> Result<Option<Members<'a>>, DecodeError> {
        let Some(raw) = self.raw(member)? else { return Ok(None) };
        serde_json::from_str(raw).map(Some).map_err(|_| DecodeError::WrongType { member, expected: "an object" })
    }

    /// The objects of a nested array.
    pub(crate) fn objects(&self, member: &'static str) -> Result<Option<Vec<Members<'a>>>, DecodeError> {
        let Some(raw) = self.raw(member)? else { return Ok(None) };
        serde_json::from_str(raw)
            .map(Some)
            .map_err(|_| DecodeError::WrongType { member, expected: "an array of objects" })
    }

    /// The text of a string or of a number, for members of which both are seen; also used where a fault is no reason to
    /// lose the rest.
    pub(crate) fn scalar(&self, member: &'static str) -> Result<Option<String>, DecodeError> {
        const EXPECTED: &str = "a number or a string";
        let Some(raw) = self.raw(member)? else { return Ok(None) };
        match raw.as_bytes().first() {
            Some(b'"') => self.string(member),
            Some(b'-' | b'0'..=b'9') => Ok(Some(raw.to_owned())),
            _ => Err(DecodeError::WrongType { member, expected: EXPECTED }),
        }
    }

    /// Whole seconds or a point in time, as a number or as the text of one (v1.0 endpoints and IMDS send strings).
    pub(crate) fn integer(&self, member: &'static str, limit: i64) -> Result<Option<i64>, DecodeError> {
        let Some(text) = self.scalar(member)? else { return Ok(None) };
        let value =
            parse_integer(&text).ok_or(DecodeError::WrongType { member, expected: "a number or the text of one" })?;
        if (0..=limit).contains(&value) { Ok(Some(value)) } else { Err(DecodeError::OutOfRange { member, limit }) }
    }
}

/// Reads `3599`, `3599.0` and `0.1` (rounded down); no blanks, no `+`, no exponent without digits.
pub(crate) fn parse_integer(text: &str) -> Option<i64> {
    if let Ok(value) = text.parse::<i64>() {
        return (!text.starts_with('+')).then_some(value);
    }
    let value: f64 = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)).then(|| text.parse().ok())??;
    if !value.is_finite() {
        return None;
    }
    // Past the range of i64 the cast saturates, and every limit is far below that.
    #[expect(clippy::cast_possible_truncation, reason = "saturation is the wanted behaviour")]
    Some(value.floor() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(json: &str) -> Members<'_> {
        Members::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn only_one_object_is_taken() {
        for json in ["", "[]", "null", "\"x\"", "{\"a\":1", "{} {}", "<html>", "\u{feff}{}"] {
            assert!(matches!(Members::parse(json.as_bytes()), Err(DecodeError::NotJson { .. })), "{json:?}");
        }
    }

    #[test]
    fn a_fault_quotes_nothing_of_the_body() {
        let fault = Members::parse(b"\"eyJhbGciOi\"").err().unwrap();
        assert!(!format!("{fault} {fault:?}").contains("eyJ"), "{fault:?}");
    }

    #[test]
    fn null_and_empty_are_absent() {
        let members = members(r#"{"a":null,"b":""}"#);
        assert!(members.string("a").unwrap().is_none());
        assert!(matches!(members.required("a"), Err(DecodeError::MissingMember("a"))));
        assert!(matches!(members.required("b"), Err(DecodeError::MissingMember("b"))));
    }

    #[test]
    fn a_member_that_is_read_may_not_stand_there_twice() {
        let members = members(r#"{"a":"1","b":1,"b":2,"a":"2"}"#);
        assert!(matches!(members.string("a"), Err(DecodeError::DuplicateMember("a"))));
    }

    #[test]
    fn numbers_come_in_three_dresses() {
        let members = members(r#"{"n":3599,"s":"3599","f":3599.9,"neg":-1,"huge":"1e300","word":"soon","obj":{}}"#);
        for member in ["n", "s", "f"] {
            assert_eq!(members.integer(member, 4000).unwrap(), Some(3599));
        }
        assert!(matches!(members.integer("neg", 10), Err(DecodeError::OutOfRange { member: "neg", limit: 10 })));
        assert!(matches!(members.integer("huge", 10), Err(DecodeError::OutOfRange { .. })));
        assert!(matches!(members.integer("word", 10), Err(DecodeError::WrongType { member: "word", .. })));
        assert!(matches!(members.integer("obj", 10), Err(DecodeError::WrongType { member: "obj", .. })));
        for text in ["", " 1", "+1", "NaN", "inf", "0x10", "--1", "e"] {
            assert_eq!(parse_integer(text), None, "{text:?}");
        }
    }

    #[test]
    fn deep_nesting_is_skipped_without_recursion() {
        let json = format!("{{\"a\":{}{},\"b\":\"c\"}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(members(&json).string("b").unwrap().as_deref(), Some("c"));
    }
}
