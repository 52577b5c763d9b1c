//! Folding: what differs between any two exchanges is replaced by one sign before texts are compared.

/// Hosts and tenants of either side, guids, thumbprints, times, line ends.
pub(crate) fn text(text: &str, origin: &str) -> String {
    let text = text.replace(origin, "{authority}").replace("https://login.microsoftonline.com", "{authority}");
    let text = text.replace("\r\n", " ");
    // The names that recorders gave to tenants and applications, and the scheme's own placeholders.
    let names = ["fake-tenant", "{tenant-id}", "{daemon-app-id}", "{guid}", "{timestamp}", "'tenant'"];
    let text =
        names.iter().fold(text, |text, name| text.replace(name, if name.starts_with('\'') { "'#'" } else { "#" }));
    let text = text.replace("{authority}/tenant/", "{authority}/#/");
    let text =
        text.replace("api://not-a-registered-resource", "api://#").replace("api://nobody.contoso.com", "api://#");
    let words: Vec<String> = text.split(' ').map(word).collect();
    let folded = words.join(" ");
    // A time is a date, a blank and a clock; both are folded, and stand for one.
    folded.replace("# #Z", "#")
}

/// The fields of `x-ms-clitelem`; the fourth is a time that depends on the moment.
pub(crate) fn telemetry(value: &str) -> String {
    let fields: Vec<&str> = value.split(',').collect();
    match fields[..] {
        [version, code, subcode, _, rest] => format!("{version},{code},{subcode},,{rest}"),
        _ => value.to_owned(),
    }
}

/// One word, with the ids and times in it folded.
fn word(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(next) = rest.chars().next() {
        if let Some(length) = foldable(rest) {
            folded.push('#');
            rest = &rest[length..];
        } else {
            folded.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    folded
}

/// The length of the id, thumbprint or time that the text begins with.
fn foldable(text: &str) -> Option<usize> {
    let shaped = |shape: &str| {
        let long_enough = text.len() >= shape.len() && text.is_char_boundary(shape.len());
        let fits = |(byte, wanted): (u8, u8)| match wanted {
            b'h' => byte.is_ascii_hexdigit(),
            b'd' => byte.is_ascii_digit(),
            other => byte == other,
        };
        (long_enough && text.bytes().zip(shape.bytes()).all(fits)).then_some(shape.len())
    };
    shaped("hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh")
        .or_else(|| shaped("dddd-dd-ddTdd:dd:dd.dddddddZ"))
        .or_else(|| shaped("hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"))
        .or_else(|| shaped("dddd-dd-dd"))
        .or_else(|| shaped("dd:dd:dd"))
}

#[cfg(test)]
mod tests {
    use super::text;

    const ORIGIN: &str = "https://localhost:1234";

    #[test]
    fn two_spellings_of_one_error_fold_to_one() {
        let theirs = "AADSTS90002: Tenant 'tenant' not found.\r\nTrace ID: af3eb7fe-c814-45d2-a5dc-27b67c53d900\r\n\
                      Timestamp: 2022-03-01 01:14:53Z";
        let ours = "AADSTS90002: Tenant '00000000-0000-4000-8000-00000000dead' not found. \
                    Trace ID: 00000000-0000-4000-8000-000000000001 Timestamp: 2026-11-20 10:00:00Z";
        assert_eq!(text(theirs, ORIGIN), text(ours, ORIGIN));
        assert_eq!(text(ours, ORIGIN), "AADSTS90002: Tenant '#' not found. Trace ID: # Timestamp: #");
    }

    #[test]
    fn addresses_keep_their_paths() {
        let theirs = text("https://login.microsoftonline.com/tenant/oauth2/v2.0/token", ORIGIN);
        let ours = text("https://localhost:1234/6babcaad-604b-40ac-a9d7-9fd97c0b779f/oauth2/v2.0/token", ORIGIN);
        assert_eq!(theirs, ours);
        assert_ne!(theirs, text("https://localhost:1234/common/oauth2/v2.0/token", ORIGIN));
    }
}
