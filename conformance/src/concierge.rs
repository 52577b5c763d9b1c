//! What a program of `clients/` cannot do itself: sign a person in, approve a device, let the authority's time pass.
//!
//! A plain HTTP server on loopback, one JSON object in, one out, so that a program in any language needs no more than its
//! own HTTP client:
//!
//! | route | in | out |
//! |---|---|---|
//! | `/authorize` | `url`, an authorization request; `login` if not Alice's | `location`, where it led |
//! | `/device` | `user_code` | `{}` |
//! | `/advance` | `seconds` | `{}` |

use std::net::SocketAddr;
use std::sync::Arc;

use countersign_token::OffsetClock;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::contoso::{ALICE, House, PASSWORD};
use crate::person::{Arrived, Person};

/// The running server; it ends with this value.
pub struct Concierge {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Concierge {
    /// Opens one for a house that takes its time from this clock.
    pub async fn open(house: Arc<House>, clock: OffsetClock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (house, clock) = (Arc::clone(&house), clock.clone());
                tokio::spawn(async move { serve(stream, &house, &clock).await });
            }
        });
        Self { address, task }
    }

    /// `http://127.0.0.1:{port}`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Concierge {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, house: &House, clock: &OffsetClock) {
    let mut stream = BufReader::new(stream);
    let (mut line, mut target, mut length) = (String::new(), String::new(), 0);
    loop {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        if target.is_empty() {
            line.split(' ').nth(1).unwrap_or_default().clone_into(&mut target);
        } else if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        } else if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    if stream.read_exact(&mut body).await.is_err() {
        return;
    }
    let wish: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (status, answer) = match answer(&target, &wish, house, clock).await {
        Ok(answer) => ("200 OK", answer),
        Err(why) => ("500 Refused", json!({"refused": why})),
    };
    let body = answer.to_string();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    // A program that has gone does not want to know.
    let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes()).await;
}

async fn answer(target: &str, wish: &Value, house: &House, clock: &OffsetClock) -> Result<Value, String> {
    let text = |member: &str| wish[member].as_str().ok_or_else(|| format!("{target} wants {member}"));
    let mut person = Person::new(house, wish["login"].as_str().unwrap_or(ALICE), PASSWORD);
    match target {
        "/authorize" => match person.open(text("url")?).await {
            Arrived::Away(location) => Ok(json!({"location": location})),
            Arrived::Page(page) => Err(String::from_utf8_lossy(&page.body).into_owned()),
        },
        "/device" => match person.approve_device(text("user_code")?).await {
            Arrived::Page(page) if page.status == 200 => Ok(json!({})),
            other => Err(format!("{other:?}")),
        },
        "/advance" => {
            clock.advance_seconds(wish["seconds"].as_i64().ok_or("seconds")?);
            Ok(json!({}))
        }
        other => Err(format!("there is no {other}")),
    }
}
