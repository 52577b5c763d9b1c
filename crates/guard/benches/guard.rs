#![expect(missing_docs, reason = "a benchmark has no readers")]
fn main() {}
