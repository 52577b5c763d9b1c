//! The rules as flags: the members of a policy file, one by one, for a look at a single token.

use countersign_protocol::{AuthorityHost, CloudProfile};
use countersign_token::policy::Guests;
use countersign_token::{ClientAuthentication, ClientId, ObjectId, Policy, TenantId};

use crate::error::CliError;
use crate::report;

/// The flags.
#[derive(Debug, clap::Args)]
pub(crate) struct Rules {
    /// An audience that is taken: the API's client id or App ID URI; repeatable
    #[arg(long, value_name = "AUDIENCE", conflicts_with = "policy")]
    audience: Vec<String>,

    /// An app role, one of which an application must hold; repeatable
    #[arg(long, value_name = "ROLE", conflicts_with = "policy")]
    role: Vec<String>,

    /// An app role that an application must hold, whatever else it holds; repeatable
    #[arg(long, value_name = "ROLE", conflicts_with = "policy")]
    all_role: Vec<String>,

    /// A scope, one of which a user's token must hold; repeatable
    #[arg(long, value_name = "SCOPE", conflicts_with = "policy")]
    scope: Vec<String>,

    /// A scope that a user's token must hold, whatever else it holds; repeatable
    #[arg(long, value_name = "SCOPE", conflicts_with = "policy")]
    all_scope: Vec<String>,

    /// A client that may call; any unless told otherwise; repeatable
    #[arg(long, value_name = "GUID", conflicts_with = "policy")]
    client: Vec<ClientId>,

    /// A way in which the client may have proved itself: none, secret or certificate; any unless told otherwise; repeatable
    #[arg(long, value_name = "WAY", value_parser = client_authentication, conflicts_with = "policy")]
    client_authentication: Vec<ClientAuthentication>,

    /// Refuse guests of the tenant
    #[arg(long, conflicts_with = "policy")]
    no_guests: bool,

    /// A group, in one of which a user must be: its object id; repeatable
    #[arg(long, value_name = "GUID", conflicts_with = "policy")]
    group: Vec<ObjectId>,

    /// An authentication context that a user's sign-in must have satisfied (acrs); repeatable
    #[arg(long, value_name = "CONTEXT", conflicts_with = "policy")]
    acr: Vec<String>,
}

fn client_authentication(text: &str) -> Result<ClientAuthentication, &'static str> {
    match text {
        "none" => Ok(ClientAuthentication::None),
        "secret" => Ok(ClientAuthentication::Secret),
        "certificate" => Ok(ClientAuthentication::Certificate),
        _ => Err("the ways are none, secret and certificate"),
    }
}

/// Null for what was not said.
fn listed<T: Clone>(given: &[T]) -> Option<Vec<T>> {
    (!given.is_empty()).then(|| given.to_vec())
}

impl Rules {
    /// The policy of these flags, for one tenant.
    pub(super) fn policy(&self, authority: &AuthorityHost, tenant: TenantId) -> Result<Policy, CliError> {
        if self.audience.is_empty() {
            return Err(CliError::Missing {
                what: "--audience",
                hint: "name the API that the tokens are for: its client id (v2.0 tokens) or App ID URI (v1.0 tokens); or \
                       give --policy FILE",
            });
        }
        if [&self.role, &self.all_role, &self.scope, &self.all_scope].into_iter().all(Vec::is_empty) {
            report::warning(
                "without --role or --scope no token has what it takes: every genuine one is 'role_missing' or \
                 'scope_missing'",
            );
        }
        let cloud = CloudProfile::ALL
            .into_iter()
            .find(|cloud| cloud.authority_host == authority.host())
            .unwrap_or(CloudProfile::GLOBAL);
        Ok(Policy {
            tenants: vec![tenant],
            issuers: vec![authority.issuer_v2("{tenantid}"), cloud.issuer_v1("{tenantid}")],
            audiences: self.audience.clone(),
            app_roles: self.role.clone(),
            all_app_roles: self.all_role.clone(),
            scopes: self.scope.clone(),
            all_scopes: self.all_scope.clone(),
            clients: listed(&self.client),
            client_authentication: listed(&self.client_authentication),
            guests: if self.no_guests { Guests::Refuse } else { Guests::default() },
            groups: listed(&self.group),
            acrs: self.acr.clone(),
            ..Policy::default()
        })
    }
}
