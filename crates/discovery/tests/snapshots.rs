//! Starts without network: keys from a file or embedded in the program, by their own age.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign_discovery::{KeysUnavailable, RemoteKeys, RemoteKeysBuilder, SourceError};
use countersign_token::FakeClock;
use support::endpoint::{Endpoint, HOUR, KEYS_URL, clock, clock_now, settle};

fn builder(endpoint: &Endpoint, clock: &FakeClock) -> RemoteKeysBuilder {
    RemoteKeys::from_jwks_uri(KEYS_URL, Arc::new(endpoint.clone())).unwrap().clock(Arc::new(clock.clone()))
}

/// What a program embeds: the keys of this name, fetched now.
async fn snapshot(key_ids: &[&str], clock: &FakeClock) -> String {
    let keys = builder(&Endpoint::publishing(key_ids), clock).build();
    assert_eq!(keys.snapshot(), None);
    keys.ready().await.unwrap();
    keys.snapshot().unwrap()
}

/// The same address without anybody behind it.
fn down() -> Endpoint {
    let endpoint = Endpoint::publishing(&[]);
    endpoint.goes_down();
    endpoint
}

#[tokio::test(start_paused = true)]
async fn e01_a_start_without_network_serves_the_embedded_keys_until_they_are_too_old() {
    let clock = clock();
    let seed = snapshot(&["good"], &clock).await;
    clock.advance(HOUR * 24 * 6);
    let endpoint = down();
    let keys = builder(&endpoint, &clock).seed(seed.as_bytes()).unwrap().build();
    assert!(keys.ready().await.is_ok());
    assert!(keys.keys_for("good").await.unwrap().find("good").is_some());
    settle().await;
    assert_eq!(endpoint.calls().len(), 1, "a renewal was tried in the background");
    let error = keys.keys_for("stranger").await.unwrap_err();
    assert!(matches!(error, KeysUnavailable::Unconfirmed(_)), "{error:?}");
    // Their age counts from their fetch, not from this program's start.
    clock.advance(HOUR * 24);
    let error = keys.keys_for("good").await.unwrap_err();
    assert!(matches!(error, KeysUnavailable::TooOld(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn e08_keys_that_were_withdrawn_end_with_the_first_fetch() {
    let clock = clock();
    let seed = snapshot(&["withdrawn"], &clock).await;
    let endpoint = Endpoint::publishing(&["new"]);
    let keys = builder(&endpoint, &clock).seed(seed.as_bytes()).unwrap().build();
    assert!(keys.current().unwrap().find("withdrawn").is_some());
    settle().await;
    let now = keys.current().unwrap();
    assert!(now.find("withdrawn").is_none() && now.find("new").is_some());
    assert_eq!(now.generation(), 2);
    // An embedded set never proves that a key does not exist: it was not fetched for anybody's question.
    let cold = builder(&endpoint, &clock).seed(seed.as_bytes()).unwrap().build();
    assert!(cold.keys_for("new").await.unwrap().find("new").is_some());
}

#[tokio::test(start_paused = true)]
async fn every_fetch_is_kept_in_the_file_and_the_next_start_begins_with_it() {
    let (clock, folder) = (clock(), tempfile::tempdir().unwrap());
    let path = folder.path().join("keys.json");
    let endpoint = Endpoint::publishing(&["good"]);
    let first = builder(&endpoint, &clock).snapshot_file(&path).build();
    assert!(first.current().is_none(), "there is no file yet");
    first.ready().await.unwrap();
    wait_for(&path).await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o777, 0o600);

    clock.advance(HOUR);
    let second = builder(&down(), &clock).snapshot_file(&path).build();
    assert!(second.keys_for("good").await.unwrap().find("good").is_some());
    // The later of file and seed counts.
    let newer = snapshot(&["newer"], &clock).await;
    let third = builder(&down(), &clock).seed(newer.as_bytes()).unwrap().snapshot_file(&path).build();
    assert!(third.current().unwrap().find("newer").is_some());
}

/// The file is written on a thread of its own.
async fn wait_for(path: &Path) {
    for _ in 0..10_000 {
        if path.exists() {
            return;
        }
        tokio::task::spawn_blocking(std::thread::yield_now).await.unwrap();
    }
    panic!("the file was never written");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_none_is_refused_when_it_is_embedded() {
    let clock = clock();
    let good = snapshot(&["good"], &clock).await;
    let refused = |text: &str| builder(&down(), &clock).seed(text.as_bytes()).map(|_| ()).unwrap_err();
    assert!(matches!(refused(""), SourceError::Snapshot(_)));
    assert!(matches!(refused(r#"{"keys":[]}"#), SourceError::Snapshot(_)));
    assert_eq!(refused(&good.replace("sig", "enc")), SourceError::Snapshot("it holds no usable key"));
    let elsewhere = good.replace("login.contoso.test", "login.evil.test");
    assert_eq!(refused(&elsewhere), SourceError::Snapshot("it was taken at another address"));
    assert!(matches!(refused(&good.replacen('{', "{\"more\":1,", 1)), SourceError::Snapshot(_)));
}

#[tokio::test(start_paused = true)]
async fn e34_a_file_that_cannot_be_trusted_is_left_aside() {
    let (clock, folder) = (clock(), tempfile::tempdir().unwrap());
    let good = snapshot(&["good"], &clock).await;
    let path = folder.path().join("keys.json");
    let starts = || builder(&down(), &clock).snapshot_file(&path).build().current().is_some();
    std::fs::write(&path, &good).unwrap();
    assert!(starts());
    for broken in ["", "{}", &good[..good.len() - 2], &good.replace("login.contoso.test", "login.evil.test")] {
        std::fs::write(&path, broken).unwrap();
        assert!(!starts(), "{broken:.40}");
    }
    std::fs::write(&path, " ".repeat(3 << 20)).unwrap();
    assert!(!starts());
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt, symlink};
        std::fs::write(&path, &good).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(!starts(), "others may write it");
        let real = folder.path().join("real.json");
        std::fs::write(&real, &good).unwrap();
        std::fs::remove_file(&path).unwrap();
        symlink(&real, &path).unwrap();
        assert!(!starts(), "C19: a link");
    }
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn e34_a_file_of_another_user_is_left_aside() {
    let (clock, folder) = (clock(), tempfile::tempdir().unwrap());
    let path = folder.path().join("keys.json");
    std::fs::write(&path, snapshot(&["good"], &clock).await).unwrap();
    let starts = || builder(&down(), &clock).snapshot_file(&path).build().current().is_some();
    assert!(starts());
    // Only root may give a file away. What is decided by the two users' numbers is tested beside the code.
    if std::os::unix::fs::chown(&path, Some(12_345), None).is_ok() {
        assert_eq!(starts(), !cfg!(target_os = "linux"));
    }
}

/// Five minutes for clocks that disagree; what they give away is no more than that.
#[tokio::test(start_paused = true)]
async fn e15_a_snapshot_from_a_clock_that_was_a_little_ahead_does_not_live_longer() {
    let (ahead, clock) = (clock(), clock());
    ahead.advance(Duration::from_secs(300));
    let seed = snapshot(&["good"], &ahead).await;
    let keys = builder(&down(), &clock).seed(seed.as_bytes()).unwrap().build();
    assert_eq!(keys.current().unwrap().fetched_at(), clock_now(&clock));
    clock.advance(HOUR * 24 * 7 - Duration::from_secs(1));
    assert!(keys.current().is_some());
    clock.advance(Duration::from_secs(1));
    assert!(keys.current().is_none());
}

#[tokio::test(start_paused = true)]
async fn e15_a_snapshot_from_the_future_is_refused_when_it_is_embedded() {
    let (ahead, clock) = (clock(), clock());
    ahead.advance(Duration::from_secs(301));
    let seed = snapshot(&["good"], &ahead).await;
    let error = builder(&down(), &clock).seed(seed.as_bytes()).map(|_| ()).unwrap_err();
    assert_eq!(error, SourceError::Snapshot("its time lies more than 5 minutes ahead of the clock"));
    let latest = seed.replace(&clock_now(&ahead).as_unix_seconds().to_string(), &i64::MAX.to_string());
    assert!(builder(&down(), &clock).seed(latest.as_bytes()).is_err());
    // By a clock that was given later it is left aside.
    let keys = builder(&down(), &ahead).seed(seed.as_bytes()).unwrap().clock(Arc::new(clock)).build();
    assert!(keys.current().is_none());
}

#[tokio::test(start_paused = true)]
async fn e15_a_file_from_the_future_is_left_aside_at_every_start_and_beats_no_real_one() {
    let (ahead, clock, folder) = (clock(), clock(), tempfile::tempdir().unwrap());
    let path = folder.path().join("keys.json");
    ahead.advance(HOUR * 24 * 365);
    std::fs::write(&path, snapshot(&["forged"], &ahead).await).unwrap();
    let real = snapshot(&["real"], &clock).await;
    for _ in 0..30 {
        assert!(builder(&down(), &clock).snapshot_file(&path).build().current().is_none());
        let keys = builder(&down(), &clock).seed(real.as_bytes()).unwrap().snapshot_file(&path).build();
        match keys.current() {
            Some(current) => assert!(current.find("real").is_some()),
            None => assert!(clock_now(&clock).as_unix_seconds() >= 1_767_225_600 + 7 * 24 * 3600, "too old"),
        }
        clock.advance(HOUR * 24);
    }
}
