//! Regional endpoints: what may be said for a region, and the host that follows from it.
//!
//! Beside a name such as `westeurope` there are words of MSAL's and of the Azure SDK's: that the region is to be found
//! out, and that none is wanted. What a region's name becomes part of is a host, so that nothing but a name passes
//! (`pitfalls` 36).
//!
//! A region is found out by `REGION_NAME`, which App Service and Functions set. The other way of those libraries, to ask the
//! instance metadata service for the machine's location, is not taken: it costs two seconds wherever there is no such
//! service, before the first token, and a virtual machine's operator can write the region down.

use countersign_protocol::{AuthorityHost, AuthorityHostError};

use crate::authority::PUBLIC_HOSTS;

/// The variable that App Service and Functions set, to `West Europe` for example.
pub(crate) const REGION_NAME: &str = "REGION_NAME";

/// MSAL's word, which the Azure SDK for Python has too; and that of the Azure SDK for Java and JavaScript.
const DETECT: [&str; 2] = ["tryautodetect", "autodiscoverregion"];

/// MSAL's word.
const NONE: &str = "disablemsalforceregion";

/// A region as a configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Region {
    /// The global endpoint.
    None,
    /// Whatever region this runs in.
    Detect,
    /// As a host carries it.
    Named(String),
}

impl Region {
    /// None for what is neither a region's name nor one of the words; the words in any letter case.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let name = region_name(text)?;
        Some(match name.as_str() {
            NONE => Self::None,
            word if DETECT.contains(&word) => Self::Detect,
            _ => Self::Named(name),
        })
    }
}

/// The region that the platform names, if it names one.
pub(crate) fn detected(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let Some(text) = variable(REGION_NAME).filter(|text| !text.trim().is_empty()) else {
        tracing::debug!("{REGION_NAME} is not set: the global endpoint is asked, not a regional one");
        return None;
    };
    match Region::parse(text.trim()) {
        Some(Region::Named(name)) => Some(name),
        _ => {
            tracing::warn!("{REGION_NAME} is not the name of a region: the global endpoint is asked");
            None
        }
    }
}

/// The regional host: `{region}.login.microsoft.com` in the public cloud, `{region}.{host}` elsewhere. None for a region
/// that is no name.
pub(crate) fn regional_host(host: &AuthorityHost, region: &str) -> Option<AuthorityHost> {
    let region = region_name(region)?;
    let regional: Result<AuthorityHost, AuthorityHostError> = if PUBLIC_HOSTS.contains(&host.host_and_port()) {
        AuthorityHost::parse(&format!("https://{region}.login.microsoft.com"))
    } else {
        AuthorityHost::parse(&format!("https://{region}.{}", host.host_and_port()))
    };
    regional.ok()
}

/// The region's name as a host carries it, if it is one: letters, digits and hyphens, at most 63 of them.
pub(crate) fn region_name(region: &str) -> Option<String> {
    let region: String = region.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_lowercase()).collect();
    let is_name = (1..=63).contains(&region.len())
        && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !region.starts_with('-')
        && !region.ends_with('-');
    is_name.then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b36_only_a_name_makes_a_regional_host() {
        let host = |text: &str| AuthorityHost::parse(text).unwrap();
        let public = host("https://login.microsoftonline.com");
        assert_eq!(regional_host(&public, "West Europe").unwrap().origin(), "https://westeurope.login.microsoft.com");
        let china = host("https://login.partner.microsoftonline.cn");
        let regional = regional_host(&china, "chinaeast2").unwrap();
        assert_eq!(regional.origin(), "https://chinaeast2.login.partner.microsoftonline.cn");
        let local = regional_host(&host("https://localhost:8443"), "r1").unwrap();
        assert_eq!(local.origin(), "https://r1.localhost:8443");
        for evil in ["", "evil.com/", "a.b", "evil.com#", "a@b", "-a", "a-", "ä", "a\u{0}", &"a".repeat(64)] {
            assert_eq!(regional_host(&public, evil), None, "{evil:?}");
        }
    }

    #[test]
    fn the_libraries_words_are_no_regions() {
        let named = |name: &str| Some(Region::Named(name.to_owned()));
        for (text, expected) in [
            ("TryAutoDetect", Some(Region::Detect)),
            ("tryautodetect", Some(Region::Detect)),
            ("AutoDiscoverRegion", Some(Region::Detect)),
            ("DisableMsalForceRegion", Some(Region::None)),
            ("West Europe", named("westeurope")),
            ("tryautodetect2", named("tryautodetect2")),
            ("evil.com/", None),
            ("", None),
        ] {
            assert_eq!(Region::parse(text), expected, "{text:?}");
        }
        let found = |text: Option<&str>| detected(|name| text.filter(|_| name == "REGION_NAME").map(str::to_owned));
        assert_eq!(found(Some(" Central US ")).as_deref(), Some("centralus"));
        for none in [None, Some(""), Some(" "), Some("evil.com/"), Some("TryAutoDetect")] {
            assert_eq!(found(none), None, "{none:?}");
        }
    }
}
