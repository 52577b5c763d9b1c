//! What the `AZURE_*` variables make a client do.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;

use countersign_client::{AcquireError, ConfidentialClientBuilder, EnvironmentCredential, RequestOptions};
use secrecy::SecretString;
use support::{CLIENT, Endpoint, TENANT, clock, field, scopes, tenant};

const SECRET: (&str, &str) = ("AZURE_CLIENT_SECRET", "s3cret");

fn read(more: &[(&str, &str)]) -> EnvironmentCredential {
    let variables = [&[("AZURE_TENANT_ID", TENANT), ("AZURE_CLIENT_ID", CLIENT)], more].concat();
    let variable =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    EnvironmentCredential::read(variable).unwrap()
}

fn application(more: &[(&str, &str)], endpoint: &Endpoint) -> ConfidentialClientBuilder {
    let EnvironmentCredential::Application(builder) = read(more) else { panic!("{more:?}") };
    builder.transport(Arc::new(endpoint.clone())).clock(Arc::new(clock()))
}

#[tokio::test(start_paused = true)]
async fn only_the_tenants_that_are_listed_are_asked() {
    let list = |tenants| ("AZURE_ADDITIONALLY_ALLOWED_TENANTS", tenants);
    type Variables<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Variables<'_>, [bool; 2]); 4] = [
        (&[SECRET], [false, false]),
        (&[SECRET, list("fabrikam.com")], [true, false]),
        (&[SECRET, list(" adatum.com ; fabrikam.com;")], [true, true]),
        (&[SECRET, list("fabrikam.com;*")], [true, true]),
    ];
    for (variables, allowed) in cases {
        let endpoint = Endpoint::issuing();
        let client = application(variables, &endpoint).build().unwrap();
        let orders = scopes("api://orders");
        client.acquire_token_for_client(&orders).await.unwrap();
        for (name, allowed) in ["fabrikam.com", "adatum.com"].into_iter().zip(allowed) {
            let sent = endpoint.count();
            let options = RequestOptions::new().tenant(tenant(name));
            let outcomes = [
                client.acquire_token_in_tenant(&tenant(name), &orders).await,
                client.acquire_token_for_client_with(&orders, &options).await,
            ];
            for outcome in outcomes {
                match outcome {
                    Ok(_) => assert!(allowed, "{variables:?} {name}"),
                    Err(error) => {
                        assert!(!allowed && matches!(error, AcquireError::TenantNotAllowed), "{variables:?} {name}");
                        assert!(!error.is_retryable() && error.remedy().is_some());
                    }
                }
            }
            assert_eq!(endpoint.count() > sent, allowed, "{variables:?} {name}");
        }
        let device = client.start_device_code(&orders, &RequestOptions::new().tenant(tenant("foreign.com"))).await;
        let everywhere = variables.iter().any(|(_, value)| value.contains('*'));
        assert_eq!(matches!(device, Err(AcquireError::TenantNotAllowed)), !everywhere, "{variables:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn c04_a_limited_client_is_not_served_what_another_one_got_elsewhere() {
    let endpoint = Endpoint::issuing();
    let cache = countersign_client::TokenCache::default();
    let anywhere = ("AZURE_ADDITIONALLY_ALLOWED_TENANTS", "*");
    let free = application(&[SECRET, anywhere], &endpoint).cache(cache.clone()).build().unwrap();
    let limited = application(&[SECRET], &endpoint).cache(cache).build().unwrap();
    let (orders, fabrikam) = (scopes("api://orders"), tenant("fabrikam.com"));
    free.acquire_token_in_tenant(&fabrikam, &orders).await.unwrap();
    let error = limited.acquire_token_in_tenant(&fabrikam, &orders).await.unwrap_err();
    assert!(matches!(error, AcquireError::TenantNotAllowed), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn the_region_is_asked_and_a_region_that_is_none_is_named() {
    let endpoint = Endpoint::issuing();
    let region = |name| ("AZURE_REGIONAL_AUTHORITY_NAME", name);
    let client = application(&[SECRET, region("westeurope")], &endpoint).build().unwrap();
    client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
    assert_eq!(endpoint.requests()[0].uri().host(), Some("westeurope.login.microsoft.com"));
    let error = application(&[SECRET, region("evil.com/")], &endpoint).build().unwrap_err();
    assert!(matches!(error, countersign_client::BuildError::Region), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn the_libraries_words_for_a_region_are_understood_and_none_becomes_a_host() {
    let region = |name| ("AZURE_REGIONAL_AUTHORITY_NAME", name);
    let platform = |name| ("REGION_NAME", name);
    const GLOBAL: &str = "login.microsoftonline.com";
    type Variables<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Variables<'_>, &str); 9] = [
        (&[region("tryautodetect"), platform("West Europe")], "westeurope.login.microsoft.com"),
        (&[region("TryAutoDetect"), platform("westus2")], "westus2.login.microsoft.com"),
        (&[region("AutoDiscoverRegion"), platform(" Central US ")], "centralus.login.microsoft.com"),
        // What the platform says counts only for who asks to have it found out.
        (&[region("northeurope"), platform("West Europe")], "northeurope.login.microsoft.com"),
        (&[platform("West Europe")], GLOBAL),
        (&[region("TRYAUTODETECT")], GLOBAL),
        (&[region("AutoDiscoverRegion"), platform(" ")], GLOBAL),
        (&[region("AutoDiscoverRegion"), platform("evil.com/")], GLOBAL),
        (&[region("DisableMsalForceRegion"), platform("West Europe")], GLOBAL),
    ];
    for (variables, host) in cases {
        let endpoint = Endpoint::issuing();
        let client = application(&[&[SECRET], variables].concat(), &endpoint).build().unwrap();
        client.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
        assert_eq!(endpoint.requests()[0].uri().host(), Some(host), "{variables:?}");
    }
    // A builder that is told the word cannot find it out by itself.
    let endpoint = Endpoint::issuing();
    let error = application(&[SECRET], &endpoint).region("TryAutoDetect").build().unwrap_err();
    assert!(matches!(error, countersign_client::BuildError::Region), "{error:?}");
    let found = application(&[SECRET], &endpoint).detect_region(|_| Some("UK South".to_owned())).build().unwrap();
    found.acquire_token_for_client(&scopes("api://orders")).await.unwrap();
    assert_eq!(endpoint.requests()[0].uri().host(), Some("uksouth.login.microsoft.com"));
}

#[tokio::test(start_paused = true)]
async fn a_user_is_the_third_choice() {
    let user = [("AZURE_USERNAME", "erika@contoso.com"), ("AZURE_PASSWORD", "p4ss~word")];
    let federated = ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/t");
    for first in [SECRET, ("AZURE_CLIENT_CERTIFICATE_PATH", "/no/such.pem")] {
        assert!(matches!(read(&[user[0], user[1], first]), EnvironmentCredential::Application(_)), "{first:?}");
    }
    let credential = read(&[user[0], user[1], federated]);
    assert!(!format!("{credential:?}").contains("p4ss"), "{credential:?}");
    let EnvironmentCredential::User { application, username, password } = credential else { panic!() };
    let endpoint = Endpoint::issuing();
    let client = application.transport(Arc::new(endpoint.clone())).clock(Arc::new(clock())).build().unwrap();
    // Whose token it is, the answer does not say; what counts here is what was sent.
    let password: SecretString = password;
    let _ =
        client.acquire_token_by_password(&username, password, &scopes("api://orders"), &RequestOptions::new()).await;
    let form = endpoint.last_form();
    assert_eq!(field(&form, "grant_type").unwrap(), "password");
    assert_eq!(field(&form, "username").unwrap(), "erika@contoso.com");
    assert_eq!(field(&form, "password").unwrap(), "p4ss~word");
    assert!(field(&form, "client_secret").is_none());
}
