//! What an operator says of a managed identity: which service principal, and where it is lent.

use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use crate::StartError;

/// A service principal that is lent to this machine, and the address at which.
///
/// ```
/// use countersign_authority::ManagedIdentityEndpoint;
///
/// let endpoint: ManagedIdentityEndpoint = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11@127.0.0.1:4000".parse()?;
/// let by_name: ManagedIdentityEndpoint = "orders-identity".parse()?;
/// assert!("orders-identity@elsewhere".parse::<ManagedIdentityEndpoint>().is_err());
/// # drop((endpoint, by_name));
/// # Ok::<(), countersign_authority::ManagedIdentityEndpointError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ManagedIdentityEndpoint {
    /// A client id, or the service principal's name.
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) resource_id: Option<String>,
}

/// Not a managed identity's endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a managed identity is a client id or a name, and perhaps @ADDRESS:PORT")]
pub struct ManagedIdentityEndpointError(());

impl ManagedIdentityEndpoint {
    /// The service principal with this client id in the application's own tenant, or the only one of this name, on a free
    /// port of 127.0.0.1.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), resource_id: None }
    }

    /// Listens here instead. It must be on loopback.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// The Azure resource that the identity is (`/subscriptions/…/userAssignedIdentities/…`), by which requests may name it
    /// too; unless told otherwise, one is made up of tenant and name.
    pub fn resource_id(mut self, id: impl Into<String>) -> Self {
        self.resource_id = Some(id.into());
        self
    }
}

impl ManagedIdentityEndpoint {
    /// Its address, if only this machine can reach it.
    pub(crate) fn loopback(&self) -> Result<SocketAddr, StartError> {
        if self.address.ip().is_loopback() {
            return Ok(self.address);
        }
        Err(StartError::ManagedIdentity { name: self.name.clone(), what: "its address is not on loopback" })
    }
}

impl FromStr for ManagedIdentityEndpoint {
    type Err = ManagedIdentityEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = ManagedIdentityEndpointError(());
        let endpoint = match text.rsplit_once('@') {
            Some((name, address)) => Self::new(name).listen(address.parse().map_err(|_| wrong.clone())?),
            None => Self::new(text),
        };
        if endpoint.name.trim().is_empty() { Err(wrong) } else { Ok(endpoint) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_behind_the_last_at_and_may_be_missing() {
        let free = ManagedIdentityEndpoint::new("orders");
        assert_eq!("orders".parse(), Ok(free.clone()));
        assert_eq!("orders@[::1]:80".parse(), Ok(free.listen("[::1]:80".parse().unwrap())));
        assert_eq!("a@b@127.0.0.1:0".parse(), Ok(ManagedIdentityEndpoint::new("a@b")));
        for wrong in ["", " ", "@127.0.0.1:1", "orders@", "orders@127.0.0.1", "orders@localhost:80"] {
            let refused = wrong.parse::<ManagedIdentityEndpoint>();
            assert_eq!(refused, Err(ManagedIdentityEndpointError(())), "{wrong}");
        }
    }
}
