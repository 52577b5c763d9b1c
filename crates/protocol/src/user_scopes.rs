//! `scope` and `resource` of requests that act for a user: several scopes, one resource.
//!
//! A scope is a permission's name behind the identifier of its resource (`https://vault.azure.net/user_impersonation`,
//! `{client id}/access_as_user`), a bare name, which is Microsoft Graph's, one of the four of OpenID Connect, or
//! `{resource}/.default`: everything the client's registration lists. An access token is for one resource. A request for
//! several is refused where a code is redeemed, and means the first where a refresh token is.
//! Refused: `.default` beside named scopes of the same resource, characters outside RFC 6749 §3.3, more than 100 scopes.
//! Which scopes exist, and which are granted, only the authority knows.
//! Read on in [`crate::scope`] for client credentials.
//!
//! Source: Scopes and permissions in the Microsoft identity platform; recordings of 2020 to 2024.

mod error;

pub use error::UserScopeError;

use crate::scope::{ResourceIdentifier, Scope};
use crate::version::EndpointVersion;

/// The most scopes taken. Graph has several hundred, but no client asks for all of them by name.
pub const MAX_SCOPES: usize = 100;

/// How Microsoft Graph is named as a resource, in any cloud; compared without regard to case and trailing slash.
pub const MICROSOFT_GRAPH: [&str; 5] = [
    "00000003-0000-0000-c000-000000000000",
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
];

/// What of OpenID Connect is asked for (Core §5.4, §11).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OidcScopes {
    /// `openid`: an id_token.
    pub openid: bool,
    /// `profile`: the user's names and object id in it.
    pub profile: bool,
    /// `email`: the address in it.
    pub email: bool,
    /// `offline_access`: a refresh token.
    pub offline_access: bool,
}

impl OidcScopes {
    /// Sets the flag of a name; false for another name.
    fn set(&mut self, name: &str) -> bool {
        let flag = match name {
            _ if name.eq_ignore_ascii_case("openid") => &mut self.openid,
            _ if name.eq_ignore_ascii_case("profile") => &mut self.profile,
            _ if name.eq_ignore_ascii_case("email") => &mut self.email,
            _ if name.eq_ignore_ascii_case("offline_access") => &mut self.offline_access,
            _ => return false,
        };
        *flag = true;
        true
    }
}

/// What a request asks for on a user's behalf.
///
/// ```
/// use countersign_protocol::{EndpointVersion, UserScopes};
///
/// let asked = UserScopes::parse(EndpointVersion::V2, Some("openid https://vault.azure.net/.default"), None)?;
/// assert_eq!(asked.resource.as_ref().map(|resource| resource.as_str()), Some("https://vault.azure.net"));
/// assert!(asked.oidc.openid && asked.default && asked.names.is_empty());
/// assert_eq!(
///     asked.response_scope(["user_impersonation"], false),
///     "https://vault.azure.net/user_impersonation https://vault.azure.net/.default"
/// );
/// # Ok::<(), countersign_protocol::UserScopeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserScopes {
    /// What of OpenID Connect is asked for.
    pub oidc: OidcScopes,
    /// The resource as it was written. `None` is Microsoft Graph by bare names (v2.0), or a request that names no resource
    /// (v1.0), which means the one of the grant.
    pub resource: Option<ResourceIdentifier>,
    /// The permissions asked for by name, without the resource before them, in their order and spelling.
    pub names: Vec<String>,
    /// Whether everything the registration lists is asked for: `.default`, and always at v1.0.
    pub default: bool,
    version: EndpointVersion,
}

/// The scopes of one resource.
struct Group<'a> {
    resource: Option<&'a str>,
    names: Vec<&'a str>,
    default: bool,
}

impl UserScopes {
    /// Reads a request for one resource: at the authorization endpoint, for a device code, on behalf of, by password, and
    /// where a code is redeemed.
    ///
    /// At v1.0 the resource is that of `resource`, and `scope` says only what of OpenID Connect is wanted.
    ///
    /// # Errors
    /// [`UserScopeError`]; [`UserScopeError::SeveralResources`] for more than one.
    pub fn parse(
        version: EndpointVersion,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<Self, UserScopeError> {
        Self::read(version, scope, resource, true)
    }

    /// As [`parse`](Self::parse), but of several resources the first is meant: where a refresh token is redeemed.
    ///
    /// # Errors
    /// [`UserScopeError`], never [`UserScopeError::SeveralResources`].
    pub fn parse_first(
        version: EndpointVersion,
        scope: Option<&str>,
        resource: Option<&str>,
    ) -> Result<Self, UserScopeError> {
        Self::read(version, scope, resource, false)
    }

    fn read(
        version: EndpointVersion,
        scope: Option<&str>,
        resource: Option<&str>,
        only_one: bool,
    ) -> Result<Self, UserScopeError> {
        let resource = resource.filter(|text| !text.is_empty());
        let text = scope.map(|text| text.trim_matches(' ')).filter(|text| !text.is_empty());
        let mut oidc = OidcScopes::default();
        if version == EndpointVersion::V1 {
            let resource = resource.map(ResourceIdentifier::parse).transpose().map_err(UserScopeError::Resource)?;
            for name in text.unwrap_or_default().split(' ') {
                oidc.set(name);
            }
            return Ok(Self { oidc, resource, names: Vec::new(), default: true, version });
        }
        if resource.is_some() {
            return Err(UserScopeError::ResourceParameter);
        }
        let text = text.ok_or(UserScopeError::Missing)?;
        let groups = groups(text, &mut oidc)?;
        if only_one && groups.len() > 1 {
            return Err(UserScopeError::SeveralResources(text.to_owned()));
        }
        let first = groups.into_iter().next().unwrap_or(Group { resource: None, names: Vec::new(), default: false });
        if first.default && !first.names.is_empty() {
            return Err(UserScopeError::DefaultCombined(text.to_owned()));
        }
        let resource = first.resource.map(ResourceIdentifier::parse).transpose();
        Ok(Self {
            oidc,
            resource: resource.map_err(|_| UserScopeError::Malformed(text.to_owned()))?,
            names: first.names.into_iter().map(str::to_owned).collect(),
            default: first.default,
            version,
        })
    }

    /// Whether the resource is Microsoft Graph, as far as its name tells: bare names, one of [`MICROSOFT_GRAPH`].
    #[must_use]
    pub fn is_microsoft_graph(&self) -> bool {
        match &self.resource {
            Some(resource) => is_graph(resource.as_str()),
            None => self.version == EndpointVersion::V2,
        }
    }

    /// The answer's `scope`: what is granted on the resource, with the prefix that the request used, and `.default` if it
    /// was asked for. The names of OpenID Connect, asked for or granted, stand there only for Microsoft Graph and without a
    /// prefix, `offline_access` never (recorded 2020 to 2024). v1.0 writes bare names.
    ///
    /// `graph` is for the authority to say, because it knows Graph by more names than
    /// [`is_microsoft_graph`](Self::is_microsoft_graph).
    pub fn response_scope<'a>(&self, granted: impl IntoIterator<Item = &'a str>, graph: bool) -> String {
        let prefix = match (&self.resource, self.version) {
            (Some(resource), EndpointVersion::V2) => format!("{resource}/"),
            _ => String::new(),
        };
        let mut oidc = self.oidc;
        // A resource may have a permission of its own that is called `profile`; then it was asked for by name.
        let own = |name: &str| !graph && self.names.iter().any(|asked| asked == name);
        let named: Vec<&str> = granted.into_iter().filter(|name| !oidc.set(name) || own(name)).collect();
        let flags = [(oidc.openid, "openid"), (oidc.profile, "profile"), (oidc.email, "email")];
        let bare = flags.iter().filter(|(listed, _)| graph && *listed).map(|(_, name)| ["", *name]);
        let default = (self.default && self.version == EndpointVersion::V2).then_some([prefix.as_str(), ".default"]);
        let mut out = String::new();
        for [prefix, name] in bare.chain(named.into_iter().map(|name| [prefix.as_str(), name])).chain(default) {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(prefix);
            out.push_str(name);
        }
        out
    }
}

fn is_graph(resource: &str) -> bool {
    MICROSOFT_GRAPH.iter().any(|name| same_text(name, resource))
}

fn same_text(a: &str, b: &str) -> bool {
    a.trim_end_matches('/').eq_ignore_ascii_case(b.trim_end_matches('/'))
}

/// Whether two resources are the same as far as their names tell. The directory may know that two more are.
fn same_resource(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same_text(a, b) || (is_graph(a) && is_graph(b)),
        (Some(one), None) | (None, Some(one)) => is_graph(one),
        (None, None) => true,
    }
}

fn groups<'a>(text: &'a str, oidc: &mut OidcScopes) -> Result<Vec<Group<'a>>, UserScopeError> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (index, token) in text.split(' ').filter(|token| !token.is_empty()).enumerate() {
        if index >= MAX_SCOPES {
            return Err(UserScopeError::TooMany);
        }
        let malformed = || UserScopeError::Malformed(token.to_owned());
        Scope::parse(token).map_err(|_| malformed())?;
        let (resource, name) = split(token).ok_or_else(malformed)?;
        // `https://graph.microsoft.com/openid` is `openid` too.
        if resource.is_none_or(is_graph) && oidc.set(name) {
            continue;
        }
        let at = match groups.iter().position(|group| same_resource(group.resource, resource)) {
            Some(at) => at,
            None => {
                groups.push(Group { resource, names: Vec::new(), default: false });
                groups.len() - 1
            }
        };
        let Some(group) = groups.get_mut(at) else { continue };
        if name == ".default" {
            group.default = true;
        } else if !group.names.contains(&name) {
            group.names.push(name);
        }
    }
    Ok(groups)
}

/// Splits a scope at its last slash. What stands before it is the resource, byte for byte.
fn split(token: &str) -> Option<(Option<&str>, &str)> {
    let Some((resource, name)) = token.rsplit_once('/') else { return Some((None, token)) };
    let whole = match token.split_once("://") {
        // `https://host` alone names no permission.
        Some((scheme, _)) => resource.get(scheme.len() + 3..).is_some_and(|rest| !rest.trim_matches('/').is_empty()),
        None => !resource.trim_matches('/').is_empty(),
    };
    (whole && !name.is_empty()).then_some((Some(resource), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: EndpointVersion = EndpointVersion::V1;
    const V2: EndpointVersion = EndpointVersion::V2;

    fn parse(scope: &str) -> Result<UserScopes, UserScopeError> {
        UserScopes::parse(V2, Some(scope), None)
    }

    fn resource(asked: &UserScopes) -> Option<&str> {
        asked.resource.as_ref().map(ResourceIdentifier::as_str)
    }

    #[test]
    fn the_resource_is_kept_as_it_was_written() {
        for (scope, expected, names, default) in [
            (
                "https://vault.azure.net/user_impersonation",
                Some("https://vault.azure.net"),
                "user_impersonation",
                false,
            ),
            ("https://management.azure.com//.default", Some("https://management.azure.com/"), "", true),
            ("api://Orders/Path/Read api://orders/Path/Write", Some("api://Orders/Path"), "Read Write", false),
            ("6BABCAAD-604b-40ac-a9d7-9fd97c0b779f/a.b", Some("6BABCAAD-604b-40ac-a9d7-9fd97c0b779f"), "a.b", false),
            ("User.Read Mail.Read User.Read", None, "User.Read Mail.Read", false),
            ("User.Read https://graph.microsoft.com/Mail.Read", None, "User.Read Mail.Read", false),
            (
                "https://graph.microsoft.com/Mail.Read User.Read",
                Some("https://graph.microsoft.com"),
                "Mail.Read User.Read",
                false,
            ),
            ("00000003-0000-0000-C000-000000000000/.default", Some("00000003-0000-0000-C000-000000000000"), "", true),
            (".default", None, "", true),
            ("openid profile", None, "", false),
        ] {
            let asked = parse(scope).unwrap();
            assert_eq!(resource(&asked), expected, "{scope}");
            assert_eq!((asked.names.join(" ").as_str(), asked.default), (names, default), "{scope}");
        }
    }

    #[test]
    fn graph_is_known_by_its_names() {
        for scope in ["User.Read", "openid", "https://graph.microsoft.com//.default", "https://GRAPH.microsoft.us/x"] {
            assert!(parse(scope).unwrap().is_microsoft_graph(), "{scope}");
        }
        for scope in ["https://graph.microsoft.com.evil.example/x", "api://x/User.Read"] {
            assert!(!parse(scope).unwrap().is_microsoft_graph(), "{scope}");
        }
    }

    #[test]
    fn what_of_openid_connect_is_asked_for_belongs_to_no_resource() {
        let asked = parse("OpenID api://x/Read offline_access https://graph.microsoft.com/profile email").unwrap();
        assert_eq!(asked.oidc, OidcScopes { openid: true, profile: true, email: true, offline_access: true });
        assert_eq!((resource(&asked), asked.names.as_slice()), (Some("api://x"), &["Read".to_owned()][..]));
        let own = parse("api://x/profile").unwrap();
        assert_eq!((own.oidc, own.names), (OidcScopes::default(), vec!["profile".to_owned()]));
    }

    #[test]
    fn of_several_resources_a_code_gets_none_and_a_refresh_token_the_first() {
        let scope = "openid api://a/Read https://vault.azure.net/.default User.Read api://a/Write";
        let fault = parse(scope).unwrap_err();
        assert_eq!(fault, UserScopeError::SeveralResources(scope.to_owned()));
        assert_eq!((fault.aadsts().code, fault.aadsts_at_authorize().code), (28_000, 700_022));
        assert_eq!(fault.insertion(), Some(("scope", scope)));
        let first = UserScopes::parse_first(V2, Some(scope), None).unwrap();
        assert_eq!((resource(&first), first.names.join(" ").as_str()), (Some("api://a"), "Read Write"));
        assert!(first.oidc.openid && !first.default);
    }

    #[test]
    fn b55_each_fault_has_entras_code() {
        let many = "a ".repeat(MAX_SCOPES + 1);
        for (scope, code) in [
            ("", 900_144),
            ("  ", 900_144),
            ("https://graph.microsoft.com", 70_011),
            ("https://vault.azure.net/", 70_011),
            ("api://", 70_011),
            ("https:///x", 70_011),
            ("/.default", 70_011),
            ("//x", 70_011),
            ("api://x\r\n/Read", 70_011),
            ("api://x/Re\"ad", 70_011),
            ("api://x/Réad", 70_011),
            ("api://x/Read api://x/.default", 70_011),
            ("User.Read .default", 70_011),
            (&many, 28_004),
        ] {
            assert_eq!(parse(scope).unwrap_err().aadsts().code, code, "{scope:?}");
        }
        assert!(matches!(parse("api://x/Read api://x/.default"), Err(UserScopeError::DefaultCombined(_))));
        assert_eq!(UserScopes::parse(V2, None, None), Err(UserScopeError::Missing));
        assert!(parse(&"a ".repeat(MAX_SCOPES)).is_ok());
        assert!(matches!(parse(&"x".repeat(5000)), Err(UserScopeError::Malformed(_))));
    }

    #[test]
    fn v1_asks_with_resource_and_v2_must_not() {
        let asked = UserScopes::parse(V1, Some("openid whatever"), Some("https://graph.windows.net/")).unwrap();
        assert_eq!(resource(&asked), Some("https://graph.windows.net/"));
        assert!(asked.oidc.openid && asked.default && asked.names.is_empty());
        assert_eq!(asked.response_scope(["User.Read"], false), "User.Read");
        let without = UserScopes::parse(V1, None, None).unwrap();
        assert!(without.resource.is_none() && !without.is_microsoft_graph());
        let fault = UserScopes::parse(V2, Some("User.Read"), Some("api://x")).unwrap_err();
        assert_eq!((&fault, fault.aadsts().code), (&UserScopeError::ResourceParameter, 901_002));
        let fault = UserScopes::parse(V1, None, Some("a b")).unwrap_err();
        assert_eq!((fault.aadsts().code, fault.insertion()), (500_011, None));
    }

    #[test]
    fn the_answer_names_what_is_granted_as_the_request_named_it() {
        for (scope, granted, graph, expected) in [
            (
                "https://vault.azure.net/.default openid profile offline_access",
                &["user_impersonation"][..],
                false,
                "https://vault.azure.net/user_impersonation https://vault.azure.net/.default",
            ),
            (
                "https://management.core.windows.net//.default",
                &["user_impersonation"],
                false,
                "https://management.core.windows.net//user_impersonation https://management.core.windows.net//.default",
            ),
            (
                "User.ReadWrite.All openid profile offline_access",
                &["email", "User.ReadWrite.All", "offline_access"],
                true,
                "openid profile email User.ReadWrite.All",
            ),
            (
                "https://graph.microsoft.com/Calendars.Read",
                &["Calendars.Read", "openid"],
                true,
                "openid https://graph.microsoft.com/Calendars.Read",
            ),
            ("api://x/Read openid", &["Read", "openid", "Write"], false, "api://x/Read api://x/Write"),
            ("api://x/profile openid", &["profile", "openid"], false, "api://x/profile"),
            // A Graph under a name that only the authority knows.
            ("https://me/openid https://me/A.B", &["openid", "A.B"], true, "openid https://me/A.B"),
        ] {
            assert_eq!(parse(scope).unwrap().response_scope(granted.iter().copied(), graph), expected, "{scope}");
        }
    }
}
