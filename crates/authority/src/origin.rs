//! The names under which an authority answers: its own, and those it stands in for.
//!
//! Issuers, endpoints and error pages name the origin that was asked, if it is one of these, and the own one otherwise.
//! A request's `Host` only chooses among names that the operator configured; it never reaches an answer (pitfalls B73).

use axum::extract::Request;
use countersign_protocol::{AuthorityHost, CloudProfile};
use http::HeaderMap;
use http::header::HOST;
use http::uri::Authority;

/// A host under which the authority answers, and the cloud whose names go with it.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) host: AuthorityHost,
    pub(crate) cloud: CloudProfile,
}

/// Every origin of an authority.
#[derive(Debug)]
pub(crate) struct Origins {
    own: Origin,
    stand_ins: Vec<Origin>,
}

impl Origins {
    pub(crate) fn new(own: Origin, stand_ins: Vec<Origin>) -> Self {
        Self { own, stand_ins }
    }

    /// The one that the operator gave it, or `https://localhost:{port}`.
    pub(crate) fn own(&self) -> &Origin {
        &self.own
    }

    /// The own one first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Origin> {
        std::iter::once(&self.own).chain(&self.stand_ins)
    }

    /// The origin that a request asks.
    pub(crate) fn of(&self, request: &Request) -> &Origin {
        if self.stand_ins.is_empty() {
            return &self.own;
        }
        match request.uri().authority() {
            Some(target) => self.named(target),
            None => self.of_headers(request.headers()),
        }
    }

    fn of_headers(&self, headers: &HeaderMap) -> &Origin {
        let named = headers.get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
        named.map_or(&self.own, |target| self.named(&target))
    }

    fn named(&self, target: &Authority) -> &Origin {
        let is = |origin: &&Origin| {
            target.host().eq_ignore_ascii_case(origin.host.host())
                && target.port_u16().unwrap_or(443) == origin.host.port()
        };
        self.stand_ins.iter().find(is).unwrap_or(&self.own)
    }

    /// Whether one of them issues v2.0 tokens of this tenant under this name.
    pub(crate) fn issues_v2(&self, tid: impl std::fmt::Display + Copy, issuer: &str) -> bool {
        self.all().any(|origin| origin.host.issuer_v2(tid) == issuer)
    }

    /// Whether one of them issues v1.0 tokens of this tenant under this name.
    pub(crate) fn issues_v1(&self, tid: impl std::fmt::Display + Copy, issuer: &str) -> bool {
        self.all().any(|origin| origin.cloud.issuer_v1(tid) == issuer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn origins() -> Origins {
        let origin = |url: &str| Origin { host: AuthorityHost::parse(url).unwrap(), cloud: CloudProfile::GLOBAL };
        Origins::new(origin("https://localhost:8443"), vec![origin("https://login.microsoftonline.com")])
    }

    #[test]
    fn b73_a_host_chooses_among_configured_origins_and_nothing_else() {
        let origins = origins();
        let asked = |host: &str| {
            let request = Request::builder().uri("/common").header(HOST, host).body(Body::empty()).unwrap();
            origins.of(&request).host.origin().to_owned()
        };
        assert_eq!(asked("login.microsoftonline.com"), "https://login.microsoftonline.com");
        assert_eq!(asked("LOGIN.microsoftonline.com:443"), "https://login.microsoftonline.com");
        for host in
            ["localhost:8443", "evil.example", "login.microsoftonline.com:444", "login.microsoftonline.com.evil"]
        {
            assert_eq!(asked(host), "https://localhost:8443", "{host}");
        }
        let by_target = Request::builder().uri("https://login.microsoftonline.com/x").body(Body::empty()).unwrap();
        assert_eq!(origins.of(&by_target).host.origin(), "https://login.microsoftonline.com");
    }

    #[test]
    fn issuers_of_every_origin_are_the_authoritys() {
        let origins = origins();
        assert!(origins.issues_v2("t", "https://login.microsoftonline.com/t/v2.0"));
        assert!(origins.issues_v2("t", "https://localhost:8443/t/v2.0"));
        assert!(origins.issues_v1("t", "https://sts.windows.net/t/"));
        assert!(!origins.issues_v2("t", "https://localhost:8443/u/v2.0"));
        assert!(!origins.issues_v1("t", "https://sts.windows.net/t"));
    }
}
