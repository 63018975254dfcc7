//! user-svc without its HTTP and its bus: its steps and its routes' jobs, on its real writer and
//! its real file, run by as many callers at once as make batches. What was answered is written
//! down, and what the file says afterwards is held against that.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};
use e2e_tests::together;
use fastrand::Rng;
use saga_events::{
    Amount, Event, EventType, Failure, ItemId, Message, Money, OrderId, Payload, Purchase,
    Quantity, Reason, ReasonCode, Settled, Timestamp, UserId,
};
use svc_chassis::database::Database;
use svc_chassis::testing::RunningWriter;
use svc_chassis::writer::Writer;
use svc_chassis::{Error, Outcome, Service};
use user_svc::UserSvc;
use user_svc::store::{self, NewUser};

/// Callers at the same time.
const LANES: usize = 8;

/// What callers were answered, and may count on from then on.
#[derive(Debug, Default, Clone)]
pub struct Answered {
    users: Vec<UserId>,
    deposits: BTreeSet<Vec<u8>>,
    /// The state of the hold, and how many events were said for it.
    purchases: BTreeMap<OrderId, (&'static str, i64)>,
}

impl Answered {
    /// How many answers were given.
    pub fn count(&self) -> usize {
        self.users.len() + self.deposits.len() + self.purchases.len()
    }
}

/// What a file has against the answers and against itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What was answered and is not there.
    pub lost: Vec<String>,
    /// What contradicts itself.
    pub broken: Vec<String>,
}

/// Opens the file in a folder as the service does, and starts its writer. `synchronous` other than
/// `None` is what the service must not be set to.
///
/// # Errors
/// What the service would end with.
pub fn open(folder: &Path, synchronous: Option<&str>) -> anyhow::Result<RunningWriter> {
    let url = format!("sqlite:{}", folder.join("bank.db").display());
    let database = Database::from_url(&url).map_err(anyhow::Error::msg)?;
    let mut conn = database.open(&UserSvc::migrations())?;
    if let Some(mode) = synchronous {
        conn.batch_execute(&format!("PRAGMA synchronous = {mode}"))?;
    }
    Ok(RunningWriter::start(conn)?)
}

/// Lets all callers work, each until it has had so many answers or the first is refused to it.
/// Writes down what they were answered. Checkpoints come twenty times as often as they would, so
/// that many cuts meet one.
pub async fn work(writer: &Writer, answered: &mut Answered, each: usize, rng: &mut Rng) {
    let often = "PRAGMA wal_autocheckpoint = 100";
    let _refused_without_power = writer
        .write(move |tx| Ok(tx.conn().batch_execute(often)?))
        .await;
    let shared = RefCell::new(std::mem::take(answered));
    let lanes = (0..LANES).map(|_| {
        let mut lane = Lane {
            writer,
            answered: &shared,
            rng: rng.fork(),
        };
        async move {
            for _ in 0..each {
                if lane.one_thing().await.is_err() {
                    break;
                }
            }
        }
    });
    together(lanes.collect::<Vec<_>>()).await;
    *answered = shared.into_inner();
}

struct Lane<'a> {
    writer: &'a Writer,
    answered: &'a RefCell<Answered>,
    rng: Rng,
}

impl Lane<'_> {
    async fn one_thing(&mut self) -> Result<(), Error> {
        let users = self.answered.borrow().users.len();
        match self.rng.u8(..20) {
            _ if users < 3 => self.new_user().await,
            0 => self.new_user().await,
            1..6 => self.deposit().await,
            _ => self.purchase().await,
        }
    }

    async fn new_user(&mut self) -> Result<(), Error> {
        let id = UserId::new();
        let balance = Money::new(self.rng.i64(0..5_000)).unwrap();
        let new = NewUser {
            username: "ada".to_owned(),
            balance,
        };
        self.writer
            .write(move |tx| store::create(tx, id, &new))
            .await?;
        self.answered.borrow_mut().users.push(id);
        Ok(())
    }

    async fn deposit(&mut self) -> Result<(), Error> {
        let (user, amount) = (
            self.some_user(),
            Amount::new(self.rng.i64(1..2_000)).unwrap(),
        );
        let id = self
            .writer
            .write(move |tx| store::add(tx, user, amount))
            .await?;
        self.answered
            .borrow_mut()
            .deposits
            .insert(id.into_bytes().to_vec());
        Ok(())
    }

    /// There and back, or back only, or there and left open; now and then repeated.
    async fn purchase(&mut self) -> Result<(), Error> {
        let amount = Amount::new(self.rng.i64(1..3_000)).unwrap();
        let purchase = Purchase {
            order_id: OrderId::new(),
            user_id: self.some_user(),
            item_id: ItemId::new(),
            quantity: Quantity::MIN,
            unit_price: amount,
            total_amount: amount,
            deadline: Timestamp::now(),
        };
        let order_id = purchase.order_id;
        let there = (EventType::OrderCreated, Payload::Purchase(purchase));
        let kept = (
            EventType::InventoryConfirmed,
            Payload::Settled(Settled { order_id }),
        );
        let reason = Reason {
            reason_code: ReasonCode::OutOfStock,
            failed_step: saga_events::Service::Item,
        };
        let undone = (
            EventType::InventoryRollback,
            Payload::Failure(Failure { order_id, reason }),
        );
        let way = match self.rng.u8(..10) {
            0 => vec![there],
            1 => vec![undone, there],
            2..4 => vec![there, undone],
            _ => vec![there, kept],
        };
        let mut attempt = 0;
        for (event_type, payload) in way {
            loop {
                let message = Message {
                    event_type,
                    attempt,
                    payload,
                };
                let refused = self
                    .step(Event::new(message, None, None, Timestamp::now()))
                    .await?;
                if refused {
                    return Ok(());
                }
                if self.rng.u8(..8) != 0 {
                    break;
                }
                attempt += 1;
            }
        }
        Ok(())
    }

    /// Whether the hold was refused: then there is nothing more to be done to it.
    async fn step(&mut self, event: Event) -> Result<bool, Error> {
        let order_id = event.order_id();
        let step = move |tx: &mut svc_chassis::Tx<'_>| {
            let outcome = UserSvc.step(tx, &event)?;
            let said = svc_chassis::outbox::of_order(tx.conn(), order_id)?.len();
            Ok((outcome, said))
        };
        let (outcome, said) = self.writer.write(step).await?;
        let mut answered = self.answered.borrow_mut();
        let hold = answered.purchases.entry(order_id).or_insert(("", 0));
        match outcome {
            Outcome::Changed(state) => hold.0 = state,
            Outcome::Repeated | Outcome::Duplicate => {}
            Outcome::Impossible(why) => panic!("{why}"),
        }
        hold.1 = i64::try_from(said).unwrap();
        Ok(hold.0 == "Refused")
    }

    fn some_user(&mut self) -> UserId {
        let answered = self.answered.borrow();
        answered.users[self.rng.usize(..answered.users.len())]
    }
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    what: String,
}

#[derive(QueryableByName)]
struct Key {
    #[diesel(sql_type = Binary)]
    id: Vec<u8>,
}

#[derive(QueryableByName)]
struct HoldFound {
    #[diesel(sql_type = Binary)]
    id: OrderId,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = BigInt)]
    said: i64,
}

/// Each finds what contradicts itself in the file: rows of a text.
const CONTRADICTIONS: [&str; 6] = [
    "SELECT integrity_check AS what FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    "SELECT 'rows of the outbox are missing' AS what FROM (SELECT max(seq) AS last, count(*) AS rows FROM outbox)
        WHERE last <> rows",
    "SELECT 'money came from nowhere: ' || hex(u.id) AS what FROM users u WHERE available + held + captured
        <> (SELECT coalesce(sum(amount), 0) FROM deposits d WHERE d.user_id = u.id)",
    "SELECT 'held is not what is reserved: ' || hex(u.id) AS what FROM users u WHERE held
        <> (SELECT coalesce(sum(held), 0) FROM holds h WHERE h.user_id = u.id AND state = 'Reserved')",
    "SELECT 'captured is not what is confirmed: ' || hex(u.id) AS what FROM users u WHERE captured
        <> (SELECT coalesce(sum(held), 0) FROM holds h WHERE h.user_id = u.id AND state = 'Confirmed')",
    // What was said for a purchase is what its hold has to say, in every direction that it was in.
    "WITH said AS (SELECT order_id, group_concat(type, ' ') AS types FROM
            (SELECT DISTINCT order_id, type FROM outbox ORDER BY order_id, type) GROUP BY order_id)
     SELECT coalesce(state, 'no hold') || ', but said ' || coalesce(types, 'nothing') AS what
     FROM said FULL JOIN holds h ON h.order_id = said.order_id
     WHERE coalesce(types, '') <> coalesce(CASE
        WHEN state = 'Reserved' THEN 'payment.reserved user.validated'
        WHEN state = 'Confirmed' THEN 'payment.confirmed payment.reserved user.validated'
        WHEN state = 'Refused' THEN 'payment.reservation.failed'
        WHEN user_id IS NULL THEN 'payment.rollback'
        ELSE 'payment.reserved payment.rollback user.validated' END, 'no hold')",
];

/// Holds the file in a folder against what was answered, and against itself. The file is opened
/// past the disk, and a copy of it: looking at it must not repair it.
pub fn judge(folder: &Path, answered: &Answered) -> Verdict {
    let copy = tempfile::tempdir().unwrap();
    for entry in folder.read_dir().unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let path = copy.path().join("bank.db");
    if !path.exists() && answered.count() == 0 {
        return Verdict::default();
    }
    let url = format!("file:{}?vfs=unix", path.display());
    let mut conn = SqliteConnection::establish(&url).unwrap();
    let mut verdict = Verdict::default();
    if let Err(error) = look(&mut conn, answered, &mut verdict) {
        // Migrations that were cut off left nothing behind that somebody was told of.
        let is_new = answered.count() == 0 && error.to_string().starts_with("no such table");
        if !is_new {
            verdict.broken.push(error.to_string());
        }
    }
    verdict
}

fn look(
    conn: &mut SqliteConnection,
    answered: &Answered,
    verdict: &mut Verdict,
) -> QueryResult<()> {
    for sql in CONTRADICTIONS {
        let found: Vec<Found> = diesel::sql_query(sql).load(conn)?;
        verdict
            .broken
            .extend(found.into_iter().map(|found| found.what));
    }
    let keys = |conn: &mut SqliteConnection, table: &str| {
        let rows = diesel::sql_query(format!("SELECT id FROM {table}")).load::<Key>(conn)?;
        QueryResult::Ok(rows.into_iter().map(|row| row.id).collect::<BTreeSet<_>>())
    };
    let users = keys(conn, "users")?;
    let lost = answered
        .users
        .iter()
        .filter(|id| !users.contains(id.uuid().into_bytes().as_slice()));
    verdict.lost.extend(lost.map(|id| format!("user {id}")));
    let deposits = keys(conn, "deposits")?;
    let lost = answered.deposits.difference(&deposits);
    verdict
        .lost
        .extend(lost.map(|id| format!("deposit {id:x?}")));
    let sql = "SELECT order_id AS id, state, (SELECT count(*) FROM outbox o WHERE o.order_id = h.order_id) AS said
               FROM holds h";
    let holds: Vec<HoldFound> = diesel::sql_query(sql).load(conn)?;
    let holds: BTreeMap<_, _> = holds.into_iter().map(|hold| (hold.id, hold)).collect();
    for (id, (state, said)) in &answered.purchases {
        match holds.get(id) {
            // A step that was under way when the power went may be there, unanswered.
            Some(hold) if hold.said >= *said && (hold.state == *state || *state == "Reserved") => {}
            Some(hold) => verdict.lost.push(format!(
                "{id} is {} and has said {}, not {state} and {said}",
                hold.state, hold.said
            )),
            None => verdict.lost.push(format!("{id} is not there, not {state}")),
        }
    }
    Ok(())
}
