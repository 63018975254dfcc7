//! What a service has stored, read from its file: only for what no HTTP call tells. And faults that
//! are planted there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use saga_events::{EventId, EventType, OrderId};

/// A service's SQLite file.
#[derive(Debug, Clone)]
pub struct File {
    path: PathBuf,
}

/// A row of the `dead_letters` table.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
#[allow(missing_docs)]
pub struct DeadLetter {
    #[diesel(sql_type = Text)]
    pub reason: String,
    #[diesel(sql_type = Text)]
    pub error: String,
    #[diesel(sql_type = BigInt)]
    pub attempts: i64,
    #[diesel(sql_type = Text)]
    pub stream: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub event_type: Option<String>,
    #[diesel(sql_type = Text)]
    pub event: String,
}

/// What the journal has of an event, and `GET /sagas/{orderId}` does not tell.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
#[allow(missing_docs)]
pub struct Traced {
    #[diesel(sql_type = Binary)]
    pub event_id: EventId,
    #[diesel(sql_type = Text)]
    pub event_type: EventType,
    #[diesel(sql_type = Text)]
    pub traceparent: String,
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[derive(QueryableByName)]
struct Charge {
    #[diesel(sql_type = Binary)]
    key: OrderId,
    #[diesel(sql_type = BigInt)]
    amount: i64,
}

impl File {
    /// The file at this path. A service may be writing to it.
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps everybody else from writing until the connection is dropped.
    pub fn lock(&self) -> SqliteConnection {
        let mut conn = SqliteConnection::establish(&self.path.to_string_lossy()).unwrap();
        conn.batch_execute("PRAGMA busy_timeout = 5000; BEGIN EXCLUSIVE")
            .unwrap();
        conn
    }

    /// One number: `SELECT … AS number`.
    pub fn number(&self, sql: &str) -> i64 {
        let row: QueryResult<Number> = diesel::sql_query(sql).get_result(&mut self.open());
        row.unwrap_or_else(|error| panic!("{sql}: {error}")).number
    }

    /// Changes what is stored, as no service would: its checks are off. The service may be running.
    pub fn plant(&self, sql: &str) {
        let mut conn = SqliteConnection::establish(&self.path.to_string_lossy()).unwrap();
        for statement in [
            "PRAGMA busy_timeout = 5000",
            "PRAGMA ignore_check_constraints = ON",
            sql,
        ] {
            let done = diesel::sql_query(statement).execute(&mut conn);
            done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    /// The dead letters, oldest first.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        let sql = "SELECT reason, error, attempts, stream, type AS event_type, event \
                   FROM dead_letters ORDER BY id";
        diesel::sql_query(sql).load(&mut self.open()).unwrap()
    }

    /// What the service has said about an order, as its journal has it, with the spans in which it did.
    pub fn traced(&self, order: OrderId) -> Vec<Traced> {
        let sql = "SELECT event_id, type AS event_type, traceparent FROM outbox WHERE order_id = ? ORDER BY seq";
        let query = diesel::sql_query(sql).bind::<Binary, _>(order);
        query.load(&mut self.open()).unwrap()
    }

    /// What was charged, by order: from the gateway's book.
    pub fn charges(&self) -> BTreeMap<OrderId, i64> {
        let sql = "SELECT key, amount FROM charges WHERE answer = 'Approved'";
        let charges: Vec<Charge> = diesel::sql_query(sql).load(&mut self.open()).unwrap();
        charges
            .into_iter()
            .map(|Charge { key, amount }| (key, amount))
            .collect()
    }

    /// How many rows each table has. Left out is what changes without anybody asking: the fencing
    /// numbers and the relay's position.
    pub fn rows(&self) -> BTreeMap<String, i64> {
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' \
                   AND name NOT IN ('fences', 'relay_position') AND name NOT LIKE 'sqlite%'";
        let tables: Vec<Name> = diesel::sql_query(sql).load(&mut self.open()).unwrap();
        let count = |table: &str| self.number(&format!("SELECT count(*) AS number FROM {table}"));
        tables
            .into_iter()
            .map(|Name { name }| (name.clone(), count(&name)))
            .collect()
    }

    /// All that is stored, each row as text, by table. Left out is what [`File::rows`] leaves out,
    /// and the dead letters with their trail.
    pub fn contents(&self) -> BTreeMap<String, Vec<String>> {
        let tables = self.rows().into_keys();
        let tables = tables.filter(|table| !table.starts_with("dead_letter"));
        tables
            .map(|table| (table.clone(), self.table(&table)))
            .collect()
    }

    fn table(&self, table: &str) -> Vec<String> {
        let conn = &mut self.open();
        let sql = format!("SELECT name FROM pragma_table_info('{table}')");
        let columns: Vec<Name> = diesel::sql_query(sql).load(conn).unwrap();
        let columns = columns
            .iter()
            .map(|column| format!("quote(\"{}\")", column.name));
        let row = columns.collect::<Vec<_>>().join(" || ' ' || ");
        let sql = format!("SELECT {row} AS name FROM {table} ORDER BY 1");
        let rows: Vec<Name> = diesel::sql_query(sql).load(conn).unwrap();
        rows.into_iter().map(|Name { name }| name).collect()
    }

    /// Runs statements as no service would: to plant a fault.
    pub fn run(&self, sql: &str) {
        let mut conn = SqliteConnection::establish(&self.path.to_string_lossy()).unwrap();
        conn.batch_execute(&format!("PRAGMA busy_timeout = 5000; {sql}"))
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    fn open(&self) -> SqliteConnection {
        let url = format!("file:{}?mode=ro", self.path.display());
        let mut conn = SqliteConnection::establish(&url)
            .unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
        diesel::sql_query("PRAGMA busy_timeout = 5000")
            .execute(&mut conn)
            .unwrap();
        conn
    }
}
