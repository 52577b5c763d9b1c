//! Text that came from somebody else, made fit to be shown.
//!
//! What a caller wrote ends up in error descriptions, headers, logs and terminals. Each of those has characters that
//! mean something; none of them is ever needed in an error message.

/// Whether a character could act on what it is shown in: controls, line and paragraph separators, bidirectional overrides.
const fn acts(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Appends at most `limit` characters of `text` on one line, so that neither JSON nor a quoted header needs an escape.
///
/// A double quote becomes a single one; a backslash and every acting character is dropped. An ellipsis marks a cut.
pub(crate) fn push_plain(out: &mut String, text: &str, limit: usize) {
    let mut plain = text.chars().filter(|&c| c != '\\' && !acts(c));
    for c in plain.by_ref().take(limit) {
        out.push(if c == '"' { '\'' } else { c });
    }
    if plain.next().is_some() {
        out.push('…');
    }
}

/// As [`push_plain`], but every acting character and line break becomes one blank, so that words stay apart.
pub(crate) fn one_line(text: &str, limit: usize) -> String {
    let blanked: String = text.chars().take(limit.saturating_mul(2)).map(|c| if acts(c) { ' ' } else { c }).collect();
    let mut out = String::with_capacity(blanked.len().min(limit));
    let mut words = blanked.split_whitespace();
    if let Some(first) = words.next() {
        push_plain(&mut out, first, limit);
    }
    for word in words {
        let used = out.chars().count() + 1;
        if used >= limit {
            out.push('…');
            break;
        }
        out.push(' ');
        push_plain(&mut out, word, limit - used);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str, limit: usize) -> String {
        let mut out = String::new();
        push_plain(&mut out, text, limit);
        out
    }

    #[test]
    fn nothing_that_acts_remains() {
        assert_eq!(plain("a\r\nb\"c\\d\u{202e}e\u{1b}[31m", 100), "ab'cde[31m");
        assert_eq!(plain("Zoë", 100), "Zoë");
    }

    #[test]
    fn a_cut_is_marked() {
        assert_eq!(plain("abcdef", 3), "abc…");
        assert_eq!(plain("abc", 3), "abc");
        assert_eq!(plain("abc\n", 3), "abc");
    }

    #[test]
    fn lines_become_one() {
        assert_eq!(one_line("first\r\n second\tthird", 100), "first second third");
        assert_eq!(one_line("one two three", 7), "one two…");
    }
}
