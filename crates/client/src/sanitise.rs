//! Makes foreign text fit for a message: on one line, of bounded length, without control characters, without our secret.
//!
//! What an endpoint answers may come from anybody who sits in between, and ends in logs and on terminals (`pitfalls` C14,
//! C15).

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::value::RawValue;

/// The longest text kept, in characters.
const LONGEST: usize = 600;

/// What may never appear in a message: secrets, assertions and codes, as they are and as a form encodes them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Secrets<'a>(pub(crate) &'a [&'a str]);

/// Shorter texts are not looked for: they would turn ordinary words into stars and tell what was hidden.
const SHORTEST_SECRET: usize = 6;

/// `text` with secrets replaced, control and formatting characters escaped, blanks folded, and cut.
pub(crate) fn sanitise(text: &str, secrets: Secrets<'_>) -> String {
    let mut text = std::borrow::Cow::Borrowed(text);
    for secret in secrets.0.iter().copied() {
        if secret.len() >= SHORTEST_SECRET && text.contains(secret) {
            text = text.replace(secret, "[redacted]").into();
        }
    }
    let mut out = String::new();
    let mut blank = false;
    for (count, character) in text.trim().chars().enumerate() {
        if count == LONGEST {
            out.push('…');
            break;
        }
        if character.is_whitespace() {
            blank = true;
            continue;
        }
        if std::mem::take(&mut blank) {
            out.push(' ');
        }
        if is_harmless(character) {
            out.push(character);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        }
    }
    out
}

/// Whether a body may be the answer that brings a token, in a shape or with a status that nobody expected: then nothing of
/// it is shown. Told by the status of success, and by the members' names, whether JSON escapes them, breaks off, or a form
/// or a page stands around them.
pub(crate) fn may_hold_token(status: u16, body: &[u8]) -> bool {
    const MEMBERS: [&str; 3] = ["access_token", "refresh_token", "id_token"];
    let text = String::from_utf8_lossy(body);
    (200..300).contains(&status)
        || MEMBERS.iter().any(|member| text.contains(member))
        || serde_json::from_slice::<BTreeMap<String, &RawValue>>(body)
            .is_ok_and(|object| MEMBERS.iter().any(|member| object.contains_key(*member)))
}

/// Neither a control character nor one of those that turn the direction of text or are not seen at all.
fn is_harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        sanitise(text, Secrets::default())
    }

    #[test]
    fn c14_nothing_that_a_terminal_or_a_log_obeys_remains() {
        assert_eq!(plain("  a\r\n\tb  "), "a b");
        assert_eq!(plain("\u{1b}[31mred"), "\\u{1b}[31mred");
        assert_eq!(plain("a\0b\u{202e}c"), "a\\u{0}b\\u{202e}c");
        assert_eq!(plain("Größe 東京"), "Größe 東京");
        let long = plain(&"x".repeat(100_000));
        assert_eq!(long.chars().count(), LONGEST + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn c15_a_body_that_may_hold_a_token_is_told_by_status_and_by_members() {
        for (status, body) in [
            (200, "anything"),
            (201, "anything"),
            (203, "<html>"),
            (299, ""),
            (400, r#"{"access_token":"a"}"#),
            (500, r#"{"expires_in":1,"refresh_token":"a"#),
            (502, r#"<p>{"id_token":"a"}</p>"#),
            (302, "#access_token=a&state=b"),
            (400, r#"{"access\u005ftoken":"a"}"#),
        ] {
            assert!(may_hold_token(status, body.as_bytes()), "{status} {body}");
        }
        for (status, body) in [(503, "<html>busy"), (400, r#"{"error":"x"}"#), (100, ""), (300, "")] {
            assert!(!may_hold_token(status, body.as_bytes()), "{status} {body}");
        }
    }

    #[test]
    fn c15_a_secret_that_comes_back_is_taken_out() {
        let secrets = Secrets(&["s3cret~value", "s3cret%7Evalue"]);
        let text = sanitise("invalid 's3cret~value' in client_secret=s3cret%7Evalue&x=1", secrets);
        assert_eq!(text, "invalid '[redacted]' in client_secret=[redacted]&x=1");
    }
}
