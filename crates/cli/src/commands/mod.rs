//! The commands, one file or folder each.

pub(crate) mod acquisition;
pub(crate) mod authority;
pub(crate) mod call;
pub(crate) mod explain;
pub(crate) mod inspect;
pub(crate) mod sidecar;
pub(crate) mod token;
pub(crate) mod verify;
