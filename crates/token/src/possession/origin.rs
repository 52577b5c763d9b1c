//! [`Origin`]: where an API is called, as proofs name it.

use std::fmt;
use std::str::FromStr;

/// The text is no origin that an API is called at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an origin such as https://orders.contoso.com: scheme, host and perhaps a port; http for this machine only"
)]
pub struct OriginError;

/// Scheme, host and port of an API, in their normal form: lower case, without the scheme's own port (RFC 3986 §6.2).
///
/// ```
/// use countersign_token::Origin;
///
/// let origin: Origin = "HTTPS://Orders.Contoso.com:443".parse()?;
/// assert_eq!(origin.to_string(), "https://orders.contoso.com");
/// assert!("http://orders.contoso.com".parse::<Origin>().is_err());
/// # Ok::<(), countersign_token::OriginError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: &'static str,
    /// `host` or `host:port`.
    authority: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

/// `host[:port]` in lower case, without the port that the scheme has anyway. None for user names, odd characters and ports
/// that are none.
fn normal_authority(text: &str, scheme: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            let is_address =
                !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
            is_address.then_some(())?;
            (format!("[{address}]"), port)
        }
        None => {
            let end = text.find(':').unwrap_or(text.len());
            (text[..end].to_owned(), &text[end..])
        }
    };
    let is_name = host.starts_with('[') || host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    if host.is_empty() || !is_name {
        return None;
    }
    let default = if scheme == "https" { 443 } else { 80 };
    match port.strip_prefix(':') {
        None if port.is_empty() => Some(host),
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            let port: u16 = digits.parse().ok().filter(|port| *port != 0)?;
            Some(if port == default { host } else { format!("{host}:{port}") })
        }
        _ => None,
    }
}

/// The scheme, if it is one that an API is called by, and what follows it.
fn split_scheme(text: &str) -> Option<(&'static str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    ["https", "http"].into_iter().find(|known| scheme.eq_ignore_ascii_case(known)).map(|scheme| (scheme, rest))
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (scheme, authority) = split_scheme(text).ok_or(OriginError)?;
        let authority = normal_authority(authority, scheme).ok_or(OriginError)?;
        let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
        let is_local = ["localhost", "127.0.0.1", "[::1]"].contains(&authority.as_str())
            || ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        if scheme == "http" && !is_local {
            return Err(OriginError);
        }
        Ok(Self { scheme, authority })
    }
}

impl Origin {
    /// Whether an address without query and fragment, `htu` of RFC 9449 §4.2, is this origin with this path. The path is
    /// compared letter for letter, and an empty one is `/`.
    pub(crate) fn is_address(&self, address: &str, path: &str) -> bool {
        // A query or fragment has no business there; RFC 9449 §4.3 has them ignored.
        let address = address.split(['?', '#']).next().unwrap_or_default();
        let Some((scheme, rest)) = split_scheme(address) else { return false };
        let (authority, named) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        scheme == self.scheme
            && normal_authority(authority, scheme).as_deref() == Some(&self.authority)
            && slashed(named) == slashed(path)
    }

    /// Whether `host[:port]` is this origin's.
    pub(crate) fn is_host(&self, host: &str) -> bool {
        normal_authority(host, self.scheme).as_deref() == Some(&self.authority)
    }
}

fn slashed(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "https://",
            "https://a/",
            "https://a?x",
            "https://u@a",
            "https://a:0",
            "https://a:65536",
            "https://a:",
            "https://a:8x",
            "ftp://a",
            "a",
            "http://a",
            "https://[::1",
            "https://[]",
            "https://a b",
            "https://a:1:2",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text:?}");
        }
        for (text, normal) in [
            ("https://A.test", "https://a.test"),
            ("https://a.test:8443", "https://a.test:8443"),
            ("http://localhost:80", "http://localhost"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("https://[2001:DB8::1]", "https://[2001:db8::1]"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), normal);
        }
    }

    #[test]
    fn an_address_is_compared_in_its_normal_form_and_the_path_letter_for_letter() {
        let origin: Origin = "https://orders.test".parse().unwrap();
        for (address, path) in [
            ("https://orders.test/a", "/a"),
            ("HTTPS://Orders.Test:443/a?x=1#y", "/a"),
            ("https://orders.test", "/"),
            ("https://orders.test/", "/"),
        ] {
            assert!(origin.is_address(address, path), "{address}");
        }
        for address in [
            "http://orders.test/a",
            "https://orders.test:444/a",
            "https://orders.test/A",
            "https://orders.test/a/",
            "https://orders.test//a",
            "https://orders.test/%61",
            "https://u@orders.test/a",
            "https://orders.test.evil/a",
            "//orders.test/a",
            "/a",
            "",
        ] {
            assert!(!origin.is_address(address, "/a"), "{address}");
        }
        assert!(
            origin.is_host("orders.test") && origin.is_host("Orders.test:443") && !origin.is_host("orders.test:80")
        );
    }
}
