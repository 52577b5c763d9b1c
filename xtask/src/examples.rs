//! Every story of `examples/run`, as a reader starts it, and what it must say.
//!
//! `examples/tests` run the same programs at ports of their own, with each of their outcomes; here it is the script that is
//! tested, with the files as they come.

use crate::process::{command, probe};

/// A story, and the parts of its output that show that it came to its end.
const STORIES: [(&str, &[&str]); 4] = [
    ("daemon", &["GET http://127.0.0.1:5001/orders: 200", "POST http://127.0.0.1:5001/orders: 403"]),
    ("middle-tier", &["200 on behalf of 11111111-1111-4111-8111-111111111111: 200 tea and ink"]),
    (
        "multi-tenant",
        &["200 the data of tenant 0b1f5f0a-7b5d-4b43-9d0e-5f3b1f2a9c11", "GET http://127.0.0.1:5003/data: 401"],
    ),
    ("grpc", &["with a token: tea and ink", "without a token: Unauthenticated"]),
];

pub(crate) fn run() -> Result<(), String> {
    let faults: Vec<_> = STORIES.iter().filter_map(|(story, expected)| run_one(story, expected).err()).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

fn run_one(story: &str, expected: &[&str]) -> Result<(), String> {
    println!("    $ examples/run {story}");
    let mut script = command("examples/run");
    script.arg(story);
    let (passed, said) = probe(script);
    match expected.iter().find(|text| !said.contains(**text)) {
        None if passed => Ok(()),
        missing => {
            print!("{said}");
            Err(format!("examples/run {story}: {}", missing.map_or("it failed", |text| text)))
        }
    }
}
