//! Short ways to write a file and to read what is said about it.

use countersign_directory::DirectoryFile;

/// What is wrong with the text, one line each, without the file's name.
pub(crate) fn wrong(text: &str) -> Vec<String> {
    match DirectoryFile::parse("f.yaml", text) {
        Ok(_) => Vec::new(),
        Err(error) => error.issues().iter().map(|issue| issue.to_string().replacen("f.yaml:", "", 1)).collect(),
    }
}

pub(crate) fn warned(text: &str) -> Vec<String> {
    let parsed = DirectoryFile::parse("f.yaml", text).unwrap();
    parsed.warnings.iter().map(|issue| issue.to_string().replacen("f.yaml:", "", 1)).collect()
}

/// A tenant with something in it; the something begins at line 3.
pub(crate) fn tenant(rest: &str) -> String {
    format!("tenants:\n- tenantId: 6babcaad-604b-40ac-a9d7-9fd97c0b779f\n{}", indent(rest, 2))
}

/// An application with something in it; the something begins at line 5.
pub(crate) fn application(rest: &str) -> String {
    tenant(&format!("applications:\n- appId: a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11\n{}", indent(rest, 2)))
}

pub(crate) fn indent(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect()
}

#[track_caller]
pub(crate) fn assert_wrong(text: &str, expected: &[&str]) {
    assert_eq!(wrong(text), expected, "\n{text}");
}
