//! How text looks on a terminal, and what may reach one.
//!
//! Colours are written always and stripped by `anstream` where stdout or stderr is no terminal or `NO_COLOR` is set. Text
//! from strangers (claims, bodies, headers) passes [`printable`] first: a terminal obeys escape sequences whoever
//! writes them.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

/// What a heading looks like.
pub(crate) const HEADING: Style = Style::new().bold();
/// Names of claims, headers and fields.
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default();
/// What went as it should.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What did not, and errors.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Warnings, and the hint that mends something.
pub(crate) const CARE: Style = AnsiColor::Yellow.on_default().bold();
/// Explanations beside the matter.
pub(crate) const QUIET: Style = Style::new().dimmed();

/// Text in a style.
pub(crate) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// The text with everything escaped that a terminal would obey or that would reorder the line: control characters (C0
/// and C1) and the bidirectional formatting characters (Unicode TR 36 §3.1).
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{200e}'
            | '\u{200f}'
            | '\u{061c}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
            | '\u{2028}'
            | '\u{2029}' => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
            }
            other if other.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(other));
            }
            other => out.push(other),
        }
    }
    out
}

/// At most `limit` characters, the rest as an ellipsis.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Breaks text into lines of at most `width` characters where blanks permit.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let word_length = word.chars().count();
        if length > 0 && length + 1 + word_length > width {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += word_length;
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_passes() {
        assert_eq!(printable("a\u{1b}[31mb\u{9b}2Jc\u{202e}d\r\n"), "a\\u{1b}[31mb\\u{9b}2Jc\\u{202e}d\\u{d}\\u{a}");
        assert_eq!(printable("Zoë 東京 api://x"), "Zoë 東京 api://x");
    }

    #[test]
    fn lines_break_at_blanks() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("unbreakable", 3), ["unbreakable"]);
        assert!(wrapped("", 3).is_empty());
    }

    #[test]
    fn what_is_cut_shows_it() {
        assert_eq!(shortened("ähnlich", 2), "äh…");
        assert_eq!(shortened("ab", 2), "ab");
    }
}
