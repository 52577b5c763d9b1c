//! An application's credentials in the file. Whatever is wrong with one, its contents are not shown.

use countersign_token::{Certificate, ClientId, PrivateKey, Timestamp, base64_decode_lenient};
use secrecy::SecretString;
use uuid::Uuid;

use super::issue::{At, Issues};
use super::tenant::Unique;
use super::view::{Fields, View};
use crate::model::derived_uuid;
use crate::{ClientCertificate, FederatedCredential};

/// An application's credentials.
#[derive(Debug, Clone, Default)]
pub(super) struct CredentialEntries {
    pub(super) secrets: Vec<SecretEntry>,
    pub(super) certificates: Vec<ClientCertificate>,
    pub(super) federated: Vec<(At, FederatedCredential)>,
}

/// A secret whose text the file states.
#[derive(Debug, Clone)]
pub(super) struct SecretEntry {
    pub(super) key_id: Uuid,
    pub(super) display_name: Option<String>,
    pub(super) text: SecretString,
    pub(super) starts_at: Option<Timestamp>,
    pub(super) ends_at: Option<Timestamp>,
}

/// Source: Microsoft Graph resource type `passwordCredential`, property `secretText`.
const SECRET_CHARACTERS: std::ops::RangeInclusive<usize> = 16..=64;

pub(super) fn read(fields: &mut Fields<'_>, app_id: ClientId, issues: &mut Issues) -> CredentialEntries {
    let mut unnamed = Unnamed::default();
    let mut key_ids = Unique::of("keyId");
    let secrets = fields.items("passwordCredentials", issues);
    let secrets: Vec<_> = secrets
        .iter()
        .filter_map(|view| {
            let entry = read_secret(view, app_id, &mut unnamed, issues)?;
            key_ids.note(entry.key_id, "of this secret", &view.at, issues);
            Some(entry)
        })
        .collect();
    let mut key_ids = Unique::of("certificate");
    let certificates = fields.items("keyCredentials", issues);
    let certificates: Vec<_> = certificates
        .iter()
        .filter_map(|view| {
            let certificate = read_certificate(view, app_id, issues)?;
            key_ids.note(certificate.key_id, "of this entry", &view.at, issues);
            Some(certificate)
        })
        .collect();
    let mut names = Unique::of("name");
    let mut subjects = Unique::of("issuer and subject");
    let federated = fields.items("federatedIdentityCredentials", issues);
    let federated: Vec<_> = federated
        .iter()
        .filter_map(|view| {
            let credential = read_federated(view, app_id, issues)?;
            names.note(credential.name.clone(), &credential.name, &view.at, issues);
            let key = (credential.issuer.clone(), credential.subject.clone());
            subjects.note(key, "of this credential", &view.at, issues);
            Some((view.at.clone(), credential))
        })
        .collect();
    CredentialEntries { secrets, certificates, federated }
}

/// Tells secrets without `keyId` apart by their names, and those of one name by their order.
#[derive(Default)]
struct Unnamed(std::collections::HashMap<String, usize>);

impl Unnamed {
    fn key_id(&mut self, app_id: ClientId, display_name: Option<&str>) -> Uuid {
        let name = display_name.unwrap_or_default();
        let earlier = self.0.entry(name.to_owned()).or_default();
        let key_id = derived_uuid(&app_id.as_uuid(), "passwordCredential", &format!("{earlier}:{name}"));
        *earlier += 1;
        key_id
    }
}

fn read_secret(view: &View<'_>, app_id: ClientId, unnamed: &mut Unnamed, issues: &mut Issues) -> Option<SecretEntry> {
    let mut fields = view.object(issues)?;
    let display_name = fields.get("displayName").and_then(|view| view.name(issues));
    let key_id = fields.get("keyId").and_then(|view| view.guid(issues));
    let (starts_at, ends_at) = validity(&mut fields, issues);
    let text = fields.get("secretText");
    let _ = (fields.get("hint"), fields.get("customKeyIdentifier"));
    fields.warn_of_others(issues);
    let Some(text) = text else {
        let what = "`secretText` is missing: an export does not have it, so this secret cannot be used";
        issues.warning(&fields.at, what, "add `secretText`, or make a new secret; the entry is left out");
        return None;
    };
    let secret = text.text(issues)?;
    let characters = secret.chars().count();
    if !SECRET_CHARACTERS.contains(&characters) {
        let what = match characters {
            0 => "an empty secret".to_owned(),
            1..16 => format!("a secret of {characters} characters is too short"),
            _ => format!("a secret of {characters} characters is too long"),
        };
        issues.error(&text.at, what, "write 16 to 64 characters");
        return None;
    }
    Some(SecretEntry {
        key_id: key_id.unwrap_or_else(|| unnamed.key_id(app_id, display_name)),
        display_name: display_name.map(str::to_owned),
        text: SecretString::from(secret),
        starts_at,
        ends_at,
    })
}

fn validity(fields: &mut Fields<'_>, issues: &mut Issues) -> (Option<Timestamp>, Option<Timestamp>) {
    let starts_at = fields.get("startDateTime").and_then(|view| view.time(issues));
    let end = fields.get("endDateTime");
    let ends_at = end.as_ref().and_then(|view| view.time(issues));
    if let (Some(starts_at), Some(ends_at), Some(view)) = (starts_at, ends_at, end)
        && ends_at <= starts_at
    {
        issues.error(&view.at, "the end is not after the start", "write a later `endDateTime`");
    }
    (starts_at, ends_at)
}

fn read_certificate(view: &View<'_>, app_id: ClientId, issues: &mut Issues) -> Option<ClientCertificate> {
    let mut fields = view.object(issues)?;
    let display_name = fields.get("displayName").and_then(|view| view.name(issues)).map(str::to_owned);
    let key_id = fields.get("keyId").and_then(|view| view.guid(issues));
    let (starts_at, ends_at) = validity(&mut fields, issues);
    let key_type = fields.get("type").and_then(|view| view.name(issues)).unwrap_or("AsymmetricX509Cert");
    let usage = fields.get("usage").and_then(|view| view.name(issues)).unwrap_or("Verify");
    let (key, pem) = (fields.get("key"), fields.get("certificatePem"));
    let _ = fields.get("customKeyIdentifier");
    fields.warn_of_others(issues);
    if key_type != "AsymmetricX509Cert" || usage != "Verify" {
        let what = format!("a key of type `{key_type}` for usage `{usage}` authenticates no client");
        issues.warning(
            &fields.at,
            what,
            "the entry is left out; write AsymmetricX509Cert and Verify for a client's certificate",
        );
        return None;
    }
    let certificate = match (key, pem) {
        (Some(view), None) => from_base64(&view, issues)?,
        (None, Some(view)) => from_pem(view.text(issues)?, &view.at, issues)?,
        (Some(_), Some(view)) => {
            issues.error(&view.at, "both `key` and `certificatePem`", "remove one of them");
            return None;
        }
        (None, None) => {
            let what =
                "neither `key` nor `certificatePem`: an export leaves the certificate out unless it is asked for";
            issues.warning(
                &fields.at,
                what,
                "add one of them, or export with $select=keyCredentials; the entry is left out",
            );
            return None;
        }
    };
    let mut credential = ClientCertificate::of(app_id, &certificate, display_name);
    credential.key_id = key_id.unwrap_or(credential.key_id);
    credential.starts_at = starts_at.unwrap_or(credential.starts_at);
    credential.ends_at = ends_at.unwrap_or(credential.ends_at);
    Some(credential)
}

const CERTIFICATE_MEND: &str = "write a certificate with an RSA key of 2048 bits or more";
const PRIVATE_KEY: &str = "a private key where a certificate belongs";
const PRIVATE_KEY_MEND: &str = "put the certificate there; the key stays with the client, and this one has now been shown to \
                                whoever reads the file, so make another";

fn from_pem(text: &str, at: &At, issues: &mut Issues) -> Option<Certificate> {
    if text.contains("PRIVATE KEY-----") {
        issues.error(at, PRIVATE_KEY, PRIVATE_KEY_MEND);
        return None;
    }
    match Certificate::from_pem(text) {
        Ok(certificate) => Some(certificate),
        Err(error) => {
            issues.error(at, format!("not a certificate in PEM: {error}"), CERTIFICATE_MEND);
            None
        }
    }
}

/// A certificate in PEM: its DER.
pub(super) fn certificate_in_pem(view: &View<'_>, issues: &mut Issues) -> Option<Vec<u8>> {
    from_pem(view.text(issues)?, &view.at, issues).map(|certificate| certificate.der().to_vec())
}

fn from_base64(view: &View<'_>, issues: &mut Issues) -> Option<Certificate> {
    let text = view.text(issues)?;
    if text.contains("-----BEGIN") {
        return from_pem(text, &view.at, issues);
    }
    let text: String = text.split_ascii_whitespace().collect();
    let Ok(der) = base64_decode_lenient(&text) else {
        issues.error(&view.at, "not base64", "write the certificate's DER in base64, or use `certificatePem`");
        return None;
    };
    // Some tools encode the PEM text once more.
    if let Some(pem) = std::str::from_utf8(&der).ok().filter(|text| text.contains("-----BEGIN")) {
        return from_pem(pem, &view.at, issues);
    }
    let as_pkcs1 =
        || PrivateKey::from_pem(&format!("-----BEGIN RSA PRIVATE KEY-----\n{text}\n-----END RSA PRIVATE KEY-----\n"));
    if PrivateKey::from_pkcs8_der(&der).is_ok() || as_pkcs1().is_ok() {
        issues.error(&view.at, PRIVATE_KEY, PRIVATE_KEY_MEND);
        return None;
    }
    match Certificate::from_der(der) {
        Ok(certificate) => Some(certificate),
        Err(error) => {
            issues.error(&view.at, format!("not a certificate: {error}"), CERTIFICATE_MEND);
            None
        }
    }
}

fn read_federated(view: &View<'_>, app_id: ClientId, issues: &mut Issues) -> Option<FederatedCredential> {
    let mut fields = view.object(issues)?;
    let id = fields.get("id").and_then(|view| view.guid(issues));
    let name = fields.required("name", issues).and_then(|view| {
        let name = view.name(issues)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if (3..=120).contains(&name.len()) && name.chars().all(allowed) {
            return Some(name);
        }
        issues.error(
            &view.at,
            "not a name of a federated credential",
            "write 3 to 120 letters, digits, dashes, underscores",
        );
        None
    });
    let mut compared = |name| {
        let view = fields.required(name, issues)?;
        let text = view.name(issues)?;
        if text.len() > 600 {
            issues.error(&view.at, "more than 600 characters", "shorten it");
            return None;
        }
        Some(text)
    };
    let (issuer, subject) = (compared("issuer"), compared("subject"));
    let audience = fields.required("audiences", issues).and_then(|view| match view.items(issues).as_slice() {
        [one] => one.name(issues),
        others => {
            let what = format!("{} audiences", others.len());
            issues.error(&view.at, what, "write exactly one, such as [api://AzureADTokenExchange]");
            None
        }
    });
    let description = fields.get("description").and_then(|view| view.text(issues));
    fields.warn_of_others(issues);
    let name = name?;
    Some(FederatedCredential {
        id: id.unwrap_or_else(|| derived_uuid(&app_id.as_uuid(), "federatedIdentityCredential", name)),
        name: name.to_owned(),
        issuer: issuer?.to_owned(),
        subject: subject?.to_owned(),
        audience: audience?.to_owned(),
        description: description.map(str::to_owned),
    })
}
