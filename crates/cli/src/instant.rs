//! Times for people: UTC, and how far from now.

use jiff::Timestamp;

/// `2026-01-01 00:00:00 UTC`; the bare number where no calendar has it.
pub(crate) fn utc(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(instant) => instant.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => format!("{seconds} s since 1970, beyond any calendar"),
    }
}

/// `in 59 min`, `2 h ago`, `now`: two units at most.
pub(crate) fn relative(seconds: i64, now: i64) -> String {
    let distance = seconds.saturating_sub(now);
    if distance == 0 {
        return "now".to_owned();
    }
    let span = span(distance.unsigned_abs());
    if distance > 0 { format!("in {span}") } else { format!("{span} ago") }
}

fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let Some(largest) = UNITS.iter().position(|(size, _)| seconds >= *size) else { return "0 s".to_owned() };
    let (size, unit) = UNITS[largest];
    let mut text = format!("{} {unit}", seconds / size);
    if let Some((smaller, name)) = UNITS.get(largest + 1).filter(|_| size > 60) {
        let rest = seconds % size / smaller;
        if rest > 0 {
            text.push_str(&format!(" {rest} {name}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_utc() {
        assert_eq!(utc(1_767_225_600), "2026-01-01 00:00:00 UTC");
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert!(utc(i64::MAX).contains("beyond any calendar"));
    }

    #[test]
    fn distances_have_two_units_at_most() {
        assert_eq!(relative(100, 100), "now");
        assert_eq!(relative(159, 100), "in 59 s");
        assert_eq!(relative(100, 100 + 3_599), "59 min ago");
        assert_eq!(relative(100 + 7_500, 100), "in 2 h 5 min");
        assert_eq!(relative(86_400 * 30, 0), "in 30 d");
        assert_eq!(relative(i64::MIN, i64::MAX).split(' ').next_back(), Some("ago"));
    }
}
