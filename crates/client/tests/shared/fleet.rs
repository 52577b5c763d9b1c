//! Fifty clients with memories of their own, some of them in processes of their own, on one real Redis; and what becomes
//! of them when it is emptied, ends, or hangs. Skipped where this machine has no Redis.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use bytes::Bytes;
use countersign_client::RedisCache;
use countersign_discovery::{Limits, Transport};

use super::redis::{real, real_at};
use super::support::{Outcome, ok};
use super::*;

const PREFIX: &str = "countersign:";
const PROCESSES: usize = 5;
const CLIENTS: usize = 10;

fn redis(address: &str) -> RedisCache {
    RedisCache::new(address, PREFIX).unwrap()
}

/// A token endpoint for several processes: a line in, a number out.
fn numbers() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, count) = (listener.local_addr().unwrap().to_string(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
            let _ = writeln!(stream, "{number}");
        }
    });
    (address, count)
}

/// Asks the endpoint of the parent process.
#[derive(Debug)]
struct Numbers(String);

impl Transport for Numbers {
    fn send(&self, _: http::Request<Bytes>, _: Limits) -> BoxFuture<'static, Outcome> {
        let mut answer = String::new();
        TcpStream::connect(&self.0).unwrap().read_to_string(&mut answer).unwrap();
        let token = format!("token-{}", answer.trim());
        Box::pin(async move { ok(&json!({"token_type": "Bearer", "expires_in": 3600, "access_token": token})) })
    }
}

/// What a process of the fleet does when the parent runs this program anew; without a parent, nothing.
#[test]
#[ignore = "run by fifty_clients_in_five_processes_make_one_request_…, with orders on standard input"]
fn one_process_of_the_fleet() {
    let mut orders = std::io::stdin().lines().map_while(Result::ok);
    let (Some(cache), Some(endpoint)) = (orders.next(), orders.next()) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (unused, clock) = (Endpoint::issuing(), clock());
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                builder(&unused, &clock)
                    .transport(Arc::new(Numbers(endpoint.clone())))
                    .randomness(Arc::new(SystemRandomness))
                    .cache(TokenCache::default())
                    .shared_tokens(SharedTokens::new(Arc::new(redis(&cache)), &RootKey::from_bytes(KEY)).unwrap())
                    .secret(SECRET.to_owned())
                    .build()
                    .unwrap()
            })
            .collect();
        let api = scopes("api://orders");
        for order in orders {
            if let Some(seconds) = order.strip_prefix("advance ") {
                clock.advance(Duration::from_secs(seconds.parse().unwrap()));
                continue;
            }
            let tokens = join_all(clients.iter().map(|client| client.acquire_token_for_client(&api))).await;
            let tokens: Vec<_> = tokens.into_iter().map(|token| token.unwrap().secret().to_owned()).collect();
            // Not through the test harness, which would keep it to itself.
            writeln!(std::io::stdout(), "tokens: {}", tokens.join(" ")).unwrap();
        }
    });
}

struct Process {
    child: Child,
    orders: ChildStdin,
    answers: std::io::Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(cache: &str, endpoint: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["fleet::one_process_of_the_fleet", "--exact", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut orders, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        writeln!(orders, "{cache}\n{endpoint}").unwrap();
        Self { child, orders, answers: BufReader::new(answers).lines() }
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    fn tokens(&mut self) -> Vec<String> {
        let line =
            self.answers.by_ref().map(Result::unwrap).find_map(|line| Some(line.split_once("tokens: ")?.1.to_owned()));
        line.unwrap().split(' ').map(str::to_owned).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All at once, in every process.
fn ask(fleet: &mut [Process]) -> Vec<String> {
    fleet.iter_mut().for_each(|process| process.order("ask"));
    fleet.iter_mut().flat_map(Process::tokens).collect()
}

#[test]
fn fifty_clients_in_five_processes_make_one_request_cold_at_a_renewal_and_at_an_expiry() {
    let Some((_server, address)) = real() else { return };
    let (endpoint, count) = numbers();
    let mut fleet: Vec<_> = (0..PROCESSES).map(|_| Process::start(&address, &endpoint)).collect();
    let all = |tokens: &[String], expected: &str| {
        tokens.len() == PROCESSES * CLIENTS && tokens.iter().all(|token| token == expected)
    };
    let tokens = ask(&mut fleet);
    assert!(all(&tokens, "token-1"), "cold: {tokens:?}");
    assert_eq!(count.load(Ordering::SeqCst), 1, "cold");

    // Past half the token's life it is renewed ahead of its end.
    fleet.iter_mut().for_each(|process| process.order("advance 2000"));
    let begun = std::time::Instant::now();
    loop {
        let tokens = ask(&mut fleet);
        if all(&tokens, "token-2") {
            break;
        }
        assert!(tokens.iter().all(|token| token == "token-1" || token == "token-2"), "{tokens:?}");
        assert!(begun.elapsed() < Duration::from_secs(30), "never renewed everywhere: {tokens:?}");
        std::thread::yield_now();
    }
    assert_eq!(count.load(Ordering::SeqCst), 2, "renewed by one");

    for round in 3..6 {
        fleet.iter_mut().for_each(|process| process.order("advance 7200"));
        let tokens = ask(&mut fleet);
        assert!(all(&tokens, &format!("token-{round}")), "expired: {tokens:?}");
        assert_eq!(count.load(Ordering::SeqCst), round, "expired");
    }
}

/// What fifty clients of this process get, none of whom may get an error.
async fn tokens(fleet: &[ConfidentialClient]) -> Vec<String> {
    let api = scopes("api://orders");
    let tokens = join_all(fleet.iter().map(|client| client.acquire_token_for_client(&api))).await;
    tokens.into_iter().map(|token| token.unwrap().secret().to_owned()).collect()
}

#[tokio::test]
async fn e23_a_redis_that_is_emptied_costs_no_request_while_tokens_are_at_hand_and_one_at_their_end() {
    let Some((_server, address)) = real() else { return };
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let fleet: Vec<_> = (0..50).map(|_| process(&endpoint, &clock, redis(&address), KEY)).collect();
    tokens(&fleet).await;
    for round in 1..4 {
        let mut stream = TcpStream::connect(address.strip_prefix("redis://").unwrap()).unwrap();
        stream.write_all(b"FLUSHALL\r\n").unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"+OK\r\n");
        assert!(tokens(&fleet).await.iter().all(|token| *token == format!("token-{round}")));
        assert_eq!(endpoint.count(), round);
        clock.advance(Duration::from_secs(7200));
        assert!(tokens(&fleet).await.iter().all(|token| *token == format!("token-{}", round + 1)));
        assert_eq!(endpoint.count(), round + 1, "one for the fleet");
    }
}

#[tokio::test]
async fn e23_a_redis_that_ends_costs_nobody_a_token_and_is_found_again() {
    let Some((server, address)) = real() else { return };
    let port: u16 = address.rsplit_once(':').unwrap().1.parse().unwrap();
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let fleet: Vec<_> = (0..50).map(|_| process(&endpoint, &clock, redis(&address), KEY)).collect();
    tokens(&fleet).await;
    assert_eq!(endpoint.count(), 1);
    drop(server);
    tokens(&fleet).await;
    assert_eq!(endpoint.count(), 1, "tokens at hand ask nobody");
    clock.advance(Duration::from_secs(7200));
    tokens(&fleet).await;
    let alone = endpoint.count();
    assert!((2..=51).contains(&alone), "each for itself at most: {alone}");

    let Some(_server) = real_at(port) else { return };
    // Connections are made anew in the background; then there is one request for the fleet again.
    for _ in 0..20 {
        let before = endpoint.count();
        clock.advance(Duration::from_secs(7200));
        tokens(&fleet).await;
        if endpoint.count() == before + 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the fleet does not find together again");
}

#[tokio::test]
async fn e23_a_redis_that_accepts_and_never_answers_costs_half_a_second_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("redis://{}", listener.local_addr().unwrap());
    let held = Arc::new(Mutex::new(Vec::new()));
    let accepted = Arc::clone(&held);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            accepted.lock().unwrap().push(stream);
        }
    });
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = process(&endpoint, &clock, redis(&address), KEY);
    let begun = std::time::Instant::now();
    for api in 0..20 {
        client.acquire_token_for_client(&scopes(&format!("api://{api}"))).await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(endpoint.count(), 20);
    assert!(!held.lock().unwrap().is_empty(), "it was tried");
}
