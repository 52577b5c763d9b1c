//! The environment, read in this one place. The names are those that people already have (design §3.4).
//!
//! A variable that is empty or blank counts as absent: that is what `export NAME=` in a script means.

use secrecy::SecretString;

/// The variables this program knows.
pub(crate) struct Environment {
    lookup: fn(&str) -> Option<String>,
}

impl Environment {
    /// The process's own.
    pub(crate) fn of_process() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this type is the binary's one door to the environment")]
        fn lookup(name: &str) -> Option<String> {
            std::env::var(name).ok()
        }
        Self { lookup }
    }

    fn text(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Any variable, for the client library, which knows by itself what Azure's platforms set.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.text(name)
    }

    /// `AZURE_TENANT_ID`
    pub(crate) fn tenant(&self) -> Option<String> {
        self.text("AZURE_TENANT_ID")
    }

    /// `AZURE_CLIENT_ID`
    pub(crate) fn client_id(&self) -> Option<String> {
        self.text("AZURE_CLIENT_ID")
    }

    /// `AZURE_CLIENT_SECRET`
    pub(crate) fn client_secret(&self) -> Option<SecretString> {
        self.text("AZURE_CLIENT_SECRET").map(SecretString::from)
    }

    /// `AZURE_CLIENT_CERTIFICATE_PATH`
    pub(crate) fn certificate_path(&self) -> Option<String> {
        self.text("AZURE_CLIENT_CERTIFICATE_PATH")
    }

    /// `AZURE_CLIENT_CERTIFICATE_PASSWORD`
    pub(crate) fn certificate_password(&self) -> Option<SecretString> {
        self.text("AZURE_CLIENT_CERTIFICATE_PASSWORD").map(SecretString::from)
    }

    /// `AZURE_CLIENT_SEND_CERTIFICATE_CHAIN`: `1` or `true`
    pub(crate) fn send_certificate_chain(&self) -> bool {
        self.text("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN")
            .is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
    }

    /// `AZURE_FEDERATED_TOKEN_FILE`
    pub(crate) fn federated_token_file(&self) -> Option<String> {
        self.text("AZURE_FEDERATED_TOKEN_FILE")
    }

    /// `AZURE_AUTHORITY_HOST`
    pub(crate) fn authority(&self) -> Option<String> {
        self.text("AZURE_AUTHORITY_HOST")
    }

    /// `COUNTERSIGN_CA`
    pub(crate) fn ca(&self) -> Option<String> {
        self.text("COUNTERSIGN_CA")
    }

    /// `COUNTERSIGN_DATABASE_URL`
    pub(crate) fn database_url(&self) -> Option<SecretString> {
        self.text("COUNTERSIGN_DATABASE_URL").map(SecretString::from)
    }

    /// `COUNTERSIGN_LOG`
    pub(crate) fn log(&self) -> Option<String> {
        self.text("COUNTERSIGN_LOG")
    }
}

#[cfg(test)]
impl Environment {
    /// An environment made of what a function says.
    pub(crate) fn of(lookup: fn(&str) -> Option<String>) -> Self {
        Self { lookup }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_is_absent() {
        let environment = Environment::of(|name| (name == "AZURE_TENANT_ID").then(|| "  ".to_owned()));
        assert_eq!(environment.tenant(), None);
        let environment = Environment::of(|name| (name == "AZURE_TENANT_ID").then(|| " contoso.com\n".to_owned()));
        assert_eq!(environment.tenant().as_deref(), Some("contoso.com"));
    }
}
