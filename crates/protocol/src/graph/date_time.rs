//! Graph's `Edm.DateTimeOffset`.

use std::fmt;
use std::str::FromStr;

use countersign_token::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time as Graph writes it: `2026-01-31T10:00:00Z`, with seven fraction digits where there is a fraction.
///
/// Reads any RFC 3339 offset. Times outside 1678 to 2262 (portals write 2299 and 9999 for "never") become the nearest
/// end of that range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DateTime(pub Timestamp);

/// The text is not an RFC 3339 date-time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time of the form 2026-01-31T10:00:00Z")]
pub struct DateTimeError;

impl FromStr for DateTime {
    type Err = DateTimeError;

    fn from_str(text: &str) -> Result<Self, DateTimeError> {
        let Ok(parsed) = text.parse::<jiff::Timestamp>() else {
            // .NET's last moment, 9999-12-31T23:59:59.9999999Z, is beyond the parser's last moment by a day.
            let pieces = jiff::fmt::temporal::Pieces::parse(text).map_err(|_| DateTimeError)?;
            let last_year = pieces.date().year() == 9999 && pieces.time().is_some() && pieces.offset().is_some();
            return if last_year { Ok(Self(Timestamp::from_nanos(i64::MAX))) } else { Err(DateTimeError) };
        };
        Ok(Self(match i64::try_from(parsed.as_nanosecond()) {
            Ok(nanos) => Timestamp::from_nanos(nanos),
            Err(_) => Timestamp::from_unix_seconds(parsed.as_second()), // saturates
        }))
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every i64 of nanoseconds lies within jiff's range, so the fallback is never written.
        let time = jiff::Timestamp::from_nanosecond(self.0.as_nanos().into()).unwrap_or_default();
        let hundreds_of_nanos = self.0.as_nanos().rem_euclid(1_000_000_000) / 100;
        let whole = time.strftime("%Y-%m-%dT%H:%M:%S");
        match hundreds_of_nanos {
            0 => write!(f, "{whole}Z"),
            fraction => write!(f, "{whole}.{fraction:07}Z"),
        }
    }
}

impl Serialize for DateTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DateTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_spellings_are_read_and_written_back() {
        for text in ["2026-01-31T10:00:00Z", "2026-01-31T10:00:00.1234567Z", "1969-12-31T23:59:59.5000000Z"] {
            assert_eq!(text.parse::<DateTime>().unwrap().to_string(), text);
        }
        let offset: DateTime = "2026-01-31T12:00:00+02:00".parse().unwrap();
        assert_eq!(offset.to_string(), "2026-01-31T10:00:00Z");
    }

    #[test]
    fn never_saturates() {
        for text in ["9999-12-31T23:59:59.9999999Z", "9999-01-01T00:00:00Z", "2299-12-31T00:00:00Z"] {
            let never: DateTime = text.parse().unwrap();
            assert_eq!(never.to_string(), "2262-04-11T23:47:16.8547758Z");
        }
        let never: DateTime = "9999-12-31T23:59:59Z".parse().unwrap();
        assert!("0001-01-01T00:00:00Z".parse::<DateTime>().unwrap() < never);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "2026-01-31", "2026-01-31T10:00:00", "1767225600", "31.01.2026", "9999-12-31", "9999-12-31T23:59:59"]
        {
            assert_eq!(text.parse::<DateTime>(), Err(DateTimeError), "{text:?}");
        }
    }
}
