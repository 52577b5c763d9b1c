//! Looking after the signing keys while the authority runs: there is always a next one, and old ones end.

use std::sync::Arc;
use std::time::Duration;

use countersign_directory::Directory;
use countersign_token::{Clock, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::StartError;
use crate::again::until_settled;
use crate::core::Core;
use crate::key_ring::{NewKey, make};

/// How often schedules are looked at: a key that is due is made or retired within this time.
const CARE: Duration = Duration::from_secs(600);

/// Keys that are being made ahead of their need.
pub(crate) struct KeysInTheMaking(mpsc::Receiver<Result<NewKey, StartError>>);

impl KeysInTheMaking {
    /// Makes two keys at once. How long one takes is a matter of luck; the luckier becomes the first to sign, the other the
    /// one after it, and the start waits for the luckier only.
    pub(crate) fn start(now: Timestamp) -> Self {
        Self::two(move |_| NewKey::make(now))
    }

    /// The same for an authority that keeps nothing: the two are made once per process, and only named anew.
    pub(crate) fn start_in_memory(now: Timestamp) -> Self {
        Self::two(move |slot| NewKey::make_for_this_process(slot, now))
    }

    fn two(make: impl Fn(usize) -> Result<NewKey, StartError> + Copy + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel(2);
        for slot in 0..2 {
            let sender = sender.clone();
            tokio::task::spawn_blocking(move || {
                // A receiver that is gone has no use for the key.
                let _ = sender.blocking_send(make(slot));
            });
        }
        Self(receiver)
    }

    /// None: each is made when it is asked for.
    pub(crate) fn none() -> Self {
        Self(mpsc::channel(1).1)
    }

    /// The next one, made now if none is on its way.
    pub(crate) async fn next(&mut self, clock: &dyn Clock) -> Result<NewKey, StartError> {
        match self.0.recv().await {
            Some(key) => key,
            None => make(clock.now()).await,
        }
    }
}

/// Looks after the keys until `stopping`.
pub(crate) async fn care<D: Directory>(
    core: Arc<Core<D>>,
    mut making: KeysInTheMaking,
    mut stopping: watch::Receiver<bool>,
) {
    let caring = async {
        loop {
            if let Err(error) = look(&core, &mut making).await {
                tracing::error!(error = &error as &dyn std::error::Error, "the signing keys could not be looked after");
            }
            tokio::select! {
                () = tokio::time::sleep(CARE) => {}
                () = core.keys.wanted() => {}
            }
        }
    };
    tokio::select! {
        // In the middle of a look, too: what was not committed is undone.
        _ = stopping.wait_for(|stop| *stop) => {}
        () = caring => {}
    }
}

/// One look: ends the keys that a schedule has replaced, makes the next one of every owner who has none, and sweeps the
/// ledger.
pub(crate) async fn look<D: Directory>(core: &Core<D>, making: &mut KeysInTheMaking) -> Result<(), StartError> {
    until_settled(|| core.keys.tidy()).await?;
    for owner in core.keys.without_next().await? {
        // What was made ahead is for the first owner, who is the first here, and then used up.
        let key = making.next(&*core.clock).await?;
        until_settled(|| core.keys.add_next(owner, &key)).await?;
    }
    // What was settled long ago is forgotten, or whoever asks without proving anything would fill the disk.
    Ok(core.registry.directory().sweep(core.clock.now()).await?)
}

/// Lets every owner's next key sign from now on, and makes the one after it. Answers the `kid` that signs for the first
/// owner.
pub(crate) async fn roll<D: Directory>(core: &Core<D>) -> Result<String, StartError> {
    let mut signing = None;
    for owner in core.keys.owners().await? {
        let key = make(core.clock.now()).await?;
        let key_id = until_settled(|| core.keys.roll(owner, &key)).await?;
        signing.get_or_insert(key_id);
    }
    Ok(signing.unwrap_or_default())
}
