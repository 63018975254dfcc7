//! Diesel prepares `UPDATE`s and `sql_query`s anew at every call; only statements with a static
//! query id are cached. On the hot path that costs a quarter of the throughput, so the few hot
//! statements are spelled as text with typed binds, which diesel then prepares once.
//!
//! For the same reason rows are read by their key with `get_result`, not with `first`: that adds a
//! `LIMIT` with a bind, whose value SQLite plans with, so that it prepares the statement anew
//! whenever the bind is set.

/// Declares a statement that diesel prepares once and caches.
///
/// ```
/// use diesel::sql_types::BigInt;
///
/// svc_chassis::cached_statement! {
///     /// Takes an amount off an account.
///     struct Take =
///         "UPDATE accounts SET balance = balance - " { amount: i64 => BigInt }
///         " WHERE id = " { id: i64 => BigInt };
/// }
/// ```
/// The fields of the struct are the binds; `Take { amount, id }.execute(conn)` runs it.
#[macro_export]
macro_rules! cached_statement {
    ($(#[$doc:meta])* $vis:vis struct $name:ident =
        $($text:literal { $bind:ident: $rust:ty => $sql:ty })+;) => {
        $(#[$doc])*
        $vis struct $name { $($bind: $rust),+ }

        impl diesel::query_builder::QueryFragment<diesel::sqlite::Sqlite> for $name {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, diesel::sqlite::Sqlite>,
            ) -> diesel::QueryResult<()> {
                $(
                    out.push_sql($text);
                    out.push_bind_param::<$sql, _>(&self.$bind)?;
                )+
                Ok(())
            }
        }

        impl diesel::query_builder::QueryId for $name {
            type QueryId = Self;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl diesel::RunQueryDsl<diesel::SqliteConnection> for $name {}
    };
}
