//! Issuers with a place for the tenant: `https://login.microsoftonline.com/{tenantid}/v2.0`.
//!
//! A template is matched by comparing what stands before and after the tenant; nothing is ever filled in from a token
//! before the tenant was recognised as a GUID, so a crafted `tid` cannot write its own issuer (`pitfalls` A84).

use std::sync::Arc;

use crate::TokenVersion;

const PLACE: &str = "{tenantid}";

/// An issuer, bound to one tenant or to any by template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IssuerTemplate {
    text: Arc<str>,
    /// Where the tenant stands: in a template the place's range, in a literal the GUID's.
    start: usize,
    end: usize,
    literal: bool,
}

impl IssuerTemplate {
    /// Reads `https://host/{tenantid}/…` or `https://host/<guid>/…`. Anything that names no tenant binds nothing and is
    /// refused.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("https://")?;
        let path = rest.find('/')? + "https://".len() + 1;
        if path == "https://".len() + 1 || text.contains(['?', '#', '@', ' ', '\\']) {
            return None;
        }
        let end = text[path..].find('/').map_or(text.len(), |at| path + at);
        let segment = &text[path..end];
        let literal = if segment == PLACE {
            if text[end..].contains(PLACE) {
                return None;
            }
            false
        } else {
            crate::id::parse_canonical(segment)?;
            true
        };
        Some(Self { text: text.into(), start: path, end, literal })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// v2.0 issuers end in `/v2.0`; v1.0 ones in the tenant and a slash.
    pub(crate) fn version(&self) -> TokenVersion {
        if self.text.ends_with("/v2.0") { TokenVersion::V2 } else { TokenVersion::V1 }
    }

    /// Whether this issuer, for the tenant `tenant` (a canonical GUID), is `issuer`.
    pub(crate) fn is(&self, issuer: &str, tenant: &str) -> bool {
        let (before, after) = (&self.text[..self.start], &self.text[self.end..]);
        issuer.len() == before.len() + tenant.len() + after.len()
            && issuer.starts_with(before)
            && issuer.ends_with(after)
            && issuer[before.len()..].starts_with(tenant)
            && self.admits(tenant)
    }

    /// Whether this issuer speaks for `tenant` at all.
    pub(crate) fn admits(&self, tenant: &str) -> bool {
        !self.literal || &self.text[self.start..self.end] == tenant
    }

    /// Whether both mean the same issuer for `tenant`.
    pub(crate) fn agrees(&self, other: &Self, tenant: &str) -> bool {
        self.admits(tenant)
            && other.admits(tenant)
            && self.text[..self.start] == other.text[..other.start]
            && self.text[self.end..] == other.text[other.end..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
    const OTHER: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

    #[test]
    fn a_template_is_bound_to_the_tenant() {
        let template = IssuerTemplate::parse("https://login.microsoftonline.com/{tenantid}/v2.0").unwrap();
        let issuer = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
        assert!(template.is(&issuer, TENANT));
        assert!(!template.is(&issuer, OTHER));
        for wrong in [
            format!("{issuer}/"),
            format!("https://login.microsoftonline.com/{TENANT}"),
            format!("https://login.microsoftonline.com.evil/{TENANT}/v2.0"),
            format!("http://login.microsoftonline.com/{TENANT}/v2.0"),
            "https://login.microsoftonline.com/{tenantid}/v2.0".to_owned(),
        ] {
            assert!(!template.is(&wrong, TENANT), "{wrong}");
        }
    }

    #[test]
    fn a_literal_speaks_for_its_own_tenant_only() {
        let literal = IssuerTemplate::parse(&format!("https://sts.windows.net/{TENANT}/")).unwrap();
        assert_eq!(literal.version(), TokenVersion::V1);
        assert!(literal.is(&format!("https://sts.windows.net/{TENANT}/"), TENANT));
        assert!(!literal.is(&format!("https://sts.windows.net/{OTHER}/"), OTHER));
        let template = IssuerTemplate::parse("https://sts.windows.net/{tenantid}/").unwrap();
        assert!(literal.agrees(&template, TENANT));
        assert!(!literal.agrees(&template, OTHER));
    }

    #[test]
    fn an_issuer_that_names_no_tenant_is_none() {
        for text in [
            "https://example.com/",
            "https://example.com",
            "http://sts.windows.net/{tenantid}/",
            "https:///{tenantid}/",
            "https://x/{tenantid}/{tenantid}",
            "https://x/common/v2.0",
            "https://a@x/{tenantid}/",
            "",
        ] {
            assert!(IssuerTemplate::parse(text).is_none(), "{text}");
        }
    }
}
