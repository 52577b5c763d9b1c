//! A directory as the shared cache: whose files they are, and what is not followed.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use countersign_client::{AcquireError, FileCache, FileCacheError};

use countersign_token::SystemClock;

use super::sessions::{sign_in, silent, strict};
use super::*;

fn directory() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("tokens");
    (home, path)
}

#[tokio::test]
async fn c19_b39_entries_are_ours_alone_and_no_link_is_followed() {
    let (home, path) = directory();
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let cache = FileCache::new(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    process(&endpoint, &clock, cache.clone(), KEY).acquire_token_for_client(&scopes("api://a")).await.unwrap();
    let files: Vec<PathBuf> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("one entry, and no right left behind: {files:?}") };
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!String::from_utf8_lossy(&std::fs::read(file).unwrap()).contains("token-1"));
    // The next command finds it.
    let again = process(&endpoint, &clock, FileCache::new(&path).unwrap(), KEY);
    assert_eq!(again.acquire_token_for_client(&scopes("api://a")).await.unwrap().secret(), "token-1");
    assert_eq!(endpoint.count(), 1);

    // A link in the entry's place is neither read nor written through.
    let victim = home.path().join("victim");
    std::fs::rename(file, &victim).unwrap();
    symlink(&victim, file).unwrap();
    let before = std::fs::read(&victim).unwrap();
    let linked = process(&endpoint, &clock, FileCache::new(&path).unwrap(), KEY);
    assert_eq!(linked.acquire_token_for_client(&scopes("api://a")).await.unwrap().secret(), "token-2");
    assert_eq!(std::fs::read(&victim).unwrap(), before);
}

#[test]
fn c19_a_directory_that_others_may_read_or_that_is_a_link_is_refused() {
    let (home, path) = directory();
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o750)).unwrap();
    assert!(matches!(FileCache::new(&path).unwrap_err(), FileCacheError::OpenToOthers(_)));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    let link = home.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(matches!(FileCache::new(&link).unwrap_err(), FileCacheError::NotADirectory(_)));
    assert!(matches!(FileCache::new(home.path().join("a/b")).unwrap_err(), FileCacheError::Directory(..)));
    assert!(FileCache::new(&path).is_ok());
}

#[test]
fn files_whose_life_has_ended_go_and_others_stay() {
    let (_home, path) = directory();
    FileCache::new(&path).unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for name in ["a.token", "b.lock", "c.next", "notes.txt", "new.token"] {
        let file = std::fs::File::create(path.join(name)).unwrap();
        if name != "new.token" {
            file.set_modified(old).unwrap();
        }
    }
    FileCache::new(&path).unwrap();
    let mut left: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["new.token", "notes.txt"]);
}

#[tokio::test]
async fn a_session_is_not_swept_when_a_token_is() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let (_home, path) = directory();
    // The sweep goes by the machine's clock, so it is the writing that took place before.
    let written = |ago: Duration| FakeClock::at(SystemClock.now().minus(ago));
    for (name, ago) in [("recent", DAY), ("old", DAY * 91)] {
        let cache = FileCache::new(&path).unwrap().clock(Arc::new(written(ago)));
        cache.put(&format!("token-{name}"), vec![1], DAY / 24).await.unwrap();
        cache.put(&format!("session-{name}"), vec![1], DAY * 90).await.unwrap();
    }
    FileCache::new(&path).unwrap();
    let left: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["session-recent.token"]);
}

#[tokio::test]
async fn a_command_finds_who_signed_in_with_the_last_one_until_it_signs_out() {
    let (_home, path) = directory();
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    strict(&endpoint);
    let command = || process(&endpoint, &clock, FileCache::new(&path).unwrap(), KEY);
    let account = sign_in(&command()).await;
    for round in 2..4 {
        clock.advance(Duration::from_secs(7200));
        assert_eq!(silent(&command(), &account).await.unwrap().secret(), format!("token-{round}"));
    }
    assert!(command().sign_out(&account).await);
    assert!(matches!(silent(&command(), &account).await, Err(AcquireError::NotSignedIn)));
    assert!(!command().sign_out(&account).await);
    assert_eq!(endpoint.count(), 3);
}

#[tokio::test]
async fn what_is_removed_is_gone_and_a_link_is_removed_itself() {
    let (home, path) = directory();
    let cache = FileCache::new(&path).unwrap();
    cache.put("n", vec![1], Duration::from_secs(60)).await.unwrap();
    cache.remove("n").await.unwrap();
    assert_eq!(cache.get("n").await.unwrap(), None);
    cache.remove("n").await.unwrap();
    let victim = home.path().join("victim");
    std::fs::write(&victim, "").unwrap();
    symlink(&victim, path.join("n.token")).unwrap();
    cache.remove("n").await.unwrap();
    assert!(victim.exists() && !path.join("n.token").exists());
    assert!(cache.remove("../victim").await.is_err());
}

#[tokio::test]
async fn c20_a_poisoned_or_cut_entry_is_rebuilt() {
    let (_home, path) = directory();
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let cache = FileCache::new(&path).unwrap();
    for (index, content) in [&b""[..], b"garbage", &[0; 300 * 1024]].into_iter().enumerate() {
        let fresh = process(&endpoint, &clock, cache.clone(), KEY);
        fresh.acquire_token_for_client(&scopes("api://a")).await.unwrap();
        let file = std::fs::read_dir(&path).unwrap().next().unwrap().unwrap().path();
        std::fs::write(&file, content).unwrap();
        let next = process(&endpoint, &clock, cache.clone(), KEY);
        next.acquire_token_for_client(&scopes("api://a")).await.unwrap();
        let third = process(&endpoint, &clock, cache.clone(), KEY);
        third.acquire_token_for_client(&scopes("api://a")).await.unwrap();
        assert_eq!(endpoint.count(), index + 2, "{content:.8?}: asked once more, then kept");
    }
}

#[tokio::test]
async fn a_right_left_behind_ends_and_only_its_owner_gives_it_back() {
    let (_home, path) = directory();
    let clock = clock();
    let cache = FileCache::new(&path).unwrap().clock(Arc::new(clock.clone()));
    let life = Duration::from_secs(20);
    assert!(cache.lock("n", "one", life).await.unwrap());
    assert!(!cache.lock("n", "two", life).await.unwrap());
    cache.unlock("n", "two").await.unwrap();
    assert!(!cache.lock("n", "two", life).await.unwrap());
    clock.advance(life);
    assert!(cache.lock("n", "two", life).await.unwrap());
    cache.unlock("n", "two").await.unwrap();
    assert!(cache.lock("n", "one", life).await.unwrap());
    for name in ["", "../x", "a/b", "a\0b"] {
        assert!(cache.get(name).await.is_err(), "{name:?} is no path");
    }
}

/// Leaves a right in which nothing stands, made so long ago by this clock.
fn left_empty(path: &std::path::Path, clock: &FakeClock, ago: Duration) {
    made(&std::fs::File::create(path.join("n.lock")).unwrap(), clock, ago);
}

fn made(file: &std::fs::File, clock: &impl countersign_token::Clock, ago: Duration) {
    let made = clock.now().minus(ago).as_unix_seconds();
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(u64::try_from(made).unwrap())).unwrap();
}

#[tokio::test]
async fn a_right_that_a_crash_left_empty_ends_after_some_seconds() {
    let (_home, path) = directory();
    let clock = clock();
    let cache = FileCache::new(&path).unwrap().clock(Arc::new(clock.clone()));
    let life = Duration::from_secs(20);
    left_empty(&path, &clock, Duration::from_secs(1));
    assert!(!cache.lock("n", "one", life).await.unwrap(), "its owner is about to write into it");
    clock.advance(Duration::from_secs(10));
    assert!(cache.lock("n", "one", life).await.unwrap());
    assert!(!cache.lock("n", "two", life).await.unwrap());
    cache.unlock("n", "one").await.unwrap();
    let left: Vec<_> = std::fs::read_dir(&path).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn e15_a_right_given_before_the_clock_was_set_back_does_not_last_until_then() {
    let (_home, path) = directory();
    let clock = clock();
    let cache = FileCache::new(&path).unwrap().clock(Arc::new(clock.clone()));
    assert!(cache.lock("n", "one", Duration::from_secs(20)).await.unwrap());
    clock.set(countersign_token::Timestamp::from_unix_seconds(START - 3600));
    assert!(cache.lock("n", "two", Duration::from_secs(20)).await.unwrap());
}

#[tokio::test]
async fn of_many_who_find_a_right_that_has_ended_one_takes_it_over() {
    for empty in [false, true] {
        let (_home, path) = directory();
        // The machine's own clock: rights that are made meanwhile are new by it.
        let cache = FileCache::new(&path).unwrap();
        for round in 0..200 {
            let name = format!("n{round}");
            let file = std::fs::File::create(path.join(format!("{name}.lock"))).unwrap();
            if !empty {
                std::fs::write(path.join(format!("{name}.lock")), "1 somebody").unwrap();
            }
            made(&file, &SystemClock, Duration::from_secs(60));
            let owners: Vec<String> = (0..16).map(|number| format!("owner{number}")).collect();
            let life = Duration::from_secs(20);
            let taken = join_all(owners.iter().map(|owner| cache.lock(&name, owner, life))).await;
            let taken = taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count();
            assert_eq!(taken, 1, "{round}, empty: {empty}");
        }
    }
}

#[test]
fn c19_a_directory_of_another_users_is_refused() {
    let (_home, path) = directory();
    FileCache::new(&path).unwrap();
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0, "nothing is left of the look");
    // Only root can give a directory away, and only root could then write there.
    if std::os::unix::fs::chown(&path, Some(12_345), None).is_err() {
        eprintln!("skipped: only root can give a directory to another user");
        return;
    }
    assert!(matches!(FileCache::new(&path).unwrap_err(), FileCacheError::OwnedByAnother(_)));
}
