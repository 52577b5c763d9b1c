//! Managed identities as programs ask for them: of a virtual machine's metadata service, and of App Service. All that tells
//! them where is the environment that they look at anyway.

use countersign_authority::ManagedIdentityEndpoint;
use countersign_conformance::clients::{Program, run_in};
use countersign_conformance::contoso::{House, IDENTITY, RESOURCE, RESOURCE_URI, TENANT, directory};
use countersign_conformance::tokens::decode;
use secrecy::ExposeSecret;
use serde_json::json;

const PYTHON: Program = Program::Python("azure_identity_flows.py");
const NODE: Program = Program::Node("azure_identity.mjs");
const GO: Program = Program::Go("azidentity");

async fn house() -> House {
    House::open_with(&directory(), |builder| builder.managed_identity(ManagedIdentityEndpoint::new(IDENTITY))).await
}

async fn gets_tokens(program: Program, house: &House, environment: &[(&str, String)]) {
    let identity = &house.authority.managed_identities()[0];
    let attempt = |name: &str, client_id: &str| {
        json!({
            "name": name, "flow": "managed_identity", "client_id": client_id,
            "scope": format!("{RESOURCE_URI}/.default"),
        })
    };
    let attempts =
        json!([attempt("the machine's own", ""), attempt("by client id", &identity.client_id().to_string())]);
    let config = json!({"attempts": attempts, "default_configuration": true});
    let outcomes = run_in(program, house, config, environment).await;
    assert_eq!(outcomes.len(), 2);
    for outcome in outcomes {
        let (_, claims) = decode(outcome.token());
        assert_eq!(claims["tid"], TENANT, "{program:?}: {}", outcome.name);
        assert_eq!(claims["oid"], identity.object_id().to_string(), "{program:?}: {}", outcome.name);
        assert_eq!(claims["azp"], identity.client_id().to_string(), "{program:?}: {}", outcome.name);
        assert_eq!(claims["aud"], RESOURCE, "{program:?}: {}", outcome.name);
        assert_eq!(claims["roles"], json!(["Resource.Read"]), "{program:?}: {}", outcome.name);
        assert_eq!(outcome.text("again_from"), "cache", "{program:?}: {}", outcome.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_identity_finds_the_metadata_service() {
    let house = house().await;
    let imds = house.authority.managed_identities()[0].imds();
    // For Go there is no such variable: it always asks the one address that only a virtual machine has.
    for program in [PYTHON, NODE] {
        gets_tokens(program, &house, &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", imds.clone())]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_identity_finds_app_services_endpoint() {
    let house = house().await;
    let identity = &house.authority.managed_identities()[0];
    let environment = [
        ("IDENTITY_ENDPOINT", identity.identity_endpoint()),
        ("IDENTITY_HEADER", identity.identity_header().expose_secret().to_owned()),
    ];
    for program in [PYTHON, NODE, GO] {
        if program.is_here() {
            gets_tokens(program, &house, &environment).await;
        }
    }
}
