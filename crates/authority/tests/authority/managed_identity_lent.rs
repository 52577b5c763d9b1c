//! Managed identities from the start of the authority to its end, and their tokens as other applications' proof.

use std::sync::Arc;

use bytes::Bytes;
use countersign_authority::{Authority, ManagedIdentityEndpoint, StartError, Storage, write_ready_file};
use countersign_directory::DirectoryFile;
use countersign_protocol::AuthorityHost;
use countersign_token::OffsetClock;
use http::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::kit::{API, Answer, CLIENT, Kit, OTHER_TENANT, TENANT, claims, directory_text};
use crate::lab::Lab;
use crate::managed_identity::{IDENTITY, IMDS, Lent, METADATA, OBJECT, OTHER, address, builder, directory, get, says};

/// The second leg: the identity's token as an application's assertion.
async fn exchange(kit: &Kit, assertion: &Value) -> Answer {
    let form = crate::forge::form(assertion.as_str().unwrap(), &format!("&client_id={CLIENT}&scope={API}/.default"));
    let port = kit.authority.address().port();
    let url = format!("https://localhost:{port}/{TENANT}/oauth2/v2.0/token");
    let request = http::Request::post(url).header("content-type", "application/x-www-form-urlencoded");
    kit.send(request.body(Bytes::from(form)).unwrap()).await
}

fn trusting(issuer: &str, subject: &str, audience: &str) -> DirectoryFile {
    let members = format!(
        "federatedIdentityCredentials: [{{name: identity, issuer: \"{issuer}\", subject: \"{subject}\", \
         audiences: [\"{audience}\"]}}]"
    );
    directory(&members, "")
}

async fn lent_at(origin: &str, directory: DirectoryFile) -> Lent {
    let (builder, clock) = builder(directory);
    let builder = builder.origin(AuthorityHost::parse(origin).unwrap());
    Lent::from(builder.managed_identity(ManagedIdentityEndpoint::new(IDENTITY)), clock).await
}

#[tokio::test]
async fn an_application_that_trusts_the_identity_takes_its_token_as_an_assertion() {
    let origin = "https://login.contoso.test";
    let issuer = format!("{origin}/{TENANT}/v2.0");
    let audience = "api://AzureADTokenExchange";
    let lent = lent_at(origin, trusting(&issuer, OBJECT, audience)).await;
    let first = lent.imds(audience).await.json();
    let said = claims(&first["access_token"]);
    // The token names the exchange by its client id, the credential by its URI, as Entra's do.
    assert_eq!((&said["aud"], &said["ver"]), (&json!("fb60f99c-7a34-4190-8149-302f77469936"), &json!("2.0")));
    assert_eq!((&said["iss"], &said["sub"], &said["azp"]), (&json!(issuer), &json!(OBJECT), &json!(IDENTITY)));
    let second = exchange(&lent.kit, &first["access_token"]).await;
    assert_eq!(second.status, 200, "{second:?}");
    let said = claims(&second.body["access_token"]);
    assert_eq!((&said["azp"], &said["roles"]), (&json!(CLIENT), &json!(["Resource.Read"])), "the application's token");
    // App Service's token does as well.
    let first = lent.app_service(audience).await.json();
    assert_eq!(exchange(&lent.kit, &first["access_token"]).await.status, 200);
    // A token for something else is none for the exchange.
    let other = lent.imds(&format!("api://{API}")).await.json();
    assert_eq!(exchange(&lent.kit, &other["access_token"]).await.refusal(), (401, "invalid_client", 700_212));
    // It lives a day and no longer.
    lent.kit.clock.advance(std::time::Duration::from_secs(86_400 + 301));
    assert_eq!(exchange(&lent.kit, &first["access_token"]).await.status, 401);
}

#[tokio::test]
async fn b18_another_identity_or_another_clouds_audience_is_not_trusted() {
    let origin = "https://login.contoso.test";
    let issuer = format!("{origin}/{TENANT}/v2.0");
    for (issuer, subject, audience, code) in [
        (issuer.as_str(), OTHER, "api://AzureADTokenExchange", 700_213),
        (issuer.as_str(), OBJECT, "api://AzureADTokenExchangeChina", 700_212),
        (issuer.as_str(), OBJECT, "api://azureadtokenexchange", 700_212),
        ("https://login.microsoftonline.com/x/v2.0", OBJECT, "api://AzureADTokenExchange", 700_211),
    ] {
        let lent = lent_at(origin, trusting(issuer, subject, audience)).await;
        let first = lent.imds("api://AzureADTokenExchange").await.json();
        let second = exchange(&lent.kit, &first["access_token"]).await;
        assert_eq!(second.refusal(), (401, "invalid_client", code), "{issuer} {subject} {audience}");
    }
}

#[tokio::test]
async fn where_entra_is_stood_in_for_the_identity_is_entras() {
    let issuer = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let (builder, clock) = builder(trusting(&issuer, OBJECT, "api://AzureADTokenExchange"));
    let builder = builder.stand_in("graph.microsoft.com".parse().unwrap());
    let builder = builder.stand_in("login.microsoftonline.com".parse().unwrap());
    let lent = Lent::from(builder.managed_identity(ManagedIdentityEndpoint::new(IDENTITY)), clock).await;
    let first = lent.imds("api://AzureADTokenExchange").await.json();
    assert_eq!(claims(&first["access_token"])["iss"], issuer);
    assert_eq!(exchange(&lent.kit, &first["access_token"]).await.status, 200);
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_served_stops_the_start() {
    let attempt = async |endpoint: &str| {
        let (builder, _) =
            builder(directory("", "- {appId: 77777777-7777-4777-8777-777777777777, displayName: OlderApi}"));
        let refused = builder.managed_identity(endpoint.parse().unwrap()).start().await.unwrap_err();
        match refused {
            StartError::ManagedIdentity { name, what } => (name, what),
            other => panic!("{other:?}"),
        }
    };
    for (endpoint, what) in [
        (format!("{IDENTITY}@0.0.0.0:0"), "its address is not on loopback"),
        (format!("{IDENTITY}@[::]:0"), "its address is not on loopback"),
        (format!("{IDENTITY}@192.0.2.1:80"), "its address is not on loopback"),
        (OTHER.to_owned(), "no application has this client id"),
        ("11111111-1111-4111-8111-111111111111".to_owned(), "it has no service principal in its tenant"),
        ("nobody".to_owned(), "no service principal has this name"),
        ("OlderApi".to_owned(), "several service principals have this name; state its client id"),
    ] {
        let name = endpoint.split('@').next().unwrap().to_owned();
        assert_eq!(attempt(&endpoint).await, (name, what), "{endpoint}");
    }
}

#[tokio::test]
async fn each_identity_has_an_address_of_its_own_and_all_end_with_the_authority() {
    let (builder, clock) = builder(directory("", ""));
    let builder = builder.managed_identity("orders-identity".parse().unwrap());
    let kit = Kit::from(builder.managed_identity("DemoClientApp@[::1]:0".parse().unwrap()), clock).await;
    let identities = kit.authority.managed_identities().to_vec();
    let mut callers = Vec::new();
    for identity in &identities {
        let answer = get(identity, &format!("{IMDS}api://{API}"), METADATA).await.json();
        callers.push(claims(&answer["access_token"])["azp"].as_str().unwrap().to_owned());
    }
    assert_eq!(callers, [IDENTITY, CLIENT]);
    assert!(identities[1].imds().starts_with("http://[::1]:"));
    kit.authority.shutdown().await;
    for identity in &identities {
        assert!(TcpStream::connect(address(identity)).await.is_err());
    }
}

#[tokio::test]
async fn the_ready_file_names_them_for_its_owner_and_debug_shows_no_header() {
    let lent = Lent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ready.json");
    write_ready_file(&path, &lent.kit.authority).unwrap();
    let ready: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let (identity, header) = (&lent.identity, lent.identity.identity_header().expose_secret());
    let expected = json!([{
        "client_id": IDENTITY, "resource_id": identity.resource_id(), "imds": identity.imds(),
        "identity_endpoint": identity.identity_endpoint(), "identity_header": header,
    }]);
    assert_eq!(ready["managed_identities"], expected);
    assert_eq!(identity.identity_endpoint(), format!("{}/msi/token", identity.imds()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(!format!("{identity:?} {:?}", lent.kit.authority).contains(header));
    let kit = Kit::start().await;
    write_ready_file(&path, &kit.authority).unwrap();
    let ready: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(ready.get("managed_identities").is_none(), "only on request");
}

#[tokio::test]
async fn b41_headers_are_bounded_and_so_is_patience() {
    use countersign_authority::serve::ServeLimits;
    let second = std::time::Duration::from_secs(1);
    let limits = ServeLimits { headers: second, handshake: second, ..ServeLimits::default() };
    let (builder, clock) = builder(directory("", ""));
    let builder = builder.limits(limits).managed_identity(ManagedIdentityEndpoint::new(IDENTITY));
    let lent = Lent::from(builder, clock).await;
    let long = format!("{METADATA}x-long: {}\r\n", "a".repeat(16 * 1024));
    assert_eq!(get(&lent.identity, &format!("{IMDS}api://{API}"), &long).await.status, 431);
    // A request that never ends is cut off.
    let cut_off = tokio::time::timeout(second * 20, says(&lent.identity, "GET /metadata HTTP/1.1\r\nHost: loc")).await;
    assert_ne!(cut_off.unwrap().status, 200);
    assert_eq!(lent.imds(&format!("api://{API}")).await.status, 200);
}

#[tokio::test]
async fn an_identity_that_was_switched_off_is_lent_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let (builder, clock) = builder(directory("", ""));
    let builder = builder.storage(Storage::Data(folder.path().to_owned()));
    let kit = Kit::from(builder, clock.clone()).await;
    kit.authority.shutdown().await;
    // Switched off by a second file.
    let off = format!(
        "tenants:\n- tenantId: {TENANT}\n  displayName: Contoso\n  applications:\n  - {{appId: {IDENTITY}, \
         displayName: orders-identity, servicePrincipal: {{id: {OBJECT}, accountEnabled: false}}}}\n"
    );
    let off = DirectoryFile::parse("off.yaml", &off).unwrap().file;
    let again = Authority::builder().clock(Arc::new(clock.clone())).directory(off);
    let again = again.storage(Storage::Data(folder.path().to_owned()));
    let lent = Lent::from(again.managed_identity(ManagedIdentityEndpoint::new(IDENTITY)), clock).await;
    let (status, body) = lent.imds(&format!("api://{API}")).await.refusal();
    assert_eq!((status, &body["error"]), (400, &json!("unauthorized_client")), "{body}");
    assert!(body["error_description"].as_str().unwrap().starts_with("AADSTS7000112: "), "{body}");
}

#[tokio::test]
async fn the_lab_sees_it_makes_it_fail_and_takes_its_tenant_away() {
    let there = format!("  domains: [fabrikam.com]\n  managedIdentities: [{{name: theirs, clientId: {IDENTITY}}}]");
    let text = directory_text("", "").replace("  domains: [fabrikam.com]", &there);
    let clock = OffsetClock::default();
    let builder = Authority::builder().lab(Some(clock.clone()));
    let builder = builder.directory(DirectoryFile::parse("test.yaml", &text).unwrap().file);
    let authority = builder.managed_identity(ManagedIdentityEndpoint::new("theirs")).start().await.unwrap();
    let lab = Lab { kit: Kit::around(authority), clock };
    let identity = lab.kit.authority.managed_identities()[0].clone();
    let target = format!("{IMDS}https://graph.microsoft.com&client_id={IDENTITY}");
    let fault =
        json!({"endpoint": "managed_identity", "client_id": IDENTITY, "times": 1, "status": 429, "body": "empty"});
    assert!((200..300).contains(&lab.order("/lab/faults", &fault).await.status));
    assert_eq!(get(&identity, &target, METADATA).await.status, 429);
    assert_eq!(get(&identity, &target, METADATA).await.status, 200, "only once");
    let administrator = lab.administrator().await;
    let calls = lab.ask(Method::GET, "/lab/calls?endpoint=managed_identity", Some(&administrator), "").await;
    let seen: Vec<_> = calls.body["calls"].as_array().unwrap().iter().map(|call| call["status"].clone()).collect();
    assert_eq!((seen, &calls.body["calls"][0]["client_id"]), (vec![json!(429), json!(200)], &json!(IDENTITY)));
    let path = format!("/lab/tenants/{OTHER_TENANT}");
    assert_eq!(lab.ask(Method::DELETE, &path, Some(&administrator), "").await.status, 204);
    let gone = get(&identity, &target, METADATA).await;
    assert_eq!((gone.status, &gone.json()["error_description"]), (400, &json!("Identity not found")));
}
