//! What travels: requests, responses, AADSTS errors, discovery documents, scopes, tenants, authority URLs, Graph JSON.
//!
//! This room does no I/O: bytes in, values or an error out, and the way back. The authority and the client share it, so
//! every message is checked against bytes written down beside the tests and against recorded answers of the real
//! service: two friends agreeing with each other prove nothing.
//!
//! What is sent is encoded strictly, member by member in the order Entra writes. Requests are decoded strictly (a
//! repeated parameter is an error, RFC 6749 §3.2), responses leniently (unknown members are ignored, §5.1).
//! Secrets and tokens are [`secrecy::SecretString`]s, so that no `Debug` shows them.
//!
//! Bounds: every parser here is linear in its input and copies at most a small multiple of it. How many bytes may come
//! in is for the door that reads them to say.
//!
//! - Microsoft Graph: [`graph`], the shapes of registrations, grants and users
//! - requests: [`form`], [`basic`], [`token_request`], [`scope`], [`user_scopes`], [`claims_request`], [`pkce`]
//! - the browser's requests and answers: [`authorize`], [`redirect_uri`]
//! - responses: [`token_response`], [`device_code`], [`managed_identity`], [`user_realm`], [`user_info`], [`client_info`]
//! - errors: [`aadsts`] is the one catalogue, [`error`] the JSON body around it, [`challenge`] and [`claims_challenge`] the
//!   header of APIs
//! - discovery: [`tenant`], [`authority`], [`metadata`], [`instance`], [`keys`], [`headers`]
//!
//! Each parser has a small error of its own, because none of its faults can come from another; all JSON answers share
//! [`DecodeError`].

pub mod aadsts;
pub mod authority;
pub mod authorize;
pub mod basic;
pub mod challenge;
pub mod claims_challenge;
pub mod claims_request;
pub mod client_info;
mod cloud;
mod decode;
pub mod device_code;
pub mod error;
pub mod form;
pub mod graph;
pub mod headers;
pub mod instance;
pub mod keys;
pub mod managed_identity;
pub mod metadata;
pub mod pkce;
pub mod redirect_uri;
pub mod scope;
pub mod tenant;
mod text;
pub mod token_request;
pub mod token_response;
pub mod user_info;
pub mod user_realm;
pub mod user_scopes;
mod version;

pub use aadsts::AadSts;
pub use authority::{AuthorityHost, AuthorityHostError};
pub use authorize::{
    AdminConsentRequest, AdminConsentResponse, AuthorizeError, AuthorizeFailure, AuthorizeRefusal, AuthorizeRequest,
    AuthorizeResponse, AuthorizeSuccess, Delivery, LogoutRequest, Prompt, ReplyTo, ResponseMode, ResponseTypes,
};
pub use basic::{BasicCredentials, BasicError};
pub use challenge::{BearerChallenge, BearerError, Challenge};
pub use claims_challenge::ClaimsChallenge;
pub use claims_request::{ClaimsRequest, ClaimsRequestError, RequestedClaim, RequestedClaims};
pub use client_info::ClientInfo;
pub use cloud::CloudProfile;
pub use decode::DecodeError;
pub use device_code::DeviceAuthorization;
pub use error::{ErrorContext, TokenError};
pub use form::{Form, FormEncoder, FormError};
pub use instance::{InstanceApiVersion, InstanceDiscovery, InstanceError};
pub use keys::{PublishedKey, PublishedKeySet};
pub use managed_identity::{ManagedIdentityError, ManagedIdentityToken};
pub use metadata::Metadata;
pub use pkce::{CodeChallenge, CodeChallengeMethod, PkceError};
pub use redirect_uri::{Platform, RedirectUriError, RedirectUris, check_redirect_uri};
pub use scope::{ResourceIdentifier, ResourceIdentifierError, Scope, ScopeError, ScopeSet};
pub use tenant::{MSA_TENANT, ServedTenant, TenantSegment, TenantSegmentError};
pub use token_request::{ClientAuthentication, ClientCredentialsRequest, GrantType, TokenRequest};
pub use token_response::TokenResponse;
pub use user_info::UserInfo;
pub use user_realm::{AccountType, UserRealm};
pub use user_scopes::{OidcScopes, UserScopeError, UserScopes};
pub use version::EndpointVersion;
