//! The names that differ from one national cloud to the next.
//!
//! Microsoft runs the same service several times; issuers of v1.0 tokens, Graph's hosts and `cloud_instance_name` are
//! not derived from the authority's host. A local authority plays one of these clouds. Values marked so below could not
//! be confirmed by a recording.

use std::fmt::Display;

/// What a cloud calls its parts. Host names are in lower case and carry no scheme, except where said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloudProfile {
    /// A short name for configuration: `global`, `us_gov`, `china`.
    pub name: &'static str,
    /// The authority's host.
    pub authority_host: &'static str,
    /// The base of v1.0 issuers, a URL with a trailing slash.
    pub issuer_v1_base: &'static str,
    /// `cloud_instance_name` in metadata and keys.
    pub cloud_instance_name: &'static str,
    /// `cloud_graph_host_name`: the retired Azure AD Graph.
    pub cloud_graph_host_name: &'static str,
    /// `msgraph_host`: Microsoft Graph.
    pub msgraph_host: &'static str,
    /// `rbac_url`, a URL.
    pub rbac_url: &'static str,
    /// `cloud_audience_urn` of user realms.
    pub cloud_audience_urn: &'static str,
    /// The audience that a federated credential is recommended to name.
    pub token_exchange_audience: &'static str,
}

impl CloudProfile {
    /// The public cloud.
    pub const GLOBAL: Self = Self {
        name: "global",
        authority_host: "login.microsoftonline.com",
        issuer_v1_base: "https://sts.windows.net/",
        cloud_instance_name: "microsoftonline.com",
        cloud_graph_host_name: "graph.windows.net",
        msgraph_host: "graph.microsoft.com",
        rbac_url: "https://pas.windows.net",
        cloud_audience_urn: "urn:federation:MicrosoftOnline",
        token_exchange_audience: "api://AzureADTokenExchange",
    };

    /// Azure Government (level 4). Issuer base, Azure AD Graph and RBAC names are unconfirmed.
    pub const US_GOV: Self = Self {
        name: "us_gov",
        authority_host: "login.microsoftonline.us",
        issuer_v1_base: "https://sts.windows.net/",
        cloud_instance_name: "microsoftonline.us",
        cloud_graph_host_name: "graph.windows.net",
        msgraph_host: "graph.microsoft.us",
        rbac_url: "https://pasff.usgovcloudapi.net",
        cloud_audience_urn: "urn:federation:MicrosoftOnline",
        token_exchange_audience: "api://AzureADTokenExchangeUSGov",
    };

    /// Azure operated by 21Vianet. Issuer base, Azure AD Graph and RBAC names are unconfirmed.
    pub const CHINA: Self = Self {
        name: "china",
        authority_host: "login.partner.microsoftonline.cn",
        issuer_v1_base: "https://sts.chinacloudapi.cn/",
        cloud_instance_name: "partner.microsoftonline.cn",
        cloud_graph_host_name: "graph.chinacloudapi.cn",
        msgraph_host: "microsoftgraph.chinacloudapi.cn",
        rbac_url: "https://pas.chinacloudapi.cn",
        cloud_audience_urn: "urn:federation:partner.microsoftonline.cn",
        token_exchange_audience: "api://AzureADTokenExchangeChina",
    };

    /// Every profile.
    pub const ALL: [Self; 3] = [Self::GLOBAL, Self::US_GOV, Self::CHINA];

    /// The profile with this [`name`](Self::name).
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cloud| cloud.name == name)
    }

    /// The v1.0 issuer, with its trailing slash: `https://sts.windows.net/{tid}/`.
    #[must_use]
    pub fn issuer_v1(&self, tid: impl Display) -> String {
        format!("{}{tid}/", self.issuer_v1_base)
    }

    /// v2.0's userinfo endpoint, which lives at Microsoft Graph.
    #[must_use]
    pub fn userinfo_endpoint_v2(&self) -> String {
        format!("https://{}/oidc/userinfo", self.msgraph_host)
    }
}

impl Default for CloudProfile {
    fn default() -> Self {
        Self::GLOBAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_v1_issuer_ends_in_a_slash_and_knows_nothing_of_the_authority() {
        assert_eq!(CloudProfile::GLOBAL.issuer_v1("{tenantid}"), "https://sts.windows.net/{tenantid}/");
        assert_eq!(CloudProfile::CHINA.issuer_v1("x"), "https://sts.chinacloudapi.cn/x/");
    }

    #[test]
    fn names_find_their_profile() {
        for cloud in CloudProfile::ALL {
            assert_eq!(CloudProfile::by_name(cloud.name), Some(cloud));
        }
        assert_eq!(CloudProfile::by_name("mars"), None);
    }
}
