//! A person with a browser: fills in the authority's pages until they lead away from it.
//!
//! It keeps cookies, sends each form's own hidden fields back, and knows nothing of what the pages mean but their fields:
//! account and password, "stay signed in", permissions, a device's code. Whether the pages can be used by hand is asked in
//! Chromium (`tests/browser`); this is for everything that only needs somebody to sign in.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::contoso::House;
use crate::wire::{self, Answer, escape, form};

/// A person at a browser.
pub struct Person<'a> {
    house: &'a House,
    login: &'a str,
    password: &'a str,
    cookies: BTreeMap<String, String>,
    /// Whether permissions are granted.
    pub consents: bool,
}

/// Where a browser ended up.
#[derive(Debug)]
pub enum Arrived {
    /// Sent to an address outside the authority, query or fragment and all.
    Away(String),
    /// A page with nothing left to fill in, or one that refuses.
    Page(Answer),
}

impl<'a> Person<'a> {
    /// Somebody with an account, who consents to what is asked.
    #[must_use]
    pub fn new(house: &'a House, login: &'a str, password: &'a str) -> Self {
        Self { house, login, password, cookies: BTreeMap::new(), consents: true }
    }

    /// Opens an authorization request and does what the pages ask.
    ///
    /// `url` is absolute, at the authority under any of its names.
    pub async fn open(&mut self, url: &str) -> Arrived {
        let page = self.send("GET", path_of(url), "", b"").await;
        self.go_on(page, None).await
    }

    /// Types a device's code and signs in for it.
    pub async fn approve_device(&mut self, user_code: &str) -> Arrived {
        let page = self.send("GET", "/devicelogin", "", b"").await;
        self.go_on(page, Some(user_code)).await
    }

    async fn go_on(&mut self, mut page: Answer, user_code: Option<&str>) -> Arrived {
        // Each page is asked once; twelve is more than there are.
        for _ in 0..12 {
            if let Some(location) = page.header("location") {
                if !location.starts_with('/') && !location.starts_with(self.house.origin()) {
                    return Arrived::Away(location.to_owned());
                }
                let location = path_of(location).to_owned();
                page = self.send("GET", &location, "", b"").await;
                continue;
            }
            let text = String::from_utf8_lossy(&page.body).into_owned();
            if let Some(location) = posted_away(&text) {
                return Arrived::Away(location);
            }
            let Some(flow) = hidden(&text, "flow") else { return Arrived::Page(page) };
            if page.status >= 400 {
                return Arrived::Page(page);
            }
            let decision = if self.consents { "accept" } else { "decline" };
            let mut fields = vec![("flow", flow.as_str())];
            if text.contains("name=\"passwd\"") {
                fields.extend([("login", self.login), ("passwd", self.password), ("signin", "yes")]);
            } else if text.contains("name=\"kmsi\"") {
                fields.push(("kmsi", "no"));
            } else if text.contains("name=\"decision\"") {
                fields.push(("decision", decision));
            } else if text.contains("name=\"code\"") {
                fields.push(("code", user_code.unwrap_or_default()));
            } else {
                return Arrived::Page(page);
            }
            let headers = "Content-Type: application/x-www-form-urlencoded\r\nOrigin: null\r\n\
                           Sec-Fetch-Site: same-origin\r\n";
            page = self.send("POST", "/login", headers, form(&fields).as_bytes()).await;
        }
        Arrived::Page(page)
    }

    async fn send(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let mut headers = headers.to_owned();
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let _ = write!(headers, "Cookie: {}\r\n", cookies.join("; "));
        }
        let answer = wire::request(self.house, method, path, &headers, body).await;
        for (_, cookie) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, value) = cookie.split(';').next().unwrap_or_default().split_once('=').unwrap_or_default();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

impl Arrived {
    /// The parameters of the address outside, from query and fragment; anything else ends the test.
    #[must_use]
    pub fn parameters(&self) -> BTreeMap<String, String> {
        let location = self.location();
        let at = location.find(['?', '#']).map_or(location.len(), |at| at + 1);
        parameters(&location[at..])
    }

    /// The address outside; anything else ends the test.
    #[must_use]
    pub fn location(&self) -> &str {
        match self {
            Self::Away(location) => location,
            Self::Page(page) => panic!("{} {}", page.status, String::from_utf8_lossy(&page.body)),
        }
    }
}

/// The pairs of a query or form.
#[must_use]
pub fn parameters(text: &str) -> BTreeMap<String, String> {
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (decode(name), decode(value))).collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex = [rest.next(), rest.next()].map(Option::unwrap_or_default);
                u8::from_str_radix(&String::from_utf8_lossy(&hex), 16).unwrap_or(b'?')
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The value of a page's hidden field.
fn hidden(page: &str, name: &str) -> Option<String> {
    let rest = page.split(&format!("type=\"hidden\" name=\"{name}\" value=\"")).nth(1)?;
    rest.split('"').next().map(unescaped)
}

/// Where a page that posts itself leads (`response_mode=form_post`), as if its fields were a query.
fn posted_away(page: &str) -> Option<String> {
    let form = page.split("<form id=\"answer\" method=\"post\" action=\"").nth(1)?;
    let action = unescaped(form.split('"').next()?);
    let fields = form.split("type=\"hidden\" name=\"").skip(1).filter_map(|field| {
        let (name, rest) = field.split_once("\" value=\"")?;
        Some(format!("{}={}", escape(name), escape(&unescaped(rest.split('"').next()?))))
    });
    Some(format!("{action}?{}", fields.collect::<Vec<_>>().join("&")))
}

fn unescaped(text: &str) -> String {
    text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// An address without scheme and host.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..])
}

/// An authorization request's address for these parameters.
#[must_use]
pub fn authorize_url(origin: &str, tenant: &str, parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    format!("{origin}/{tenant}/oauth2/v2.0/authorize?{}", pairs.join("&"))
}
