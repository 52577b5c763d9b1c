//! Files and standard input, bounded, with errors that name the file.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::Path;

use secrecy::SecretString;

use crate::error::CliError;
use crate::report;

/// The largest file or standard input taken whole, in bytes. Streams (`verify --jsonl`) have no such limit.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// A whole file.
pub(crate) fn file(path: &Path) -> Result<Vec<u8>, CliError> {
    let unreadable = |cause| CliError::Read { path: path.to_owned(), cause };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(unreadable(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "larger than 4 MB")));
    }
    Ok(bytes)
}

/// A whole file of text.
pub(crate) fn text_file(path: &Path) -> Result<String, CliError> {
    String::from_utf8(file(path)?).map_err(|error| CliError::Content {
        path: path.to_owned(),
        what: "text in UTF-8",
        cause: error.utf8_error().into(),
    })
}

/// A secret from a file, without the line break at its end. Warns where others may read the file too.
pub(crate) fn secret_file(path: &Path) -> Result<SecretString, CliError> {
    let text = text_file(path)?;
    warn_if_others_may_read(path);
    Ok(SecretString::from(text.trim_matches(['\r', '\n']).to_owned()))
}

/// Whoever can read the file can be the application.
pub(crate) fn warn_if_others_may_read(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).map_or(0, |meta| meta.permissions().mode());
        if mode & 0o077 != 0 {
            report::warning(&format!(
                "{} may be read by others on this machine: chmod 600 {}",
                path.display(),
                path.display()
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// The argument, or standard input when there is none or it is `-`.
pub(crate) fn argument_or_stdin(argument: Option<String>) -> Result<Vec<u8>, CliError> {
    match argument.filter(|argument| argument != "-") {
        Some(argument) => Ok(argument.into_bytes()),
        None => stdin(),
    }
}

/// All of standard input.
pub(crate) fn stdin() -> Result<Vec<u8>, CliError> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        report::note("reading a token from the terminal; end with Ctrl-D");
    }
    let mut bytes = Vec::new();
    stdin.lock().take(MAX_BYTES).read_to_end(&mut bytes).map_err(CliError::Input)?;
    Ok(bytes)
}
