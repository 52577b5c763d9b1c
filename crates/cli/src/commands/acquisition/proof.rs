//! How the application proves itself: the flags, the variables, and the files they name.
//!
//! Nothing secret is taken from the command line, which everybody on the machine can read.

use std::path::{Path, PathBuf};

use countersign_client::{CertificateOptions, ConfidentialClientBuilder, PfxError, read_pfx};
use countersign_token::{Certificate, PrivateKey};
use secrecy::{ExposeSecret, SecretString};

use super::one_stdin;
use crate::environment::Environment;
use crate::error::CliError;
use crate::input;

/// The flags.
#[derive(Debug, clap::Args)]
pub(crate) struct ProofArgs {
    /// Prove it with the client secret in this file, '-' for standard input [env: AZURE_CLIENT_SECRET]
    #[arg(long, value_name = "FILE", conflicts_with = "certificate")]
    pub(super) secret_file: Option<PathBuf>,

    /// Prove it with a certificate and its private key, PEM or PFX [env: AZURE_CLIENT_CERTIFICATE_PATH]
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,

    /// The password of the PFX in this file, '-' for standard input [env: AZURE_CLIENT_CERTIFICATE_PASSWORD]
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(super) certificate_password_file: Option<PathBuf>,

    /// Send the certificate along (x5c), for applications that trust its subject name and issuer
    /// [env: AZURE_CLIENT_SEND_CERTIFICATE_CHAIN]
    #[arg(long, conflicts_with_all = ["secret_file", "federated_token_file"])]
    send_x5c: bool,

    /// Prove it with the token in this file, which its issuer renews: workload identity [env: AZURE_FEDERATED_TOKEN_FILE]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["secret_file", "certificate"])]
    federated_token_file: Option<PathBuf>,

    /// Not offered: a command line is no place for a secret.
    #[arg(
        long,
        aliases = ["secret", "password", "certificate-password"],
        hide = true,
        value_name = "SECRET"
    )]
    client_secret: Option<SecretString>,
}

/// How the application proves itself.
pub(super) enum Proof {
    /// A public client, which has nothing to prove itself with.
    None,
    Secret(SecretString),
    Certificate(PrivateKey, Certificate, CertificateOptions),
    /// The client opens the file itself, at each token request. Nobody is warned if others may read it: Kubernetes lets
    /// the pod's group, and the token lives a day at most.
    FederatedTokenFile(PathBuf),
}

impl Proof {
    pub(super) fn given_to(self, builder: ConfidentialClientBuilder) -> ConfidentialClientBuilder {
        match self {
            Self::None => builder.public_client(),
            Self::Secret(secret) => builder.secret(secret),
            Self::Certificate(key, certificate, options) => builder.certificate(key, certificate, options),
            Self::FederatedTokenFile(path) => builder.federated_token_file(path),
        }
    }
}

impl ProofArgs {
    /// Refuses a secret that stands on the command line, whatever else is asked.
    pub(super) fn refuse_secrets(&self) -> Result<(), CliError> {
        if self.client_secret.is_none() {
            return Ok(());
        }
        Err(CliError::Contradiction {
            what: "a secret does not belong on the command line",
            hint: "there it is seen by everybody who lists processes, and kept in the shell's history; put it into a file \
                   for --secret-file, --password-file or --certificate-password-file, or into AZURE_CLIENT_SECRET",
        })
    }

    /// What a flag names, if one does.
    pub(super) fn of_flags(&self, environment: &Environment) -> Result<Option<Proof>, CliError> {
        if let Some(path) = &self.secret_file {
            return secret(path).map(Proof::Secret).map(Some);
        }
        if let Some(path) = &self.certificate {
            return self.certificate(path, environment).map(Some);
        }
        Ok(self.federated_token_file.clone().map(Proof::FederatedTokenFile))
    }

    /// A flag before a variable; a secret before a certificate before a federated token, the order in which Azure's own
    /// libraries try `EnvironmentCredential` and `WorkloadIdentityCredential`.
    pub(super) fn proof(&self, environment: &Environment) -> Result<Proof, CliError> {
        if let Some(proof) = self.of_flags(environment)? {
            return Ok(proof);
        }
        if let Some(secret) = environment.client_secret().filter(|_| !self.send_x5c) {
            return Ok(Proof::Secret(secret));
        }
        if let Some(path) = environment.certificate_path() {
            return self.certificate(Path::new(&path), environment);
        }
        if self.send_x5c {
            return Err(CliError::Missing {
                what: "a certificate to send along",
                hint: "--send-x5c goes with --certificate or AZURE_CLIENT_CERTIFICATE_PATH",
            });
        }
        match environment.federated_token_file() {
            Some(path) => Ok(Proof::FederatedTokenFile(path.into())),
            None => Err(CliError::Missing {
                what: "a credential",
                hint: "give --secret-file, --certificate or --federated-token-file, or set AZURE_CLIENT_SECRET, \
                       AZURE_CLIENT_CERTIFICATE_PATH or AZURE_FEDERATED_TOKEN_FILE",
            }),
        }
    }

    fn certificate(&self, path: &Path, environment: &Environment) -> Result<Proof, CliError> {
        let bytes = input::file(path)?;
        input::warn_if_others_may_read(path);
        let (key, certificate) = if bytes.windows(11).any(|window| window == b"-----BEGIN ") {
            if self.certificate_password_file.is_some() {
                return Err(CliError::Contradiction {
                    what: "the certificate's file is PEM, and a password was given for it",
                    hint: "--certificate-password-file is for a PFX; decrypt an encrypted PEM key first, for example with \
                           'openssl pkey -in client.pem -out client-plain.pem'",
                });
            }
            of_pem(path, &bytes)?
        } else {
            let password = match &self.certificate_password_file {
                Some(file) => Some(secret(file)?),
                None => environment.certificate_password(),
            };
            let password_given = password.is_some();
            let password = password.as_ref().map_or("", |password| password.expose_secret());
            read_pfx(&bytes, password).map_err(|cause| not_pfx(path, cause, password_given))?
        };
        let send_x5c = self.send_x5c || environment.send_certificate_chain();
        Ok(Proof::Certificate(key, certificate, CertificateOptions { send_x5c, ..CertificateOptions::default() }))
    }

    /// Which of these flags read standard input.
    pub(super) fn readers_of_stdin(&self) -> usize {
        [&self.secret_file, &self.certificate_password_file]
            .into_iter()
            .flatten()
            .filter(|path| one_stdin(path))
            .count()
    }
}

fn not_pfx(path: &Path, cause: PfxError, password_given: bool) -> CliError {
    CliError::Pfx { path: path.to_owned(), cause, password_given }
}

fn of_pem(path: &Path, bytes: &[u8]) -> Result<(PrivateKey, Certificate), CliError> {
    let content = |cause: Box<dyn std::error::Error + Send + Sync>| CliError::Content {
        path: path.to_owned(),
        what: "a PEM file with an RSA certificate and its private key",
        cause,
    };
    let pem = std::str::from_utf8(bytes).map_err(|error| content(error.into()))?;
    let certificate = Certificate::from_pem(pem).map_err(|error| content(error.into()))?;
    let key = PrivateKey::from_pem(pem).map_err(|error| content(error.into()))?;
    Ok((key, certificate))
}

/// A secret from a file or standard input, without the line break at its end.
pub(super) fn secret(path: &Path) -> Result<SecretString, CliError> {
    if !one_stdin(path) {
        return input::secret_file(path);
    }
    let text = String::from_utf8(input::stdin()?).map_err(|error| CliError::Content {
        path: "standard input".into(),
        what: "text in UTF-8",
        cause: error.utf8_error().into(),
    })?;
    Ok(SecretString::from(text.trim_matches(['\r', '\n']).to_owned()))
}
