//! A part's database file: the service's own tables, one writer, one transaction a batch, and the
//! write-ahead log moved between two batches, as the chassis does it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_migrations::EmbeddedMigrations;
use saga_events::{EventId, EventType, ItemId, OrderId, Timestamp, UserId};
use svc_chassis::buckets;
use svc_chassis::database::Database;
use svc_chassis::schema::outbox;
use uuid::Uuid;

use super::texts::Texts;
use crate::bench::buyers::Buyers;

/// Pages of the log from which on it is moved, and how often that is looked at: the chassis'.
const PAGES: i32 = 2_000;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A part's file.
pub struct Ledger {
    /// The one connection that writes.
    pub conn: SqliteConnection,
    next_seq: i64,
    looked: Instant,
}

/// One batch, within its transaction.
pub struct Batch<'a> {
    /// For the part's own statements.
    pub conn: &'a mut SqliteConnection,
    /// One time for all rows, in microseconds since 1970.
    pub now: i64,
    /// What was said so far.
    pub said: Vec<(EventType, OrderId)>,
    texts: &'a mut Texts,
    next_seq: &'a mut i64,
}

/// Who bought what in a purchase: its id decides, so that nobody has to remember.
#[derive(Debug, Clone, Copy)]
pub struct Bought {
    /// The purchase.
    pub order: OrderId,
    /// Whose it is.
    pub user: UserId,
    /// What is bought.
    pub item: ItemId,
    /// Whether the payment declines: every tenth.
    pub declined: bool,
}

/// All users and items, by number.
pub struct Crowd {
    /// The users.
    pub users: Vec<UserId>,
    /// The items.
    pub items: Vec<ItemId>,
}

impl Crowd {
    /// So many of each, at least one.
    pub fn new(users: u64, items: u64) -> Self {
        Self {
            users: (0..users.max(1)).map(Buyers::user).collect(),
            items: (0..items.max(1)).map(Buyers::item).collect(),
        }
    }

    /// The purchase of this id. The low half of a UUID v7 is random.
    pub fn bought(&self, order: OrderId) -> Bought {
        let random = usize::try_from(order.uuid().as_u64_pair().1 >> 4).unwrap_or(0);
        let (declined, rest) = (random % 10 == 0, random / 10);
        let (user, rest) = (rest % self.users.len(), rest / self.users.len());
        Bought {
            order,
            user: self.users[user],
            item: self.items[rest % self.items.len()],
            declined,
        }
    }
}

impl Ledger {
    /// Makes the file with the service's own migrations.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(path: &Path, migrations: &[EmbeddedMigrations]) -> Result<Self> {
        let url = format!("sqlite:{}", path.display());
        let database = Database::from_url(&url).map_err(anyhow::Error::msg)?;
        let mut conn = database.open(migrations)?;
        conn.batch_execute("PRAGMA wal_autocheckpoint = 0")?;
        Ok(Self {
            conn,
            next_seq: 1,
            looked: Instant::now(),
        })
    }

    /// Runs a batch in one transaction, and says what it said.
    ///
    /// # Errors
    /// The database's.
    pub fn commit(
        &mut self,
        texts: &mut Texts,
        rows: impl FnOnce(&mut Batch<'_>) -> QueryResult<()>,
    ) -> QueryResult<Vec<(EventType, OrderId)>> {
        self.conn.batch_execute("BEGIN IMMEDIATE")?;
        let mut batch = Batch {
            conn: &mut self.conn,
            now: Timestamp::now().micros(),
            said: Vec::new(),
            texts,
            next_seq: &mut self.next_seq,
        };
        rows(&mut batch)?;
        let said = batch.said;
        self.conn.batch_execute("COMMIT")?;
        Ok(said)
    }

    /// Moves the write-ahead log to the file where it has become long; says whether it did.
    ///
    /// # Errors
    /// The database's.
    pub fn tend(&mut self) -> QueryResult<bool> {
        if self.looked.elapsed() < LOOK_EVERY {
            return Ok(false);
        }
        self.looked = Instant::now();
        let log: Log =
            diesel::sql_query("PRAGMA wal_checkpoint(NOOP)").get_result(&mut self.conn)?;
        let is_long = log.pages >= PAGES && log.moved < log.pages;
        if is_long {
            diesel::sql_query("PRAGMA wal_checkpoint(PASSIVE)")
                .get_result::<Log>(&mut self.conn)?;
        }
        Ok(is_long)
    }
}

#[derive(QueryableByName)]
struct Log {
    #[diesel(sql_type = diesel::sql_types::Integer, column_name = log)]
    pages: i32,
    #[diesel(sql_type = diesel::sql_types::Integer, column_name = checkpointed)]
    moved: i32,
}

struct NewOutput<'a> {
    seq: i64,
    event_id: EventId,
    order_id: OrderId,
    event_type: EventType,
    causation_id: Option<EventId>,
    attempt: i64,
    time: i64,
    traceparent: Option<&'static str>,
    data: &'a str,
}

svc_chassis::cached_insert! {
    NewOutput<'_>, into outbox:
    seq, event_id, order_id, event_type, causation_id, attempt, time, traceparent, data
}

impl Batch<'_> {
    /// The bucket of the rows that are made now.
    pub fn bucket(&self) -> i64 {
        buckets::of(*self.next_seq)
    }

    /// The row of the outbox, and the output for after the commit. Returns the row's number.
    ///
    /// # Errors
    /// The database's.
    pub fn say(&mut self, event_type: EventType, order: OrderId) -> QueryResult<i64> {
        let seq = *self.next_seq;
        let text = self.texts.of(event_type, order);
        // Sixteen bytes like any other: what they are is logic, that they are stored is not.
        let id = EventId::from_uuid(Uuid::from_u128(!order.uuid().as_u128()));
        let row = NewOutput {
            seq,
            event_id: id,
            order_id: order,
            event_type,
            causation_id: Some(id),
            attempt: 0,
            time: self.now,
            traceparent: Some(super::TRACE),
            data: &text.data,
        };
        row.insert(self.conn)?;
        *self.next_seq += 1;
        self.said.push((event_type, order));
        Ok(seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenth_purchase_is_declined_and_all_users_and_items_take_part() {
        let crowd = Crowd::new(20, 5);
        let bought: Vec<Bought> = (0..10_000).map(|_| crowd.bought(OrderId::new())).collect();
        let declined = bought.iter().filter(|bought| bought.declined).count();
        assert!((800..1200).contains(&declined), "{declined}");
        let different = |ids: Vec<Uuid>| {
            ids.into_iter()
                .collect::<std::collections::BTreeSet<_>>()
                .len()
        };
        assert_eq!(
            different(bought.iter().map(|b| b.user.uuid()).collect()),
            20
        );
        assert_eq!(different(bought.iter().map(|b| b.item.uuid()).collect()), 5);
    }
}
