//! Small readers that several shapes share.

use serde::{Deserialize, Deserializer, Serializer};
use uuid::Uuid;

use countersign_token::ObjectId;

/// Reads `null` as the type's default: exports write `null` and `[]` for the same thing.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Entitlements are enabled unless the document says otherwise.
pub(super) const fn enabled() -> bool {
    true
}

/// A GUID that names something other than a tenant, client or directory object: a role, a scope, a key.
pub(super) mod guid {
    use super::{Deserialize, Deserializer, ObjectId, Serializer, Uuid};

    pub(in crate::graph) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        // `ObjectId` reads the hyphenated form only; `Uuid` alone would take braces, URNs and bare hex as well.
        ObjectId::deserialize(deserializer).map(|id| id.as_uuid())
    }

    pub(in crate::graph) fn serialize<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&id.as_hyphenated())
    }
}

/// A GUID that may be absent or `null`.
pub(super) mod optional_guid {
    use super::{Deserialize, Deserializer, ObjectId, Serializer, Uuid};

    pub(in crate::graph) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Uuid>, D::Error> {
        Ok(Option::<ObjectId>::deserialize(deserializer)?.map(|id| id.as_uuid()))
    }

    pub(in crate::graph) fn serialize<S: Serializer>(id: &Option<Uuid>, serializer: S) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => serializer.collect_str(&id.as_hyphenated()),
            None => serializer.serialize_none(),
        }
    }
}

/// A list of GUIDs; `null` is an empty one.
pub(super) mod guids {
    use super::{Deserialize, Deserializer, ObjectId, Serializer, Uuid};

    pub(in crate::graph) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Uuid>, D::Error> {
        let ids = Option::<Vec<ObjectId>>::deserialize(deserializer)?.unwrap_or_default();
        Ok(ids.iter().map(ObjectId::as_uuid).collect())
    }

    pub(in crate::graph) fn serialize<S: Serializer>(ids: &[Uuid], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(ids.iter().map(|id| id.as_hyphenated().to_string()))
    }
}
