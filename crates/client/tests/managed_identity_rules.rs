//! What differs from host to host of a managed identity beside its dialect: by which name an identity is chosen, and when it
//! is asked again.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use countersign_client::{
    AcquireError, ManagedIdentityBuildError, ManagedIdentityError, ManagedIdentityHost, UserAssigned,
};
use serde_json::json;
use support::{CLIENT, Endpoint, answer, clock, field, managed_identity, ok, vault};

const CLIENT_ID: &str = "11111111-0d2e-4c8a-9d43-0f0f2d4a5c11";

const APP_SERVICE: &[(&str, &str)] =
    &[("IDENTITY_ENDPOINT", "http://169.254.129.3:8081/msi/token"), ("IDENTITY_HEADER", "header~s3cret")];
const AZURE_ML: &[(&str, &str)] = &[("MSI_ENDPOINT", "http://127.0.0.1:46808/MSI/auth"), ("MSI_SECRET", "ml~s3cret")];
const ARC: &[(&str, &str)] = &[
    ("IDENTITY_ENDPOINT", "http://127.0.0.1:40342/metadata/identity/oauth2/token"),
    ("IMDS_ENDPOINT", "http://127.0.0.1:40342"),
];

fn issues(endpoint: &Endpoint) {
    endpoint.answers(|_| ok(&json!({"access_token": "t", "expires_in": "86399", "token_type": "Bearer"})));
}

#[tokio::test(start_paused = true)]
async fn c01_a_token_that_comes_with_another_status_is_not_shown() {
    for (status, variables) in [(201, &[][..]), (203, APP_SERVICE), (400, &[]), (403, AZURE_ML)] {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        endpoint.answers(move |_| answer(status, r#"{"access_token":"sensitive","expires_in":"86399"}"#));
        let identity = managed_identity(&endpoint, &clock, variables).build().unwrap();
        let error = identity.acquire_token(&vault()).await.unwrap_err();
        let AcquireError::ManagedIdentity(cause) = &error else { panic!("{error:?}") };
        assert!(matches!(**cause, ManagedIdentityError::Refused { status: s, .. } if s == status));
        assert!(!format!("{error:?} {cause}").contains("sensitive"), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_host_is_asked_for_the_identity_that_is_meant_by_its_own_name_for_it() {
    let client_id = || UserAssigned::ClientId(CLIENT_ID.parse().unwrap());
    let object_id = || UserAssigned::ObjectId(CLIENT_ID.parse().unwrap());
    let default = [AZURE_ML, &[("DEFAULT_IDENTITY_CLIENT_ID", CLIENT)]].concat();
    let cases = [
        (&[][..], Some(object_id()), Some(("object_id", CLIENT_ID))),
        (&[], Some(client_id()), Some(("client_id", CLIENT_ID))),
        (APP_SERVICE, Some(object_id()), Some(("principal_id", CLIENT_ID))),
        (
            APP_SERVICE,
            Some(UserAssigned::ResourceId("/subscriptions/x".into())),
            Some(("mi_res_id", "/subscriptions/x")),
        ),
        (AZURE_ML, Some(client_id()), Some(("clientid", CLIENT_ID))),
        (&default, None, Some(("clientid", CLIENT))),
        (&default, Some(client_id()), Some(("clientid", CLIENT_ID))),
        (AZURE_ML, None, None),
    ];
    for (variables, identity, expected) in cases {
        let (endpoint, clock) = (Endpoint::issuing(), clock());
        issues(&endpoint);
        let mut builder = managed_identity(&endpoint, &clock, variables);
        if let Some(identity) = identity {
            builder = builder.user_assigned(identity);
        }
        builder.build().unwrap().acquire_token(&vault()).await.unwrap();
        let query = endpoint.requests()[0].uri().query().unwrap().to_owned();
        let names = ["client_id", "object_id", "msi_res_id", "principal_id", "mi_res_id", "clientid"];
        let sent: Vec<_> = names.iter().filter_map(|name| Some((*name, field(&query, name)?))).collect();
        let expected: Vec<_> = expected.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        assert_eq!(sent, expected, "{variables:?}");
    }
    // Only Azure ML has such a variable.
    let (endpoint, clock) = (Endpoint::issuing(), clock());
    issues(&endpoint);
    let identity = managed_identity(&endpoint, &clock, &[("DEFAULT_IDENTITY_CLIENT_ID", CLIENT)]).build().unwrap();
    identity.acquire_token(&vault()).await.unwrap();
    assert!(!endpoint.requests()[0].uri().query().unwrap().contains(CLIENT));
    for bad in [object_id(), UserAssigned::ResourceId("/x".into())] {
        let refused = managed_identity(&endpoint, &clock, AZURE_ML).user_assigned(bad).build().unwrap_err();
        assert_eq!(refused, ManagedIdentityBuildError::NoChoice(ManagedIdentityHost::AzureMl));
    }
}

#[tokio::test(start_paused = true)]
async fn the_other_hosts_are_asked_three_times_more_a_second_apart_and_not_about_a_refusal() {
    const CLOUD_SHELL: &[(&str, &str)] = &[("MSI_ENDPOINT", "http://127.0.0.1:50342/oauth2/token")];
    const FABRIC: &[(&str, &str)] = &[
        ("IDENTITY_ENDPOINT", "https://10.0.0.4:2377/metadata/identity/oauth2/token"),
        ("IDENTITY_HEADER", "fabric~s3cret"),
        ("IDENTITY_SERVER_THUMBPRINT", "0000000000000000000000000000000000000000"),
    ];
    for variables in [APP_SERVICE, AZURE_ML, CLOUD_SHELL, FABRIC, ARC] {
        let cases = [
            (404, 3),
            (408, 3),
            (429, 3),
            (500, 3),
            (502, 3),
            (503, 3),
            (504, 3),
            (400, 0),
            (401, 0),
            (403, 0),
            (410, 0),
        ];
        for (status, retries) in cases {
            // Arc's agent challenges with this one.
            if status == 401 && variables == ARC {
                continue;
            }
            let (endpoint, clock) = (Endpoint::issuing(), clock());
            endpoint.answers(move |_| answer(status, "{}"));
            let identity = managed_identity(&endpoint, &clock, variables).build().unwrap();
            let begun = tokio::time::Instant::now();
            identity.acquire_token(&vault()).await.unwrap_err();
            let seen = (endpoint.count(), begun.elapsed().as_secs());
            assert_eq!(seen, (retries + 1, retries as u64), "{status} {variables:?}");
        }
    }
}
