//! Names that others gave: shown as text, isolated, and bounded (pitfalls B68).
//!
//! maud escapes HTML. What is left are characters that change how *other* text reads, and length.

use maud::{Markup, html};

/// Names of tenants, applications, people: longer ones are cut.
const MAX_NAME: usize = 120;
/// Domains, user and permission names, whose end says most (`microsoft.com.evil.example`): shown whole at any lawful
/// length.
const MAX_ADDRESS: usize = 256;
/// Descriptions that somebody registered.
const MAX_SENTENCE: usize = 400;
/// Texts of the catalogue, with what was inserted.
const MAX_MESSAGE: usize = 2000;

/// Whether a character has no sign of its own and only bends what stands around it: controls, marks and overrides of
/// writing direction (Unicode Standard Annex 9), blanks without width, byte order mark, line and paragraph separators.
/// The two joiners stay: Persian and Indic names are written with them.
fn bends(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text on one line without such characters, cut to so many characters.
fn bounded(text: &str, limit: usize) -> String {
    let words = text.split(|character: char| character.is_whitespace() || bends(character));
    let mut bounded = String::with_capacity(text.len().min(limit * 4));
    let mut length = 0;
    for word in words.filter(|word| !word.is_empty()) {
        if length > 0 {
            bounded.push(' ');
            length += 1;
        }
        for character in word.chars() {
            if length == limit {
                bounded.push('…');
                return bounded;
            }
            bounded.push(character);
            length += 1;
        }
    }
    bounded
}

/// A name, isolated from the direction of the text around it.
pub(super) fn name(text: &str) -> Markup {
    html! { bdi { (bounded(text, MAX_NAME)) } }
}

/// A domain, a user principal name or a permission's technical name. Never clamp it: its end says whose it is. A line
/// breaks before the `@` rather than within a word.
pub(super) fn address(text: &str) -> Markup {
    let bounded = bounded(text, MAX_ADDRESS);
    html! {
        bdi {
            @match bounded.rsplit_once('@') {
                Some((local, domain)) => { (local) wbr; "@" (domain) }
                None => { (bounded) }
            }
        }
    }
}

/// A sentence or two that somebody registered.
pub(super) fn sentence(text: &str) -> Markup {
    html! { bdi { (bounded(text, MAX_SENTENCE)) } }
}

/// A text of the catalogue: its insertions came from a request.
pub(super) fn message(text: &str) -> Markup {
    html! { bdi { (bounded(text, MAX_MESSAGE)) } }
}

/// What was typed into a field, as the field's value again.
pub(super) fn typed(text: &str) -> String {
    bounded(text, MAX_ADDRESS)
}

/// The sign in an application's or a person's place: the first letter of the name.
pub(super) fn initial(text: &str) -> String {
    let letter = bounded(text, MAX_NAME).chars().find(|character| character.is_alphanumeric());
    letter.map_or_else(|| "?".to_owned(), |letter| letter.to_uppercase().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b68_a_name_cannot_bend_or_flood_the_text_around_it() {
        let shown = |text: &str| name(text).0;
        assert_eq!(shown("\u{202e}gnp.exe\u{2069} by Contoso"), "<bdi>gnp.exe by Contoso</bdi>");
        assert_eq!(shown("Micro\u{200b}soft"), "<bdi>Micro soft</bdi>");
        assert_eq!(shown("a\r\n\tb   c\u{0}"), "<bdi>a b c</bdi>");
        assert_eq!(shown("<b>\"x\" & y"), "<bdi>&lt;b&gt;&quot;x&quot; &amp; y</bdi>");
        assert_eq!(shown("فارسی\u{200c}ها"), "<bdi>فارسی\u{200c}ها</bdi>");
        let long = "w".repeat(100_000);
        assert_eq!(shown(&long).chars().count(), MAX_NAME + 1 + "<bdi></bdi>".len());
        assert_eq!(shown(&"w".repeat(MAX_NAME)).chars().count(), MAX_NAME + "<bdi></bdi>".len());
    }

    #[test]
    fn b68_the_end_of_a_domain_is_always_shown() {
        let domain = format!("microsoft.com.{}.evil.example", ["label"; 30].join("."));
        assert!(domain.len() > MAX_NAME && domain.len() < 253);
        assert!(address(&domain).0.ends_with(".evil.example</bdi>"));
        assert_eq!(address("anna@contoso.example").0, "<bdi>anna<wbr>@contoso.example</bdi>");
    }

    #[test]
    fn an_initial_is_a_letter() {
        assert_eq!(initial("contoso"), "C");
        assert_eq!(initial("  -42"), "4");
        assert_eq!(initial("ßa"), "SS");
        assert_eq!(initial("<>"), "?");
        assert_eq!(initial("اسم"), "ا");
    }
}
