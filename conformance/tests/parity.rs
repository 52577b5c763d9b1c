//! Every witness that `docs/parity.md` names is a test that exists.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

/// All Rust sources below a folder, as one text.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
    text
}

#[test]
fn every_witness_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let parity = fs::read_to_string(root.join("docs/parity.md")).unwrap();
    let mut witnesses = 0;
    let mut missing = Vec::new();
    for row in parity.lines().filter(|line| line.starts_with("| ") && line.ends_with("` |")) {
        let cell = row.trim_end_matches(" |").rsplit("| ").next().unwrap().trim_matches('`');
        let (place, test) =
            cell.split_once(": ").unwrap_or_else(|| panic!("no witness of the form 'place: test': {row}"));
        witnesses += 1;
        if !sources(&root.join(place)).contains(&format!("fn {test}(")) {
            missing.push(cell.to_owned());
        }
    }
    assert!(witnesses > 30, "the table was not understood: {witnesses} rows");
    assert_eq!(missing, Vec::<String>::new());
}
