//! Whose turn it is: a refresh token is used by one request at a time.
//!
//! Two questions of one session that are asked at once, for two APIs say, would use the same refresh token twice; a strict
//! authority takes the second use for a theft and ends the session. So they take turns. Sessions do not wait for each
//! other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::sessions::SessionId;

/// Dead entries are swept when there are this many more than lived at the last sweep.
const SPARE: usize = 64;

type TurnById = HashMap<SessionId, Weak<tokio::sync::Mutex<()>>, foldhash::fast::RandomState>;

/// The turns that are being taken.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<(TurnById, usize)>);

impl Turns {
    /// What whoever renews this session holds. Lives as long as somebody has it.
    pub(crate) fn of(&self, id: SessionId) -> Arc<tokio::sync::Mutex<()>> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (turns, lived) = &mut *guard;
        if let Some(turn) = turns.get(&id).and_then(Weak::upgrade) {
            return turn;
        }
        if turns.len() >= 2 * *lived + SPARE {
            turns.retain(|_, turn| turn.strong_count() > 0);
            *lived = turns.len();
        }
        let turn = Arc::default();
        turns.insert(id, Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Subject;

    fn id(n: u32) -> SessionId {
        SessionId::of("a", &Subject::of("session", &n.to_be_bytes()))
    }

    #[test]
    fn a_session_has_one_turn_and_what_nobody_takes_any_more_is_swept() {
        let turns = Turns::default();
        let (one, same, other) = (turns.of(id(1)), turns.of(id(1)), turns.of(id(2)));
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
        for n in 3..10_000 {
            turns.of(id(n));
        }
        assert!(turns.0.lock().unwrap().0.len() <= 2 * SPARE);
        assert!(Arc::ptr_eq(&one, &turns.of(id(1))), "a turn that is being taken stays");
    }
}
