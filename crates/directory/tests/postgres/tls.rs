//! `sslmode` means what it says.

use std::net::TcpListener;
use std::time::Duration;

use countersign_directory::{Directory, PostgresDirectory, StoreError, Tenants};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::postgres_server::{Server, shared};

fn ca() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server whose certificate is for `localhost`, with its CA's certificate beside it.
fn server() -> Server {
    let ca = ca();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let files: [(&str, &str); 4] = [
        ("server.pem", &certificate.pem()),
        ("server.key", &key.serialize_pem()),
        ("ca.pem", &ca.pem()),
        ("other-ca.pem", &self::ca().pem()),
    ];
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings =
        "-c listen_addresses=127.0.0.1 -c ssl=on -c ssl_cert_file=../server.pem -c ssl_key_file=../server.key";
    Server::with(&files, port, settings)
}

#[tokio::test]
async fn the_certificate_is_looked_at_as_asked() {
    let server = server();
    let path = |name: &str| server.folder().join(name).display().to_string();
    let open = async |parameters: &str| {
        let url = server.url_by_tcp("postgres", parameters);
        PostgresDirectory::open_with_patience(&url, Duration::from_secs(10)).await
    };
    for parameters in ["sslmode=require", &format!("sslmode=verify-full&sslrootcert={}", path("ca.pem")), ""] {
        let directory = open(parameters).await.unwrap();
        directory.begin().await.unwrap().tenants().await.unwrap();
        let unencrypted = server.run(
            "postgres",
            "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_addr IS NOT NULL AND NOT ssl",
        );
        assert_eq!(unencrypted, "0", "{parameters}");
        directory.close().await;
    }
    for parameters in
        ["sslmode=verify-full".to_owned(), format!("sslmode=verify-ca&sslrootcert={}", path("other-ca.pem"))]
    {
        let error = open(&parameters).await.unwrap_err();
        assert!(matches!(error, StoreError::Io(_)), "{parameters}: {error:?}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_it_is_required() {
    let database = shared().database();
    let url = format!("{}&sslmode=require", secrecy::ExposeSecret::expose_secret(&shared().url(&database)));
    let error = PostgresDirectory::open(&url.into()).await.unwrap_err();
    assert!(matches!(error, StoreError::Database(_)), "{error:?}");
}
