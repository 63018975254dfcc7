//! Every state has been said: row and outbox entry are one transaction, so a row without its entry,
//! an entry without its row, or an entry that contradicts the row was made by no step.

use diesel::prelude::*;
use saga_audit::Check;
use saga_events::{EventType, Service};

use super::Asked;
use super::law::{Law, every_row, number};

/// A service's rows and what they have said.
#[derive(Debug, Clone)]
pub struct Journal {
    /// Whose.
    pub me: Service,
    /// The table of its rows, with `order_id` and `updated_at`.
    pub table: &'static str,
    /// The column of the state.
    pub state: &'static str,
    /// What a row has said in which state.
    pub said: Vec<Said>,
}

/// What a row in some state has said.
#[derive(Debug, Clone)]
pub struct Said {
    /// The state.
    pub state: &'static str,
    /// One of these, when it came to be in this state.
    pub one_of: Vec<EventType>,
    /// Perhaps these on its way to it.
    pub perhaps: Vec<EventType>,
    /// Whether it may change yet: its entries are never pruned.
    pub open: bool,
}

const UNSAID: Law = Law {
    id: "",
    subject: "",
    sides: ("rows in this state", "entries of the journal that say so"),
};

const OTHERWISE: Law = Law {
    id: "",
    subject: "",
    sides: ("rows that may say so", "entries that say otherwise"),
};

const ORPHANS: Law = Law {
    id: "",
    subject: "",
    sides: ("entries of the journal", "rows that they are about"),
};

/// Judges that the rows and the journal say the same, as far back as is asked for.
///
/// # Errors
/// The database's.
pub fn journal(
    conn: &mut SqliteConnection,
    id: &'static str,
    journal: &Journal,
    asked: &Asked,
) -> QueryResult<Vec<Check>> {
    let Journal {
        me,
        table,
        state: column,
        said,
    } = journal;
    let rows = number(conn, &format!("SELECT count(*) AS number FROM {table}"))?;
    let mut checks = Vec::new();
    for Said {
        state,
        one_of,
        perhaps,
        open,
    } in said
    {
        let kept = if *open {
            String::new()
        } else {
            let since = asked.journal_since.max(asked.since);
            format!("AND t.updated_at >= {}", since.micros())
        };
        let of_state = |l: i64, r: i64| {
            format!(
                "SELECT NULL AS subject, t.order_id AS order_id, {l} AS l, {r} AS r \
                 FROM {table} t WHERE t.{column} = '{state}' {kept}"
            )
        };
        if !one_of.is_empty() {
            let sql = format!("{} AND NOT {}", of_state(1, 0), entries(one_of));
            checks.extend(broken(conn, Law { id, ..UNSAID }, &sql)?);
        }
        let fits = |event: &EventType| one_of.contains(event) || perhaps.contains(event);
        let otherwise: Vec<EventType> = me.publishes().filter(|event| !fits(event)).collect();
        if !otherwise.is_empty() {
            let sql = format!("{} AND {}", of_state(0, 1), entries(&otherwise));
            checks.extend(broken(conn, Law { id, ..OTHERWISE }, &sql)?);
        }
    }
    // The journal has no index on its time: it is in the order of its time.
    let orphans = format!(
        "SELECT DISTINCT NULL AS subject, o.order_id AS order_id, 1 AS l, 0 AS r FROM outbox o \
         WHERE o.seq > COALESCE((SELECT seq FROM outbox WHERE time < {since} \
                                 ORDER BY seq DESC LIMIT 1), 0) \
         AND NOT EXISTS (SELECT 1 FROM {table} t WHERE t.order_id = o.order_id)",
        since = asked.since.micros()
    );
    checks.extend(broken(conn, Law { id, ..ORPHANS }, &orphans)?);
    if checks.is_empty() {
        return Ok(vec![Check::equal(
            id,
            [("rows", rows)],
            [("rows that the journal agrees with", rows)],
        )]);
    }
    Ok(checks)
}

/// The violations only.
fn broken(conn: &mut SqliteConnection, law: Law, sql: &str) -> QueryResult<Vec<Check>> {
    let mut found = every_row(conn, law, 0, sql)?;
    found.retain(Check::is_violated);
    Ok(found)
}

fn entries(types: &[EventType]) -> String {
    let names: Vec<String> = types.iter().map(|event| format!("'{event}'")).collect();
    let names = names.join(", ");
    format!("EXISTS (SELECT 1 FROM outbox o WHERE o.order_id = t.order_id AND o.type IN ({names}))")
}
