//! Strict JSON: what is read is what serde_json reads, and a text is refused exactly when it is not one object, or when a
//! member stands twice in it, at whatever depth.

#![no_main]

use countersign_fuzz::has_private_name;
use countersign_token::{KeySet, KeySetError, StrictJsonError, parse_strict_object};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// How many members are written in a text that is JSON: one for each colon outside strings.
fn written(text: &str) -> usize {
    let (mut colons, mut inside, mut escaped) = (0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b':' if !inside => colons += 1,
            _ => {}
        }
    }
    colons
}

/// How many members are left in a value: of those that stood twice, one.
fn kept(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(kept).sum(),
        Value::Object(members) => members.values().map(|value| 1 + kept(value)).sum(),
        _ => 0,
    }
}

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let strict = parse_strict_object(text);
    // Key sets are read by the same rule.
    assert_eq!(matches!(KeySet::parse(input), Err(KeySetError::Malformed)), strict.is_err());
    if has_private_name(text) {
        return;
    }
    let lenient = serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
    match (&strict, &lenient) {
        (Ok(members), Some(value)) => {
            assert_eq!(Some(members), value.as_object());
            assert_eq!(written(text), kept(value), "a member stands twice");
        }
        (Ok(_), None) => panic!("not one JSON object"),
        (Err(StrictJsonError::Duplicate(_)), Some(value)) => {
            assert!(written(text) > kept(value), "no member stands twice");
        }
        // What stands twice may be found before what is no JSON.
        (Err(_), None) => {}
        (Err(error), Some(_)) => panic!("one JSON object: {error}"),
    }
});
