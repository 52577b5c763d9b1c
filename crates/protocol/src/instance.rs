//! Instance discovery: the answer to "is this authority host one of yours?".
//!
//! MSAL asks login.microsoftonline.com about any host it does not know. A local authority vouches for itself and for the
//! public clouds, whose table is the recorded one. Only the host is judged: the tenant is echoed as it was asked for.
//! Refused: a host that is neither ours nor Microsoft's (AADSTS50049), and text that is no authorize endpoint (50050).
//!
//! Ports are a trap here. msal-node and MSAL Go look for `host:port` among the aliases, MSAL Python and ADAL ask with
//! the host alone; so both spellings are aliases, and both are recognised in the question (observed November 2026).

use serde::Serialize;
use url::Url;

use crate::aadsts::AadSts;
use crate::authority::AuthorityHost;
use crate::decode::{DecodeError, Members};
use crate::tenant::TenantSegment;
use crate::version::EndpointVersion;

/// The public clouds: preferred network, preferred cache, aliases (recorded 2020–2023, unchanged).
const PUBLIC_CLOUDS: [(&str, &str, &[&str]); 5] = [
    (
        "login.microsoftonline.com",
        "login.windows.net",
        &["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"],
    ),
    (
        "login.partner.microsoftonline.cn",
        "login.partner.microsoftonline.cn",
        &["login.partner.microsoftonline.cn", "login.chinacloudapi.cn"],
    ),
    ("login.microsoftonline.de", "login.microsoftonline.de", &["login.microsoftonline.de"]),
    ("login.microsoftonline.us", "login.microsoftonline.us", &["login.microsoftonline.us", "login.usgovcloudapi.net"]),
    ("login-us.microsoftonline.com", "login-us.microsoftonline.com", &["login-us.microsoftonline.com"]),
];

/// Whether a host is one of Microsoft's authorities.
#[must_use]
pub fn is_public_cloud_host(host: &str) -> bool {
    PUBLIC_CLOUDS.iter().any(|(_, _, aliases)| aliases.contains(&host))
}

/// `api-version` of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceApiVersion {
    /// `1.0`: only the address of the tenant's document (MSAL Python, ADAL).
    V1_0,
    /// `1.1`: with the table of clouds.
    V1_1,
}

impl InstanceApiVersion {
    /// Reads the parameter; absent and unknown values count as 1.1, whose extra member harms nobody.
    #[must_use]
    pub fn parse(text: Option<&str>) -> Self {
        if text == Some("1.0") { Self::V1_0 } else { Self::V1_1 }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
        }
    }
}

/// A question that gets no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InstanceError {
    /// The host is not an authority that anybody here vouches for.
    #[error("the authority's host is not known")]
    UnknownInstance,
    /// The text is not the authorize endpoint of an authority.
    #[error("the text is not an authorize endpoint")]
    Malformed,
}

impl InstanceError {
    /// What the authority answers: AADSTS50049 or AADSTS50050.
    #[must_use]
    pub const fn aadsts(self) -> &'static AadSts {
        match self {
            Self::UnknownInstance => AadSts::UNKNOWN_INSTANCE,
            Self::Malformed => AadSts::MALFORMED_INSTANCE,
        }
    }
}

/// One cloud of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstanceMetadata {
    /// Where to send requests.
    pub preferred_network: String,
    /// The `environment` of cached tokens.
    pub preferred_cache: String,
    /// Every host that means this cloud.
    pub aliases: Vec<String>,
}

/// The answer to instance discovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstanceDiscovery {
    /// The metadata document of the tenant that was asked about, in the version that was asked about.
    pub tenant_discovery_endpoint: String,
    /// `api-version`
    #[serde(rename = "api-version", skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// The table of clouds; empty for api-version 1.0.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<InstanceMetadata>,
}

impl InstanceDiscovery {
    /// Answers for `own`, the authority that is asked, about `authorization_endpoint` (percent-decoded).
    ///
    /// # Errors
    /// [`InstanceError`], whose [`aadsts`](InstanceError::aadsts) is the answer.
    pub fn new(
        own: &AuthorityHost,
        authorization_endpoint: &str,
        api_version: InstanceApiVersion,
    ) -> Result<Self, InstanceError> {
        let url = Url::parse(authorization_endpoint).map_err(|_| InstanceError::Malformed)?;
        let authority =
            AuthorityHost::parse(&url[..url::Position::BeforePath]).map_err(|_| InstanceError::Malformed)?;
        let known = if authority.host() == own.host() {
            // Whoever drops the port still means this authority; a third port does not.
            let same = authority == *own || authority.port() == 443;
            if same { own } else { return Err(InstanceError::UnknownInstance) }
        } else if is_public_cloud_host(authority.host_and_port()) {
            &authority
        } else {
            return Err(InstanceError::UnknownInstance);
        };
        let (tenant, version) = tenant_and_version(&url)?;
        Ok(Self {
            tenant_discovery_endpoint: known.metadata_url(tenant, version),
            api_version: Some(api_version.as_str().to_owned()),
            metadata: if api_version == InstanceApiVersion::V1_1 { table(own) } else { Vec::new() },
        })
    }

    /// The JSON body.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Serialising strings into memory cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// [`DecodeError`]; `tenant_discovery_endpoint` must be there.
    pub fn from_json(json: &[u8]) -> Result<Self, DecodeError> {
        let members = Members::parse(json)?;
        let clouds = members.objects("metadata")?.unwrap_or_default();
        let metadata: Result<Vec<InstanceMetadata>, DecodeError> = clouds
            .iter()
            .map(|cloud| {
                Ok(InstanceMetadata {
                    preferred_network: cloud.required("preferred_network")?,
                    preferred_cache: cloud.required("preferred_cache")?,
                    aliases: cloud.strings("aliases")?.unwrap_or_default(),
                })
            })
            .collect();
        Ok(Self {
            tenant_discovery_endpoint: members.required("tenant_discovery_endpoint")?,
            api_version: members.string("api-version")?,
            metadata: metadata?,
        })
    }
}

/// `/{tenant}/oauth2/authorize` or `/{tenant}/oauth2/v2.0/authorize`, in any case.
fn tenant_and_version(url: &Url) -> Result<(TenantSegment, EndpointVersion), InstanceError> {
    let mut segments = url.path_segments().ok_or(InstanceError::Malformed)?;
    let tenant = segments.next().and_then(|text| TenantSegment::parse(text).ok()).ok_or(InstanceError::Malformed)?;
    let rest: Vec<String> = segments.map(str::to_ascii_lowercase).collect();
    match rest.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["oauth2", "authorize"] => Ok((tenant, EndpointVersion::V1)),
        ["oauth2", "v2.0", "authorize"] => Ok((tenant, EndpointVersion::V2)),
        _ => Err(InstanceError::Malformed),
    }
}

/// Our own entry, then the public clouds. An authority that is one of those hosts needs no entry of its own.
fn table(own: &AuthorityHost) -> Vec<InstanceMetadata> {
    let own_entry = (!is_public_cloud_host(own.host_and_port())).then(|| {
        let mut aliases = vec![own.host_and_port().to_owned()];
        if own.host() != own.host_and_port() {
            aliases.push(own.host().to_owned());
        }
        InstanceMetadata {
            preferred_network: own.host_and_port().to_owned(),
            preferred_cache: own.host_and_port().to_owned(),
            aliases,
        }
    });
    let public = PUBLIC_CLOUDS.iter().map(|(network, cache, aliases)| InstanceMetadata {
        preferred_network: (*network).to_owned(),
        preferred_cache: (*cache).to_owned(),
        aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
    });
    own_entry.into_iter().chain(public).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(endpoint: &str) -> Result<InstanceDiscovery, InstanceError> {
        let own = AuthorityHost::parse("https://localhost:8443").unwrap();
        InstanceDiscovery::new(&own, endpoint, InstanceApiVersion::V1_1)
    }

    #[test]
    fn the_version_follows_the_question_and_the_port_is_put_back() {
        for (endpoint, document) in [
            ("https://localhost:8443/common/oauth2/v2.0/authorize", "https://localhost:8443/common/v2.0/"),
            ("https://localhost/Contoso.com/oauth2/authorize", "https://localhost:8443/contoso.com/"),
            ("https://LOCALHOST:8443/common/OAuth2/V2.0/Authorize", "https://localhost:8443/common/v2.0/"),
            ("https://login.microsoftonline.com/common/oauth2/authorize", "https://login.microsoftonline.com/common/"),
        ] {
            let answer = ask(endpoint).unwrap();
            assert_eq!(answer.tenant_discovery_endpoint, format!("{document}.well-known/openid-configuration"));
        }
    }

    #[test]
    fn both_spellings_of_the_host_are_aliases() {
        let answer = ask("https://localhost/common/oauth2/authorize").unwrap();
        assert_eq!(answer.metadata.len(), 6);
        assert_eq!(answer.metadata[0].aliases, ["localhost:8443", "localhost"]);
        assert_eq!(answer.metadata[1].preferred_cache, "login.windows.net");
        let own = AuthorityHost::parse("https://login.microsoftonline.com").unwrap();
        let endpoint = "https://login.microsoftonline.com/common/oauth2/v2.0/authorize";
        let answer = InstanceDiscovery::new(&own, endpoint, InstanceApiVersion::V1_1).unwrap();
        assert_eq!(answer.metadata.len(), 5);
    }

    #[test]
    fn each_refusal_has_its_code() {
        for (endpoint, code) in [
            ("https://evil.example/common/oauth2/authorize", 50_049),
            ("https://localhost:9443/common/oauth2/authorize", 50_049),
            ("https://login.microsoftonline.com.evil.example/common/oauth2/authorize", 50_049),
            ("https://login.microsoftonline.com:8443/common/oauth2/authorize", 50_049),
            ("http://localhost:8443/common/oauth2/authorize", 50_050),
            ("https://a@localhost:8443/common/oauth2/authorize", 50_050),
            ("https://localhost:8443/common/oauth2/token", 50_050),
            ("https://localhost:8443/common", 50_050),
            ("https://localhost:8443/a%2fb/oauth2/authorize", 50_050),
            ("", 50_050),
        ] {
            assert_eq!(ask(endpoint).unwrap_err().aadsts().code, code, "{endpoint}");
        }
    }

    #[test]
    fn the_old_version_has_no_table() {
        let own = AuthorityHost::parse("https://localhost:8443").unwrap();
        let version = InstanceApiVersion::parse(Some("1.0"));
        let answer = InstanceDiscovery::new(&own, "https://localhost/common/oauth2/authorize", version).unwrap();
        assert!(answer.metadata.is_empty());
        assert_eq!(InstanceDiscovery::from_json(&answer.to_json()).unwrap(), answer);
        assert_eq!(InstanceApiVersion::parse(None), InstanceApiVersion::V1_1);
    }
}
