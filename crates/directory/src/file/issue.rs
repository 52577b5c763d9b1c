//! What is wrong with a file, where, and what mends it.

use std::fmt;
use std::sync::Arc;

/// One thing wrong, or odd, in a directory file.
///
/// `Display` is one line: `contoso.yaml:12: tenants[0].applications[2].appId: not a GUID; write …`. It never shows a
/// secret, a password or a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The file's name, as given to [`DirectoryFile::parse`](crate::DirectoryFile::parse).
    pub file: Arc<str>,
    /// The line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// Where in the document: `tenants[0].applications[2].appId`; empty for the document as a whole.
    pub path: String,
    /// What is wrong there; a fragment.
    pub what: String,
    /// What to do about it; a fragment.
    pub mend: String,
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}; {}", self.what, self.mend)
    }
}

/// Everything that is wrong with a directory file. Nothing of it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryFileError {
    file: Arc<str>,
    issues: Vec<Issue>,
}

impl DirectoryFileError {
    /// Each thing wrong, in the order of the file as far as it could be read.
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }
}

impl fmt::Display for DirectoryFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.issues.as_slice() {
            [issue] => write!(f, "{issue}"),
            issues => {
                write!(f, "{} things are wrong with {}", issues.len(), self.file)?;
                issues.iter().try_for_each(|issue| write!(f, "\n  {issue}"))
            }
        }
    }
}

impl std::error::Error for DirectoryFileError {}

/// A place in the document.
#[derive(Debug, Clone, Default)]
pub(super) struct At {
    pub(super) path: String,
    pub(super) line: Option<usize>,
}

impl At {
    /// A place below this one: `member` or `[3]`.
    pub(super) fn below(&self, step: &str, line: Option<usize>) -> Self {
        let dot = if self.path.is_empty() || step.starts_with('[') { "" } else { "." };
        Self { path: format!("{}{dot}{step}", self.path), line: line.or(self.line) }
    }
}

/// Collects issues while a file is read, so that one look shows all of them.
#[derive(Debug)]
pub(super) struct Issues {
    file: Arc<str>,
    errors: Vec<Issue>,
    warnings: Vec<Issue>,
}

impl Issues {
    pub(super) fn of(file: &Arc<str>) -> Self {
        Self { file: Arc::clone(file), errors: Vec::new(), warnings: Vec::new() }
    }

    fn issue(&self, at: &At, what: impl Into<String>, mend: impl Into<String>) -> Issue {
        let (what, mend) = (what.into(), mend.into());
        Issue { file: Arc::clone(&self.file), line: at.line, path: at.path.clone(), what, mend }
    }

    pub(super) fn error(&mut self, at: &At, what: impl Into<String>, mend: impl Into<String>) {
        let issue = self.issue(at, what, mend);
        self.errors.push(issue);
    }

    pub(super) fn warning(&mut self, at: &At, what: impl Into<String>, mend: impl Into<String>) {
        let issue = self.issue(at, what, mend);
        self.warnings.push(issue);
    }

    pub(super) fn are_none(&self) -> bool {
        self.errors.is_empty()
    }

    /// The warnings, if nothing was wrong.
    pub(super) fn finish(mut self) -> Result<Vec<Issue>, DirectoryFileError> {
        // A member's own checks run before those that compare it with others; readers expect the file's order.
        self.errors.sort_by_key(|issue| issue.line);
        self.warnings.sort_by_key(|issue| issue.line);
        if self.errors.is_empty() {
            Ok(self.warnings)
        } else {
            Err(DirectoryFileError { file: self.file, issues: self.errors })
        }
    }
}

/// A name from a list that is near enough to be meant.
pub(super) fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &str| strsim::osa_distance(&text.to_lowercase(), &name.to_lowercase());
    names
        .into_iter()
        .map(|name| (distance(name), name))
        .filter(|(distance, name)| *distance <= (name.len().max(text.len()) / 3).clamp(1, 4))
        .min()
        .map(|(_, name)| name)
}

/// "did you mean `x`?", or what else to do.
pub(super) fn did_you_mean<'a>(text: &str, names: impl IntoIterator<Item = &'a str>, otherwise: &str) -> String {
    nearest(text, names).map_or_else(|| otherwise.to_owned(), |name| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["tenantId", "displayName", "domains"];
        assert_eq!(nearest("tenantid", names), Some("tenantId"));
        assert_eq!(nearest("tennantId", names), Some("tenantId"));
        assert_eq!(nearest("domain", names), Some("domains"));
        assert_eq!(nearest("users", names), None);
    }

    #[test]
    fn an_issue_is_one_line() {
        let mut issues = Issues::of(&"contoso.yaml".into());
        issues.error(&At::default().below("tenants", Some(1)).below("[0]", Some(2)), "wrong", "right it");
        let error = issues.finish().unwrap_err();
        assert_eq!(error.to_string(), "contoso.yaml:2: tenants[0]: wrong; right it");
    }
}
