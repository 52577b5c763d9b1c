//! azure_identity for Rust: client credentials with a secret and with a certificate, in the JSON lines that the other
//! clients speak (`../python/attempts.py`). The authority's certificate is trusted through `SSL_CERT_FILE`.

use std::io::Read;
use std::sync::Arc;

use azure_core::credentials::{Secret, SecretBytes, TokenCredential};
use azure_core::error::ErrorKind;
use azure_core::http::ClientOptions;
use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_identity::{
    ClientCertificateCredential, ClientCertificateCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions,
};
use serde::Deserialize;
use serde_json::json;

type Failure = Box<dyn std::error::Error>;

#[derive(Deserialize)]
struct Run {
    authority: String,
    attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
struct Attempt {
    name: String,
    tenant: String,
    client_id: String,
    scope: String,
    credential: Credential,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Credential {
    Secret { secret: String },
    Certificate { private_key: String, certificate: String },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    let run: Run = serde_json::from_str(&input)?;
    for attempt in &run.attempts {
        let credential = credential(&run.authority, attempt)?;
        let outcome = match credential.get_token(&[&attempt.scope], None).await {
            Ok(token) => json!({"name": attempt.name, "token": token.token.secret()}),
            Err(error) => json!({
                "name": attempt.name,
                "exception": "azure_core::Error",
                "message": error.to_string(),
                "codes": codes(&error),
            }),
        };
        println!("{outcome}");
    }
    Ok(())
}

fn credential(authority: &str, attempt: &Attempt) -> Result<Arc<dyn TokenCredential>, Failure> {
    let mut custom = CustomConfiguration::default();
    custom.authority_host = authority.to_owned();
    let client_options =
        ClientOptions { cloud: Some(Arc::new(CloudConfiguration::Custom(custom))), ..ClientOptions::default() };
    let client_id = attempt.client_id.clone();
    Ok(match &attempt.credential {
        Credential::Secret { secret } => ClientSecretCredential::new(
            &attempt.tenant,
            client_id,
            Secret::new(secret.clone()),
            Some(ClientSecretCredentialOptions { client_options }),
        )?,
        Credential::Certificate { private_key, certificate } => ClientCertificateCredential::new(
            attempt.tenant.clone(),
            client_id,
            SecretBytes::new(pkcs12(private_key, certificate)?),
            Some(ClientCertificateCredentialOptions { client_options, ..Default::default() }),
        )?,
    })
}

fn pkcs12(private_key: &str, certificate: &str) -> Result<Vec<u8>, Failure> {
    let key = openssl::pkey::PKey::private_key_from_pem(private_key.as_bytes())?;
    let certificate = openssl::x509::X509::from_pem(certificate.as_bytes())?;
    Ok(openssl::pkcs12::Pkcs12::builder().pkey(&key).cert(&certificate).build2("")?.to_der()?)
}

/// The numbers that the library read out of the answer's `error_codes`, wherever in the chain it put them.
fn codes(error: &azure_core::Error) -> Vec<i64> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        let kind = current.downcast_ref::<azure_core::Error>().map(azure_core::Error::kind);
        if let Some(ErrorKind::HttpResponse { error_code: Some(codes), .. }) = kind {
            return codes.split(',').filter_map(|code| code.parse().ok()).collect();
        }
        cause = current.source();
    }
    Vec::new()
}
