//! The hot statements, spelled so that diesel prepares them once and does little else at each call.
//!
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
/// The fields of the struct are the binds; `Take { amount, id }.execute(conn)` runs it. The text after
/// the last bind needs none, nor does a statement without values.
#[macro_export]
macro_rules! cached_statement {
    ($(#[$doc:meta])* $vis:vis struct $name:ident =
        $($text:literal $({ $bind:ident: $rust:ty => $sql:ty })?)+;) => {
        $(#[$doc])*
        $vis struct $name { $($($bind: $rust)?),+ }

        impl diesel::query_builder::QueryFragment<diesel::sqlite::Sqlite> for $name {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, diesel::sqlite::Sqlite>,
            ) -> diesel::QueryResult<()> {
                $(
                    out.push_sql($text);
                    $(out.push_bind_param::<$sql, _>(&self.$bind)?;)?
                )+
                Ok(())
            }

            $crate::always_cached!();
        }

        impl diesel::query_builder::QueryId for $name {
            type QueryId = Self;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl diesel::RunQueryDsl<diesel::SqliteConnection> for $name {}
    };
}

/// Declares how a row is inserted. Diesel would cache its own `INSERT`, too, but walks through it
/// twice at every call to find out that it may: half of what the statement costs.
///
/// `cached_insert! { Row into accounts: id, balance }` gives `Row` a method `insert(&self, conn)`;
/// its fields are named like the columns of the table.
#[macro_export]
macro_rules! cached_insert {
    ($row:ty, into $table:ident: $first:ident $(, $column:ident)* $(,)?) => {
        impl diesel::query_builder::QueryFragment<diesel::sqlite::Sqlite> for $row {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, diesel::sqlite::Sqlite>,
            ) -> diesel::QueryResult<()> {
                use diesel::{Column, Expression};
                out.push_sql(concat!("INSERT INTO ", stringify!($table), " ("));
                out.push_sql($table::$first::NAME);
                $(
                    out.push_sql(", ");
                    out.push_sql($table::$column::NAME);
                )*
                out.push_sql(") VALUES (");
                out.push_bind_param::<<$table::$first as Expression>::SqlType, _>(&self.$first)?;
                $(
                    out.push_sql(", ");
                    out.push_bind_param::<<$table::$column as Expression>::SqlType, _>(&self.$column)?;
                )*
                out.push_sql(")");
                Ok(())
            }

            $crate::always_cached!();
        }

        impl diesel::query_builder::QueryId for $row {
            type QueryId = $crate::Inserted<$table::table>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl $row {
            fn insert(&self, conn: &mut diesel::SqliteConnection) -> diesel::QueryResult<()> {
                use diesel::Connection;
                conn.execute_returning_count(self).map(drop)
            }
        }
    };
}

/// What tells the insertion into one table from the others, in a connection's cache.
#[doc(hidden)]
pub struct Inserted<Table>(std::marker::PhantomData<Table>);

/// The text never depends on the values.
#[doc(hidden)]
#[macro_export]
macro_rules! always_cached {
    () => {
        fn is_safe_to_cache_prepared(
            &self,
            _: &diesel::sqlite::Sqlite,
        ) -> diesel::QueryResult<bool> {
            Ok(true)
        }
    };
}
