//! How SQLite goes about a query.

use diesel::debug_query;
use diesel::prelude::*;
use diesel::query_builder::QueryFragment;
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteConnection};

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// The steps of the plan for this query, a line each.
///
/// # Errors
/// The query is none for this database.
pub fn plan_of<Q: QueryFragment<Sqlite>>(
    conn: &mut SqliteConnection,
    query: &Q,
) -> QueryResult<String> {
    let query = debug_query::<Sqlite, _>(query);
    let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {query}")).load(conn)?;
    let steps: Vec<String> = steps.into_iter().map(|step| step.detail).collect();
    Ok(steps.join("\n"))
}
