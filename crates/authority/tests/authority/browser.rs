//! A small browser for tests: it keeps cookies as a browser does, fills in forms, and shows where it is sent.

use std::collections::BTreeMap;

use countersign_directory::DirectoryFile;
use countersign_protocol::FormEncoder;
use serde_json::Value;

use crate::kit::{Kit, OTHER_TENANT, SECRET, TENANT};
use crate::people::{ALICE, BOB, PASSWORD, ROOT};
use crate::raw::{Raw, RawAnswer};

pub(crate) const SHOP: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2c01";
pub(crate) const SHOP_URI: &str = "https://shop.example/cb";
pub(crate) const PAGE: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2c02";
pub(crate) const PAGE_URI: &str = "https://page.example/cb";
pub(crate) const HYBRID: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2c03";
pub(crate) const HYBRID_URI: &str = "https://hybrid.example/cb";
pub(crate) const MULTI: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2c04";
pub(crate) const MULTI_URI: &str = "https://multi.example/cb";
pub(crate) const TOOL: &str = "8c0bfd2e-1f7a-4f2c-8a69-7a3f6d7d2c05";
pub(crate) const TOOL_URI: &str = "http://localhost";
pub(crate) const ORDERS: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c31";
pub(crate) const MIDDLE: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c32";
pub(crate) const DAVE: &str = "44444444-4444-4444-8444-444444444445";
/// RFC 7636, appendix B.
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// What differs from test to test, as YAML.
#[derive(Default)]
pub(crate) struct Wishes<'a> {
    /// More members of the tenant Contoso.
    pub(crate) tenant: &'a str,
    /// More members of the registration of Shop.
    pub(crate) shop: &'a str,
    /// Shop's service principal, a flow mapping.
    pub(crate) shop_principal: &'a str,
    /// More delegated grants in Contoso, list items of two blanks.
    pub(crate) grants: &'a str,
    /// More members of the registration of Multi, and more applications of Fabrikam.
    pub(crate) multi: &'a str,
    pub(crate) fabrikam: &'a str,
    /// More users in Contoso.
    pub(crate) users: &'a str,
}

/// Contoso with a shop (web), a page (spa), a hybrid and a tool (public client), an API for orders and one in the middle;
/// Fabrikam with an application for everybody.
pub(crate) fn town(wishes: &Wishes<'_>) -> DirectoryFile {
    let Wishes { tenant, shop, shop_principal, grants, users, multi, fabrikam } = *wishes;
    let shop_principal = if shop_principal.is_empty() { "true" } else { shop_principal };
    let scope = |id: u8, value: &str, kind: &str| {
        format!(
            "{{id: c0ffee00-0000-4000-8000-0000000000{id:02x}, value: {value}, type: {kind}, isEnabled: true, \
             adminConsentDisplayName: \"{value} for all\", adminConsentDescription: \"Let it {value} for everybody\", \
             userConsentDisplayName: \"{value} for you\", userConsentDescription: \"Let it {value} for you\"}}"
        )
    };
    let (read, write, admin, middle) = (
        scope(1, "Orders.Read", "User"),
        scope(2, "Orders.Write", "User"),
        scope(3, "Orders.Admin", "Admin"),
        scope(4, "access_as_user", "User"),
    );
    let text = format!(
        r#"
tenants:
- tenantId: {TENANT}
  displayName: Contoso
  domains: [contoso.com]
  {tenant}
  users:
  - {{id: {ALICE}, userPrincipalName: alice@contoso.com, displayName: Alice A., givenName: Alice, surname: Adams, mail: alice@mail.example, password: {PASSWORD}}}
  - {{id: {BOB}, userPrincipalName: bob@contoso.com, displayName: Bob, password: {PASSWORD}}}
  - {{id: {ROOT}, userPrincipalName: root@contoso.com, displayName: Root, password: {PASSWORD}, administrator: true}}
  {users}
  groups:
  - {{id: 44444444-4444-4444-8444-444444444444, displayName: Readers, members: [alice@contoso.com]}}
  applications:
  - appId: {ORDERS}
    displayName: OrdersApi
    identifierUris: ["api://orders"]
    api: {{requestedAccessTokenVersion: 2, oauth2PermissionScopes: [{read}, {write}, {admin}]}}
    appRoles: [{{id: f8d39977-e31e-460b-b92c-9cef51d14f97, value: Orders.All, allowedMemberTypes: [Application], displayName: All orders, description: All orders of everybody, isEnabled: true}}]
  - appId: {MIDDLE}
    displayName: MiddleApi
    identifierUris: ["api://middle"]
    api: {{requestedAccessTokenVersion: 2, knownClientApplications: [{SHOP}], oauth2PermissionScopes: [{middle}]}}
    requiredResourceAccess:
    - {{resourceAppId: {ORDERS}, resourceAccess: [{{id: c0ffee00-0000-4000-8000-000000000001, type: Scope}}]}}
  - appId: {SHOP}
    displayName: Shop
    publisherDomain: shop.example
    servicePrincipal: {shop_principal}
    web: {{redirectUris: ["{SHOP_URI}", "https://shop.example/cb?lang=en"], logoutUrl: "https://shop.example/out"}}
    passwordCredentials: [{{displayName: s, secretText: "{SECRET}", endDateTime: "2027-01-01T00:00:00Z"}}]
    requiredResourceAccess:
    - {{resourceAppId: {ORDERS}, resourceAccess: [{{id: c0ffee00-0000-4000-8000-000000000001, type: Scope}}, {{id: c0ffee00-0000-4000-8000-000000000003, type: Scope}}, {{id: f8d39977-e31e-460b-b92c-9cef51d14f97, type: Role}}]}}
    - {{resourceAppId: {MIDDLE}, resourceAccess: [{{id: c0ffee00-0000-4000-8000-000000000004, type: Scope}}]}}
    {shop}
  - appId: {PAGE}
    displayName: Page
    spa: {{redirectUris: ["{PAGE_URI}"]}}
  - appId: {HYBRID}
    displayName: Hybrid
    web: {{redirectUris: ["{HYBRID_URI}"], implicitGrantSettings: {{enableIdTokenIssuance: true, enableAccessTokenIssuance: true}}}}
    optionalClaims: {{idToken: [{{name: sid}}, {{name: acrs}}]}}
  - appId: {TOOL}
    displayName: Tool
    publicClient: {{redirectUris: ["{TOOL_URI}", "tool://auth"]}}
    isFallbackPublicClient: true
  oauth2PermissionGrants:
  - {{client: Hybrid, resource: Microsoft Graph, scopes: [User.Read, openid, profile, email, offline_access], consentType: AllPrincipals}}
  - {{client: Tool, resource: Microsoft Graph, scopes: [User.Read, Directory.AccessAsUser.All, openid, profile, email, offline_access], consentType: AllPrincipals}}
  - {{client: Page, resource: Microsoft Graph, scopes: [User.Read, openid, profile, offline_access], consentType: AllPrincipals}}
  {grants}
- tenantId: {OTHER_TENANT}
  displayName: Fabrikam
  domains: [fabrikam.com]
  users:
  - {{id: {DAVE}, userPrincipalName: dave@fabrikam.com, displayName: Dave, password: {PASSWORD}}}
  applications:
  - appId: {MULTI}
    displayName: Multi
    signInAudience: AzureADMultipleOrgs
    web: {{redirectUris: ["{MULTI_URI}"]}}
    {multi}
    passwordCredentials: [{{displayName: s, secretText: "{SECRET}", endDateTime: "2027-01-01T00:00:00Z"}}]
  {fabrikam}
"#
    );
    DirectoryFile::parse("town.yaml", &text).unwrap().file
}

/// Shop may read orders for everybody.
pub(crate) const SHOP_READS: &str = "- {client: Shop, resource: OrdersApi, scopes: [Orders.Read], consentType: AllPrincipals}\n  \
     - {client: Shop, resource: Microsoft Graph, scopes: [User.Read, openid, profile, email, offline_access], consentType: AllPrincipals}";

/// One browser.
pub(crate) struct Browser<'a> {
    kit: &'a Kit,
    pub(crate) cookies: BTreeMap<String, String>,
}

/// What a browser was answered.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Seen {
    fn read(answer: &RawAnswer) -> Self {
        let (head, text) = answer.text.split_once("\r\n\r\n").unwrap();
        let mut headers = http::HeaderMap::new();
        for (name, value) in head.lines().skip(1).filter_map(|line| line.split_once(": ")) {
            let name = http::HeaderName::try_from(name).unwrap();
            headers.append(name, http::HeaderValue::try_from(value).unwrap());
        }
        Self { status: answer.status(), headers, text: text.replace("<wbr>", "") }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The page's heading.
    #[track_caller]
    pub(crate) fn heading(&self) -> &str {
        assert_eq!(self.status / 100 * 100, if self.status == 400 { 400 } else { 200 }, "{self:?}");
        self.text.split("<h1>").nth(1).and_then(|rest| rest.split("</h1>").next()).unwrap_or_else(|| panic!("{self:?}"))
    }

    /// The code on the error page.
    #[track_caller]
    pub(crate) fn page_error(&self) -> u32 {
        assert_eq!(self.header("location"), "", "never redirected: {self:?}");
        let rest = self.text.split("Code: AADSTS").nth(1).unwrap_or_else(|| panic!("{self:?}"));
        rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    }

    /// Where the browser is sent, without parameters.
    #[track_caller]
    pub(crate) fn sent_to(&self) -> &str {
        assert_eq!(self.status, 303, "{self:?}");
        self.header("location").split(['?', '#']).next().unwrap()
    }

    /// The parameters that it is sent with, in query or fragment.
    #[track_caller]
    pub(crate) fn answer(&self) -> BTreeMap<String, String> {
        assert_eq!(self.status, 303, "{self:?}");
        let location = self.header("location");
        let at = location.find(['?', '#']).map_or(location.len(), |at| at + 1);
        parameters(&location[at..])
    }

    /// `error` and the number in `error_description` of the answer.
    #[track_caller]
    pub(crate) fn refusal(&self) -> (String, u32) {
        let answer = self.answer();
        let description = answer.get("error_description").unwrap_or_else(|| panic!("{self:?}"));
        let number = description.strip_prefix("AADSTS").unwrap().split(':').next().unwrap().parse().unwrap();
        (answer["error"].clone(), number)
    }

    /// The value of a hidden field.
    pub(crate) fn hidden(&self, name: &str) -> Option<String> {
        let marked = format!("type=\"hidden\" name=\"{name}\" value=\"");
        let rest = self.text.split(&marked).nth(1)?;
        Some(unescaped(rest.split('"').next()?))
    }

    /// The parameters of a page that posts itself, and where it posts to.
    pub(crate) fn form_post(&self) -> (String, BTreeMap<String, String>) {
        let action = self.text.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
        let fields = self.text.split("type=\"hidden\" name=\"").skip(1).map(|rest| {
            let (name, rest) = rest.split_once("\" value=\"").unwrap();
            (name.to_owned(), unescaped(rest.split('"').next().unwrap()))
        });
        (unescaped(action), fields.collect())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

pub(crate) fn parameters(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'%' => {
                    let hex = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
                }
                byte => byte,
            });
        }
        String::from_utf8(bytes).unwrap()
    };
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (decode(name), decode(value))).collect()
}

/// A query or form of these parameters.
pub(crate) fn encoded(parameters: &[(&str, &str)]) -> String {
    let form = parameters.iter().fold(FormEncoder::new(), |form, (name, value)| form.field(name, value));
    String::from_utf8(form.finish()).unwrap()
}

/// An authorization request of Shop for reading orders, with other parameters in place of, or beside, the usual ones.
pub(crate) fn ask(tenant: &str, changes: &[(&str, &str)]) -> String {
    let usual = [
        ("client_id", SHOP),
        ("response_type", "code"),
        ("redirect_uri", SHOP_URI),
        ("scope", "openid api://orders/Orders.Read"),
        ("state", "s t=1"),
    ];
    let mut all: Vec<(&str, &str)> =
        usual.into_iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name)).collect();
    all.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    format!("/{tenant}/oauth2/v2.0/authorize?{}", encoded(&all))
}

impl<'a> Browser<'a> {
    pub(crate) fn new(kit: &'a Kit) -> Self {
        Self { kit, cookies: BTreeMap::new() }
    }

    /// Sends a request, follows nothing, and keeps cookies.
    pub(crate) async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Seen {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        if !self.cookies.is_empty() {
            let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            head.push_str(&format!("cookie: {}\r\n", cookies.join("; ")));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut raw = Raw::connect(&self.kit.authority).await;
        raw.write(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
        let seen = Seen::read(&raw.until_closed().await);
        for cookie in seen.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("; Path=/") && cookie.contains("; Secure"), "{cookie}");
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        seen
    }

    pub(crate) async fn get(&mut self, path: &str) -> Seen {
        self.send("GET", path, &[], "").await
    }

    /// Posts a form with more headers.
    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Seen {
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend(headers);
        self.send("POST", path, &all, &encoded(form)).await
    }

    /// Presses a button of a page: posts its flow with these fields, as a browser does.
    pub(crate) async fn press(&mut self, page: &Seen, fields: &[(&str, &str)]) -> Seen {
        let flow = page.hidden("flow").unwrap_or_else(|| panic!("{page:?}"));
        let mut form = vec![("flow", flow.as_str())];
        form.extend(fields);
        self.post("/login", &form, &[("origin", "null"), ("sec-fetch-site", "same-origin")]).await
    }

    /// Types account and password, and declines to stay signed in.
    pub(crate) async fn sign_in(&mut self, page: &Seen, login: &str) -> Seen {
        let next = self.press(page, &[("login", login), ("passwd", PASSWORD), ("signin", "yes")]).await;
        if next.text.contains("<h1>Stay signed in?</h1>") {
            return self.press(&next, &[("kmsi", "no")]).await;
        }
        next
    }

    /// Opens an authorization request and signs in.
    pub(crate) async fn open_as(&mut self, path: &str, login: &str) -> Seen {
        let page = self.get(path).await;
        assert_eq!(page.heading(), "Sign in", "{page:?}");
        self.sign_in(&page, login).await
    }
}

impl Kit {
    /// Redeems a code of Shop.
    pub(crate) async fn redeem_for_shop(&self, code: &str) -> crate::kit::Answer {
        let form = encoded(&[
            ("grant_type", "authorization_code"),
            ("client_id", SHOP),
            ("client_secret", SECRET),
            ("redirect_uri", SHOP_URI),
            ("code", code),
        ]);
        self.post(&format!("/{TENANT}/oauth2/v2.0/token"), &form).await
    }
}
