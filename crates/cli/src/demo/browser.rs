//! A person's browser, as far as a sign-in needs one: it keeps cookies, fills in forms, and says what it is to post where.
//!
//! It knows nothing of OAuth and nothing of the demo. It stays on one origin and follows no redirect, as the transport
//! below does not: a sign-in asks for its answer as a form that posts itself (`response_mode=form_post`), and a form for
//! another address is where it stops. It runs no script; the authority's pages need none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_discovery::{Limits, Transport, TransportError};
use countersign_protocol::FormEncoder;
use http::header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE};
use http::{HeaderValue, Request, Response};

/// The browser has nothing to show.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum BrowserError {
    #[error("a page brought no response")]
    Exchange(#[from] TransportError),
    #[error("a request cannot be written")]
    Request(#[from] http::Error),
    #[error("the page {heading:?} has no form with a field {field:?}")]
    NoForm { heading: String, field: String },
}

const LIMITS: Limits = Limits { timeout: Duration::from_secs(10), max_body_bytes: 256 * 1024 };

/// One person's browser, at one origin.
pub(crate) struct Browser {
    transport: Arc<dyn Transport>,
    origin: String,
    cookies: BTreeMap<String, String>,
}

/// What it shows.
pub(crate) struct Page {
    html: String,
}

impl Browser {
    pub(crate) fn new(transport: Arc<dyn Transport>, origin: impl Into<String>) -> Self {
        Self { transport, origin: origin.into(), cookies: BTreeMap::new() }
    }

    /// Opens an address of the origin.
    pub(crate) async fn open(&mut self, url: &str) -> Result<Page, BrowserError> {
        self.send(Request::get(url).body(Bytes::new())?).await
    }

    /// Fills in the form that has the first of these fields, and sends it with everything hidden in it.
    pub(crate) async fn press(&mut self, page: &Page, fields: &[(&str, &str)]) -> Result<Page, BrowserError> {
        let field = fields.first().map_or("", |(name, _)| name);
        let form = page
            .form_with(field)
            .ok_or_else(|| BrowserError::NoForm { heading: page.heading().to_owned(), field: field.to_owned() })?;
        let hidden = form.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let hidden = hidden.filter(|(name, _)| fields.iter().all(|(given, _)| given != name));
        let body = hidden
            .chain(fields.iter().copied())
            .fold(FormEncoder::new(), |form, (name, value)| form.field(name, value));
        let request = Request::post(format!("{}{}", self.origin, form.action))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ORIGIN, &self.origin)
            .header("sec-fetch-site", "same-origin")
            .body(Bytes::from(body.finish()))?;
        self.send(request).await
    }

    async fn send(&mut self, mut request: Request<Bytes>) -> Result<Page, BrowserError> {
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let cookies = HeaderValue::try_from(cookies.join("; ")).map_err(http::Error::from)?;
            request.headers_mut().insert(COOKIE, cookies);
        }
        let response = self.transport.send(request, LIMITS).await?;
        self.keep_cookies(&response);
        Ok(Page { html: String::from_utf8_lossy(response.body()).into_owned() })
    }

    fn keep_cookies(&mut self, response: &Response<Bytes>) {
        for cookie in response.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let Some((name, value)) = cookie.split(';').next().and_then(|pair| pair.split_once('=')) else { continue };
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// A form of a page.
struct Form {
    action: String,
    hidden: Vec<(String, String)>,
}

impl Page {
    /// The heading, for the story.
    pub(crate) fn heading(&self) -> &str {
        heading(&self.html)
    }

    /// Whether some form here has this field or button.
    pub(crate) fn asks_for(&self, field: &str) -> bool {
        self.form_with(field).is_some()
    }

    /// What this page posts to `address` by itself, if that is what it is for: the form's body.
    pub(crate) fn posts_to(&self, address: &str) -> Option<String> {
        let form = self.forms().filter_map(Form::read).find(|form| form.action == address)?;
        let body = form.hidden.iter().fold(FormEncoder::new(), |form, (name, value)| form.field(name, value)).finish();
        String::from_utf8(body).ok()
    }

    /// The AADSTS number that an error page shows.
    pub(crate) fn aadsts(&self) -> Option<&str> {
        let rest = self.html.split("AADSTS").nth(1)?;
        let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        Some(&rest[..end]).filter(|digits| !digits.is_empty())
    }

    fn forms(&self) -> impl Iterator<Item = &str> {
        self.html.split("<form").skip(1).map(|rest| rest.split("</form>").next().unwrap_or(rest))
    }

    fn form_with(&self, field: &str) -> Option<Form> {
        let named = format!("name=\"{field}\"");
        self.forms().find(|form| form.contains(&named)).and_then(Form::read)
    }
}

impl Form {
    /// Reads what stands between `<form` and `</form>`.
    fn read(form: &str) -> Option<Self> {
        let action = unescaped(form.split("action=\"").nth(1)?.split('"').next()?);
        let mut hidden = Vec::new();
        for input in form.split("<input").skip(1).filter_map(|rest| rest.split('>').next()) {
            let attribute = |name: &str| input.split(&format!(" {name}=\"")).nth(1)?.split('"').next();
            if attribute("type") == Some("hidden") {
                hidden.push((unescaped(attribute("name")?), unescaped(attribute("value").unwrap_or_default())));
            }
        }
        Some(Self { action, hidden })
    }
}

/// The first heading of a page.
pub(crate) fn heading(html: &str) -> &str {
    html.split("<h1>").nth(1).and_then(|rest| rest.split("</h1>").next()).unwrap_or_default()
}

fn unescaped(text: &str) -> String {
    text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(html: &str) -> Page {
        Page { html: html.to_owned() }
    }

    #[test]
    fn the_form_with_the_field_is_filled_in_and_not_its_neighbour() {
        let page = page(
            "<h1>Sign in</h1><form method=\"post\" action=\"/switch\"><input type=\"hidden\" name=\"flow\" value=\"a\">\
             <button name=\"switch\"></button></form><form method=\"post\" action=\"/login?a=1&amp;b=2\"><input type=\"hidden\" \
             name=\"flow\" value=\"&quot;b&quot;\"><input id=\"passwd\" name=\"passwd\" type=\"password\"></form>",
        );
        let form = page.form_with("passwd").unwrap();
        assert_eq!(form.action, "/login?a=1&b=2");
        assert_eq!(form.hidden, [("flow".to_owned(), "\"b\"".to_owned())]);
        assert!(page.asks_for("switch") && !page.asks_for("decision"));
        assert_eq!(page.heading(), "Sign in");
    }

    #[test]
    fn what_a_page_posts_by_itself_goes_to_one_address_and_no_other() {
        let page = page(
            "<form id=\"answer\" method=\"post\" action=\"https://app.test/callback\"><input type=\"hidden\" name=\"code\" \
             value=\"c&amp;d\"><input type=\"hidden\" name=\"state\" value=\"s\"></form>",
        );
        assert_eq!(page.posts_to("https://app.test/callback").as_deref(), Some("code=c%26d&state=s"));
        assert_eq!(page.posts_to("https://app.test/call"), None);
    }

    #[test]
    fn an_error_page_names_its_number() {
        assert_eq!(page("<p>Code: AADSTS50020</p>").aadsts(), Some("50020"));
        assert_eq!(page("<p>AADSTS</p>").aadsts(), None);
    }
}
