//! One recorded exchange.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// A line of a recordings file.
pub(crate) struct Exchange(Value);

impl Exchange {
    pub(crate) fn read(file: &Path) -> Vec<Self> {
        let text = fs::read_to_string(file).unwrap();
        text.lines().map(|line| Self(serde_json::from_str(line).unwrap())).collect()
    }

    pub(crate) fn id(&self) -> &str {
        self.0["id"].as_str().unwrap_or_default()
    }

    pub(crate) fn topic(&self) -> &str {
        self.0["topic"].as_str().unwrap_or_default()
    }

    pub(crate) fn outcome(&self) -> &str {
        self.0["outcome"].as_str().unwrap_or_default()
    }

    pub(crate) fn client_auth(&self) -> &str {
        self.0["client_auth"].as_str().unwrap_or_default()
    }

    pub(crate) fn grant(&self) -> &str {
        self.0["grant"].as_str().unwrap_or_default()
    }

    /// Whether it is of this grant.
    pub(crate) fn is(&self, grant: &str) -> bool {
        self.0["grant"] == grant
    }

    /// The day, `2022-03-01`; empty when it is not known.
    pub(crate) fn date(&self) -> String {
        let text = self.0["recorded_at"].as_str().unwrap_or_default();
        if text.as_bytes().get(4) == Some(&b'-') {
            return text[..10].to_owned();
        }
        let parts: Vec<&str> = text.split(' ').collect();
        let [_, day, month, year, ..] = parts[..] else { return String::new() };
        const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
        let month = MONTHS.find(month).map_or(0, |at| at / 3 + 1);
        format!("{year}-{month:02}-{day}")
    }

    pub(crate) fn request(&self) -> &Value {
        &self.0["request"]
    }

    pub(crate) fn path(&self) -> &str {
        self.0["request"]["url_path"].as_str().unwrap_or_default()
    }

    pub(crate) fn query(&self) -> &str {
        self.0["request"]["query"].as_str().unwrap_or_default()
    }

    /// A field of the recorded form; none when the recorder had removed it.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.0["request"]["form"][name].as_str().filter(|text| !text.eq_ignore_ascii_case("sanitized"))
    }

    pub(crate) fn status(&self) -> Option<u64> {
        self.0["response"]["status"].as_u64()
    }

    pub(crate) fn body(&self) -> &Value {
        &self.0["response"]["body"]
    }

    /// The response's headers, names in lower case. Empty: they were not recorded.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let headers = self.0["response"]["headers"].as_object();
        let pairs = headers.into_iter().flatten();
        pairs.filter_map(|(name, value)| Some((name.to_ascii_lowercase(), value.as_str()?.to_owned()))).collect()
    }

    pub(crate) fn id_token(&self) -> &Value {
        &self.0["jwts"]["id_token"]
    }

    pub(crate) fn access_token(&self) -> &Value {
        &self.0["jwts"]["access_token"]
    }
}
