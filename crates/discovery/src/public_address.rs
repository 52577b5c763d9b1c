//! Which addresses are out in the world, and a resolver that yields no others.
//!
//! An address that somebody else wrote down (an external issuer) must not lead to this machine, to its neighbours or to a
//! cloud's metadata service (pitfalls B19). The names are looked at after they were resolved, and the connection is made to
//! the very addresses that were looked at, so that a second answer of the name server cannot change them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// The hosts that may be anywhere, because the operator said so. Lower case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exceptions(Arc<[String]>);

impl Exceptions {
    pub(crate) fn of(hosts: impl IntoIterator<Item = String>) -> Self {
        Self(hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect())
    }

    fn has(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        self.0.iter().any(|excepted| excepted.eq_ignore_ascii_case(bare))
    }

    /// Whether this URL's host may be connected to as far as the text shows: a name is looked at when it is resolved, an
    /// address here, since no resolver is asked about it.
    pub(crate) fn admit(&self, url: &Url) -> bool {
        match url.host() {
            None => false,
            Some(Host::Domain(_)) => true,
            Some(Host::Ipv4(ip)) => is_public(ip.into()) || self.has(&ip.to_string()),
            Some(Host::Ipv6(ip)) => is_public(ip.into()) || self.has(&ip.to_string()),
        }
    }
}

/// Resolves as the system does and keeps public addresses only.
pub(crate) struct PublicOnly(pub(crate) Exceptions);

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let exceptions = self.0.clone();
        Box::pin(async move {
            let host = name.as_str();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            let admitted: Vec<_> =
                found.into_iter().filter(|address| exceptions.has(host) || is_public(address.ip())).collect();
            if admitted.is_empty() {
                return Err("the name leads to no public address".into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is out in the world (IANA's special-purpose address registries; RFC 6890).
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b)))
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    // An IPv4 address in disguise is judged as what it is: mapped, NAT64, 6to4.
    let [.., g, h] = ip.segments();
    let tail = || Ipv4Addr::from((u32::from(g) << 16) | u32::from(h));
    let translated = ip.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    if ip.to_ipv4_mapped().is_some() || translated {
        return is_public_v4(tail());
    }
    if a == 0x2002 {
        let [_, b, c, ..] = ip.segments();
        return is_public_v4(Ipv4Addr::from((u32::from(b) << 16) | u32::from(c)));
    }
    // Only 2000::/3 is handed out; of it, Teredo, benchmarking and documentation are nobody's.
    (a & 0xe000) == 0x2000 && !(a == 0x2001 && (b < 0x200 || b == 0xdb8)) && !(a == 0x3fff && b < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b19_addresses_at_home_are_told_from_those_in_the_world() {
        for at_home in [
            "127.0.0.1",
            "127.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.2.1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "100::1",
            "3fff::1",
            "::127.0.0.1",
        ] {
            assert!(!is_public(at_home.parse().unwrap()), "{at_home}");
        }
        for in_the_world in [
            "8.8.8.8",
            "20.190.128.1",
            "172.32.0.1",
            "100.128.0.1",
            "2603:1006:2000::1",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(in_the_world.parse().unwrap()), "{in_the_world}");
        }
    }

    #[test]
    fn b19_an_address_in_a_url_is_looked_at_whatever_its_spelling() {
        let exceptions = Exceptions::of(["127.0.0.1".to_owned()]);
        let admitted = |text: &str| exceptions.admit(&Url::parse(text).unwrap());
        assert!(admitted("https://127.0.0.1:8443/") && admitted("https://issuer.example/"));
        for at_home in [
            "https://169.254.169.254/",
            "https://0x0a000001/",
            "https://2130706434/",
            "https://[::1]/",
            "https://[::ffff:7f00:1]/",
        ] {
            assert!(!admitted(at_home), "{at_home}");
        }
        assert!(!Exceptions::default().admit(&Url::parse("https://0177.0.0.1/").unwrap()));
    }

    #[tokio::test]
    async fn b19_a_name_that_leads_home_is_refused_unless_the_operator_allows_it() {
        let name = || "localhost".parse::<Name>().unwrap();
        assert!(PublicOnly(Exceptions::default()).resolve(name()).await.is_err());
        let allowed = Exceptions::of(["LOCALHOST".to_owned()]);
        assert!(PublicOnly(allowed).resolve(name()).await.unwrap().next().unwrap().ip().is_loopback());
    }
}
