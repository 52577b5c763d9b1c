//! Microsoft's own clients, unmodified, against the authority: they get their tokens, and when they do not, the library
//! surfaces the code that it surfaces with Entra. Then validators that people use, on the authority's tokens.

#![expect(clippy::unwrap_used, reason = "tests")]

mod adal_python;
mod attempts;
mod authlib;
mod azure_identity_node;
mod azure_identity_python;
mod azure_identity_rust;
mod flows;
mod go;
mod java;
mod managed_identity;
mod msal_node;
mod msal_python;
mod openid_client;
mod stand_in;
mod validators;
