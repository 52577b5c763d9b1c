//! What the service itself says about callers who are genuine: its tenants, its revocations, groups it asks for elsewhere.
//!
//! Hooks can only refuse. They are asked on every request, also for tokens whose signature was verified before.

use std::fmt;
use std::sync::Arc;

use countersign_discovery::BoxFuture;
use countersign_token::{Claims, NumericDate, ObjectId, TenantId, Verified};

use crate::Predicate;

type TenantHook = Arc<dyn Fn(TenantId) -> bool + Send + Sync>;
type RevocationHook = Arc<dyn Fn(&Verified<Claims>) -> Option<NumericDate> + Send + Sync>;

/// Says which groups a user is in, when the token says that they are too many to be listed in it.
///
/// Usually this asks Microsoft Graph for `getMemberObjects`. It is asked on every request of such a user: keep the answer
/// for a while, bounded in number. `None` means that it cannot be told, and the caller is refused.
pub trait GroupResolver: Send + Sync + fmt::Debug + 'static {
    /// The groups of this user.
    fn groups<'a>(&'a self, caller: &'a Verified<Claims>) -> BoxFuture<'a, Option<Vec<ObjectId>>>;
}

/// The hooks of one verifier.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) tenant: Option<TenantHook>,
    pub(crate) revocation: Option<RevocationHook>,
    pub(crate) groups: Option<Arc<dyn GroupResolver>>,
    pub(crate) predicates: Vec<Predicate>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("tenant", &self.tenant.is_some())
            .field("revocation", &self.revocation.is_some())
            .field("groups", &self.groups)
            .field("predicates", &self.predicates)
            .finish()
    }
}
