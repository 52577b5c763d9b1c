//! Reading a claim set in one pass: texts are noted by their place in the buffer, dates and `roles` by type, and what no
//! rule reads is only checked for duplicates.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use smallvec::SmallVec;

use super::{Fields, Span, Text};
use crate::Rejection;
use crate::json::SkipStrictly;
use crate::jws::Name;

/// The other known claims continue the numbering.
const ROLES: u8 = 14;
const EXPIRES: u8 = 15;
const NOT_BEFORE: u8 = 16;
const ISSUED: u8 = 17;
const NONCE: u8 = 18;
const AT_HASH: u8 = 19;
const CODE_HASH: u8 = 20;
const ACTOR: u8 = 21;
const ACTOR_TOKEN: u8 = 22;
const GROUPS: u8 = 23;
const CONTEXTS: u8 = 24;
const ACCOUNT: u8 = 25;
const CLAIM_NAMES: u8 = 26;
const HAS_GROUPS: u8 = 27;
const CONFIRMATION: u8 = 28;
/// Claims that are only skipped but so common that remembering them as a bit pays.
const SKIPPED: u8 = 29;
const TOKEN_NAME: u8 = SKIPPED + 9;

const MAX_CLAIMS: u32 = 200;

enum Known {
    Text(Text),
    Number(u8, &'static str),
    List(u8, &'static str),
    SignIn(u8),
    Actor(u8),
    Elsewhere(u8),
    Account,
    Confirmation,
    /// A text that no rule reads.
    UnreadText(u8, &'static str),
    Skipped(u8),
}

fn known(name: &str) -> Option<Known> {
    // Bytes, because the compiler makes a tree of these and a chain of comparisons of texts.
    Some(match name.as_bytes() {
        b"aud" => Known::Text(Text::Audience),
        b"iss" => Known::Text(Text::Issuer),
        b"tid" => Known::Text(Text::Tenant),
        b"ver" => Known::Text(Text::Version),
        b"azp" => Known::Text(Text::AuthorizedParty),
        b"appid" => Known::Text(Text::ApplicationId),
        b"azpacr" => Known::Text(Text::AuthorizedPartyAcr),
        b"appidacr" => Known::Text(Text::ApplicationIdAcr),
        b"oid" => Known::Text(Text::Object),
        b"sub" => Known::Text(Text::Subject),
        b"scp" => Known::Text(Text::Scopes),
        b"idtyp" => Known::Text(Text::IdentityType),
        b"uti" => Known::Text(Text::TokenId),
        b"idp" => Known::Text(Text::IdentityProvider),
        b"roles" => Known::List(ROLES, "roles"),
        b"groups" => Known::List(GROUPS, "groups"),
        b"acrs" => Known::List(CONTEXTS, "acrs"),
        b"acct" => Known::Account,
        b"_claim_names" => Known::Elsewhere(CLAIM_NAMES),
        b"hasgroups" => Known::Elsewhere(HAS_GROUPS),
        b"cnf" => Known::Confirmation,
        b"exp" => Known::Number(EXPIRES, "exp"),
        b"nbf" => Known::Number(NOT_BEFORE, "nbf"),
        b"iat" => Known::Number(ISSUED, "iat"),
        b"nonce" => Known::SignIn(NONCE),
        b"at_hash" => Known::SignIn(AT_HASH),
        b"c_hash" => Known::SignIn(CODE_HASH),
        b"actort" => Known::Actor(ACTOR),
        b"actortoken" => Known::Actor(ACTOR_TOKEN),
        // Nothing here depends on it, but RFC 7519 §4.1.7 makes it a string, and readers who do read it refuse all else.
        b"jti" => Known::UnreadText(TOKEN_NAME, "jti"),
        b"aio" => Known::Skipped(SKIPPED),
        b"rh" => Known::Skipped(SKIPPED + 1),
        b"name" => Known::Skipped(SKIPPED + 2),
        b"preferred_username" => Known::Skipped(SKIPPED + 3),
        b"xms_ftd" => Known::Skipped(SKIPPED + 4),
        b"sid" => Known::Skipped(SKIPPED + 5),
        b"wids" => Known::Skipped(SKIPPED + 6),
        b"upn" => Known::Skipped(SKIPPED + 7),
        b"unique_name" => Known::Skipped(SKIPPED + 8),
        _ => return None,
    })
}

/// Fills [`Fields`]; `refusal` says which rule a data error stands for.
pub(super) struct ClaimsVisitor<'r> {
    /// The buffer's address.
    pub(super) start: usize,
    pub(super) payload_length: u16,
    /// Where texts go that were written with escapes.
    pub(super) extra: &'r mut String,
    pub(super) refusal: &'r mut Rejection,
}

impl ClaimsVisitor<'_> {
    /// Where a text lies. Text without escapes was borrowed from the buffer, so its address gives its place.
    fn span(&mut self, text: &Name<'_>) -> Span {
        let start = match &text.0 {
            Cow::Borrowed(text) => text.as_ptr() as usize - self.start,
            Cow::Owned(text) => {
                let start = usize::from(self.payload_length) + self.extra.len();
                self.extra.push_str(text);
                start
            }
        };
        // The payload is at most half of what sixteen bits can address, and the unescaped texts no longer than it.
        Span { start: start as u16, length: text.0.len() as u16 }
    }
}

impl<'de> Visitor<'de> for ClaimsVisitor<'_> {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a claim set")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        let mut seen = 0_u64;
        let mut others: SmallVec<[Cow<'de, str>; 12]> = SmallVec::new();
        let mut count = 0;
        while let Some(Name(name)) = members.next_key::<Name<'de>>()? {
            count += 1;
            if count > MAX_CLAIMS {
                *self.refusal = Rejection::TooManyClaims;
                return Err(de::Error::custom("too many claims"));
            }
            let claim = known(&name);
            let bit = match &claim {
                Some(Known::Text(text)) => *text as u8,
                Some(Known::Account) => ACCOUNT,
                Some(Known::Confirmation) => CONFIRMATION,
                Some(
                    Known::List(bit, _)
                    | Known::Number(bit, _)
                    | Known::SignIn(bit)
                    | Known::Actor(bit)
                    | Known::Elsewhere(bit)
                    | Known::UnreadText(bit, _)
                    | Known::Skipped(bit),
                ) => *bit,
                None => {
                    if others.contains(&name) {
                        *self.refusal = Rejection::ClaimDuplicate;
                        return Err(de::Error::custom("duplicate claim"));
                    }
                    others.push(name);
                    members.next_value_seed(SkipStrictly)?;
                    continue;
                }
            };
            if seen & (1 << bit) != 0 {
                *self.refusal = Rejection::ClaimDuplicate;
                return Err(de::Error::custom("duplicate claim"));
            }
            seen |= 1 << bit;
            match claim {
                Some(Known::Text(Text::Audience)) => {
                    *self.refusal = Rejection::ClaimType("aud");
                    let audience = members.next_value::<Audience<'de>>()?.0;
                    fields.texts[Text::Audience as usize] = Some(self.span(&audience));
                }
                Some(Known::Text(text)) => {
                    *self.refusal = Rejection::ClaimType(text.name());
                    let value = members.next_value::<Name<'de>>()?;
                    fields.texts[text as usize] = Some(self.span(&value));
                }
                Some(Known::Number(bit, name)) => {
                    *self.refusal = Rejection::ClaimType(name);
                    let value = members.next_value::<i64>()?;
                    // The end of the year 9999: what lies beyond is milliseconds, or an attempt to overflow.
                    if !(0..=253_402_300_799).contains(&value) {
                        *self.refusal = Rejection::ClaimRange(name);
                        return Err(de::Error::custom("date out of range"));
                    }
                    match bit {
                        EXPIRES => fields.expires = Some(value),
                        NOT_BEFORE => fields.not_before = Some(value),
                        _ => fields.issued = Some(value),
                    }
                }
                Some(Known::List(bit, name)) => {
                    *self.refusal = Rejection::ClaimType(name);
                    let spans = members.next_value::<Texts<'de>>()?.0.into_iter().map(|text| self.span(&text));
                    match bit {
                        ROLES => fields.roles.extend(spans),
                        GROUPS => fields.groups.extend(spans),
                        _ => fields.contexts.extend(spans),
                    }
                }
                Some(Known::Account) => {
                    *self.refusal = Rejection::ClaimType("acct");
                    fields.account = Some(members.next_value()?);
                }
                Some(Known::UnreadText(_, name)) => {
                    *self.refusal = Rejection::ClaimType(name);
                    drop(members.next_value::<Name<'de>>()?);
                }
                Some(Known::Elsewhere(_)) => {
                    fields.groups_elsewhere = true;
                    members.next_value_seed(SkipStrictly)?;
                }
                Some(Known::Confirmation) => {
                    fields.bound = true;
                    members.next_value_seed(SkipStrictly)?;
                }
                Some(Known::SignIn(_)) => {
                    fields.for_sign_in = true;
                    members.next_value_seed(SkipStrictly)?;
                }
                Some(Known::Actor(_)) => {
                    fields.wraps_actor = true;
                    members.next_value_seed(SkipStrictly)?;
                }
                Some(Known::Skipped(_)) | None => members.next_value_seed(SkipStrictly)?,
            }
        }
        Ok(fields)
    }
}

/// `aud`: one string. An array of exactly one is the same claim in its general form (RFC 7519 §4.1.3); Entra issues
/// tokens for one API, so any other array is not one of its tokens.
struct Audience<'a>(Name<'a>);

impl<'de> Deserialize<'de> for Audience<'de> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AudienceVisitor;

        impl<'de> Visitor<'de> for AudienceVisitor {
            type Value = Audience<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Audience<'de>, E> {
                Ok(Audience(Name(text.into())))
            }

            fn visit_str<E>(self, text: &str) -> Result<Audience<'de>, E> {
                Ok(Audience(Name(text.to_owned().into())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Audience<'de>, A::Error> {
                let first = items.next_element()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
                if items.next_element::<Name<'de>>()?.is_some() {
                    return Err(de::Error::invalid_length(2, &self));
                }
                Ok(Audience(first))
            }
        }

        deserializer.deserialize_any(AudienceVisitor)
    }
}

/// `roles`, `groups` and `acrs`: an array of strings.
struct Texts<'a>(SmallVec<[Name<'a>; 4]>);

impl<'de> Deserialize<'de> for Texts<'de> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextsVisitor;

        impl<'de> Visitor<'de> for TextsVisitor {
            type Value = Texts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of strings")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Texts<'de>, A::Error> {
                let mut texts = SmallVec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }

        deserializer.deserialize_seq(TextsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::RawClaims;

    const KNOWN: [&str; 38] = [
        "aud",
        "iss",
        "tid",
        "ver",
        "azp",
        "appid",
        "azpacr",
        "appidacr",
        "oid",
        "sub",
        "scp",
        "idtyp",
        "uti",
        "roles",
        "exp",
        "nbf",
        "iat",
        "nonce",
        "at_hash",
        "c_hash",
        "actort",
        "actortoken",
        "aio",
        "rh",
        "idp",
        "name",
        "preferred_username",
        "xms_ftd",
        "sid",
        "groups",
        "wids",
        "upn",
        "unique_name",
        "acct",
        "acrs",
        "_claim_names",
        "hasgroups",
        "cnf",
    ];

    #[test]
    fn every_known_claim_is_recognised_twice() {
        for name in KNOWN {
            assert!(known(name).is_some(), "{name}");
            let value = match name {
                "exp" | "nbf" | "iat" | "acct" => "1",
                "roles" | "groups" | "acrs" => "[]",
                _ => "\"x\"",
            };
            let twice = format!("{{\"{name}\":{value},\"{name}\":{value}}}");
            assert_eq!(RawClaims::parse(twice.into_bytes()).map(|_| ()), Err(Rejection::ClaimDuplicate), "{name}");
        }
    }

    #[test]
    fn no_two_claims_are_taken_for_one() {
        let value = |name: &str| match name {
            "exp" | "nbf" | "iat" | "acct" => "1",
            "roles" | "groups" | "acrs" => "[]",
            _ => "\"x\"",
        };
        let all: Vec<_> = KNOWN.iter().map(|name| format!("\"{name}\":{}", value(name))).collect();
        assert!(RawClaims::parse(format!("{{{}}}", all.join(",")).into_bytes()).is_ok());
    }

    #[test]
    fn texts_with_and_without_escapes_are_found_again() {
        let payload =
            r#"{"aud":"","iss":"\u0061b\n","tid":"ü","sub":"\ud83e\udd80","roles":["a","\u0062","","ä"],"scp":"x y"}"#;
        let claims = RawClaims::parse(payload.as_bytes().to_vec()).unwrap();
        let text = |claim| claims.text(claim).unwrap();
        assert_eq!([text(Text::Audience), text(Text::Issuer), text(Text::Tenant)], ["", "ab\n", "ü"]);
        assert_eq!(text(Text::Subject), "🦀");
        assert_eq!(claims.roles().collect::<Vec<_>>(), ["a", "b", "", "ä"]);
        assert_eq!(claims.scopes().collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(claims.text(Text::Version), None);
        assert_eq!(claims.required(Text::Version), Err(Rejection::ClaimMissing("ver")));
    }

    #[test]
    fn lists_and_flags_are_read_by_type() {
        let refusal = |payload: &str| RawClaims::parse(payload.as_bytes().to_vec()).map(|_| ()).unwrap_err();
        assert_eq!(refusal(r#"{"groups":"a"}"#), Rejection::ClaimType("groups"));
        assert_eq!(refusal(r#"{"acrs":[1]}"#), Rejection::ClaimType("acrs"));
        assert_eq!(refusal(r#"{"acct":"0"}"#), Rejection::ClaimType("acct"));
        assert_eq!(refusal(r#"{"idp":1}"#), Rejection::ClaimType("idp"));
        assert_eq!(refusal(r#"{"cnf":{"jwk":{"n":1,"n":1}}}"#), Rejection::ClaimDuplicate);
        let claims = RawClaims::parse(br#"{"groups":["g","h"],"acrs":["c1"],"cnf":{},"hasgroups":true}"#.to_vec());
        let fields = claims.unwrap().fields;
        assert_eq!((fields.groups.len(), fields.contexts.len()), (2, 1));
        assert!(fields.bound && fields.groups_elsewhere);
    }

    #[test]
    fn a_payload_beyond_what_a_place_can_address_is_too_large() {
        let payload = format!("{{\"aud\":\"{}\"}}", "x".repeat(40_000));
        assert_eq!(RawClaims::parse(payload.into_bytes()).map(|_| ()), Err(Rejection::TooLarge));
    }

    #[test]
    fn a_refusal_belongs_to_its_own_claim() {
        let refusal = |payload: &str| RawClaims::parse(payload.as_bytes().to_vec()).map(|_| ()).unwrap_err();
        assert_eq!(refusal(r#"{"aud":1}"#), Rejection::ClaimType("aud"));
        // What comes after a sound claim is not blamed on it.
        assert_eq!(refusal(r#"{"aud":"x","y":tru}"#), Rejection::ClaimsMalformed);
        assert_eq!(refusal(r#"{"aud":"x","iat":"1"}"#), Rejection::ClaimType("iat"));
        assert_eq!(refusal(r#"{"aud":"x","y":{"a":1,"a":1}}"#), Rejection::ClaimDuplicate);
        assert_eq!(refusal(r#"{"aud":"x","exp":1e999}"#), Rejection::ClaimsMalformed);
        assert_eq!(refusal(r#"{"aud":["x","#), Rejection::ClaimsMalformed);
    }
}
