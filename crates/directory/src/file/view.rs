//! Looking at a tree: each question that is not answered as it should be becomes an issue, and reading goes on.

use std::str::FromStr;

use countersign_protocol::graph::DateTime;
use countersign_token::{ObjectId, Timestamp};
use uuid::Uuid;

use super::issue::{At, Issues, did_you_mean};
use super::tree::{Member, Node, Tree};

/// A value and its place.
pub(super) struct View<'a> {
    pub(super) at: At,
    pub(super) node: &'a Node,
}

impl<'a> View<'a> {
    /// The whole document.
    pub(super) fn root(node: &'a Node) -> Self {
        Self { at: At { path: String::new(), line: node.line }, node }
    }

    fn not(&self, expected: &str, mend: &str, issues: &mut Issues) {
        issues.error(&self.at, format!("{} where {expected} belongs", self.node.tree.kind()), mend);
    }

    /// A text.
    pub(super) fn text(&self, issues: &mut Issues) -> Option<&'a str> {
        match &self.node.tree {
            Tree::Text(text) => return Some(text),
            Tree::Number(_) | Tree::Bool(_) => self.not("a text", "put it in quotation marks", issues),
            Tree::Null | Tree::List(_) | Tree::Object(_) => self.not("a text", "write a text", issues),
        }
        None
    }

    /// A text that is not empty and does not begin or end with a blank.
    pub(super) fn name(&self, issues: &mut Issues) -> Option<&'a str> {
        let text = self.text(issues)?;
        if text.is_empty() {
            issues.error(&self.at, "an empty text", "write something, or leave the member out");
            return None;
        }
        if text.trim() != text || text.contains(char::is_control) {
            issues.error(&self.at, "blanks at an end, or control characters", "remove them");
            return None;
        }
        Some(text)
    }

    /// A text that parses; `mend` says how it has to look.
    pub(super) fn parsed<T: FromStr>(&self, mend: &str, issues: &mut Issues) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        match self.text(issues)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                issues.error(&self.at, error.to_string(), mend);
                None
            }
        }
    }

    /// A GUID in whatever role.
    pub(super) fn id<T: FromStr>(&self, issues: &mut Issues) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        self.parsed("write 32 hexadecimal digits in five groups", issues)
    }

    /// A GUID that names neither tenant nor client nor directory object.
    pub(super) fn guid(&self, issues: &mut Issues) -> Option<Uuid> {
        self.id::<ObjectId>(issues).map(|id| id.as_uuid())
    }

    /// A time.
    pub(super) fn time(&self, issues: &mut Issues) -> Option<Timestamp> {
        self.parsed::<DateTime>("write date, time and offset, such as 2026-01-31T10:00:00Z", issues).map(|time| time.0)
    }

    /// True or false.
    pub(super) fn flag(&self, issues: &mut Issues) -> Option<bool> {
        if let Tree::Bool(flag) = &self.node.tree {
            return Some(*flag);
        }
        self.not("true or false", "write true or false, without quotation marks", issues);
        None
    }

    /// A list.
    pub(super) fn items(&self, issues: &mut Issues) -> Vec<View<'a>> {
        if let Tree::List(items) = &self.node.tree {
            let view =
                |(index, node): (usize, &'a Node)| View { at: self.at.below(&format!("[{index}]"), node.line), node };
            return items.iter().enumerate().map(view).collect();
        }
        self.not("a list", "write a list", issues);
        Vec::new()
    }

    /// An object.
    pub(super) fn object(&self, issues: &mut Issues) -> Option<Fields<'a>> {
        if let Tree::Object(members) = &self.node.tree {
            return Some(Fields { at: self.at.clone(), members, asked: Vec::new() });
        }
        self.not("an object", "write an object", issues);
        None
    }
}

/// An object whose members are asked for one by one.
pub(super) struct Fields<'a> {
    pub(super) at: At,
    pub(super) members: &'a [Member],
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The member; `null` counts as absent.
    pub(super) fn get(&mut self, name: &'static str) -> Option<View<'a>> {
        self.asked.push(name);
        let member = self.members.iter().find(|member| member.name == name)?;
        let at = self.at.below(name, member.line);
        (!matches!(member.node.tree, Tree::Null)).then_some(View { at, node: &member.node })
    }

    /// The member, which must be there.
    pub(super) fn required(&mut self, name: &'static str, issues: &mut Issues) -> Option<View<'a>> {
        let view = self.get(name);
        if view.is_none() {
            issues.error(&self.at, format!("`{name}` is missing"), "add it");
        }
        view
    }

    /// A list's items; none where the member is absent.
    pub(super) fn items(&mut self, name: &'static str, issues: &mut Issues) -> Vec<View<'a>> {
        self.get(name).map(|view| view.items(issues)).unwrap_or_default()
    }

    /// Members that nobody asked for.
    fn unasked(&self) -> impl Iterator<Item = (&'a Member, At)> {
        let unasked = |member: &&Member| !self.asked.iter().any(|name| *name == member.name);
        self.members.iter().filter(unasked).map(|member| (member, self.at.below(&member.name, member.line)))
    }

    /// The shape is ours: a member that nobody asked for is an error.
    pub(super) fn refuse_others(&self, issues: &mut Issues) {
        for (member, at) in self.unasked() {
            let mend = did_you_mean(&member.name, self.asked.iter().copied(), "remove it");
            issues.error(&at, format!("unknown member `{}`", member.name), mend);
        }
    }

    /// The shape is Graph's: a member that nobody asked for may be newer than this program, or mistyped.
    pub(super) fn warn_of_others(&self, issues: &mut Issues) {
        for (member, at) in self.unasked().filter(|(member, _)| !member.name.contains('@')) {
            let mend = did_you_mean(&member.name, self.asked.iter().copied(), "it is left out");
            issues.warning(&at, format!("unknown member `{}`", member.name), mend);
        }
    }
}
