//! The statements, and what they need of a database.
//!
//! Both databases understand the same statements: plain SQL with `$1` placeholders, values of six kinds. So the storage
//! traits are implemented once, here, for whatever is a [`Session`]; what a database has of its own (how it is opened,
//! when it locks, how a failed write is undone, what its error codes mean) is in its backend's folder and nowhere else.

mod applications;
mod columns;
mod credentials;
pub(crate) mod failure;
mod grants;
mod groups;
pub(crate) mod ledger;
mod service_principals;
mod signing_keys;
mod tenants;
mod users;

use sqlx::{Database, Encode, Type};

pub(crate) use self::columns::Cells;
use self::failure::Failure;
use crate::StoreError;

/// The result of an operation of a session, awaited.
macro_rules! asked {
    ($output:ty, $error:ty) => { impl Future<Output = Result<$output, $error>> + Send };
}

/// One open transaction of a backend.
pub(crate) trait Session: Send {
    type Row: Cells;

    /// Every row of the answer.
    fn all(&mut self, query: Query) -> asked!(Vec<Self::Row>, StoreError);

    /// The first row of the answer.
    fn optional(&mut self, query: Query) -> asked!(Option<Self::Row>, StoreError);

    /// Runs one statement that writes; answers how many rows it touched. One that fails has written nothing, and the
    /// transaction goes on.
    fn write(&mut self, query: Query) -> asked!(u64, Failure);

    /// Begins a write that looks before it writes, or of several statements, of which [`Session::whole`] keeps all or
    /// none. From here on nobody else writes, so that what was seen is still so when it is acted on.
    fn begin_write(&mut self) -> asked!((), StoreError);

    /// Ends it: an error undoes what its earlier statements did, and the transaction goes on without them.
    fn whole<V: Send>(&mut self, outcome: Result<V, StoreError>) -> asked!(V, StoreError);
}

/// A statement and what is bound to its placeholders.
pub(crate) struct Query {
    text: &'static str,
    values: Vec<Value>,
}

impl Query {
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text, values: Vec::new() }
    }

    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Whether a text in it has a character that PostgreSQL can neither keep nor compare with.
    pub(crate) fn has_nul(&self) -> bool {
        let nul = |text: &String| text.contains('\0');
        self.values.iter().any(|value| match value {
            Value::Text(text) => nul(text),
            Value::OptionalText(text) => text.as_ref().is_some_and(nul),
            _ => false,
        })
    }

    /// The driver's form of it.
    pub(crate) fn of<D: Database>(self) -> sqlx::query::Query<'static, D, D::Arguments>
    where
        String: Encode<'static, D> + Type<D>,
        Option<String>: Encode<'static, D> + Type<D>,
        i64: Encode<'static, D> + Type<D>,
        Option<i64>: Encode<'static, D> + Type<D>,
        bool: Encode<'static, D> + Type<D>,
        Vec<u8>: Encode<'static, D> + Type<D>,
    {
        self.values.into_iter().fold(sqlx::query(self.text), |query, value| match value {
            Value::Text(value) => query.bind(value),
            Value::OptionalText(value) => query.bind(value),
            Value::Integer(value) => query.bind(value),
            Value::OptionalInteger(value) => query.bind(value),
            Value::Truth(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
        })
    }
}

/// The kinds of values that both databases keep.
pub(crate) enum Value {
    Text(String),
    OptionalText(Option<String>),
    Integer(i64),
    OptionalInteger(Option<i64>),
    Truth(bool),
    Bytes(Vec<u8>),
}

macro_rules! values {
    ($($kind:ident($of:ty)),+) => {
        $(impl From<$of> for Value {
            fn from(value: $of) -> Self {
                Self::$kind(value)
            }
        })+
    };
}

values!(
    Text(String),
    OptionalText(Option<String>),
    Integer(i64),
    OptionalInteger(Option<i64>),
    Truth(bool),
    Bytes(Vec<u8>)
);
