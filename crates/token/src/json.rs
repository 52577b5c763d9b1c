//! JSON as JOSE needs it: one object, no member twice, nothing after it.
//!
//! RFC 7515 §4 and RFC 7519 §4 let a parser either refuse duplicate members or take the last. Two parsers that choose
//! differently read two different tokens, so they are refused here, at every depth, names compared after unescaping.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A member stands twice in one object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the member {0:?} stands twice")]
pub struct DuplicateMember(pub String);

/// The text is not one strict JSON object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StrictJsonError {
    /// Not JSON, not an object, or something follows it.
    #[error("not one JSON object")]
    NotAnObject,
    /// A member stands twice.
    #[error(transparent)]
    Duplicate(#[from] DuplicateMember),
}

/// Parses one JSON object, refusing duplicate members at every depth.
///
/// # Errors
/// [`StrictJsonError`].
///
/// ```
/// use countersign_token::{StrictJsonError, parse_strict_object};
///
/// assert!(parse_strict_object(r#"{"a":1,"b":{"a":2}}"#).is_ok());
/// assert!(matches!(parse_strict_object(r#"{"a":1,"\u0061":2}"#), Err(StrictJsonError::Duplicate(_))));
/// ```
pub fn parse_strict_object(text: &str) -> Result<Map<String, Value>, StrictJsonError> {
    let duplicate = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict { duplicate: &duplicate }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match (value, duplicate.into_inner()) {
        (Ok(Value::Object(map)), None) => Ok(map),
        (_, Some(name)) => Err(DuplicateMember(name).into()),
        _ => Err(StrictJsonError::NotAnObject),
    }
}

/// Builds a [`Value`], noting the first name that stands twice.
#[derive(Clone, Copy)]
struct Strict<'a> {
    duplicate: &'a RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self)?;
            if map.contains_key(&name) {
                self.duplicate.borrow_mut().get_or_insert(name);
                return Err(de::Error::custom("duplicate member"));
            }
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

/// Skips a value whose content nobody reads, still refusing duplicate members inside it.
pub(crate) struct SkipStrictly;

impl<'de> DeserializeSeed<'de> for SkipStrictly {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for SkipStrictly {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(SkipStrictly)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        // Nested objects in tokens are rare and small; a sorted set keeps even a hostile one at n log n.
        let mut seen = std::collections::BTreeSet::new();
        while let Some(name) = members.next_key::<std::borrow::Cow<'de, str>>()? {
            members.next_value_seed(SkipStrictly)?;
            if !seen.insert(name) {
                return Err(de::Error::custom(NESTED_DUPLICATE));
            }
        }
        Ok(())
    }
}

/// How a nested duplicate is told apart from bad syntax.
pub(crate) const NESTED_DUPLICATE: &str = "duplicate member in a nested object";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_found_at_every_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"\u0061":3}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[{"y":{"a":1,"a":2}}]}"#,
        ] {
            assert_eq!(
                parse_strict_object(text),
                Err(StrictJsonError::Duplicate(DuplicateMember("a".to_owned()))),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500));
        for text in [
            "",
            "[]",
            "\"a\"",
            "1",
            "null",
            "{",
            "{}x",
            "{}{}",
            "{'a':1}",
            "{\"a\":NaN}",
            "{\"a\":01}",
            "{\"a\":1,}",
            "// c\n{}",
            "\u{feff}{}",
            "{}\0",
            "{\"a\":1e999}",
            &deep,
        ] {
            assert_eq!(parse_strict_object(text), Err(StrictJsonError::NotAnObject), "{text}");
        }
    }
}
