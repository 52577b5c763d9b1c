//! An issuer elsewhere, whose tokens Contoso's daemon may prove itself with, as a cluster's or a pipeline's issuer would
//! be: a second authority, which shares nothing with the first but this machine.

use countersign_authority::AuthorityBuilder;
use serde_json::{Value, json};

use crate::contoso::{CLIENT, House, directory, registration};
use crate::tokens::decode;
use crate::wire::post_form;

const TENANT: &str = "c1a55e5a-0000-4000-8000-000000000001";
const WORKLOAD: &str = "c1a55e5a-0000-4000-8000-000000000002";
const EXCHANGE: &str = "c1a55e5a-0000-4000-8000-000000000003";
const SECRET: &str = "fed8Q~conformance-only-0123456789";

/// The issuer, and a token of a workload there.
pub struct Elsewhere {
    house: House,
    assertion: String,
}

impl Elsewhere {
    /// Starts it.
    pub async fn open() -> Self {
        let directory = json!({"tenants": [{
            "tenantId": TENANT, "displayName": "Cluster", "domains": ["cluster.example"],
            "applications": [
                {"appId": EXCHANGE, "displayName": "Exchange", "api": {"requestedAccessTokenVersion": 2}},
                {
                    "appId": WORKLOAD, "displayName": "Workload",
                    "passwordCredentials": [{"displayName": "only", "secretText": SECRET}],
                },
            ],
        }]});
        let house = House::open_with(&directory, |builder| builder).await;
        let scope = format!("{EXCHANGE}/.default");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", WORKLOAD),
            ("client_secret", SECRET),
            ("scope", scope.as_str()),
        ];
        let answer = post_form(&house, &format!("/{TENANT}/oauth2/v2.0/token"), &form).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let assertion = answer.json()["access_token"].as_str().unwrap().to_owned();
        Self { house, assertion }
    }

    /// The workload's token.
    #[must_use]
    pub fn assertion(&self) -> &str {
        &self.assertion
    }

    /// Contoso's directory, in which the daemon trusts the workload.
    #[must_use]
    pub fn trusted(&self) -> Value {
        let (_, claims) = decode(&self.assertion);
        let mut directory = directory();
        registration(&mut directory, CLIENT)["federatedIdentityCredentials"] = json!([{
            "name": "elsewhere", "issuer": claims["iss"], "subject": claims["sub"], "audiences": [claims["aud"]],
        }]);
        directory
    }

    /// Lets an authority ask it for its keys, although it is on loopback.
    pub fn allow(&self, builder: AuthorityBuilder) -> AuthorityBuilder {
        builder.allow_issuer_host("localhost").issuer_roots_pem(self.house.authority.ca_pem())
    }
}
