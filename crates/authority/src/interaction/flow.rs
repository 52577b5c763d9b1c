//! Where one person stands on the way through sign-in and consent: a sealed text that travels in the hidden field `flow`.
//!
//! Nothing is kept on the server meanwhile. The text opens on this authority and its replicas only, belongs to one browser
//! (pitfalls B64, B67), and ends after a while. It says what was asked and what was shown; it proves nobody's identity,
//! which only the sessions in the browser's cookie do. What a client may ask for is looked up again at each step (B70).

use countersign_token::{ObjectId, Randomness, Vault, base64url_decode_strict, base64url_encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How long a page may stand open, in seconds.
pub(super) const LIFETIME_SECONDS: i64 = 3_600;

/// The longest question that is carried along, in bytes.
pub(super) const MAX_QUESTION_BYTES: usize = 12 * 1024;

/// Longer texts are nobody's.
const MAX_TEXT_BYTES: usize = 32 * 1024;

const PURPOSE: &str = "interaction flow";

/// The state of one person's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Flow {
    /// The browser that it belongs to.
    pub(super) browser: Uuid,
    /// Seconds since the epoch.
    pub(super) expires: i64,
    /// The id of this page's form.
    pub(super) form: Uuid,
    pub(super) task: Task,
    #[serde(default)]
    pub(super) progress: Progress,
}

/// What the person came for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Task {
    /// An authorization request.
    Authorize(Question),
    /// An administrator's consent for the organisation.
    AdminConsent(Question),
    /// A code that a device shows.
    Device {
        /// The tenant's segment of the path, `common` where there is none.
        tenant: String,
        /// Typed and found; in its canonical form.
        user_code: Option<String>,
    },
    /// The end of sessions.
    SignOut(Question),
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Question {
    /// The tenant's segment of the path.
    pub(super) tenant: String,
    /// Whether the v1.0 endpoint was asked.
    pub(super) v1: bool,
    /// The parameters, as they were written.
    pub(super) query: String,
}

/// The page that the form stood on, which alone decides what its fields mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Page {
    #[default]
    SignIn,
    Accounts,
    StaySignedIn,
    Consent,
    NeedApproval,
    DeviceCode,
    DeviceConfirm,
    SignOut,
}

/// What has been settled so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    pub(super) page: Page,
    /// The account that was chosen or signed in on the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) account: Option<ObjectId>,
    /// The session that a password on this way began: a fresh one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fresh: Option<Uuid>,
    /// Whether the person was asked about staying signed in.
    #[serde(default)]
    pub(super) asked_to_stay: bool,
    /// Whether a sign-in page is wanted though accounts are signed in.
    #[serde(default)]
    pub(super) another: bool,
    /// Whether the accounts are to be shown though one would do.
    #[serde(default)]
    pub(super) choose: bool,
    /// What the consent page showed, and to whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shown: Option<Shown>,
    /// Whether the consent page was accepted on this way, or the device confirmed.
    #[serde(default)]
    pub(super) accepted: bool,
}

/// What a consent page showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shown {
    pub(super) user: ObjectId,
    /// A short name of each permission.
    pub(super) permissions: Vec<String>,
}

/// Why a flow that came with a form is not gone on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unusable {
    /// Nobody here sealed it.
    Forged,
    /// It ended, or belongs to another browser; what was asked may be asked anew.
    Stale(Task),
}

impl Flow {
    pub(super) fn new(task: Task) -> Self {
        // Browser, form and end are set whenever it is sealed.
        Self { browser: Uuid::nil(), expires: 0, form: Uuid::nil(), task, progress: Progress::default() }
    }

    /// The text for a page of this browser, under a form id of its own.
    pub(super) fn seal(&mut self, browser: Uuid, now: i64, vault: &Vault, randomness: &dyn Randomness) -> String {
        self.browser = browser;
        self.expires = now + LIFETIME_SECONDS;
        self.form = randomness.uuid_v4();
        // A text of plain values always makes JSON; should sealing fail, the next post is forged.
        let json = serde_json::to_vec(self).unwrap_or_default();
        vault.seal(PURPOSE, &json, randomness).map(|sealed| base64url_encode(&sealed)).unwrap_or_default()
    }

    /// The flow that came with a form from this browser.
    pub(super) fn open(text: &str, browser: Option<Uuid>, now: i64, vault: &Vault) -> Result<Self, Unusable> {
        let read = || -> Option<Self> {
            if text.len() > MAX_TEXT_BYTES {
                return None;
            }
            let sealed = base64url_decode_strict(text).ok()?;
            serde_json::from_slice(&vault.open(PURPOSE, &sealed).ok()?).ok()
        };
        let flow = read().ok_or(Unusable::Forged)?;
        if flow.expires <= now || browser != Some(flow.browser) {
            return Err(Unusable::Stale(flow.task));
        }
        Ok(flow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::{RootKey, SystemRandomness};

    const HERE: Uuid = Uuid::from_u128(1);

    fn vault(byte: u8) -> Vault {
        Vault::new(&RootKey::from_bytes([byte; 32])).unwrap()
    }

    fn task() -> Task {
        Task::Authorize(Question { tenant: "common".to_owned(), v1: false, query: "client_id=x".to_owned() })
    }

    #[test]
    fn b64_b67_a_flow_goes_on_in_its_browser_only_and_not_for_ever() {
        let vault = vault(7);
        let mut flow = Flow::new(task());
        let text = flow.seal(HERE, 1_000, &vault, &SystemRandomness);
        assert_eq!(Flow::open(&text, Some(HERE), 1_001, &vault), Ok(flow));
        let stale = Err(Unusable::Stale(task()));
        assert_eq!(Flow::open(&text, Some(Uuid::from_u128(2)), 1_001, &vault), stale);
        assert_eq!(Flow::open(&text, None, 1_001, &vault), stale);
        assert_eq!(Flow::open(&text, Some(HERE), 1_000 + LIFETIME_SECONDS, &vault), stale);
    }

    #[test]
    fn b70_nobody_else_writes_one() {
        let sealed = Flow::new(task()).seal(HERE, 1_000, &vault(8), &SystemRandomness);
        for text in [sealed.as_str(), "", "x", "e30", &"A".repeat(40_000)] {
            assert_eq!(Flow::open(text, Some(HERE), 1_001, &vault(7)), Err(Unusable::Forged));
        }
    }

    #[test]
    fn each_page_has_a_form_of_its_own() {
        let vault = vault(7);
        let mut flow = Flow::new(task());
        flow.seal(HERE, 1_000, &vault, &SystemRandomness);
        let first = flow.form;
        flow.seal(HERE, 1_000, &vault, &SystemRandomness);
        assert_ne!(first, flow.form);
    }
}
