//! One line of a recording file, with JSON members in their order.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The members of a JSON object in the order of the text.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Ordered(pub(crate) Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Ordered;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut members = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    members.push(entry);
                }
                Ok(Ordered(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl Ordered {
    pub(crate) fn parse(json: &[u8]) -> Self {
        serde_json::from_slice(json).unwrap()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn sorted(&self) -> Self {
        let mut members = self.0.clone();
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self(members)
    }
}

#[derive(Deserialize)]
pub(crate) struct Request {
    pub(crate) query: Option<String>,
    #[serde(default)]
    pub(crate) headers: Ordered,
    pub(crate) form: Option<Ordered>,
}

#[derive(Deserialize)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Ordered,
    body: Box<RawValue>,
}

#[derive(Deserialize)]
pub(crate) struct Line {
    pub(crate) id: String,
    recorded_at: Option<String>,
    pub(crate) outcome: String,
    pub(crate) grant: Option<String>,
    pub(crate) request: Option<Request>,
    pub(crate) response: Option<Response>,
    member_order: Option<String>,
}

impl Response {
    pub(crate) fn json(&self) -> &[u8] {
        self.body.get().as_bytes()
    }

    pub(crate) fn members(&self) -> Ordered {
        Ordered::parse(self.json())
    }
}

impl Line {
    /// The year and month, `202205`, whichever of the two forms the date has. One key set has none.
    pub(crate) fn month(&self) -> u32 {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let date = self.recorded_at.as_deref().unwrap();
        if date.as_bytes()[4] == b'-' {
            return date[..4].parse::<u32>().unwrap() * 100 + date[5..7].parse::<u32>().unwrap();
        }
        let month = MONTHS.iter().zip(1..).find(|(name, _)| **name == &date[8..11]).unwrap().1;
        date[12..16].parse::<u32>().unwrap() * 100 + month
    }

    /// Asserts that our bytes have the recorded members and values, in the recorded order unless the recorder lost it.
    #[track_caller]
    pub(crate) fn assert_same(&self, ours: &[u8]) {
        let (ours, recorded) = (Ordered::parse(ours), self.response.as_ref().unwrap().members());
        if self.member_order.as_deref() == Some("lost") {
            assert_eq!(ours.sorted(), recorded.sorted(), "{}", self.id);
        } else {
            assert_eq!(ours.names(), recorded.names(), "{}", self.id);
            assert_eq!(ours, recorded, "{}", self.id);
        }
    }

    /// Asserts the fixed headers, as far as the recorder kept them and the service sent them at the time.
    #[track_caller]
    pub(crate) fn assert_headers(&self, fixed: &[(&str, &str)]) {
        let headers = &self.response.as_ref().unwrap().headers;
        if headers.0.is_empty() {
            return;
        }
        for (name, value) in fixed {
            match headers.text(name) {
                Some(recorded) => assert_eq!(recorded, *value, "{} {name}", self.id),
                None if *name == "x-xss-protection" => assert!(self.month() < 202_205, "{}", self.id),
                None => panic!("{}: no {name}", self.id),
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "tests find shared material through one environment variable")]
fn shared() -> PathBuf {
    match std::env::var_os("COUNTERSIGN_SHARED") {
        Some(path) => path.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    }
}

/// Every line of a topic, or `None` where the recordings are absent. A line that cannot be parsed fails the test.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn lines(topic: &str) -> Option<Vec<Line>> {
    let path = shared().join("recordings").join(topic).with_extension("jsonl");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: no recordings at {}", path.display());
        return None;
    };
    let lines: Vec<Line> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!lines.is_empty(), "{} is empty", path.display());
    Some(lines)
}
