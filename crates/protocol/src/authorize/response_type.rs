//! `response_type` and `response_mode` (OAuth 2.0 Multiple Response Type Encoding Practices).

/// What the authorization endpoint is asked to return.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ResponseTypes {
    /// An authorization code.
    pub code: bool,
    /// An id_token.
    pub id_token: bool,
    /// An access token, by the implicit flow.
    pub token: bool,
}

impl ResponseTypes {
    /// Reads `response_type`: words in any order, each once. Only what Entra advertises passes: `code`, `id_token`,
    /// `token`, `code id_token`, `id_token token`. `None` is for AADSTS70005.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut types = Self::default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let flag = match word {
                "code" => &mut types.code,
                "id_token" => &mut types.id_token,
                "token" => &mut types.token,
                _ => return None,
            };
            if std::mem::replace(flag, true) {
                return None;
            }
        }
        let advertised = match (types.code, types.token) {
            (true, true) => false,
            (false, false) => types.id_token,
            _ => true,
        };
        advertised.then_some(types)
    }

    /// Whether a token comes by way of the browser. Such an answer never goes into a query.
    #[must_use]
    pub const fn has_token(self) -> bool {
        self.id_token || self.token
    }

    /// The mode when none is named: a code goes into the query, a token into the fragment.
    #[must_use]
    pub const fn default_mode(self) -> ResponseMode {
        if self.has_token() { ResponseMode::Fragment } else { ResponseMode::Query }
    }
}

/// How the answer reaches the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResponseMode {
    /// In the redirect URI's query.
    Query,
    /// In its fragment, which no server sees.
    Fragment,
    /// As a form that the browser posts.
    FormPost,
}

impl ResponseMode {
    /// Reads `response_mode`; the text is compared exactly.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "query" => Some(Self::Query),
            "fragment" => Some(Self::Fragment),
            "form_post" => Some(Self::FormPost),
            _ => None,
        }
    }

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_words_does_not_matter() {
        let (code, id_token, token) = (true, true, true);
        for (text, types) in [
            ("code", ResponseTypes { code, ..ResponseTypes::default() }),
            ("id_token", ResponseTypes { id_token, ..ResponseTypes::default() }),
            ("token", ResponseTypes { token, ..ResponseTypes::default() }),
            ("code id_token", ResponseTypes { code, id_token, token: false }),
            ("id_token  code", ResponseTypes { code, id_token, token: false }),
            ("token id_token", ResponseTypes { code: false, id_token, token }),
            ("id_token token", ResponseTypes { code: false, id_token, token }),
        ] {
            assert_eq!(ResponseTypes::parse(text), Some(types), "{text}");
        }
        for text in ["", " ", "none", "Code", "code code", "code token", "code id_token token", "code,id_token"] {
            assert_eq!(ResponseTypes::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_token_goes_into_the_fragment_unless_said_otherwise() {
        let mode = |text| ResponseTypes::parse(text).unwrap().default_mode();
        assert_eq!(mode("code"), ResponseMode::Query);
        for text in ["id_token", "token", "code id_token"] {
            assert_eq!(mode(text), ResponseMode::Fragment, "{text}");
        }
        for mode in [ResponseMode::Query, ResponseMode::Fragment, ResponseMode::FormPost] {
            assert_eq!(ResponseMode::parse(mode.as_str()), Some(mode));
        }
        assert_eq!(ResponseMode::parse("web_message"), None);
    }
}
