//! A person at the web app: her browser, the web app's client, and what the two have of each other.

use std::sync::Arc;

use countersign_authority::Authority;
use countersign_client::{AccessToken, Account, AuthorizationRequest, ConfidentialClient, RequestOptions, SignedIn};
use countersign_discovery::Transport;
use countersign_protocol::{ScopeSet, TenantSegment};
use countersign_token::OffsetClock;
use secrecy::{ExposeSecret, SecretString};

use super::browser::{Browser, Page};
use super::cast::{ALICE, Cast, DORA, REDIRECT_URI};
use super::error::DemoError;

/// Pages of one sign-in before it counts as stuck.
const MOST_PAGES: usize = 8;

/// Alice at the web app.
pub(crate) struct Person {
    browser: Browser,
    login: String,
    password: SecretString,
    /// The web app: one client for all steps, because it keeps what Alice's sign-in left.
    pub(crate) web: ConfidentialClient,
    /// Who has signed in.
    pub(crate) account: Option<Account>,
    /// Her token for the middle tier.
    pub(crate) token: Option<AccessToken>,
    /// Her token for Microsoft Graph.
    pub(crate) graph: Option<AccessToken>,
}

/// How a sign-in went.
pub(crate) struct Visit {
    pub(crate) signed_in: SignedIn,
    /// The headings of the pages, in their order.
    pub(crate) pages: Vec<String>,
    /// Whether consent was asked for, and given.
    pub(crate) consented: bool,
}

impl Person {
    pub(crate) fn alice(
        authority: &Authority,
        cast: &Cast,
        clock: &OffsetClock,
        wire: Arc<dyn Transport>,
    ) -> Result<Self, DemoError> {
        let host = authority.host();
        let web = ConfidentialClient::builder(host.clone(), TenantSegment::from(cast.contoso), cast.web_app)
            .secret(cast.web_secret.clone())
            .claims_challenges()
            .transport(Arc::clone(&wire))
            .clock(Arc::new(clock.clone()))
            .build()?;
        let password = cast.password.clone();
        let browser = Browser::new(wire, host.origin());
        Ok(Self { browser, login: ALICE.to_owned(), password, web, account: None, token: None, graph: None })
    }

    /// Goes through the authority's pages as they come: name and password, consent, and back to the web app.
    pub(crate) async fn sign_in(&mut self, scopes: &ScopeSet, options: RequestOptions) -> Result<Visit, DemoError> {
        let attempt = self.web.authorization_url(&request(scopes).options(options))?;
        let mut page = self.browser.open(attempt.url()).await?;
        let (mut pages, mut consented) = (Vec::new(), false);
        while pages.len() < MOST_PAGES {
            if let Some(callback) = page.posts_to(REDIRECT_URI) {
                let signed_in = self.web.redeem(attempt, &callback).await?;
                self.account = Some(signed_in.account().clone());
                return Ok(Visit { signed_in, pages, consented });
            }
            pages.push(page.heading().to_owned());
            consented |= page.asks_for("decision");
            page = self.fill_in(&page).await?;
        }
        Err(DemoError::Page("a sign-in that does not end".to_owned()))
    }

    async fn fill_in(&mut self, page: &Page) -> Result<Page, DemoError> {
        let credentials =
            [("passwd", self.password.expose_secret()), ("login", self.login.as_str()), ("signin", "yes")];
        let fields: &[(&str, &str)] = if page.asks_for("passwd") {
            &credentials
        } else if page.asks_for("kmsi") {
            &[("kmsi", "no")]
        } else if page.asks_for("decision") {
            &[("decision", "accept")]
        } else {
            let number = page.aadsts().map(|number| format!(" AADSTS{number}")).unwrap_or_default();
            return Err(DemoError::Page(format!("{}{number}", page.heading())));
        };
        Ok(self.browser.press(page, fields).await?)
    }

    /// Somebody of another company tries to sign in at the same web app, in a browser of her own. The page she ends at.
    pub(crate) async fn stranger(
        &self,
        browser: &mut Browser,
        password: &SecretString,
        scopes: &ScopeSet,
    ) -> Result<Page, DemoError> {
        let attempt = self.web.authorization_url(&request(scopes))?;
        let page = browser.open(attempt.url()).await?;
        let fields = [("passwd", password.expose_secret()), ("login", DORA), ("signin", "yes")];
        Ok(browser.press(&page, &fields).await?)
    }

    /// The account that signed in.
    pub(crate) fn account(&self) -> Result<Account, DemoError> {
        self.account.clone().ok_or(DemoError::NoToken)
    }
}

/// The answer comes as a form, which keeps the code out of addresses, histories and logs.
fn request(scopes: &ScopeSet) -> AuthorizationRequest {
    AuthorizationRequest::new(REDIRECT_URI, scopes.clone()).response_mode("form_post")
}
