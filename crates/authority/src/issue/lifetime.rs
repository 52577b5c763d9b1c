//! How long tokens live.
//!
//! Source: Microsoft identity platform, "Configurable token lifetimes" and "Continuous access evaluation";
//! `expires_in` says one second less than the token's life (recorded).

use countersign_directory::{Application, MICROSOFT_GRAPH};
use countersign_protocol::ClaimsRequest;
use countersign_token::Randomness;

use super::optional_claims::OptionalClaims;

/// `nbf` and `iat` lie this far in the past, so that a resource with a slow clock takes the token (recorded).
pub(super) const BACKDATED_SECONDS: i64 = 300;

/// Of an id_token, from its issuance; `exp - iat` is 3,900 (recorded).
pub(super) const ID_TOKEN_SECONDS: i64 = 3600;

/// The capability of a client that understands claims challenges, as a token tells its resource (`xms_cc`).
pub(super) const CLAIMS_CHALLENGES: &str = "cp1";

/// The life of one access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// From issuance to `exp`.
    seconds: i64,
    /// The answer's member `refresh_in`, which only long-lived tokens have.
    refresh_in: Option<u64>,
}

impl Lifetime {
    /// Of an application's token: an hour.
    pub(crate) const APP_ONLY: Self = Self { seconds: 3600, refresh_in: None };

    /// Of a token that its resource takes back when something happens (continuous access evaluation): a day.
    pub(crate) const CONTINUOUSLY_EVALUATED: Self = Self { seconds: 86_400, refresh_in: Some(43_199) };

    /// Of a managed identity's token: a day, since the platform keeps it (recorded).
    pub(crate) const MANAGED_IDENTITY: Self = Self { seconds: 86_400, refresh_in: None };

    /// Of a user's token: between 60 and 90 minutes, by chance, so that a crowd that signed in together does not come
    /// back together.
    pub(crate) fn of_user(randomness: &dyn Randomness) -> Self {
        let mut bytes = [0; 4];
        randomness.fill(&mut bytes);
        let spread = i64::from(u32::from_le_bytes(bytes) % 1801);
        Self { seconds: 3600 + spread, refresh_in: None }
    }

    /// `exp`, where the token is issued at `now`.
    pub(crate) const fn ends(self, now: i64) -> i64 {
        now + self.seconds
    }

    /// The answer's member `expires_in`.
    pub(crate) const fn expires_in(self) -> u64 {
        (self.seconds - 1).unsigned_abs()
    }

    /// The answer's member `refresh_in`.
    pub(crate) const fn refresh_in(self) -> Option<u64> {
        self.refresh_in
    }
}

/// Whether a token is long-lived: the client said that it understands claims challenges, and the resource re-evaluates
/// access while the token lives. Microsoft Graph does, others say so by asking for `xms_cc`.
pub(super) fn is_continuous(resource: &Application, claims: Option<&ClaimsRequest>) -> bool {
    claims.is_some_and(|claims| claims.has_capability(CLAIMS_CHALLENGES))
        && (resource.app_id() == MICROSOFT_GRAPH || OptionalClaims::of_access_token(resource).has("xms_cc"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_token::SeededRandomness;

    #[test]
    fn users_tokens_live_sixty_to_ninety_minutes_and_not_all_alike() {
        let random = SeededRandomness::from_seed(1);
        let lives: Vec<_> = (0..2_000).map(|_| Lifetime::of_user(&random).expires_in()).collect();
        assert!(lives.iter().all(|life| (3599..=5399).contains(life)));
        assert!(lives.iter().any(|life| *life < 3700) && lives.iter().any(|life| *life > 5300));
        assert_eq!((Lifetime::APP_ONLY.expires_in(), Lifetime::APP_ONLY.ends(100)), (3599, 3700));
        assert_eq!(Lifetime::CONTINUOUSLY_EVALUATED.expires_in(), 86_399);
    }
}
