//! Where the keys and the rules come from, and who decides.

use std::path::Path;
use std::sync::Arc;

use countersign_discovery::{KeySource, RemoteKeys};
use countersign_guard::{Permission, RegisteredRule, Rule, Verifier};
use countersign_protocol::{EndpointVersion, TenantSegment};
use countersign_token::{
    Claims, Clock, FakeClock, KeySet, Policy, PolicyError, Rejection, SystemClock, TenantId, Timestamp, Validator,
    Verified, authenticate, verify,
};
use tokio::runtime::Runtime;

use super::Args;
use super::verdict::Verdict;
use crate::environment::Environment;
use crate::error::CliError;
use crate::exit::Exit;
use crate::{input, report};

/// Decides about tokens, from as many threads as there are.
pub(crate) enum Judge {
    /// Keys and rules from files: no network, no runtime.
    Files { keys: KeySet, validator: Box<Validator>, permission: Option<Box<Permission>>, clock: Arc<dyn Clock> },
    /// Keys from an authority, as a guard has them.
    Authority { verifier: Verifier, rule: RegisteredRule, runtime: Runtime },
}

impl Judge {
    pub(crate) fn new(args: &Args, environment: &Environment) -> Result<Self, CliError> {
        let clock: Arc<dyn Clock> = match args.now {
            Some(seconds) => Arc::new(FakeClock::at(Timestamp::from_unix_seconds(seconds))),
            None => Arc::new(SystemClock),
        };
        let policy = args.policy.as_deref().map(policy_file).transpose()?;
        match (&args.jwks, policy) {
            (Some(path), Some(policy)) => Self::of_files(args, key_file(path)?, &policy, clock),
            (_, policy) => Self::of_authority(args, environment, policy, clock),
        }
    }

    fn of_files(args: &Args, keys: KeySet, policy: &Policy, clock: Arc<dyn Clock>) -> Result<Self, CliError> {
        let validator = Box::new(policy.compile().map_err(CliError::Policy)?);
        let named = |name: &String| {
            let unknown = || CliError::Policy(PolicyError::UnknownPermission(name.clone()));
            validator.named(name).cloned().map(Box::new).ok_or_else(unknown)
        };
        let permission = args.permission.as_ref().map(named).transpose()?;
        Ok(Self::Files { keys, validator, permission, clock })
    }

    fn of_authority(
        args: &Args,
        environment: &Environment,
        policy: Option<Policy>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CliError> {
        let tenant = tenant(args, environment, policy.as_ref())?;
        let authority = args.trust.authority(environment)?;
        let policy = match policy {
            Some(policy) => policy,
            None => args.rules.policy(&authority, tenant)?,
        };
        let transport = args.trust.transport(environment)?;
        let segment = TenantSegment::from(tenant);
        // The keys' own age is counted on the machine's clock: --now is about the tokens alone.
        let keys = RemoteKeys::from_authority(&authority, &segment, EndpointVersion::V2, transport)
            .map_err(CliError::KeyAddress)?
            .build();
        let verifier = Verifier::builder(KeySource::from(keys.clone()), &policy)
            .map_err(CliError::Policy)?
            .clock(clock)
            // A policy that takes any tenant leaves each to the service's own hook, which is not here.
            .tenants(|_| true)
            .build();
        let rule = args.permission.as_deref().map_or_else(Rule::own, Rule::named);
        let rule = verifier.register(rule).map_err(CliError::Policy)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(CliError::Runtime)?;
        runtime.block_on(keys.ready()).map_err(CliError::Keys)?;
        Ok(Self::Authority { verifier, rule, runtime })
    }

    /// Decides about one token and hands the verdict to `tell`.
    pub(crate) fn decide<E>(&self, token: &str, tell: impl FnOnce(&Verdict<'_>) -> Result<(), E>) -> Result<Exit, E> {
        match self {
            Self::Files { keys, validator, permission, clock } => {
                let verified = match permission {
                    None => verify(token, keys, validator, clock.now()),
                    Some(permission) => verify_under(token, keys, validator, permission, clock.now()),
                };
                match verified {
                    Ok(claims) => told(&Verdict::valid(&claims), tell),
                    Err(rejection) => told(&Verdict::rejected(&rejection), tell),
                }
            }
            Self::Authority { verifier, rule, runtime } => match runtime.block_on(verifier.verify_under(token, rule)) {
                Ok(claims) => told(&Verdict::valid(&claims), tell),
                Err(refusal) => told(&Verdict::of_guard(&refusal), tell),
            },
        }
    }
}

/// As a guard decides at a route with a permission of its own: who calls, by the policy; what for, by the permission.
fn verify_under(
    token: &str,
    keys: &KeySet,
    validator: &Validator,
    permission: &Permission,
    now: Timestamp,
) -> Result<Verified<Claims>, Rejection> {
    let claims = authenticate(token, keys, validator, now)?;
    validator.permission().check_caller(&claims)?;
    permission.check(&claims)?;
    Ok(claims)
}

fn told<'a, E>(verdict: &Verdict<'a>, tell: impl FnOnce(&Verdict<'a>) -> Result<(), E>) -> Result<Exit, E> {
    tell(verdict)?;
    Ok(verdict.exit())
}

fn policy_file(path: &Path) -> Result<Policy, CliError> {
    serde_json::from_slice(&input::file(path)?).map_err(|error| CliError::Content {
        path: path.to_owned(),
        what: "a policy",
        cause: error.into(),
    })
}

fn key_file(path: &Path) -> Result<KeySet, CliError> {
    let keys = KeySet::parse(&input::file(path)?).map_err(|error| CliError::Content {
        path: path.to_owned(),
        what: "a JWK set",
        cause: error.into(),
    })?;
    for skipped in keys.skipped() {
        let name = skipped.key_id.as_deref().unwrap_or("without a kid");
        report::warning(&format!("{}: the key {name} is not used: {}", path.display(), skipped.reason));
    }
    if keys.is_empty() {
        report::warning(&format!("{} holds no usable key: every token will be refused", path.display()));
    }
    Ok(keys)
}

fn tenant(args: &Args, environment: &Environment, policy: Option<&Policy>) -> Result<TenantId, CliError> {
    if let Some(text) = args.tenant.clone().or_else(|| environment.tenant()) {
        return text.parse().map_err(|cause| CliError::Value {
            what: "the tenant",
            value: text.clone(),
            cause: Box::new(cause),
        });
    }
    match policy.map(|policy| policy.tenants.as_slice()) {
        // Every tenant's metadata names the same keys; the first will do.
        Some([first, ..]) => Ok(*first),
        _ => Err(CliError::Missing {
            what: "where the keys come from",
            hint: "give --jwks FILE with --policy FILE, or --tenant GUID with --authority URL",
        }),
    }
}
