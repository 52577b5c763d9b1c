//! Which of the two generations of endpoints is spoken.

use std::fmt;

/// The generation of an endpoint: v1.0 (`/oauth2/token`) or v2.0 (`/oauth2/v2.0/token`).
///
/// It decides paths, the JSON types of numbers and the version of id_tokens. The version of an *access token* is decided
/// by the resource's registration instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EndpointVersion {
    /// `/{tenant}/oauth2/…`: `resource` in requests, numbers as JSON strings.
    V1,
    /// `/{tenant}/oauth2/v2.0/…`: `scope` in requests, numbers as JSON numbers.
    V2,
}

impl EndpointVersion {
    /// The version segment inside an OAuth path, with its slash: `""` or `"v2.0/"`.
    pub(crate) const fn segment(self) -> &'static str {
        match self {
            Self::V1 => "",
            Self::V2 => "v2.0/",
        }
    }
}

impl fmt::Display for EndpointVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1.0",
            Self::V2 => "v2.0",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_are_named_as_entra_names_them() {
        assert_eq!(EndpointVersion::V1.to_string(), "v1.0");
        assert_eq!(EndpointVersion::V2.to_string(), "v2.0");
    }
}
