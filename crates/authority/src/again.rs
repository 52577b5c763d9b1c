//! Writes that are tried again.
//!
//! Replicas look after the same keys and may start at the same moment. A store that several write to answers
//! [`StoreError::Busy`] when another wrote between what an operation has read and what it was about to write: nothing was
//! written then, and read again the matter is often settled. What comes from a request is not tried again here; its
//! sender is told to.

use countersign_directory::{LoadError, StoreError};

use crate::StartError;

/// How often at most. Each attempt that fails is one in which another replica succeeded.
const ATTEMPTS: usize = 10;

/// The outcome of the first attempt that nobody came in between of.
pub(crate) async fn until_settled<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, StartError>
where
    F: Future<Output = Result<T, StartError>>,
{
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(StartError::Store(StoreError::Busy(_)) | StartError::Load(LoadError::Store(StoreError::Busy(_)))) => {}
            outcome => return outcome,
        }
    }
    attempt().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::ready;

    #[tokio::test]
    async fn busy_is_tried_again_and_nothing_else_is() {
        let mut left = 3;
        let outcome = until_settled(|| {
            left -= 1;
            ready(if left > 0 { Err(StoreError::Busy("a".into()).into()) } else { Ok("done") })
        });
        assert_eq!(outcome.await.unwrap(), "done");
        let mut count = 0;
        let outcome = until_settled(|| {
            count += 1;
            ready(Err::<(), _>(StoreError::Io("a".into()).into()))
        });
        assert!(matches!(outcome.await.unwrap_err(), StartError::Store(StoreError::Io(_))));
        assert_eq!(count, 1);
        let mut count = 0;
        let outcome = until_settled(|| {
            count += 1;
            ready(Err::<(), _>(StoreError::Busy("a".into()).into()))
        });
        assert!(matches!(outcome.await.unwrap_err(), StartError::Store(StoreError::Busy(_))));
        assert_eq!(count, ATTEMPTS);
    }
}
