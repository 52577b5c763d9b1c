//! What a request asks for, once it is sure that a program on this machine sent it.
//!
//! A web page can make a browser send requests to loopback, but none with such a header, and under a rebound name only
//! with that name as `Host` (pitfalls, part (a) number 33). The parameters are read as a form's: one that stands there
//! twice is refused.

use std::net::IpAddr;

use axum::extract::Request;
use countersign_protocol::form::Form;
use countersign_token::{SecretHash, Vault};
use http::header::{FORWARDED, HOST};
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode};

use super::answer::{Dialect, Fault};

/// Where the metadata service answers.
const IMDS_PATH: &str = "/metadata/identity/oauth2/token";

/// Where App Service's endpoint answers.
pub(super) const APP_SERVICE_PATH: &str = "/msi/token";

/// The header that the metadata service demands, with the value `true`.
const METADATA: &str = "metadata";

/// The headers of App Service's endpoint; the second is the older one (recorded with both api-versions).
const IDENTITY_HEADERS: [&str; 2] = ["x-identity-header", "secret"];

/// The longest value of such a header that is looked at, in bytes.
const MAX_HEADER_BYTES: usize = 1024;

/// The parameters of both; `clientid` belongs to 2017-09-01.
const PARAMETERS: &[&str] =
    &["api-version", "resource", "client_id", "clientid", "object_id", "principal_id", "msi_res_id", "mi_res_id"];

/// The oldest version of the metadata service that knows identities. Versions are dates.
const OLDEST_IMDS: &str = "2018-02-01";

/// Which identity a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selector {
    Client(String),
    Object(String),
    Resource(String),
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) resource: String,
    /// Every one of them must name the identity.
    pub(super) selectors: Vec<Selector>,
}

/// A request that was read, and the manner in which it wants to be answered.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) dialect: Dialect,
    pub(super) question: Result<Question, Fault>,
}

impl Asked {
    pub(super) fn read(request: &Request, header: &SecretHash, vault: &Vault) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let form = Form::parse(query.as_bytes(), PARAMETERS);
        let version = form.as_ref().ok().and_then(|form| form.get("api-version"));
        let dialect = match (path(request), version) {
            (APP_SERVICE_PATH, Some("2017-09-01")) => Dialect::AppService2017,
            (APP_SERVICE_PATH, _) => Dialect::AppService,
            _ => Dialect::Imds,
        };
        let question = door(request)
            .and_then(|()| demanded_header(dialect, request.headers(), header, vault))
            .and_then(|()| form.map_err(|error| Fault::bad_request(error.to_string())))
            .and_then(|form| question(dialect, &form));
        Self { dialect, question }
    }
}

/// The path; azure-identity for Node ends it in a slash (observed November 2026), and so may everybody.
fn path(request: &Request) -> &str {
    request.uri().path().trim_end_matches('/')
}

/// Turns away what no program on this machine would send here.
fn door(request: &Request) -> Result<(), Fault> {
    if !is_for_this_machine(request) {
        return Err(Fault::bad_request("The Host is not this machine's"));
    }
    let is_forwarded = |name: &str| name.starts_with("x-forwarded-") || name == FORWARDED.as_str();
    if request.headers().keys().any(|name| is_forwarded(name.as_str())) {
        return Err(Fault::bad_request("Forwarded requests are not answered"));
    }
    if !matches!(path(request), IMDS_PATH | APP_SERVICE_PATH) {
        return Err(Fault::new(StatusCode::NOT_FOUND, "There is nothing here"));
    }
    if request.method() != Method::GET {
        return Err(Fault::new(StatusCode::METHOD_NOT_ALLOWED, "Only GET is answered"));
    }
    Ok(())
}

/// Exactly one `Host`, a loopback address or `localhost`; the same for a target that names a host of its own.
fn is_for_this_machine(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    Authority::try_from(host.as_bytes()).is_ok_and(|host| is_loopback(&host))
        && request.uri().authority().is_none_or(is_loopback)
}

fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_ours =
        host.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    is_ours && !authority.as_str().contains('@')
}

/// The header without which nothing is answered.
fn demanded_header(dialect: Dialect, headers: &HeaderMap, expected: &SecretHash, vault: &Vault) -> Result<(), Fault> {
    if dialect == Dialect::Imds {
        let mut values = headers.get_all(METADATA).iter();
        let is_there = values.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
        return if is_there && values.next().is_none() {
            Ok(())
        } else {
            Err(Fault::bad_request("Required metadata header not specified"))
        };
    }
    let mut values = IDENTITY_HEADERS.iter().flat_map(|name| headers.get_all(*name)).peekable();
    let is_right = |value: &http::HeaderValue| {
        // Compared as a client secret is: keyed hashes, in constant time.
        let text = value.to_str().ok().filter(|text| text.len() <= MAX_HEADER_BYTES);
        text.is_some_and(|text| vault.hash_secret(text).matches(expected))
    };
    if values.peek().is_some() && values.all(is_right) {
        return Ok(());
    }
    Err(Fault::new(StatusCode::UNAUTHORIZED, "The X-IDENTITY-HEADER is missing or wrong"))
}

fn question(dialect: Dialect, form: &Form) -> Result<Question, Fault> {
    let missing = |name: &str| Fault::bad_request(format!("Required query variable '{name}' is missing"));
    let version = form.get("api-version").ok_or_else(|| missing("api-version"))?;
    let is_known = match dialect {
        Dialect::Imds => is_date(version) && version >= OLDEST_IMDS,
        Dialect::AppService | Dialect::AppService2017 => matches!(version, "2017-09-01" | "2019-08-01"),
    };
    if !is_known {
        return Err(Fault::bad_request("Invalid 'api-version' requested"));
    }
    let resource = form.get("resource").ok_or_else(|| missing("resource"))?.to_owned();
    let selectors = form.names().filter_map(|name| {
        let value = form.get(name)?.to_owned();
        match name {
            "client_id" | "clientid" => Some(Selector::Client(value)),
            "object_id" | "principal_id" => Some(Selector::Object(value)),
            "msi_res_id" | "mi_res_id" => Some(Selector::Resource(value)),
            _ => None,
        }
    });
    Ok(Question { resource, selectors: selectors.collect() })
}

/// `2018-02-01`
fn is_date(text: &str) -> bool {
    text.parse::<jiff::civil::Date>().is_ok() && text.len() == OLDEST_IMDS.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn for_this_machine(target: &str, hosts: &[&str]) -> bool {
        let mut request = Request::builder().uri(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        is_for_this_machine(&request.body(Body::empty()).unwrap())
    }

    #[test]
    fn b73_only_names_that_no_resolver_can_rebind_are_this_machines() {
        for host in ["localhost", "LOCALHOST:4000", "127.0.0.1:4000", "127.8.8.8", "[::1]:4000", "[::1]"] {
            assert!(for_this_machine("/", &[host]), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:4000",
            "localhost.evil.example",
            "localhost.",
            "127.0.0.1.evil.example",
            "127.1",
            "2130706433",
            "0.0.0.0",
            "10.0.0.1",
            "169.254.169.254",
            "[::ffff:127.0.0.1]",
            "[::]",
            "localhost@evil.example",
            "evil.example@localhost",
        ] {
            assert!(!for_this_machine("/", &[host]), "{host}");
        }
        assert!(!for_this_machine("/", &[]));
        assert!(!for_this_machine("/", &["localhost", "localhost"]));
        assert!(for_this_machine("http://127.0.0.1:4000/", &["localhost"]));
        assert!(!for_this_machine("http://evil.example/", &["localhost"]));
    }

    #[test]
    fn versions_are_dates() {
        assert!(is_date("2018-02-01") && is_date("2021-12-13"));
        for text in ["", "9", "2018-2-1", "2018-13-01", "2018-02-01T00:00", "20180201", "zzzz-zz-zz"] {
            assert!(!is_date(text), "{text}");
        }
    }
}
