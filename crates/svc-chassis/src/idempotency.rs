//! Idempotency keys: the same request twice makes one thing. The key's row is committed with what
//! it made. Source: draft-ietf-httpapi-idempotency-key-header.

use actix_web::{HttpRequest, HttpResponseBuilder};
use diesel::prelude::*;
use saga_events::Timestamp;
use serde_json::Value;
use utoipa::IntoParams;

use crate::error::Error;
use crate::failpoint;
use crate::http::Problem;
use crate::schema::idempotency_keys as keys;
use crate::writer::Tx;

/// The header, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)] // it is read by hand
pub struct KeyHeader {
    /// The same key twice makes one thing. Kept for a day.
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[ -~]+$"
    )]
    key: Option<String>,
}

/// A request's `Idempotency-Key` with what it is compared by.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    scope: String,
    key: String,
    body: String,
}

impl IdempotencyKey {
    /// Reads the header. `scope` is the caller's user id, or the path where there is none; `body`
    /// is the parsed body: two requests are the same when they mean the same.
    ///
    /// # Errors
    /// 400 for a key that is not 1 to 255 printable ASCII characters.
    pub fn of(request: &HttpRequest, scope: &str, body: &Value) -> Result<Option<Self>, Problem> {
        let Some(header) = request.headers().get("Idempotency-Key") else {
            return Ok(None);
        };
        let key = header.to_str().unwrap_or_default();
        if key.is_empty()
            || key.len() > 255
            || !key.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        {
            let message = "must be 1 to 255 printable ASCII characters";
            return Err(Problem::malformed("Idempotency-Key", message));
        }
        Ok(Some(Self {
            scope: scope.to_owned(),
            key: key.to_owned(),
            body: body.to_string(),
        }))
    }

    /// What this key made before, as the id that was remembered; `None`: it is new.
    ///
    /// # Errors
    /// 422 when it came with another body.
    pub fn look_up(&self, conn: &mut SqliteConnection) -> Result<Option<String>, Error> {
        let row = keys::table
            .filter(keys::scope.eq(&self.scope).and(keys::key.eq(&self.key)))
            .select((keys::body, keys::made));
        match row.get_result::<(String, String)>(conn).optional()? {
            None => Ok(None),
            Some((body, made)) if body == self.body => Ok(Some(made)),
            Some(_) => {
                let message = "was used before with another body; use a new key for a new request";
                Err(Problem::invalid("Idempotency-Key", message).into())
            }
        }
    }

    /// Remembers what this key made, in the transaction that makes it.
    ///
    /// # Errors
    /// The database's.
    pub fn remember(&self, tx: &mut Tx<'_>, made: &impl ToString) -> Result<(), Error> {
        let row = (
            keys::scope.eq(&self.scope),
            keys::key.eq(&self.key),
            keys::body.eq(&self.body),
            keys::made.eq(made.to_string()),
            keys::created_at.eq(tx.now()),
        );
        diesel::insert_into(keys::table)
            .values(row)
            .execute(tx.conn())?;
        Ok(())
    }
}

/// The oldest keys, at most `limit`, with the time when each was made.
pub(crate) fn oldest(
    conn: &mut SqliteConnection,
    limit: i64,
) -> QueryResult<Vec<(i64, Timestamp)>> {
    keys::table
        .order(keys::seq)
        .limit(limit)
        .select((keys::seq, keys::created_at))
        .load(conn)
}

/// Forgets all keys up to this one: a request that comes again under one of them is a new one.
pub(crate) fn forget(conn: &mut SqliteConnection, last: i64) -> QueryResult<usize> {
    diesel::delete(keys::table.filter(keys::seq.le(last))).execute(conn)
}

/// Runs `make` once for a key: within the writer's transaction, either what the key made before, or
/// what `make` makes now. The flag says whether it was made before.
///
/// # Errors
/// 422 for another body under the same key; `make`'s own.
pub fn once<Id: std::str::FromStr + ToString + Clone>(
    tx: &mut Tx<'_>,
    key: Option<&IdempotencyKey>,
    make: impl FnOnce(&mut Tx<'_>) -> Result<Id, Error>,
) -> Result<(Id, bool), Error> {
    if let Some(key) = key
        && let Some(made) = key.look_up(tx.conn())?
    {
        let id = made
            .parse()
            .map_err(|_| Error::internal(format!("idempotency key made {made:?}")))?;
        return Ok((id, true));
    }
    let id = make(tx)?;
    if let Some(key) = key {
        key.remember(tx, &id)?;
    }
    failpoint!("http.before_commit");
    Ok((id, false))
}

/// Marks the answer to a request whose idempotency key was used before.
pub fn marked(answer: &mut HttpResponseBuilder, replayed: bool) -> &mut HttpResponseBuilder {
    if replayed {
        answer.insert_header(("Idempotent-Replayed", "true"));
    }
    answer
}
