//! The tenant segment of an authority's URLs: what a caller may write there, and what is served for it.
//!
//! The segment ends up in URLs, in issuers and in error texts, so nothing that could change a path or a host passes:
//! slashes, `?`, `#`, `%`, `..`, blanks and control characters are refused before anything is looked up
//! (pitfall C09). Read on in [`crate::authority`] for the URLs built from it.

use std::fmt;
use std::str::FromStr;

use countersign_token::TenantId;
use uuid::Uuid;

use crate::aadsts::AadSts;

/// The tenant of personal Microsoft accounts; the alias `consumers` means it.
pub const MSA_TENANT: TenantId = TenantId::from_uuid(Uuid::from_u128(0x9188_040d_6c67_4c5b_b112_36a3_04b6_6dad));

/// The longest DNS name, in characters (RFC 1035 §2.3.4).
const MAX_LENGTH: usize = 253;

/// A tenant as a caller writes it: `/{tenant}/oauth2/v2.0/token`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TenantSegment {
    /// The directory's GUID, written in any case.
    Id(TenantId),
    /// A verified domain, in lower case.
    Domain(String),
    /// Work, school and personal accounts.
    Common,
    /// Work and school accounts of any tenant.
    Organizations,
    /// Personal accounts: the tenant [`MSA_TENANT`].
    Consumers,
}

/// The text cannot be a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TenantSegmentError {
    /// There is no text.
    #[error("the tenant is empty")]
    Empty,
    /// More than 253 characters.
    #[error("the tenant is longer than {MAX_LENGTH} characters")]
    TooLong,
    /// A character that a DNS name never has.
    #[error("the tenant holds a character that no domain name has")]
    ForbiddenCharacter,
    /// The characters would do, but they are not a name with at least two labels, nor a GUID, nor an alias.
    #[error("the tenant is neither a GUID nor a domain name")]
    NotADomain,
}

impl TenantSegmentError {
    /// What the authority answers: AADSTS900023, with the insertion `tenant`.
    #[must_use]
    pub const fn aadsts(self) -> &'static AadSts {
        AadSts::INVALID_TENANT_NAME
    }
}

impl TenantSegment {
    /// Reads one path segment, already percent-decoded or never encoded.
    ///
    /// The empty GUID is an [`Id`](Self::Id) here; Entra answers AADSTS900021 to it.
    ///
    /// # Errors
    /// [`TenantSegmentError`], to all of which Entra answers AADSTS900023.
    ///
    /// ```
    /// use countersign_protocol::TenantSegment;
    ///
    /// assert_eq!(TenantSegment::parse("Contoso.OnMicrosoft.com")?.to_string(), "contoso.onmicrosoft.com");
    /// assert_eq!(TenantSegment::parse("COMMON")?, TenantSegment::Common);
    /// assert!(TenantSegment::parse("contoso.com/..").is_err());
    /// # Ok::<(), countersign_protocol::TenantSegmentError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, TenantSegmentError> {
        if text.is_empty() {
            return Err(TenantSegmentError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(TenantSegmentError::TooLong);
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.') {
            return Err(TenantSegmentError::ForbiddenCharacter);
        }
        for (alias, segment) in
            [("common", Self::Common), ("organizations", Self::Organizations), ("consumers", Self::Consumers)]
        {
            if text.eq_ignore_ascii_case(alias) {
                return Ok(segment);
            }
        }
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        if is_domain_name(text) {
            Ok(Self::Domain(text.to_ascii_lowercase()))
        } else {
            Err(TenantSegmentError::NotADomain)
        }
    }

    /// The alias, if it is one; a GUID or a domain must be looked up first.
    #[must_use]
    pub const fn alias(&self) -> Option<ServedTenant> {
        match self {
            Self::Common => Some(ServedTenant::Common),
            Self::Organizations => Some(ServedTenant::Organizations),
            Self::Consumers => Some(ServedTenant::Consumers),
            Self::Id(_) | Self::Domain(_) => None,
        }
    }
}

/// At least two labels of letters, digits and inner hyphens, the last of them not a number.
fn is_domain_name(text: &str) -> bool {
    let is_label =
        |label: &str| !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-');
    let Some((_, last)) = text.rsplit_once('.') else { return false };
    text.split('.').all(is_label) && last.bytes().any(|b| b.is_ascii_alphabetic())
}

impl FromStr for TenantSegment {
    type Err = TenantSegmentError;

    fn from_str(text: &str) -> Result<Self, TenantSegmentError> {
        Self::parse(text)
    }
}

impl From<TenantId> for TenantSegment {
    fn from(id: TenantId) -> Self {
        Self::Id(id)
    }
}

impl fmt::Display for TenantSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => fmt::Display::fmt(id, f),
            Self::Domain(domain) => f.write_str(domain),
            Self::Common => f.write_str("common"),
            Self::Organizations => f.write_str("organizations"),
            Self::Consumers => f.write_str("consumers"),
        }
    }
}

/// A tenant as documents are served for it: a domain has become the GUID, an alias stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServedTenant {
    /// One directory.
    Tenant(TenantId),
    /// `common`
    Common,
    /// `organizations`
    Organizations,
    /// `consumers`
    Consumers,
}

impl ServedTenant {
    /// What stands for the tenant inside an issuer: the GUID, or for the two open aliases the literal `{tenantid}`,
    /// which validators replace by the token's `tid`.
    #[must_use]
    pub fn in_issuer(&self) -> String {
        match self {
            Self::Tenant(id) => id.to_string(),
            Self::Common | Self::Organizations => "{tenantid}".to_owned(),
            Self::Consumers => MSA_TENANT.to_string(),
        }
    }

    /// Whether this is an alias rather than one directory.
    #[must_use]
    pub const fn is_alias(&self) -> bool {
        !matches!(self, Self::Tenant(_))
    }
}

impl From<TenantId> for ServedTenant {
    fn from(id: TenantId) -> Self {
        Self::Tenant(id)
    }
}

impl fmt::Display for ServedTenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(id) => fmt::Display::fmt(id, f),
            Self::Common => f.write_str("common"),
            Self::Organizations => f.write_str("organizations"),
            Self::Consumers => f.write_str("consumers"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_taken_in_any_case_and_written_in_lower_case() {
        let segment = TenantSegment::parse("6BABCAAD-604B-40AC-A9D7-9FD97C0B779F").unwrap();
        assert!(matches!(segment, TenantSegment::Id(_)));
        assert_eq!(segment.to_string(), "6babcaad-604b-40ac-a9d7-9fd97c0b779f");
    }

    #[test]
    fn each_fault_has_its_name() {
        assert_eq!(TenantSegment::parse(""), Err(TenantSegmentError::Empty));
        let long = format!("{}.com", "a.".repeat(125));
        assert_eq!(TenantSegment::parse(&long), Err(TenantSegmentError::TooLong));
        for text in [
            "a/b.com",
            "a.com?x",
            "a.com#x",
            "a%2fb.com",
            " a.com",
            "a.com ",
            "a\n.com",
            "a\u{0}.com",
            "a_b.com",
            "münchen.de",
            "a\\b.com",
            "a:b.com",
            "a@b.com",
        ] {
            assert_eq!(TenantSegment::parse(text), Err(TenantSegmentError::ForbiddenCharacter), "{text:?}");
        }
        for text in [
            "contoso",
            "..",
            ".",
            ".com",
            "com.",
            "a..com",
            "-a.com",
            "a-.com",
            "127.0.0.1",
            "common.",
            "6babcaad604b40aca9d79fd97c0b779f",
        ] {
            assert_eq!(TenantSegment::parse(text), Err(TenantSegmentError::NotADomain), "{text:?}");
        }
        let label = format!("{}.com", "a".repeat(64));
        assert_eq!(TenantSegment::parse(&label), Err(TenantSegmentError::NotADomain));
        assert_eq!(TenantSegmentError::Empty.aadsts().code, 900_023);
    }

    #[test]
    fn aliases_stay_and_domains_do_not() {
        assert_eq!(TenantSegment::parse("Consumers").unwrap().alias(), Some(ServedTenant::Consumers));
        assert_eq!(TenantSegment::parse("contoso.com").unwrap().alias(), None);
        assert_eq!(ServedTenant::Consumers.in_issuer(), "9188040d-6c67-4c5b-b112-36a304b66dad");
        assert_eq!(ServedTenant::Common.in_issuer(), "{tenantid}");
    }
}
