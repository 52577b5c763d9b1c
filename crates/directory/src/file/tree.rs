//! The document before anybody asks what it means: values that know their line.
//!
//! JSON is read by `serde_json`, YAML by `serde-saphyr`; both end here, so that everything after has one kind of place to
//! point at. Neither the tree nor its errors show contents in `Debug`: it holds secrets in clear.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

use super::issue::{At, Issues};

/// Bytes that a file may have. A tenant with ten thousand applications has a tenth of that.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Lists and objects within each other; a registration needs nine. Reading recurses, and a thread of a server may have no
/// more than two megabytes of stack.
const MAX_DEPTH: usize = 24;

/// A value and the line it begins in.
pub(super) struct Node {
    pub(super) line: Option<usize>,
    pub(super) tree: Tree,
}

pub(super) enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

/// A member of an object.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) line: Option<usize>,
    pub(super) node: Node,
}

impl Tree {
    /// "a number", for messages.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl Node {
    /// The value without lines.
    pub(super) fn to_value(&self) -> Value {
        match &self.tree {
            Tree::Null => Value::Null,
            Tree::Bool(flag) => Value::Bool(*flag),
            Tree::Number(number) => Value::Number(number.clone()),
            Tree::Text(text) => Value::String(text.clone()),
            Tree::List(items) => items.iter().map(Self::to_value).collect(),
            Tree::Object(members) => Value::Object(to_map(members)),
        }
    }

    /// The line of the deepest value on a path such as `appRoles[0].id`.
    pub(super) fn line_at(&self, path: &str) -> Option<usize> {
        let mut node = self;
        for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
            let next = match &node.tree {
                Tree::Object(members) => members.iter().find(|member| member.name == step).map(|member| &member.node),
                Tree::List(items) => step.trim_end_matches(']').parse().ok().and_then(|index: usize| items.get(index)),
                _ => None,
            };
            let Some(next) = next else { break };
            node = next;
        }
        node.line
    }
}

/// An object's members without lines.
pub(super) fn to_map(members: &[Member]) -> Map<String, Value> {
    members.iter().map(|member| (member.name.clone(), member.node.to_value())).collect()
}

/// Reads JSON where the name ends in `.json` or, of unknown endings, the text begins with a brace; otherwise YAML.
pub(super) fn read(name: &str, text: &str, issues: &mut Issues) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_BYTES {
        issues.error(&At::default(), format!("the file has more than {MAX_BYTES} bytes"), "split it");
        return None;
    }
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let json = match ending.as_deref() {
        Some("json") => true,
        Some("yaml" | "yml") => false,
        _ => text.trim_start().starts_with('{'),
    };
    if json { read_json(text, issues) } else { read_yaml(text, issues) }
}

fn read_json(text: &str, issues: &mut Issues) -> Option<Node> {
    let mut fault = |line: usize, what: String| {
        let at = At { path: String::new(), line: Some(line) };
        let mend = if what.contains("twice") { "keep one of them" } else { "correct the JSON there" };
        issues.error(&at, what, mend);
    };
    // serde_json counts lines within what it is given, and knows the whole text only here.
    let whole: &RawValue = match serde_json::from_str(text) {
        Ok(whole) => whole,
        Err(error) => {
            let said = error.to_string();
            let what = said.split(" at line ").next().unwrap_or(&said);
            fault(error.line().max(1), format!("not JSON: {what}, in column {}", error.column()));
            return None;
        }
    };
    match Lines::of(text).node(whole, 0) {
        Ok(node) => Some(node),
        Err((line, what)) => {
            fault(line, what);
            None
        }
    }
}

/// Finds the line of a slice of the text by its address.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(index, _)| index + 1)).collect();
        Self { text, starts }
    }

    fn line(&self, slice: &str) -> usize {
        let offset = (slice.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        self.starts.partition_point(|start| *start <= offset)
    }

    fn node(&self, raw: &'t RawValue, depth: usize) -> Result<Node, (usize, String)> {
        let text = raw.get();
        let line = self.line(text);
        let fault = |error: serde_json::Error| {
            let said = error.to_string();
            (line, said.split(" at line ").next().unwrap_or(&said).to_owned())
        };
        if depth > MAX_DEPTH {
            return Err((line, format!("more than {MAX_DEPTH} lists and objects within each other")));
        }
        let tree = match text.as_bytes().first() {
            Some(b'{') => {
                let RawMembers(raw) = serde_json::from_str(text).map_err(fault)?;
                let mut members = Vec::with_capacity(raw.len());
                let mut names = HashSet::with_capacity(raw.len());
                for (name, raw) in raw {
                    if !names.insert(name.clone()) {
                        return Err((self.line(raw.get()), format!("the member `{name}` is there twice")));
                    }
                    let node = self.node(raw, depth + 1)?;
                    members.push(Member { name, line: node.line, node });
                }
                Tree::Object(members)
            }
            Some(b'[') => {
                let raw: Vec<&RawValue> = serde_json::from_str(text).map_err(fault)?;
                Tree::List(raw.into_iter().map(|raw| self.node(raw, depth + 1)).collect::<Result<_, _>>()?)
            }
            Some(b'"') => Tree::Text(serde_json::from_str(text).map_err(fault)?),
            Some(b't' | b'f') => Tree::Bool(text == "true"),
            Some(b'n') => Tree::Null,
            _ => Tree::Number(serde_json::from_str(text).map_err(fault)?),
        };
        Ok(Node { line: Some(line), tree })
    }
}

/// An object's members as they stand in the text.
struct RawMembers<'t>(Vec<(String, &'t RawValue)>);

impl<'de> Deserialize<'de> for RawMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = RawMembers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawMembers<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(RawMembers(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

fn read_yaml(text: &str, issues: &mut Issues) -> Option<Node> {
    // No snippets: they would put the lines around a fault, secrets and all, into the error.
    let options = serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH },
    };
    match serde_saphyr::from_str_with_options(text, options) {
        Ok(node) => Some(node),
        Err(error) => {
            let line = error.location().and_then(|location| usize::try_from(location.line()).ok());
            let at = At { path: String::new(), line: line.filter(|line| *line > 0) };
            let said = error.to_string();
            let said = said.split(" at line ").next().unwrap_or(&said);
            if let Some(name) =
                said.strip_prefix("duplicate mapping key: ").and_then(|rest| rest.split(", set ").next())
            {
                issues.error(&at, format!("the member `{name}` is there twice"), "keep one of them");
            } else if said.starts_with("multiple YAML documents") {
                issues.error(&at, "a second YAML document begins here", "remove the line `---`, or use two files");
            } else {
                issues.error(&at, format!("not YAML: {said}"), "correct the YAML there");
            }
            None
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Tree>::deserialize(deserializer)?;
        Ok(Self { line: line(&spanned), tree: spanned.value })
    }
}

/// The line where the document uses the value; an alias points to where it stands, not to its anchor.
fn line<T>(spanned: &Spanned<T>) -> Option<usize> {
    usize::try_from(spanned.referenced.line()).ok().filter(|line| *line > 0)
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalars)
    }
}

struct Scalars;

impl<'de> Visitor<'de> for Scalars {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Tree, E> {
        Number::from_f64(number).map(Tree::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Tree, E> {
        Ok(Tree::Text(text))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key::<Spanned<String>>()? {
            members.push(Member { line: line(&name), name: name.value, node: map.next_value()? });
        }
        Ok(Tree::Object(members))
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
