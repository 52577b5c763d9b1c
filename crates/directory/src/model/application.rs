//! A registration: Graph's document kept whole, and a typed view of it.

use std::fmt;

use countersign_protocol::graph;
use countersign_token::{ClientId, ObjectId, TenantId, TokenVersion};
use serde_json::{Map, Value};
use uuid::Uuid;

/// An application registration, of which there is one per client id, at home in one tenant.
///
/// It is made from Graph's document and gives that back whole, unknown members included, so that an export loses
/// nothing. Credentials are not part of it: they have tables of their own, and whatever in the document could be a secret
/// is removed before it is stored.
///
/// ```
/// use countersign_directory::Application;
/// use countersign_token::TenantId;
/// use serde_json::json;
///
/// let tenant: TenantId = "6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse()?;
/// let application = Application::from_document(tenant, json!({
///     "appId": "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11",
///     "displayName": "DemoResourceApp",
///     "identifierUris": ["api://a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11"],
///     "memberOfTomorrow": true
/// }))?;
/// assert_eq!(application.display_name(), "DemoResourceApp");
/// assert_eq!(application.document()["memberOfTomorrow"], true);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Application {
    object_id: ObjectId,
    app_id: ClientId,
    tenant: TenantId,
    registration: graph::Application,
    document: Map<String, Value>,
}

/// A Graph document does not describe an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentError {
    /// Where, below the document: `appRoles[0].id`; empty for the document itself.
    pub path: String,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.what) } else { write!(f, "{}: {}", self.path, self.what) }
    }
}

impl std::error::Error for DocumentError {}

/// Members with tables of their own.
const CREDENTIALS: [&str; 3] = ["passwordCredentials", "keyCredentials", "federatedIdentityCredentials"];
/// Members that hold a secret wherever they turn up, a mistyped place included; lower case.
const SECRETS: [&str; 5] = ["secrettext", "password", "privatekey", "clientsecret", "certificatepem"];

impl Application {
    /// Takes Graph's document. It needs `appId`; without `id` the object id is derived from tenant and client id.
    ///
    /// # Errors
    /// [`DocumentError`] names the first member that is not of Graph's shape.
    pub fn from_document(tenant: TenantId, mut document: Value) -> Result<Self, DocumentError> {
        remove_secrets(&mut document);
        let Value::Object(mut document) = document else {
            return Err(DocumentError { path: String::new(), what: "an application is a JSON object".to_owned() });
        };
        for name in CREDENTIALS {
            document.remove(name);
        }
        document.retain(|name, _| !name.contains('@')); // OData's annotations belong to the answer, not to the object
        let registration = read_registration(&document, &mut |_| ())?;
        let app_id = registration
            .app_id
            .ok_or_else(|| DocumentError { path: String::new(), what: "missing field `appId`".to_owned() })?;
        let object_id = registration.id.unwrap_or_else(|| Self::derived_id(tenant, app_id));
        document.insert("appId".to_owned(), Value::from(app_id.to_string()));
        document.insert("id".to_owned(), Value::from(object_id.to_string()));
        Ok(Self { object_id, app_id, tenant, registration, document })
    }

    /// The object id of a registration whose document states none.
    #[must_use]
    pub fn derived_id(tenant: TenantId, app_id: ClientId) -> ObjectId {
        super::derived_object_id(tenant, "application", &app_id.to_string())
    }

    /// The registration's object id.
    #[must_use]
    pub const fn object_id(&self) -> ObjectId {
        self.object_id
    }

    /// The client id.
    #[must_use]
    pub const fn app_id(&self) -> ClientId {
        self.app_id
    }

    /// The home tenant.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Graph's document, without credentials.
    #[must_use]
    pub const fn document(&self) -> &Map<String, Value> {
        &self.document
    }

    /// The document's typed view, without credentials.
    #[must_use]
    pub const fn registration(&self) -> &graph::Application {
        &self.registration
    }

    /// Name for people; empty where the document has none.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.registration.display_name.as_deref().unwrap_or_default()
    }

    /// App ID URIs.
    #[must_use]
    pub fn identifier_uris(&self) -> &[String] {
        &self.registration.identifier_uris
    }

    /// Which accounts, and so which tenants, may use it.
    #[must_use]
    pub const fn sign_in_audience(&self) -> graph::SignInAudience {
        self.registration.sign_in_audience
    }

    /// The version of access tokens for this resource: v1.0 unless the registration asks for 2.
    #[must_use]
    pub fn access_token_version(&self) -> TokenVersion {
        self.registration.api.requested_access_token_version.unwrap_or(TokenVersion::V1)
    }

    /// App roles it declares, disabled ones included.
    #[must_use]
    pub fn app_roles(&self) -> &[graph::AppRole] {
        &self.registration.app_roles
    }

    /// Delegated permissions it declares, disabled ones included.
    #[must_use]
    pub fn oauth2_permission_scopes(&self) -> &[graph::PermissionScope] {
        &self.registration.api.oauth2_permission_scopes
    }

    /// The declared role with this id.
    #[must_use]
    pub fn app_role(&self, id: Uuid) -> Option<&graph::AppRole> {
        self.app_roles().iter().find(|role| role.id == id)
    }

    /// Whether flows without a client credential are allowed.
    #[must_use]
    pub fn is_fallback_public_client(&self) -> bool {
        self.registration.is_fallback_public_client.unwrap_or(false)
    }

    /// Whether the registration is switched off (`isDisabled`).
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.registration.is_disabled.unwrap_or(false)
    }

    /// Whether this tenant may have a service principal of it.
    #[must_use]
    pub fn is_available_in(&self, tenant: TenantId) -> bool {
        tenant == self.tenant || self.sign_in_audience().is_multi_tenant()
    }
}

/// Reads the typed view; `unknown` is told the path of every member that it has no place for.
pub(crate) fn read_registration(
    document: &Map<String, Value>,
    unknown: &mut dyn FnMut(String),
) -> Result<graph::Application, DocumentError> {
    let mut track = serde_path_to_error::Track::new();
    let mut passed_over = |path: serde_ignored::Path<'_>| unknown(dotted(&path));
    let deserializer = serde_ignored::Deserializer::new(
        serde_path_to_error::Deserializer::new(document, &mut track),
        &mut passed_over,
    );
    serde::Deserialize::deserialize(deserializer).map_err(|error| {
        let path = track.path();
        DocumentError { path: pathname(path.iter()), what: error.to_string() }
    })
}

fn dotted(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", dotted(parent)),
        Path::Map { parent, key } => match dotted(parent) {
            parent if parent.is_empty() => key.clone(),
            parent => format!("{parent}.{key}"),
        },
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => dotted(parent),
    }
}

fn pathname<'a>(segments: impl Iterator<Item = &'a serde_path_to_error::Segment>) -> String {
    use serde_path_to_error::Segment;
    let mut path = String::new();
    for segment in segments {
        match segment {
            Segment::Seq { index } => path.push_str(&format!("[{index}]")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            Segment::Unknown => {}
        }
    }
    path
}

/// Takes out what must never reach a disk in clear, wherever a slip of the pen has put it.
fn remove_secrets(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !SECRETS.contains(&name.to_ascii_lowercase().as_str()));
            members.values_mut().for_each(remove_secrets);
        }
        Value::Array(values) => values.iter_mut().for_each(remove_secrets),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TENANT: &str = "6babcaad-604b-40ac-a9d7-9fd97c0b779f";
    const APP: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";

    fn read(document: Value) -> Result<Application, DocumentError> {
        Application::from_document(TENANT.parse().unwrap(), document)
    }

    #[test]
    fn the_document_is_kept_whole_but_for_secrets() {
        let application = read(json!({
            "@odata.context": "x", "appId": APP, "displayName": "a", "newThing": {"deep": [1, {"secretText": "s3cret"}]},
            "passwordCredentials": [{"secretText": "s3cret"}], "keyCredentials": [{"key": "AAAA"}],
            "passwordCredential": [{"secretText": "s3cret"}], "clientSecret": "s3cret", "api": {"PASSWORD": "s3cret"}
        }))
        .unwrap();
        let kept = serde_json::to_string(application.document()).unwrap();
        assert!(!kept.contains("s3cret"), "{kept}");
        assert_eq!(application.document()["newThing"], json!({"deep": [1, {}]}));
        assert!(!application.document().contains_key("@odata.context"));
        assert!(!application.document().contains_key("keyCredentials"));
    }

    #[test]
    fn an_error_says_where_it_is() {
        let error = read(json!({"appId": APP, "api": {"requestedAccessTokenVersion": 3}})).unwrap_err();
        assert_eq!(error.to_string(), "api.requestedAccessTokenVersion: not an access token version: 1, 2 or null");
        let error = read(json!({"appId": APP, "appRoles": [{"value": "x"}]})).unwrap_err();
        assert_eq!(error.to_string(), "appRoles[0]: missing field `id`");
        assert_eq!(read(json!({"displayName": "x"})).unwrap_err().what, "missing field `appId`");
        assert_eq!(read(json!([])).unwrap_err().what, "an application is a JSON object");
    }

    #[test]
    fn unknown_members_are_told_apart_from_known_ones() {
        let Value::Object(document) = json!({
            "appId": APP, "api": {"oauth2Permissions": []}, "appRoles": [{"id": APP, "isEnabled": true, "lang": null}],
            "addIns": [{"anything": 1}]
        }) else {
            unreachable!()
        };
        let mut unknown = Vec::new();
        read_registration(&document, &mut |path| unknown.push(path)).unwrap();
        assert_eq!(unknown, ["api.oauth2Permissions", "appRoles[0].lang"]);
    }

    #[test]
    fn ids_are_derived_where_none_are_stated() {
        let derived = read(json!({"appId": APP})).unwrap();
        assert_eq!(derived.object_id(), read(json!({"appId": APP})).unwrap().object_id());
        assert_eq!(derived.document()["id"], derived.object_id().to_string());
        let stated = read(json!({"appId": APP, "id": TENANT})).unwrap();
        assert_eq!(stated.object_id().to_string(), TENANT);
    }
}
