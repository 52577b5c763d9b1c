//! Every mistake with credentials in a directory file, and what is said about it: never the credential.
#![expect(clippy::unwrap_used, reason = "tests")]

mod file_support;

use countersign_directory::DirectoryFile;
use countersign_token::base64_encode_standard;

use file_support::{application, assert_wrong, indent, tenant, warned, wrong};

#[test]
fn secrets_are_checked_and_never_shown() {
    let secrets = "passwordCredentials:\n- {secretText: \"\"}\n- {secretText: s3cret}\n- {secretText: 1234567890123456}\n\
                   - {secretText: s3cret-s3cret-s3cret, startDateTime: 2026-01-31T10:00:00Z, endDateTime: 2026-01-30T10:00:00Z}\n\
                   - {displayName: from an export, hint: abc, secretText: null, keyId: x}\n\
                   - {secretText: [s3cret-s3cret-s3cret], endDateTime: tomorrow}\n";
    let wrong = wrong(&application(secrets));
    assert_eq!(
        wrong,
        [
            "6: tenants[0].applications[0].passwordCredentials[0].secretText: an empty secret; write 16 to 64 characters",
            "7: tenants[0].applications[0].passwordCredentials[1].secretText: a secret of 6 characters is too short; \
         write 16 to 64 characters",
            "8: tenants[0].applications[0].passwordCredentials[2].secretText: a number where a text belongs; \
         put it in quotation marks",
            "9: tenants[0].applications[0].passwordCredentials[3].endDateTime: the end is not after the start; \
         write a later `endDateTime`",
            "10: tenants[0].applications[0].passwordCredentials[4].keyId: not a GUID of the form \
         00000000-0000-0000-0000-000000000000; write 32 hexadecimal digits in five groups",
            "11: tenants[0].applications[0].passwordCredentials[5].endDateTime: not a time of the form \
         2026-01-31T10:00:00Z; write date, time and offset, such as 2026-01-31T10:00:00Z",
            "11: tenants[0].applications[0].passwordCredentials[5].secretText: a list where a text belongs; write a text",
        ]
    );
    let parsed =
        DirectoryFile::parse("f.yaml", &application("passwordCredentials: [{secretText: s3cret-s3cret-s3cret}]"));
    assert!(!format!("{parsed:?}").contains("s3cret"));
    let parsed = DirectoryFile::parse(
        "f.yaml",
        &tenant("domains: [c.d]\nusers: [{userPrincipalName: a@c.d, password: s3cret}]"),
    );
    assert!(!format!("{:?}", parsed.unwrap()).contains("s3cret"));
}

#[test]
fn an_exports_credentials_without_contents_are_left_out() {
    let exported = "passwordCredentials: [{displayName: x, hint: abc, keyId: f8d39977-e31e-460b-b92c-9cef51d14f98}]\n\
                    keyCredentials:\n- {type: AsymmetricX509Cert, usage: Verify, key: null}\n\
                    - {type: X509CertAndPassword, usage: Sign, key: AAAA}";
    assert_eq!(
        warned(&application(exported)),
        [
            "5: tenants[0].applications[0].passwordCredentials[0]: `secretText` is missing: an export does not have it, so \
         this secret cannot be used; add `secretText`, or make a new secret; the entry is left out",
            "7: tenants[0].applications[0].keyCredentials[0]: neither `key` nor `certificatePem`: an export leaves the \
         certificate out unless it is asked for; add one of them, or export with $select=keyCredentials; the entry is \
         left out",
            "8: tenants[0].applications[0].keyCredentials[1]: a key of type `X509CertAndPassword` for usage `Sign` \
         authenticates no client; the entry is left out; write AsymmetricX509Cert and Verify for a client's certificate",
        ]
    );
}

#[test]
fn certificates() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::new(["client".to_owned()]).unwrap().self_signed(&key).unwrap();
    let (pem, private_pem) = (certificate.pem(), key.serialize_pem());
    let der = base64_encode_standard(certificate.der());
    let private_der = base64_encode_standard(&key.serialize_der());
    let mend = "put the certificate there; the key stays with the client, and this one has now been shown to whoever \
                reads the file, so make another";
    let block = |name: &str, text: &str| format!("keyCredentials:\n- {name}: |\n{}", indent(text, 4));

    for good in [
        block("certificatePem", &pem),
        block("key", &pem),
        format!("keyCredentials: [{{key: {der}}}]"),
        format!("keyCredentials: [{{key: {}}}]", base64_encode_standard(pem.as_bytes())),
        block(
            "key",
            &der.as_bytes()
                .chunks(64)
                .map(|line| format!("{}\n", std::str::from_utf8(line).unwrap()))
                .collect::<String>(),
        ),
    ] {
        assert_wrong(&application(&good), &[]);
    }
    let path = "6: tenants[0].applications[0].keyCredentials[0]";
    for (bad, expected) in [
        (
            block("certificatePem", &private_pem),
            format!("{path}.certificatePem: a private key where a certificate belongs; {mend}"),
        ),
        (
            block("certificatePem", &format!("{pem}{private_pem}")),
            format!("{path}.certificatePem: a private key where a certificate belongs; {mend}"),
        ),
        (block("key", &private_pem), format!("{path}.key: a private key where a certificate belongs; {mend}")),
        (block("key", &private_der), format!("{path}.key: a private key where a certificate belongs; {mend}")),
        (
            block("key", "%%%"),
            format!("{path}.key: not base64; write the certificate's DER in base64, or use `certificatePem`"),
        ),
    ] {
        let wrong = wrong(&application(&bad));
        assert_eq!(wrong, [expected]);
        assert!(!wrong[0].contains(&private_der[100..140]));
    }
    for (bad, expected) in [
        (block("key", "AAAA"), ".key: not a certificate: "),
        (block("certificatePem", "hello"), ".certificatePem: not a certificate in PEM: "),
    ] {
        let wrong = wrong(&application(&bad));
        assert!(wrong.len() == 1 && wrong[0].contains(expected), "{wrong:?}");
        assert!(wrong[0].ends_with("; write a certificate with an RSA key of 2048 bits or more"), "{wrong:?}");
    }
    let twice = format!("keyCredentials:\n- {{key: {der}}}\n- {{key: {der}}}\n- {{key: {der}, certificatePem: x}}");
    assert_wrong(
        &application(&twice),
        &[
            "7: tenants[0].applications[0].keyCredentials[1]: the certificate of this entry is also at \
         tenants[0].applications[0].keyCredentials[0] (line 6); give one of them another certificate, or remove it",
            "8: tenants[0].applications[0].keyCredentials[2].certificatePem: both `key` and `certificatePem`; remove one of them",
        ],
    );
}

#[test]
fn federated_credentials() {
    let credentials = "federatedIdentityCredentials:\n\
        - {name: k8s, issuer: \"https://i/\", subject: s, audiences: [\"api://x\"]}\n\
        - {name: k8s, issuer: \"https://i/\", subject: s, audiences: [\"api://x\"]}\n\
        - {name: a b, issuer: \"\", audiences: []}\n";
    assert_wrong(
        &application(credentials),
        &[
            "7: tenants[0].applications[0].federatedIdentityCredentials[1]: the name k8s is also at \
         tenants[0].applications[0].federatedIdentityCredentials[0] (line 6); give one of them another name, or remove it",
            "7: tenants[0].applications[0].federatedIdentityCredentials[1]: the issuer and subject of this credential is also \
         at tenants[0].applications[0].federatedIdentityCredentials[0] (line 6); \
         give one of them another issuer and subject, or remove it",
            "8: tenants[0].applications[0].federatedIdentityCredentials[2].name: not a name of a federated credential; \
         write 3 to 120 letters, digits, dashes, underscores",
            "8: tenants[0].applications[0].federatedIdentityCredentials[2].issuer: an empty text; \
         write something, or leave the member out",
            "8: tenants[0].applications[0].federatedIdentityCredentials[2]: `subject` is missing; add it",
            "8: tenants[0].applications[0].federatedIdentityCredentials[2].audiences: 0 audiences; \
         write exactly one, such as [api://AzureADTokenExchange]",
        ],
    );
}
