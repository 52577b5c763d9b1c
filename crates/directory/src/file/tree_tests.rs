use super::*;
use std::sync::Arc;

fn read_one(name: &str, text: &str) -> Result<Node, String> {
    let mut issues = Issues::of(&Arc::from(name));
    let node = read(name, text, &mut issues);
    match issues.finish() {
        Ok(_) => Ok(node.unwrap()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn lines_are_known_in_both_forms() {
    let json = "{\"a\": 1,\n \"b\": [\n  {\"c\": \"x\"},\n  {\"c\":\n    \"y\"}\n ]}";
    let yaml = "a: 1\nb:\n- c: x\n\n- c:\n    y\n";
    for (name, text, expected) in [("f.json", json, [2, 3, 5]), ("f.yaml", yaml, [3, 3, 6])] {
        let node = read_one(name, text).unwrap();
        let lines = ["b", "b[0].c", "b[1].c"].map(|path| node.line_at(path).unwrap());
        assert_eq!(lines, expected, "{name}");
        assert_eq!(node.to_value(), serde_json::json!({"a": 1, "b": [{"c": "x"}, {"c": "y"}]}));
    }
}

#[test]
fn an_unknown_ending_is_told_by_the_first_character() {
    assert!(read_one("-", "\u{feff} {\"a\": 1}").is_ok());
    assert!(read_one("-", "a: 1").is_ok());
    assert!(read_one("f.JSON", "a: 1").is_err());
}

#[test]
fn yaml_keeps_texts_that_only_look_like_something_else() {
    let node =
        read_one("f.yml", "a: yes\nb: 2026-01-31T10:00:00Z\nc: 11111111-1111-4111-8111-111111111111\nd: ~\n").unwrap();
    let expected = serde_json::json!({
        "a": "yes", "b": "2026-01-31T10:00:00Z", "c": "11111111-1111-4111-8111-111111111111", "d": null
    });
    assert_eq!(node.to_value(), expected);
}

#[test]
fn faults_name_the_line_and_show_no_contents() {
    for (name, text, expected) in [
        (
            "f.yaml",
            "a: 1\nb: [1\nc: s3cret",
            "f.yaml:3: not YAML: illegal placement of ':' indicator; correct the YAML there",
        ),
        ("f.yaml", "a: 1\na: s3cret\n", "f.yaml:2: the member `a` is there twice; keep one of them"),
        (
            "f.yaml",
            "a: 1\n---\nb: 2\n",
            "f.yaml:3: a second YAML document begins here; remove the line `---`, or use two files",
        ),
        (
            "f.yaml",
            "a: .inf\n",
            "f.yaml:1: not YAML: non-finite float `.inf` rejected by the configured policy; correct the YAML there",
        ),
        ("f.json", "{\"a\": 1,\n\"a\": \"s3cret\"}", "f.json:2: the member `a` is there twice; keep one of them"),
        ("f.json", "{\"a\": [1,\n2,]}", "f.json:2: not JSON: expected value, in column 3; correct the JSON there"),
        (
            "f.json",
            "{\"a\": \"s3cret\n",
            "f.json:1: not JSON: control character (\\u0000-\\u001F) found while parsing a string, in column 13; correct the JSON there",
        ),
        ("f.json", "", "f.json:1: not JSON: EOF while parsing a value, in column 0; correct the JSON there"),
    ] {
        let Err(error) = read_one(name, text) else { panic!("{text:?} was read") };
        assert_eq!(error, expected);
    }
}

#[test]
fn depth_is_bounded() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    for name in ["f.json", "f.yaml"] {
        assert!(read_one(name, &deep("[", "]")).is_err(), "{name}");
        assert!(
            read_one(name, &"[".repeat(23).chars().chain("]".repeat(23).chars()).collect::<String>()).is_ok(),
            "{name}"
        );
    }
    let Err(error) = read_one("f.json", &deep("[", "]")) else { panic!("read") };
    assert!(error.contains("more than 24 lists and objects within each other"), "{error}");
    assert!(read_one("f.yaml", &"- ".repeat(10_000)).is_err());
}

#[test]
fn an_alias_is_where_it_is_used() {
    let node = read_one("f.yaml", "a: &x {k: v}\nb: *x\n").unwrap();
    assert_eq!(node.line_at("b"), Some(2));
    // Ten levels of ten aliases each: a few bytes that want to be ten thousand million values.
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..10 {
        let previous = level - 1;
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{previous}"); 10].join(",")));
    }
    assert!(read_one("f.yaml", &bomb).is_err());
}
