//! Where an authority lives, and every URL that follows from it.
//!
//! Clients compare issuers and authorities as text, so there is exactly one spelling of an authority here: `https`, the
//! host in lower case, the port only when it is not 443, no path. Plain `http` is refused as every real client does.
//! The paths are those of Entra; read on in [`crate::metadata`] for the document that lists them.

use std::fmt;
use std::fmt::Display;
use std::str::FromStr;

use url::form_urlencoded::byte_serialize;
use url::{Host, Url};

use crate::version::EndpointVersion;

/// The `https` origin of an authority, without a trailing slash: `https://localhost:8443`.
///
/// ```
/// use countersign_protocol::{AuthorityHost, EndpointVersion};
///
/// let authority = AuthorityHost::parse("https://Localhost:8443/")?;
/// assert_eq!(authority.origin(), "https://localhost:8443");
/// assert_eq!(
///     authority.token_endpoint("contoso.com", EndpointVersion::V2),
///     "https://localhost:8443/contoso.com/oauth2/v2.0/token"
/// );
/// # Ok::<(), countersign_protocol::AuthorityHostError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AuthorityHost {
    origin: String,
    /// Where the host ends inside `origin`.
    host_end: usize,
}

const SCHEME: &str = "https://";

/// The text is not the origin of an authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityHostError {
    /// Not a URL, or spelled in a way that a URL parser would have to mend.
    #[error("the authority is not a plain URL such as https://login.microsoftonline.com")]
    Malformed,
    /// Another scheme than `https`, or none.
    #[error("the authority does not begin with https://")]
    NotHttps,
    /// A user name or password before the host.
    #[error("the authority holds a user name")]
    UserInfo,
    /// A path, query or fragment after the host. The tenant is written elsewhere.
    #[error("the authority holds more than a host and a port")]
    NotAnOrigin,
}

impl AuthorityHost {
    /// Reads an origin; one trailing slash is allowed, an explicit `:443` is dropped.
    ///
    /// # Errors
    /// [`AuthorityHostError`], one variant per fault.
    pub fn parse(text: &str) -> Result<Self, AuthorityHostError> {
        let lower = text.to_ascii_lowercase();
        if !lower.starts_with(SCHEME) {
            return Err(AuthorityHostError::NotHttps);
        }
        let url = Url::parse(&lower).map_err(|_| AuthorityHostError::Malformed)?;
        if !url.username().is_empty() || url.password().is_some() || lower.contains('@') {
            return Err(AuthorityHostError::UserInfo);
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(AuthorityHostError::NotAnOrigin);
        }
        let host = match url.host() {
            Some(Host::Domain(domain)) if !domain.ends_with('.') => domain.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => format!("[{address}]"),
            Some(Host::Domain(_)) | None => return Err(AuthorityHostError::Malformed),
        };
        let origin = match url.port() {
            Some(0) => return Err(AuthorityHostError::Malformed),
            Some(port) => format!("{SCHEME}{host}:{port}"),
            None => format!("{SCHEME}{host}"),
        };
        // What the parser had to mend (tabs, backslashes, octal addresses, percent signs, `:` without a port) is
        // refused: two spellings of one host are how allow-lists are passed.
        let written = lower.strip_suffix('/').unwrap_or(&lower);
        if written != origin && written.strip_suffix(":443") != Some(&origin) {
            return Err(AuthorityHostError::Malformed);
        }
        let host_end = SCHEME.len() + host.len();
        Ok(Self { origin, host_end })
    }

    /// Scheme, host and port: `https://localhost:8443`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Host and port, the port only when it is not 443: `localhost:8443`.
    #[must_use]
    pub fn host_and_port(&self) -> &str {
        &self.origin[SCHEME.len()..]
    }

    /// The host alone: `localhost`, `127.0.0.1`, `[::1]`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.origin[SCHEME.len()..self.host_end]
    }

    /// The port, 443 when none is written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.origin[self.host_end..].strip_prefix(':').and_then(|port| port.parse().ok()).unwrap_or(443)
    }

    fn oauth(&self, tenant: impl Display, version: EndpointVersion, endpoint: &str) -> String {
        format!("{}/{tenant}/oauth2/{}{endpoint}", self.origin, version.segment())
    }

    /// `…/{tenant}/oauth2[/v2.0]/token`
    #[must_use]
    pub fn token_endpoint(&self, tenant: impl Display, version: EndpointVersion) -> String {
        self.oauth(tenant, version, "token")
    }

    /// `…/{tenant}/oauth2[/v2.0]/authorize`
    #[must_use]
    pub fn authorization_endpoint(&self, tenant: impl Display, version: EndpointVersion) -> String {
        self.oauth(tenant, version, "authorize")
    }

    /// `…/{tenant}/oauth2[/v2.0]/devicecode`
    #[must_use]
    pub fn device_authorization_endpoint(&self, tenant: impl Display, version: EndpointVersion) -> String {
        self.oauth(tenant, version, "devicecode")
    }

    /// `…/{tenant}/oauth2[/v2.0]/logout`
    #[must_use]
    pub fn end_session_endpoint(&self, tenant: impl Display, version: EndpointVersion) -> String {
        self.oauth(tenant, version, "logout")
    }

    /// `…/{tenant}/oauth2/checksession`, which only v1.0 has.
    #[must_use]
    pub fn check_session_iframe(&self, tenant: impl Display) -> String {
        self.oauth(tenant, EndpointVersion::V1, "checksession")
    }

    /// `…/{tenant}/openid/userinfo`, which only v1.0 has here; v2.0's lives at Microsoft Graph.
    #[must_use]
    pub fn userinfo_endpoint_v1(&self, tenant: impl Display) -> String {
        format!("{}/{tenant}/openid/userinfo", self.origin)
    }

    /// `…/{tenant}[/v2.0]/.well-known/openid-configuration`
    #[must_use]
    pub fn metadata_url(&self, tenant: impl Display, version: EndpointVersion) -> String {
        format!("{}/{tenant}/{}.well-known/openid-configuration", self.origin, version.segment())
    }

    /// `…/{tenant}/discovery[/v2.0]/keys`
    #[must_use]
    pub fn jwks_uri(&self, tenant: impl Display, version: EndpointVersion) -> String {
        format!("{}/{tenant}/discovery/{}keys", self.origin, version.segment())
    }

    /// `…/{tenant}/kerberos`
    #[must_use]
    pub fn kerberos_endpoint(&self, tenant: impl Display) -> String {
        format!("{}/{tenant}/kerberos", self.origin)
    }

    /// The v2.0 issuer, `…/{tid}/v2.0`. Tokens carry the GUID; documents of `common` the literal `{tenantid}`.
    #[must_use]
    pub fn issuer_v2(&self, tid: impl Display) -> String {
        format!("{}/{tid}/v2.0", self.origin)
    }

    /// The instance discovery request that asks this host about `authorization_endpoint`.
    #[must_use]
    pub fn instance_discovery_url(&self, authorization_endpoint: &str) -> String {
        let mut url = format!("{}/common/discovery/instance?api-version=1.1&authorization_endpoint=", self.origin);
        url.extend(byte_serialize(authorization_endpoint.as_bytes()));
        url
    }

    /// The page that explains an AADSTS code, `…/error?code=700016`.
    #[must_use]
    pub fn error_uri(&self, code: u32) -> String {
        format!("{}/error?code={code}", self.origin)
    }
}

impl Display for AuthorityHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

impl fmt::Debug for AuthorityHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthorityHost({})", self.origin)
    }
}

impl FromStr for AuthorityHost {
    type Err = AuthorityHostError;

    fn from_str(text: &str) -> Result<Self, AuthorityHostError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";

    #[test]
    fn one_spelling_remains() {
        for (text, origin, host, port) in [
            ("https://localhost:8443", "https://localhost:8443", "localhost", 8443),
            (
                "HTTPS://Login.MicrosoftOnline.com/",
                "https://login.microsoftonline.com",
                "login.microsoftonline.com",
                443,
            ),
            (
                "https://login.microsoftonline.com:443",
                "https://login.microsoftonline.com",
                "login.microsoftonline.com",
                443,
            ),
            (
                "https://login.microsoftonline.com:443/",
                "https://login.microsoftonline.com",
                "login.microsoftonline.com",
                443,
            ),
            ("https://127.0.0.1:1", "https://127.0.0.1:1", "127.0.0.1", 1),
            ("https://[::1]:8443", "https://[::1]:8443", "[::1]", 8443),
        ] {
            let authority = AuthorityHost::parse(text).unwrap();
            assert_eq!((authority.origin(), authority.host(), authority.port()), (origin, host, port));
            assert_eq!(authority.host_and_port(), &origin[8..]);
        }
    }

    #[test]
    fn each_fault_has_its_name() {
        use AuthorityHostError::{Malformed, NotAnOrigin, NotHttps, UserInfo};
        for (text, fault) in [
            ("http://localhost", NotHttps),
            ("localhost:8443", NotHttps),
            ("", NotHttps),
            (" https://localhost", NotHttps),
            ("https://", Malformed),
            ("https://a@localhost", UserInfo),
            ("https://a:b@localhost", UserInfo),
            ("https://@localhost", UserInfo),
            ("https://localhost/tenant", NotAnOrigin),
            ("https://localhost//", NotAnOrigin),
            ("https://localhost?x", NotAnOrigin),
            ("https://localhost/#", NotAnOrigin),
            ("https://localhost:", Malformed),
            ("https://localhost:0", Malformed),
            ("https://localhost:08443", Malformed),
            ("https://localhost:70000", Malformed),
            ("https://localhost.", Malformed),
            ("https://0x7f.1", Malformed),
            ("https://127.1", Malformed),
            ("https://%6cocalhost", Malformed),
            ("https://local\thost", Malformed),
            ("https://localhost\\", Malformed),
            ("https:///localhost", Malformed),
            ("https://münchen.de", Malformed),
        ] {
            assert_eq!(AuthorityHost::parse(text), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn the_paths_are_entras() {
        let authority = AuthorityHost::parse("https://login.microsoftonline.com").unwrap();
        let base = format!("https://login.microsoftonline.com/{TENANT}");
        let (v1, v2) = (EndpointVersion::V1, EndpointVersion::V2);
        for (built, path) in [
            (authority.token_endpoint(TENANT, v1), "/oauth2/token"),
            (authority.token_endpoint(TENANT, v2), "/oauth2/v2.0/token"),
            (authority.authorization_endpoint(TENANT, v1), "/oauth2/authorize"),
            (authority.device_authorization_endpoint(TENANT, v2), "/oauth2/v2.0/devicecode"),
            (authority.end_session_endpoint(TENANT, v2), "/oauth2/v2.0/logout"),
            (authority.check_session_iframe(TENANT), "/oauth2/checksession"),
            (authority.userinfo_endpoint_v1(TENANT), "/openid/userinfo"),
            (authority.metadata_url(TENANT, v1), "/.well-known/openid-configuration"),
            (authority.metadata_url(TENANT, v2), "/v2.0/.well-known/openid-configuration"),
            (authority.jwks_uri(TENANT, v1), "/discovery/keys"),
            (authority.jwks_uri(TENANT, v2), "/discovery/v2.0/keys"),
            (authority.kerberos_endpoint(TENANT), "/kerberos"),
            (authority.issuer_v2(TENANT), "/v2.0"),
        ] {
            assert_eq!(built, format!("{base}{path}"));
        }
        assert_eq!(authority.error_uri(50049), "https://login.microsoftonline.com/error?code=50049");
        assert_eq!(
            authority.instance_discovery_url("https://localhost/common/oauth2/v2.0/authorize"),
            "https://login.microsoftonline.com/common/discovery/instance?api-version=1.1\
             &authorization_endpoint=https%3A%2F%2Flocalhost%2Fcommon%2Foauth2%2Fv2.0%2Fauthorize"
        );
    }
}
