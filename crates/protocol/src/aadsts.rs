//! The one catalogue of AADSTS codes: what each is called on the wire, its text, and who must do what.
//!
//! The authority answers from it, the client classifies by it, `countersign explain` prints it; nobody parses
//! descriptions. Texts are those of recorded answers where there is one, else of Microsoft's documentation. Braces mark
//! insertions: `{app_id}`. A code that Entra uses with several error words has an entry for each; [`AadSts::lookup`]
//! gives the first, the one of the token endpoint.
//!
//! No text here needs an escape in JSON, because one real client borrows `error_description` out of the body and loses
//! the whole error when it has to unescape (azure_identity for Rust, observed November 2026).
//!
//! Source: Microsoft Entra authentication and authorization error codes; recordings of 2019–2026. Entries grow by topic:
//! applications, client assertions, requests and tenants, resources and consent, grants, users and policy.

use crate::text::push_plain;

/// Makes entries as constants of [`AadSts`] and lists them in `ENTRIES`.
macro_rules! aadsts {
    ($(
        $(#[$doc:meta])*
        $name:ident = $code:literal, $error:ident, $status:literal $(, $flag:ident $(($value:literal))?)*;
        $text:literal
        => $who:literal;
    )+) => {
        impl $crate::aadsts::AadSts {
            $(
                #[doc = concat!("AADSTS", $code, ", `", stringify!($error), "`.\n\n```text\n", $text, "\n```")]
                $(#[$doc])*
                pub const $name: &'static Self =
                    &Self::entry(stringify!($name), $code, stringify!($error), $status, $text, $who)
                        $(.$flag($($value)?))*;
            )+
        }

        pub(super) const ENTRIES: &[&$crate::aadsts::AadSts] = &[$($crate::aadsts::AadSts::$name),+];
    };
}

mod application;
mod assertion;
mod grant;
mod request;
mod resource;
mod user;

/// The longest insertion, in characters.
const MAX_INSERTION: usize = 256;

/// One code of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AadSts {
    /// The entry's name in this catalogue.
    pub name: &'static str,
    /// The number in `error_codes` and behind `AADSTS`.
    pub code: u32,
    /// The OAuth error word (RFC 6749 §5.2 and extensions).
    pub error: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Whether the same request may succeed later without anybody changing anything.
    pub retryable: bool,
    /// Whether the body has `error_uri`; Entra leaves it out for a few codes.
    pub error_uri: bool,
    /// `suberror`, when the code always has one.
    pub suberror: Option<&'static str>,
    /// The text behind `AADSTS{code}: `, with named insertions in braces.
    pub text: &'static str,
    /// Who must do what.
    pub who: &'static str,
}

impl AadSts {
    const fn entry(
        name: &'static str,
        code: u32,
        error: &'static str,
        status: u16,
        text: &'static str,
        who: &'static str,
    ) -> Self {
        Self { name, code, error, status, retryable: false, error_uri: true, suberror: None, text, who }
    }

    const fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    const fn no_error_uri(mut self) -> Self {
        self.error_uri = false;
        self
    }

    const fn suberror(mut self, suberror: &'static str) -> Self {
        self.suberror = Some(suberror);
        self
    }

    /// Every entry, grouped by topic. A code may occur more than once, with different error words or texts.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        [application::ENTRIES, assertion::ENTRIES, request::ENTRIES, resource::ENTRIES, grant::ENTRIES, user::ENTRIES]
            .into_iter()
            .flatten()
            .copied()
    }

    /// The entry of a code; of several, the token endpoint's.
    ///
    /// ```
    /// use countersign_protocol::AadSts;
    ///
    /// assert_eq!(AadSts::lookup(7000215), Some(AadSts::INVALID_CLIENT_SECRET));
    /// assert_eq!(AadSts::lookup(1), None);
    /// ```
    #[must_use]
    pub fn lookup(code: u32) -> Option<&'static Self> {
        Self::all().find(|entry| entry.code == code)
    }

    /// All entries of a code, the token endpoint's first.
    pub fn variants(code: u32) -> impl Iterator<Item = &'static Self> {
        Self::all().filter(move |entry| entry.code == code)
    }

    /// The names of the text's insertions, in order.
    pub fn insertions(&self) -> impl Iterator<Item = &'static str> {
        pieces(self.text).filter_map(|piece| match piece {
            Piece::Insertion(name) => Some(name),
            Piece::Literal(_) => None,
        })
    }

    /// The text with its insertions filled in, fit for a JSON string without escapes.
    ///
    /// Of each value at most 256 characters are taken; control characters and backslashes are dropped, double quotes
    /// become single ones. An insertion without a value stays visible as `{name}`.
    #[must_use]
    pub fn render(&self, insertions: &[(&str, &str)]) -> String {
        let mut out = String::with_capacity(self.text.len() + 64);
        for piece in pieces(self.text) {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Insertion(name) => match insertions.iter().find(|(key, _)| *key == name) {
                    Some((_, value)) => push_plain(&mut out, value, MAX_INSERTION),
                    None => {
                        out.push('{');
                        out.push_str(name);
                        out.push('}');
                    }
                },
            }
        }
        out
    }

    /// Whether a message could have been made from this entry's text: every fixed part occurs, in order.
    #[must_use]
    pub fn describes(&self, message: &str) -> bool {
        let mut rest = message;
        let mut after_insertion = false;
        let mut pieces = pieces(self.text).peekable();
        while let Some(piece) = pieces.next() {
            match piece {
                Piece::Insertion(_) => after_insertion = true,
                // The last part may occur in the value before it too, as a full stop does in a time.
                Piece::Literal(text) if after_insertion && pieces.peek().is_none() => return rest.ends_with(text),
                Piece::Literal(text) => {
                    let Some(at) = rest.find(text).filter(|&at| at == 0 || after_insertion) else { return false };
                    rest = &rest[at + text.len()..];
                    after_insertion = false;
                }
            }
        }
        rest.is_empty() || after_insertion
    }
}

enum Piece {
    Literal(&'static str),
    Insertion(&'static str),
}

/// Splits a template at its braces. A text without a closing brace ends in a literal; tests keep such out.
fn pieces(text: &'static str) -> impl Iterator<Item = Piece> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((name, after)) = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            rest = after;
            return Some(Piece::Insertion(name));
        }
        let end = rest[1..].find('{').map_or(rest.len(), |at| at + 1);
        let (literal, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Literal(literal))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_catalogue_is_whole() {
        assert!(AadSts::all().count() > 130);
        let names: HashSet<_> = AadSts::all().map(|entry| entry.name).collect();
        assert_eq!(names.len(), AadSts::all().count(), "a name stands twice");
        for entry in AadSts::all() {
            assert!(AadSts::lookup(entry.code).is_some());
            assert!(matches!(entry.status, 400 | 401 | 412 | 429 | 503), "{}", entry.name);
            if entry.error == "invalid_client" {
                assert_eq!(entry.status, 401, "{}: invalid_client comes with 401", entry.name);
            }
            assert!(entry.who.ends_with('.') && entry.who.len() > 20, "{}", entry.name);
            assert!(!entry.text.is_empty());
        }
    }

    #[test]
    fn no_text_needs_a_json_escape_and_every_brace_is_an_insertion() {
        for entry in AadSts::all() {
            let quoted = serde_json::to_string(entry.text).unwrap();
            assert_eq!(quoted.len(), entry.text.len() + 2, "{}", entry.name);
            assert!(!entry.text.contains('"') && !entry.text.contains("  "), "{}", entry.name);
            for name in entry.insertions() {
                assert!(
                    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                    "{}",
                    entry.name
                );
            }
            assert_eq!(entry.text.matches('{').count(), entry.insertions().count(), "{}", entry.name);
            assert_eq!(entry.text.matches('}').count(), entry.insertions().count(), "{}", entry.name);
        }
    }

    #[test]
    fn an_insertion_cannot_break_out() {
        let text = AadSts::UNSUPPORTED_GRANT_TYPE.render(&[("grant_type", "a\r\nb\"\\{grant_type}")]);
        assert_eq!(text, "The app requested an unsupported grant type 'ab'{grant_type}'.");
        let text = AadSts::UNSUPPORTED_GRANT_TYPE.render(&[("grant_type", &"x".repeat(300))]);
        assert_eq!(text.matches('x').count(), MAX_INSERTION);
        assert_eq!(AadSts::MISSING_PARAMETER.render(&[]).matches("{name}").count(), 1);
    }

    #[test]
    fn a_rendered_text_is_described_by_its_entry_only() {
        let text = AadSts::INVALID_CLIENT_SECRET.render(&[("app_id", "6babcaad")]);
        assert!(AadSts::INVALID_CLIENT_SECRET.describes(&text));
        assert!(!AadSts::EXPIRED_CLIENT_SECRET.describes(&text));
        assert!(!AadSts::INVALID_CLIENT_SECRET.describes("Invalid client secret is provided."));
        assert!(!AadSts::INVALID_CLIENT_SECRET.describes(&format!("{text} more")));
        let text = AadSts::ASSERTION_EXPIRED.render(&[("now", "12:00:00.5"), ("expires", "11:00:00.5")]);
        assert!(AadSts::ASSERTION_EXPIRED.describes(&text), "{text}");
        assert!(!AadSts::ASSERTION_EXPIRED.describes(text.trim_end_matches('.')));
    }

    #[test]
    fn a_code_with_several_words_gives_the_token_endpoints() {
        assert_eq!(AadSts::lookup(90_002).unwrap().error, "invalid_request");
        assert_eq!(
            AadSts::variants(90_002).map(|entry| entry.error).collect::<Vec<_>>(),
            ["invalid_request", "invalid_tenant"]
        );
        assert_eq!(AadSts::lookup(9_002_313).unwrap().error, "invalid_request");
    }

    #[test]
    fn error_uri_is_absent_where_it_was_recorded_absent() {
        let without: HashSet<u32> = AadSts::all().filter(|entry| !entry.error_uri).map(|entry| entry.code).collect();
        assert_eq!(without, HashSet::from([54_005, 70_003, 700_038]));
    }

    /// Each code with its words, the token endpoint's first.
    #[test]
    fn every_code_of_the_user_flows_has_its_words() {
        for (code, words) in [
            (16_000, "interaction_required"),
            (28_000, "invalid_request"),
            (28_002, "invalid_scope"),
            (28_003, "invalid_request"),
            (28_004, "invalid_scope"),
            (50_011, "invalid_request"),
            (50_013, "invalid_grant"),
            (50_020, "invalid_grant"),
            (50_034, "invalid_grant"),
            (50_053, "invalid_grant"),
            (50_055, "invalid_grant"),
            (50_056, "invalid_grant"),
            (50_057, "invalid_grant"),
            (50_058, "login_required"),
            (50_072, "invalid_grant interaction_required"),
            (50_074, "invalid_grant interaction_required"),
            (50_076, "invalid_grant interaction_required"),
            (50_078, "invalid_grant interaction_required"),
            (50_079, "invalid_grant interaction_required"),
            (50_089, "invalid_grant"),
            (50_105, "invalid_grant"),
            (50_126, "invalid_grant"),
            (50_132, "invalid_grant"),
            (50_140, "interaction_required"),
            (50_147, "invalid_request"),
            (50_173, "invalid_grant"),
            (50_194, "unauthorized_client"),
            (53_003, "invalid_grant interaction_required"),
            (54_005, "invalid_grant"),
            (65_001, "invalid_grant consent_required"),
            (65_004, "access_denied consent_required authorization_declined"),
            (70_000, "invalid_grant"),
            (70_002, "invalid_client"),
            (70_003, "unsupported_grant_type"),
            (70_005, "unsupported_response_type"),
            (70_008, "invalid_grant"),
            (70_011, "invalid_scope invalid_scope"),
            (70_016, "authorization_pending slow_down"),
            (70_018, "invalid_grant bad_verification_code"),
            (70_019, "expired_token code_expired"),
            (70_020, "expired_token"),
            (70_021, "invalid_client"),
            (70_025, "invalid_client"),
            (90_014, "invalid_request"),
            (90_023, "invalid_request invalid_request"),
            (90_094, "consent_required"),
            (240_002, "invalid_request invalid_grant"),
            (500_112, "invalid_client"),
            (500_113, "invalid_request"),
            (500_131, "invalid_grant"),
            (500_133, "invalid_grant"),
            (501_051, "invalid_grant"),
            (501_481, "invalid_grant"),
            (501_491, "invalid_request invalid_request"),
            (650_053, "invalid_request"),
            (650_057, "invalid_resource"),
            (700_005, "invalid_grant"),
            (700_025, "invalid_client"),
            (700_030, "invalid_client"),
            (700_051, "unsupported_response_type"),
            (700_054, "unsupported_response_type"),
            (700_082, "invalid_grant"),
            (700_084, "invalid_grant"),
            (700_211, "invalid_client"),
            (700_212, "invalid_client"),
            (700_213, "invalid_client"),
            (700_229, "invalid_client"),
            (900_971, "invalid_request"),
            (1_000_502, "invalid_client"),
            (7_000_114, "invalid_grant"),
            (7_000_214, "invalid_client"),
            (7_000_218, "invalid_client"),
            (7_000_274, "invalid_client"),
            (9_000_411, "invalid_request"),
            (9_001_023, "invalid_request"),
            (9_002_313, "invalid_request invalid_grant"),
            (9_002_325, "invalid_request"),
            (9_002_326, "invalid_request"),
            (9_002_327, "invalid_request"),
        ] {
            let found: Vec<&str> = AadSts::variants(code).map(|entry| entry.error).collect();
            assert_eq!(found.join(" "), words, "{code}");
        }
    }
}
