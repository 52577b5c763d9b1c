//! Redirect URIs: which may be registered, and which registered one a request means.
//!
//! A request's URI is compared as text with what is registered; nothing is normalised. The one freedom is RFC 8252 §7.3:
//! at `http://localhost`, `http://127.0.0.1` and `http://[::1]` the port may differ. Nothing else may, neither host nor
//! path nor query (pitfalls B32 to B36). Refused at registration *and* at use, so that a bad entry in an imported
//! directory does no harm: scripts and documents as schemes, clear HTTP to other machines, user names, fragments,
//! backslashes, dot segments, wildcards, anything but visible ASCII.
//! Read on in [`crate::authorize`] for the rule that no error is redirected before this has matched.

use url::Url;

use crate::aadsts::AadSts;
use crate::graph;

/// The longest redirect URI, in characters (Entra's limit).
const MAX_LENGTH: usize = 256;

/// Origins at which the port is of no account.
const LOOPBACKS: [&str; 3] = ["http://localhost", "http://127.0.0.1", "http://[::1]"];

/// Schemes that a browser executes, shows as a document, or opens without leaving a trace.
const FORBIDDEN_SCHEMES: [&str; 14] = [
    "about",
    "blob",
    "chrome",
    "data",
    "file",
    "filesystem",
    "ftp",
    "jar",
    "javascript",
    "mailto",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

/// Where a redirect URI is registered. It decides who may redeem the code, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Platform {
    /// `web`: a server, which proves itself when it redeems the code.
    Web,
    /// `spa`: a page, which redeems across origins and with PKCE; its refresh tokens live for a day.
    Spa,
    /// `publicClient`: an installed client, which keeps no secret.
    PublicClient,
}

/// A text that cannot be a redirect URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectUriError {
    /// There is no text.
    #[error("the redirect URI is empty")]
    Empty,
    /// More than 256 characters.
    #[error("the redirect URI is longer than {MAX_LENGTH} characters")]
    TooLong,
    /// A blank, a control character, a quote, a backslash, an angle bracket, or anything outside ASCII.
    #[error("the redirect URI holds a character that none may hold")]
    ForbiddenCharacter,
    /// It has a fragment (RFC 6749 §3.1.2).
    #[error("the redirect URI has a fragment")]
    Fragment,
    /// It has a wildcard.
    #[error("the redirect URI has a wildcard")]
    Wildcard,
    /// It has no scheme, no host where its scheme needs one, or is no URI at all.
    #[error("the redirect URI is not absolute")]
    NotAbsolute,
    /// Its scheme is never allowed, or only for installed clients, or not written in lower case.
    #[error("the redirect URI's scheme is not allowed")]
    ForbiddenScheme,
    /// Clear HTTP to another machine.
    #[error("the redirect URI is neither https nor on this machine")]
    Insecure,
    /// A user name before the host.
    #[error("the redirect URI names a user")]
    UserInfo,
    /// A segment `.` or `..`, however it is written.
    #[error("the redirect URI's path has a dot segment")]
    DotSegment,
}

impl RedirectUriError {
    /// What the authority answers to a request with such a URI: AADSTS50011.
    #[must_use]
    pub const fn aadsts(self) -> &'static AadSts {
        AadSts::REDIRECT_URI_MISMATCH
    }
}

/// Checks that a URI may be registered under a platform.
///
/// `https` everywhere; `http` only to this machine; other schemes only for installed clients.
///
/// # Errors
/// [`RedirectUriError`], the first rule that is broken.
///
/// Source: Redirect URI (reply URL) restrictions; RFC 6749 §3.1.2; RFC 8252 §7.
///
/// ```
/// use countersign_protocol::redirect_uri::{Platform, RedirectUriError, check_redirect_uri};
///
/// assert_eq!(check_redirect_uri("https://app.example/callback", Platform::Web), Ok(()));
/// assert_eq!(check_redirect_uri("JavaScript:alert(1)", Platform::PublicClient), Err(RedirectUriError::ForbiddenScheme));
/// ```
pub fn check_redirect_uri(uri: &str, platform: Platform) -> Result<(), RedirectUriError> {
    if uri.is_empty() {
        return Err(RedirectUriError::Empty);
    }
    if uri.len() > MAX_LENGTH {
        return Err(RedirectUriError::TooLong);
    }
    if !uri
        .bytes()
        .all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'<' | b'>' | b'^' | b'`' | b'{' | b'}'))
    {
        return Err(RedirectUriError::ForbiddenCharacter);
    }
    if uri.contains('#') {
        return Err(RedirectUriError::Fragment);
    }
    if uri.contains('*') {
        return Err(RedirectUriError::Wildcard);
    }
    let (scheme, rest) = uri.split_once(':').ok_or(RedirectUriError::NotAbsolute)?;
    check_scheme(scheme, platform)?;
    let hierarchical = rest.strip_prefix("//");
    if let Some(after) = hierarchical {
        let authority = &after[..after.find(['/', '?']).unwrap_or(after.len())];
        if authority.contains('@') {
            return Err(RedirectUriError::UserInfo);
        }
        if has_dot_segment(&after[authority.len()..]) {
            return Err(RedirectUriError::DotSegment);
        }
    }
    let is_http = matches!(scheme, "http" | "https");
    // The URL parser takes `https:x` for `https://x`; only what says so itself has a host.
    let url = Url::parse(uri).map_err(|_| RedirectUriError::NotAbsolute)?;
    if is_http && (hierarchical.is_none_or(|after| after.starts_with('/')) || !url.has_host()) {
        return Err(RedirectUriError::NotAbsolute);
    }
    if scheme == "http" && loopback_parts(uri).is_none() {
        return Err(RedirectUriError::Insecure);
    }
    Ok(())
}

fn check_scheme(scheme: &str, platform: Platform) -> Result<(), RedirectUriError> {
    let well_formed = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if !well_formed {
        return Err(RedirectUriError::NotAbsolute);
    }
    if matches!(scheme, "http" | "https") {
        return Ok(());
    }
    let never = FORBIDDEN_SCHEMES.iter().chain(&["http", "https"]).any(|never| scheme.eq_ignore_ascii_case(never));
    if never || platform != Platform::PublicClient { Err(RedirectUriError::ForbiddenScheme) } else { Ok(()) }
}

/// Whether a path, up to its query, has a segment `.` or `..`, plain, escaped, or with a parameter behind (`..;`).
fn has_dot_segment(path_and_query: &str) -> bool {
    let path = path_and_query.split('?').next().unwrap_or_default().to_ascii_lowercase();
    path.replace("%2e", ".")
        .replace("%2f", "/")
        .replace("%5c", "/")
        .split('/')
        .map(|segment| segment.split(';').next().unwrap_or_default())
        .any(|segment| matches!(segment, "." | ".."))
}

/// Splits a loopback URI into its origin without the port, and path with query.
fn loopback_parts(uri: &str) -> Option<(&'static str, &str)> {
    LOOPBACKS.iter().find_map(|&origin| {
        let rest = uri.strip_prefix(origin)?;
        let rest = match rest.strip_prefix(':') {
            Some(port_and_rest) => {
                let end = port_and_rest.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(port_and_rest.len());
                port_and_rest[..end].parse::<u16>().ok()?;
                &port_and_rest[end..]
            }
            None => rest,
        };
        (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((origin, rest))
    })
}

/// The redirect URIs of one application, by platform.
#[derive(Debug, Clone, Copy, Default)]
pub struct RedirectUris<'a> {
    /// Of server-side clients.
    pub web: &'a [String],
    /// Of single-page applications.
    pub spa: &'a [String],
    /// Of installed clients.
    pub public_client: &'a [String],
}

impl<'a> RedirectUris<'a> {
    /// Those of a registration.
    #[must_use]
    pub fn of(application: &'a graph::Application) -> Self {
        Self {
            web: &application.web.redirect_uris,
            spa: &application.spa.redirect_uris,
            public_client: &application.public_client.redirect_uris,
        }
    }

    /// The platform under which a request's URI is registered; of several, web before spa before installed clients, and
    /// an equal text before one with another loopback port. `None` means AADSTS50011, shown on a page and never
    /// redirected.
    #[must_use]
    pub fn find(&self, sent: &str) -> Option<Platform> {
        // The widest rules: which platform's apply is what is asked here.
        check_redirect_uri(sent, Platform::PublicClient).ok()?;
        let platforms =
            [(Platform::Web, self.web), (Platform::Spa, self.spa), (Platform::PublicClient, self.public_client)];
        let of = |matches: &dyn Fn(Platform, &str) -> bool| {
            let found = platforms.iter().find(|(platform, uris)| uris.iter().any(|uri| matches(*platform, uri)));
            found.map(|(platform, _)| *platform)
        };
        let loopback = loopback_parts(sent);
        of(&|platform, registered| registered == sent && check_redirect_uri(sent, platform).is_ok())
            .or_else(|| of(&|_, registered| loopback.is_some() && loopback_parts(registered) == loopback))
    }

    /// The URI meant by a request that names none: the only one that is registered (RFC 6749 §3.1.2.3).
    #[must_use]
    pub fn only(&self) -> Option<(Platform, &'a str)> {
        let all = self.web.iter().map(|uri| (Platform::Web, uri));
        let all = all.chain(self.spa.iter().map(|uri| (Platform::Spa, uri)));
        let mut all = all.chain(self.public_client.iter().map(|uri| (Platform::PublicClient, uri)));
        let (platform, uri) = all.next()?;
        (all.next().is_none() && check_redirect_uri(uri, platform).is_ok()).then_some((platform, uri.as_str()))
    }

    /// Whether none is registered: AADSTS500113.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.web.is_empty() && self.spa.is_empty() && self.public_client.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(uris: &[&str]) -> Vec<String> {
        uris.iter().map(|&uri| uri.to_owned()).collect()
    }

    #[test]
    fn b32_b33_b34_b35_what_is_not_registered_does_not_match() {
        let web = owned(&["https://app.example/cb", "https://app.example/q?x=1", "http://localhost:3000/cb"]);
        let public_client =
            owned(&["http://localhost", "http://127.0.0.1/native", "http://[::1]:1/cb", "myapp://auth"]);
        let uris = RedirectUris { web: &web, public_client: &public_client, ..RedirectUris::default() };
        for (sent, expected) in [
            ("https://app.example/cb", Some(Platform::Web)),
            ("https://app.example/q?x=1", Some(Platform::Web)),
            ("http://localhost:3000/cb", Some(Platform::Web)),
            ("http://localhost:49152/cb", Some(Platform::Web)),
            ("http://localhost/cb", Some(Platform::Web)),
            ("http://localhost:49152", Some(Platform::PublicClient)),
            ("http://127.0.0.1:5000/native", Some(Platform::PublicClient)),
            ("http://[::1]:5000/cb", Some(Platform::PublicClient)),
            ("myapp://auth", Some(Platform::PublicClient)),
            // B32: suffix, query, fragment, port, scheme, case, trailing slash
            ("https://app.example/cb2", None),
            ("https://app.example/c", None),
            ("https://app.example/cb?x=1", None),
            ("https://app.example/q?x=1&y=2", None),
            ("https://app.example/q", None),
            ("https://app.example/cb#f", None),
            ("https://app.example:443/cb", None),
            ("https://app.example:8443/cb", None),
            ("http://app.example/cb", None),
            ("https://app.example/CB", None),
            ("https://APP.example/cb", None),
            ("https://app.example/cb/", None),
            ("https://app.example.evil.example/cb", None),
            ("https://evil.example/?https://app.example/cb", None),
            // B33: user names, several of them, backslash, tab, NUL
            ("https://app.example@evil.example/cb", None),
            ("https://a@b@app.example/cb", None),
            ("https://app.example\\@evil.example/cb", None),
            ("https://app.example/cb\t", None),
            ("https://app.example/cb\0", None),
            (" https://app.example/cb", None),
            ("https://app.example/cb%00", None),
            // B34: ways around in the path
            ("https://app.example/x/../cb", None),
            ("https://app.example/%2e%2e/cb", None),
            ("https://app.example/..;/cb", None),
            ("https://app.example/x%2f..%2fcb", None),
            ("https://app.example//cb", None),
            // B35: nothing but the port, and only on this machine
            ("http://localhost:3000/other", None),
            ("http://localhost:3000/cb?x=1", None),
            ("http://localhost:3000/cb/", None),
            ("http://127.0.0.1:3000/cb", None),
            ("http://[::1]:3000/native", None),
            ("https://localhost:3000/cb", None),
            ("http://LOCALHOST:3000/cb", None),
            ("http://localhost.evil.example/cb", None),
            ("http://localhost:80@evil.example/cb", None),
            ("http://localhost@evil.example/cb", None),
            ("http://localhost:99999/cb", None),
            ("http://localhost:/cb", None),
            ("http://localhost:+80/cb", None),
            ("http://localhost:12345/", None),
            ("http://127.0.0.1.evil.example/native", None),
            ("http://127.1/native", None),
            ("http://127.0.0.2/native", None),
            ("myapp://auth/x", None),
            ("MyApp://auth", None),
            ("", None),
        ] {
            assert_eq!(uris.find(sent), expected, "{sent:?}");
        }
    }

    #[test]
    fn b36_a_bad_entry_of_an_imported_directory_matches_nothing() {
        let list = owned(&["http://localhost:1/x/../cb", "myapp://auth"]);
        let uris = RedirectUris { web: &list, ..RedirectUris::default() };
        assert_eq!(uris.find("http://localhost:2/x/../cb"), None);
        assert_eq!(uris.find("myapp://auth"), None, "a scheme of its own is not for servers");
        let uris = RedirectUris { web: &list, public_client: &list, ..uris };
        assert_eq!(uris.find("myapp://auth"), Some(Platform::PublicClient));
        for uri in [
            "javascript:alert(1)",
            "JaVaScRiPt://app.example/%0aalert(1)",
            "data:text/html,x",
            "DATA:text/html;base64,eA",
            "vbscript:x",
            "file:///etc/passwd",
            "blob:https://app.example/x",
            "http://app.example/cb",
            "HTTP://localhost/cb",
            "https://*.app.example/cb",
            "https://user@app.example/cb",
            "https://app.example/cb#x",
        ] {
            for platform in [Platform::Web, Platform::Spa, Platform::PublicClient] {
                assert!(check_redirect_uri(uri, platform).is_err(), "{uri}");
            }
            let list = owned(&[uri]);
            let uris = RedirectUris { web: &list, spa: &list, public_client: &list };
            assert_eq!(uris.find(uri), None, "{uri}");
            assert_eq!(RedirectUris { web: &list, ..RedirectUris::default() }.only(), None, "{uri}");
        }
    }

    #[test]
    fn each_fault_has_its_name() {
        let long = format!("https://app.example/{}", "x".repeat(256));
        for (uri, fault) in [
            ("", RedirectUriError::Empty),
            (long.as_str(), RedirectUriError::TooLong),
            ("https://app.example/a b", RedirectUriError::ForbiddenCharacter),
            ("https://app.example\\x", RedirectUriError::ForbiddenCharacter),
            ("https://bücher.example/", RedirectUriError::ForbiddenCharacter),
            ("https://app.example/cb#", RedirectUriError::Fragment),
            ("https://*.example/cb", RedirectUriError::Wildcard),
            ("/callback", RedirectUriError::NotAbsolute),
            ("://x", RedirectUriError::NotAbsolute),
            ("https:", RedirectUriError::NotAbsolute),
            ("https:app.example", RedirectUriError::NotAbsolute),
            ("https:///app.example", RedirectUriError::NotAbsolute),
            ("https://?x", RedirectUriError::NotAbsolute),
            ("https://a%2fb/", RedirectUriError::NotAbsolute),
            ("javascript:alert(1)", RedirectUriError::ForbiddenScheme),
            ("myapp://auth", RedirectUriError::ForbiddenScheme),
            ("http://app.example", RedirectUriError::Insecure),
            ("http://localhost.evil.example/", RedirectUriError::Insecure),
            ("http://127.0.0.1.evil.example", RedirectUriError::Insecure),
            ("http://localhost:70000/", RedirectUriError::NotAbsolute),
            ("https://a@app.example", RedirectUriError::UserInfo),
            ("https://app.example/./cb", RedirectUriError::DotSegment),
            ("https://app.example/%2E%2e", RedirectUriError::DotSegment),
        ] {
            assert_eq!(check_redirect_uri(uri, Platform::Web), Err(fault), "{uri:?}");
            assert_eq!(fault.aadsts().code, 50_011);
        }
        let long = format!("https://app.example/{}", "x".repeat(236));
        assert_eq!(check_redirect_uri(&long, Platform::Web), Ok(()));
        for uri in ["myapp://auth", "urn:ietf:wg:oauth:2.0:oob", "msal00000000-0000-4000-8000-000000000001://auth"] {
            assert_eq!(check_redirect_uri(uri, Platform::PublicClient), Ok(()), "{uri}");
        }
    }

    #[test]
    fn the_platform_is_that_of_the_registration() {
        let one = owned(&["https://app.example/cb"]);
        let uris = RedirectUris { spa: &one, ..RedirectUris::default() };
        assert_eq!(uris.find("https://app.example/cb"), Some(Platform::Spa));
        assert_eq!(uris.only(), Some((Platform::Spa, "https://app.example/cb")));
        let both = RedirectUris { web: &one, spa: &one, ..RedirectUris::default() };
        assert_eq!((both.find("https://app.example/cb"), both.only()), (Some(Platform::Web), None));
        assert!(RedirectUris::default().is_empty() && !both.is_empty());
        // An equal text comes before one with another port.
        let (web, native) = (owned(&["http://localhost:1"]), owned(&["http://localhost:2"]));
        let uris = RedirectUris { web: &web, public_client: &native, ..RedirectUris::default() };
        assert_eq!(uris.find("http://localhost:2"), Some(Platform::PublicClient));
        assert_eq!(uris.find("http://localhost:3"), Some(Platform::Web));
    }
}
