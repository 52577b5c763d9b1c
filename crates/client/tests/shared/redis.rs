//! Redis itself, where this machine has it, and a few lines that speak its protocol, where it has not.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use countersign_client::{AcquireError, RedisCache};

use super::sessions::{sign_in, silent, strict};
use super::*;

type Strings = Arc<Mutex<HashMap<Vec<u8>, Vec<u8>>>>;

/// Answers GET, DEL, SET with NX, and the one script, as Redis does; says yes to the rest.
fn serve(stream: TcpStream, strings: &Strings) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut text = String::new();
        (reader.read_line(&mut text).ok()? > 0).then_some(())?;
        let count: usize = text.trim_end()[1..].parse().ok()?;
        if text.starts_with('*') {
            return Some((count, Vec::new()));
        }
        let mut bytes = vec![0; count + 2];
        reader.read_exact(&mut bytes).ok()?;
        bytes.truncate(count);
        Some((0, bytes))
    };
    while let Some((count, _)) = line() {
        let Some(words) = (0..count).map(|_| line().map(|(_, bytes)| bytes)).collect::<Option<Vec<_>>>() else {
            return;
        };
        let mut strings = strings.lock().unwrap();
        let answer = match &*words[0].to_ascii_uppercase() {
            b"GET" => match strings.get(&words[1]) {
                Some(value) => [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat(),
                None => b"$-1\r\n".to_vec(),
            },
            b"SET" if words.iter().any(|word| word == b"NX") && strings.contains_key(&words[1]) => b"$-1\r\n".to_vec(),
            b"SET" => {
                assert!(words.iter().any(|word| word == b"PX"), "everything ends by itself");
                strings.insert(words[1].clone(), words[2].clone());
                b"+OK\r\n".to_vec()
            }
            b"DEL" => format!(":{}\r\n", u8::from(strings.remove(&words[1]).is_some())).into_bytes(),
            b"EVALSHA" => {
                let is_owner = strings.get(&words[3]) == Some(&words[4]);
                if is_owner {
                    strings.remove(&words[3]);
                }
                format!(":{}\r\n", u8::from(is_owner)).into_bytes()
            }
            _ => b"+OK\r\n".to_vec(),
        };
        drop(strings);
        if writer.write_all(&answer).is_err() {
            return;
        }
    }
}

fn stand_in() -> (String, Strings) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("redis://{}", listener.local_addr().unwrap());
    let strings = Strings::default();
    let shared = Arc::clone(&strings);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let strings = Arc::clone(&shared);
            std::thread::spawn(move || serve(stream, &strings));
        }
    });
    (address, strings)
}

pub(super) struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A real server on a free port; None where there is none on this machine.
pub(super) fn real() -> Option<(Server, String)> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    real_at(port)
}

pub(super) fn real_at(port: u16) -> Option<(Server, String)> {
    let started = ["valkey-server", "redis-server"].iter().find_map(|program| {
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()
    });
    let Some(mut child) = started else {
        eprintln!("skipped: neither valkey-server nor redis-server is installed");
        return None;
    };
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_ready = lines.map_while(Result::ok).any(|line| line.contains("Ready to accept connections"));
    assert!(is_ready, "the server ended before it was ready");
    Some((Server(child), format!("redis://127.0.0.1:{port}")))
}

async fn fleet_of_ten(address: &str) {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let fleet: Vec<_> =
        (0..10).map(|_| process(&endpoint, &clock, RedisCache::new(address, "countersign:").unwrap(), KEY)).collect();
    let orders = scopes("api://orders");
    for round in 1..=3 {
        let tokens = join_all(fleet.iter().map(|process| process.acquire_token_for_client(&orders))).await;
        assert!(tokens.into_iter().all(|token| token.unwrap().secret() == format!("token-{round}")));
        assert_eq!(endpoint.count(), round, "one request for the fleet");
        clock.advance(Duration::from_secs(7200));
    }
}

/// Ten processes and one user, until she signs out at one of them.
async fn session_of_ten(address: &str) {
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    strict(&endpoint);
    let new = || process(&endpoint, &clock, RedisCache::new(address, "countersign:").unwrap(), KEY);
    let fleet: Vec<_> = (0..10).map(|_| new()).collect();
    let account = sign_in(&fleet[0]).await;
    for round in 1..=3 {
        let tokens = join_all(fleet.iter().map(|process| silent(process, &account))).await;
        assert!(tokens.into_iter().all(|token| token.unwrap().secret() == format!("token-{round}")));
        assert_eq!(endpoint.count(), round, "one request for the fleet, and nobody is signed out");
        clock.advance(Duration::from_secs(7200));
    }
    assert_eq!(silent(&new(), &account).await.unwrap().secret(), "token-4", "after a restart");
    assert!(fleet[3].sign_out(&account).await);
    clock.advance(Duration::from_secs(7200));
    for process in fleet.iter().chain([&new()]) {
        assert!(matches!(silent(process, &account).await, Err(AcquireError::NotSignedIn)));
    }
    assert_eq!(endpoint.count(), 4);
}

#[tokio::test]
async fn one_session_for_the_fleet_over_the_wire() {
    let (address, strings) = stand_in();
    session_of_ten(&address).await;
    let strings = strings.lock().unwrap();
    let names: Vec<_> = strings.keys().map(|name| String::from_utf8_lossy(name)).collect();
    let has = |kind: &str| names.iter().any(|name| name.starts_with(&format!("countersign:{kind}")));
    assert!(has("ended-") && !has("session-"), "the mark and no session: {names:?}");
    assert!(names.iter().all(|name| !name.ends_with(":refresh")), "every right was given back: {names:?}");
}

#[tokio::test]
async fn one_session_for_the_fleet_with_a_real_server() {
    let Some((_server, address)) = real() else { return };
    session_of_ten(&address).await;
}

#[tokio::test]
async fn one_request_for_the_fleet_over_the_wire() {
    let (address, strings) = stand_in();
    fleet_of_ten(&address).await;
    let strings = strings.lock().unwrap();
    assert_eq!(strings.len(), 1, "one entry, every right given back: {:?}", strings.keys());
    assert!(strings.keys().all(|key| key.starts_with(b"countersign:")));
    assert!(!format!("{:?}", RedisCache::new("redis://user:s3cret@localhost", "p").unwrap()).contains("s3cret"));
}

#[tokio::test]
async fn one_request_for_the_fleet_with_a_real_server() {
    let Some((_server, address)) = real() else { return };
    fleet_of_ten(&address).await;
}

#[tokio::test]
async fn e23_a_server_that_is_not_there_costs_no_token() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let cache = RedisCache::new(&format!("redis://{port}"), "").unwrap();
    let client = process(&endpoint, &clock, cache, KEY);
    for api in ["api://a", "api://b"] {
        client.acquire_token_for_client(&scopes(api)).await.unwrap();
    }
    assert_eq!(endpoint.count(), 2);
    assert!(RedisCache::new("http://localhost", "").is_err());
}
