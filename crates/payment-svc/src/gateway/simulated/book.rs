//! The bank's book: an SQLite file of its own, owned by one thread that commits what waits in one
//! transaction and answers after the commit. Nothing here blocks the runtime.

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use anyhow::Context;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use saga_events::{Amount, OrderId, Timestamp};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::super::{Authorization, Charge, Unknown};
use crate::saga::Answer;

/// The most requests in one transaction: a commit costs the same for one and for many.
const MAX_BATCH: usize = 1024;

/// The book's table, made where there is none.
pub const BOOK: &str = include_str!("book.sql");

diesel::table! {
    charges (key) {
        key -> Binary,
        amount -> BigInt,
        answer -> Text,
        reference -> Text,
        created_at -> BigInt,
    }
}

struct NewCharge<'a> {
    key: OrderId,
    amount: Amount,
    answer: Answer,
    reference: &'a str,
    created_at: Timestamp,
}

svc_chassis::cached_insert! {
    NewCharge<'_>, into charges:
    key, amount, answer, reference, created_at
}

/// Asks the book's thread. Cheap to clone; the thread ends with the last of them.
#[derive(Clone)]
pub(super) struct Book {
    requests: mpsc::Sender<Request>,
    path: PathBuf,
}

struct Request {
    key: OrderId,
    /// What to write where the key is new; `None` only looks.
    if_new: Option<(Amount, Answer)>,
    reply: oneshot::Sender<Result<Option<Authorization>, Unknown>>,
}

impl Book {
    /// Opens the file and starts its thread.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let conn = connect(path)
            .with_context(|| format!("gateway.book: cannot open {}", path.display()))?;
        let (requests, waiting) = mpsc::channel();
        std::thread::Builder::new()
            .name("gateway-book".into())
            .spawn(move || run(conn, &waiting))?;
        let path = path.to_owned();
        Ok(Self { requests, path })
    }

    /// The answer in the book; where there is none, this one, written before it is returned.
    pub(super) async fn charge(
        &self,
        charge: Charge,
        if_new: Answer,
    ) -> Result<Authorization, Unknown> {
        let answer = self
            .ask(charge.order_id, Some((charge.amount, if_new)))
            .await?;
        answer.ok_or_else(|| Unknown::Failed("the book has no answer".into()))
    }

    /// The answer in the book.
    pub(super) async fn look_up(&self, key: OrderId) -> Result<Option<Authorization>, Unknown> {
        self.ask(key, None).await
    }

    /// A page of what was charged. Reads beside the thread, which goes on charging.
    pub(super) async fn statement(
        &self,
        after: Option<OrderId>,
        limit: usize,
    ) -> Result<Vec<Charge>, Unknown> {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || statement(&path, after, limit));
        let failed = |error: String| Unknown::Failed(error);
        let page = read.await.map_err(|error| failed(error.to_string()))?;
        page.map_err(|error| failed(format!("{error:#}")))
    }

    async fn ask(
        &self,
        key: OrderId,
        if_new: Option<(Amount, Answer)>,
    ) -> Result<Option<Authorization>, Unknown> {
        let (reply, answer) = oneshot::channel();
        let closed = || Unknown::Failed("the book is closed".into());
        self.requests
            .send(Request { key, if_new, reply })
            .map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }
}

/// A page of what the book at this path has charged, in order of the key, those after this one.
/// Changes nothing.
///
/// # Errors
/// There is no such file, or it is no book.
pub fn statement(path: &Path, after: Option<OrderId>, limit: usize) -> anyhow::Result<Vec<Charge>> {
    anyhow::ensure!(path.is_file(), "there is no book {}", path.display());
    let mut conn = SqliteConnection::establish(&path.to_string_lossy())?;
    conn.batch_execute("PRAGMA busy_timeout = 5000; PRAGMA query_only = ON;")?;
    let mut query = charges::table
        .filter(charges::answer.eq(Answer::Approved))
        .order(charges::key)
        .limit(i64::try_from(limit)?)
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(charges::key.gt(after));
    }
    let rows: Vec<(OrderId, Amount)> = query
        .select((charges::key, charges::amount))
        .load(&mut conn)?;
    let charge = |(order_id, amount)| Charge { order_id, amount };
    Ok(rows.into_iter().map(charge).collect())
}

fn connect(path: &Path) -> anyhow::Result<SqliteConnection> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder)?;
    }
    let mut conn = SqliteConnection::establish(&path.to_string_lossy())?;
    for statement in [
        "PRAGMA busy_timeout = 5000",
        "PRAGMA journal_mode = WAL",
        // A charge whose answer has left must survive a power cut.
        "PRAGMA synchronous = FULL",
        BOOK,
    ] {
        conn.batch_execute(statement)?;
    }
    Ok(conn)
}

/// Group commit: while one batch is written, the next one waits.
fn run(mut conn: SqliteConnection, requests: &mpsc::Receiver<Request>) {
    while let Ok(first) = requests.recv() {
        let waiting = std::iter::once(first)
            .chain(requests.try_iter())
            .take(MAX_BATCH);
        let batch: Vec<Request> = waiting.collect();
        let answers: QueryResult<Vec<_>> = conn
            .immediate_transaction(|conn| batch.iter().map(|asked| answer(conn, asked)).collect());
        match answers {
            Ok(answers) => {
                for (asked, answer) in batch.into_iter().zip(answers) {
                    // Whoever asked may have hung up; the book stands.
                    let _ = asked.reply.send(Ok(answer));
                }
            }
            Err(error) => {
                tracing::error!(%error, "the gateway's book cannot be written");
                for asked in batch {
                    let _ = asked.reply.send(Err(Unknown::Failed(error.to_string())));
                }
            }
        }
    }
}

fn answer(conn: &mut SqliteConnection, asked: &Request) -> QueryResult<Option<Authorization>> {
    let found = charges::table
        .find(asked.key)
        .select((charges::answer, charges::reference))
        .get_result::<(Answer, String)>(conn)
        .optional()?;
    match (found, asked.if_new) {
        (Some((answer, reference)), _) => Ok(Some(Authorization { answer, reference })),
        (None, None) => Ok(None),
        (None, Some((amount, answer))) => {
            let reference = format!("sim-{}", Uuid::now_v7().simple());
            let created_at = Timestamp::now();
            let row = NewCharge {
                key: asked.key,
                amount,
                answer,
                reference: &reference,
                created_at,
            };
            row.insert(conn)?;
            Ok(Some(Authorization { answer, reference }))
        }
    }
}
