//! A directory as the shared cache: whose files they are, and what is not followed.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use countersign_client::{FileCache, FileCacheError};

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
fn files_older_than_any_token_go_and_others_stay() {
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
