//! The authority over real HTTPS: what goes in and what comes out.

#![expect(clippy::unwrap_used, reason = "tests")]

mod admin_consent;
mod assertion_dialects;
mod assertions;
mod authorize;
mod bounds;
mod browser;
mod client_credentials;
mod codes;
mod consent;
mod crowd;
mod device_code;
mod device_page;
mod discovery;
mod federated;
mod forge;
mod graph;
mod id_tokens;
mod keys;
mod kit;
mod lab;
mod lab_faults;
mod logout;
mod on_behalf_of;
mod optional_claims;
mod password;
mod paths;
mod people;
mod raw;
mod redirect_uris;
mod refresh;
mod sealing;
mod secrecy;
mod secrets;
mod sign_in;
mod signed_in;
mod stand_in;
mod storage;
mod subject_name;
mod tenant_keys;
mod user_realm;
mod user_secrecy;
mod user_tokens;
mod userinfo;
mod verification;
