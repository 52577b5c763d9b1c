//! What the exit status says: five numbers, the same for every command.

use std::process::ExitCode;

/// The exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything that was asked for was done.
    Done = 0,
    /// Somebody said no: the authority, an API, the policy; or a step of the demo came out otherwise than it should.
    Refused = 1,
    /// The command line, the environment or a file named there cannot be used. Nothing was sent.
    Usage = 2,
    /// A server could not be reached, or gave nothing that is understood. Later may be better.
    Unreachable = 3,
    /// This machine would not: a port in use, a full disk, a closed pipe.
    Machine = 4,
}

/// The table that `--help` ends in.
pub(crate) const HELP: &str = "\
Exit status:
  0  done
  1  refused: by the authority, the API or the policy; or a step of the demo went wrong
  2  usage: the command line, the environment or a file named there cannot be used
  3  unreachable: no connection, no trust in the certificate, or no sensible answer
  4  this machine would not: port in use, disk full, closed pipe

Environment:
  AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH,
  AZURE_CLIENT_CERTIFICATE_PASSWORD, AZURE_CLIENT_SEND_CERTIFICATE_CHAIN,
  AZURE_FEDERATED_TOKEN_FILE, AZURE_AUTHORITY_HOST
                         used where the flag is absent; a secret before a certificate before a
                         federated token
  IDENTITY_ENDPOINT, MSI_ENDPOINT and others that Azure's platforms set
                         where --managed-identity and --environment ask
  COUNTERSIGN_CA         roots to trust besides the system's (PEM), as --ca
  COUNTERSIGN_DATABASE_URL
                         the authority's PostgreSQL, as --database
  COUNTERSIGN_LOG        what to log on stderr, for example 'info' or 'countersign_guard=debug'
  NO_COLOR               no colours

Example:
  countersign demo";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_every_status() {
        for exit in [Exit::Done, Exit::Refused, Exit::Usage, Exit::Unreachable, Exit::Machine] {
            assert!(HELP.contains(&format!("\n  {}  ", exit as u8)), "{exit:?}");
        }
    }
}
