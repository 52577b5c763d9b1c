//! A71 to A75: dates are whole seconds, and a date of another type is not an absent date (CVE-2026-25537).

use serde_json::{Value, json};

use crate::kit::{Kit, SKEW};
use crate::{Family, bases, payload_with};

pub(crate) fn families() -> Vec<Family> {
    vec![expired(), expiry_types(), expiry_extents(), not_before(), issued()]
}

/// So long that the test is over before it has passed.
const SOON: i64 = SKEW + 600;

/// What is no date, though it may look like a good one.
fn wrong_types(good: i64) -> [Value; 7] {
    [
        json!(good.to_string()),
        json!(""),
        json!(true),
        json!(false),
        json!([good]),
        json!({"seconds": good}),
        json!(null),
    ]
}

/// The same in texts that are no JSON integer.
fn wrong_numbers(family: &mut Family, kit: &Kit, name: &str, good: i64) {
    for text in
        [format!("{good}.0"), format!("{good}.5"), format!("{good}e0"), "1.7672292e9".to_owned(), "-0".to_owned()]
    {
        family.push_payload(kit, payload_with(kit, name, &text));
    }
}

fn expired() -> Family {
    let codes = &["expired", "claim_missing", "claim_range"];
    let mut family = Family::new(71, "exp past, missing, zero, negative", 36, codes);
    for kit in bases() {
        let now = kit.now;
        // One second beyond what is granted to clocks; the exact edge is `access_tokens`'.
        family.claims(&kit, "exp", [now - SKEW - 1, now - 3_600, now - 86_400 * 365, 0, 1, -1, -now, i64::MIN]);
        family.push(kit.without("exp"));
    }
    family
}

fn expiry_types() -> Family {
    let mut family = Family::new(72, "exp of another type", 48, &["claim_type"]);
    for kit in bases() {
        let good = kit.now + 3_600;
        family.claims(&kit, "exp", wrong_types(good));
        wrong_numbers(&mut family, &kit, "exp", good);
    }
    family
}

fn expiry_extents() -> Family {
    let codes = &["claims_malformed", "claim_type", "claim_range"];
    let mut family = Family::new(73, "exp too large to count", 44, codes);
    for kit in bases() {
        let milliseconds = ((kit.now + 3_600) * 1_000).to_string();
        let beyond = ["9223372036854775808", "18446744073709551616", "340282366920938463463374607431768211456"];
        let range = ["9223372036854775807", "253402300800", &milliseconds];
        for text in ["1e400", "-1e400", "Infinity", "-NaN"].iter().chain(&beyond).chain(&range) {
            family.push_payload(&kit, payload_with(&kit, "exp", text));
        }
        family.push_payload(&kit, payload_with(&kit, "exp", "1e300"));
    }
    family
}

fn not_before() -> Family {
    let codes = &["not_yet_valid", "claim_type", "claim_range"];
    let mut family = Family::new(74, "nbf in the future or of another type", 64, codes);
    for kit in bases() {
        let now = kit.now;
        family.claims(&kit, "nbf", [now + SOON, now + 86_400, now * 1_000, -1]);
        family.claims(&kit, "nbf", wrong_types(now - 300));
        wrong_numbers(&mut family, &kit, "nbf", now - 300);
    }
    family
}

fn issued() -> Family {
    let codes = &["issued_in_future", "claim_type", "claim_range"];
    let mut family = Family::new(75, "iat in the future or of another type", 64, codes);
    for kit in bases() {
        let now = kit.now;
        family.claims(&kit, "iat", [now + SOON, now * 1_000, -1]);
        // Issued after it had expired.
        family.push(kit.clone().claim("iat", now + 10).claim("exp", now + 5));
        family.claims(&kit, "iat", wrong_types(now - 300));
        wrong_numbers(&mut family, &kit, "iat", now - 300);
    }
    family
}
