//! The sentence that a device shows, in the language of the query's `mkt`.

/// Sentences with `{page}` and `{code}`, by language; the first is for everybody else (recorded).
const SENTENCES: [(&str, &str); 4] = [
    ("en", "To sign in, use a web browser to open the page {page} and enter the code {code} to authenticate."),
    ("de", "Öffnen Sie zur Anmeldung die Seite {page} in einem Browser und geben Sie dort den Code {code} ein."),
    ("es", "Para iniciar sesión, abra la página {page} en un navegador y escriba el código {code}."),
    ("fr", "Pour vous connecter, ouvrez la page {page} dans un navigateur et saisissez le code {code}."),
];

/// The sentence for a market such as `de-DE`; of the language only the first part counts.
pub(super) fn message(market: Option<&str>, page: &str, code: &str) -> String {
    let language = market.unwrap_or_default().split(['-', '_']).next().unwrap_or_default();
    let known = SENTENCES.iter().find(|(known, _)| known.eq_ignore_ascii_case(language));
    let (_, sentence) = known.unwrap_or(&SENTENCES[0]);
    sentence.replace("{page}", page).replace("{code}", code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_markets_or_english() {
        let page = "https://microsoft.com/devicelogin";
        let english = message(None, page, "GK3TKX9MA");
        assert_eq!(
            english,
            "To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code \
             GK3TKX9MA to authenticate."
        );
        assert!(message(Some("de-DE"), page, "GK3TKX9MA").starts_with("Öffnen Sie"));
        for other in ["tlh", "", "../de", "x".repeat(10_000).as_str()] {
            assert_eq!(message(Some(other), page, "GK3TKX9MA"), english);
        }
    }
}
