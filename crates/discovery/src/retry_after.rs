//! Reads `Retry-After`, the one header by which a throttling endpoint says when to come back.

use std::time::{Duration, UNIX_EPOCH};

use countersign_token::Timestamp;
use http::HeaderMap;
use http::header::RETRY_AFTER;

/// How long the response asks to wait, counted from `now`.
///
/// Shape: whole seconds, or an HTTP-date. A date that has passed is zero; a header that is neither, or negative, says
/// nothing and is ignored. The value is not capped here: how much patience is right depends on who asks.
///
/// Source: RFC 9110 §10.2.3. Entra sends seconds.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit still mean "a very long time".
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let date = Timestamp::from_unix_seconds(i64::try_from(date.as_secs()).ok()?);
    Some(date.saturating_duration_since(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(text: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
        retry_after(&headers, Timestamp::from_unix_seconds(784_111_717)).map(|wait| wait.as_secs())
    }

    #[test]
    fn e05_seconds_dates_and_nonsense() {
        assert_eq!(read("120"), Some(120));
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(60));
        assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        for nonsense in ["-5", "", "soon", "1.5", "+3", "Sun, 99 Nov 1994 08:49:37 GMT"] {
            assert_eq!(read(nonsense), None, "{nonsense:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), Timestamp::from_unix_seconds(0)), None);
    }
}
