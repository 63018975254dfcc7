//! The judgement over six quiet databases and the bank's book: the protocol's invariants, each asked of
//! the rows themselves.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use order_svc::saga::Status;
use payment_svc::saga::Answer;
use saga_events::{OrderId, Purchase, Service};
use saga_model::record::name;
use saga_model::world::Row;

use crate::bank::Bank;
use crate::known::Known;
use crate::process::{Broken, Process, Runs};
use crate::watched::Stage;
use crate::world::World;

/// What must be so within one database: each query finds what is not.
const LAWS: [(Service, &[&str]); 6] = [
    (
        Service::Order,
        &["SELECT 'order ' || hex(order_id) || ' is ' || status || ', told ' || told AS what FROM orders
           WHERE status NOT IN ('COMPLETED', 'CANCELLED') OR told = 0"],
    ),
    (
        Service::User,
        &[
            "SELECT 'user ' || hex(id) || ': the deposits are not what is available, held and captured' AS what
             FROM users WHERE available + held + captured
             <> (SELECT coalesce(sum(amount), 0) FROM deposits WHERE user_id = users.id)",
            "SELECT 'user ' || hex(id) || ': ' || held || ' held, but no purchase is under way' AS what
             FROM users WHERE held <> 0",
            "SELECT 'user ' || hex(id) || ': captured is not what the purchases have captured' AS what
             FROM users WHERE captured
             <> (SELECT coalesce(sum(held), 0) FROM holds WHERE user_id = users.id AND state = 'Confirmed')",
        ],
    ),
    (
        Service::Inventory,
        &[
            "SELECT 'user ' || hex(user_id) || ': used slots are not the stacks' AS what FROM inventories
             WHERE used <> (SELECT count(*) FROM stacks WHERE user_id = inventories.user_id)",
            "SELECT 'user ' || hex(user_id) || ': ' || held || ' slots held, but no purchase is under way' AS what
             FROM inventories WHERE held <> 0",
            "SELECT 'user ' || hex(user_id) || ' has more than fits' AS what
             FROM inventories WHERE used + held > capacity",
            "SELECT 'user ' || hex(user_id) || ' owns what the purchases have not captured' AS what FROM stacks
             WHERE quantity <> (SELECT coalesce(sum(quantity), 0) FROM holds WHERE state = 'Confirmed'
             AND user_id = stacks.user_id AND item_id = stacks.item_id)",
            "SELECT 'order ' || hex(order_id) || ' is Confirmed, but its stack is not there' AS what FROM holds
             WHERE state = 'Confirmed' AND NOT EXISTS (SELECT 1 FROM stacks
             WHERE user_id = holds.user_id AND item_id = holds.item_id)",
        ],
    ),
    (
        Service::Item,
        &[
            "SELECT 'item ' || hex(id) || ': the supplies are not what is available, held and sold' AS what
             FROM items WHERE available + held + sold
             <> (SELECT coalesce(sum(quantity), 0) FROM restocks WHERE item_id = items.id)",
            "SELECT 'item ' || hex(id) || ': ' || held || ' held, but no purchase is under way' AS what
             FROM items WHERE held <> 0",
            "SELECT 'item ' || hex(id) || ': sold is not what the purchases have captured' AS what
             FROM items WHERE sold
             <> (SELECT coalesce(sum(held), 0) FROM holds WHERE item_id = items.id AND state = 'Confirmed')",
        ],
    ),
    (
        Service::Payment,
        &["SELECT 'payment ' || hex(order_id) || ' is Authorizing' AS what FROM payments
           WHERE state = 'Authorizing'"],
    ),
    (
        Service::Notify,
        &["SELECT 'the buyer of ' || hex(order_id) || ' was told more than once' AS what FROM notifications
           GROUP BY order_id HAVING count(*) > 1"],
    ),
];

/// What must be so of every service's dead letters and outbox.
const SHARED: [&str; 2] = [
    "SELECT reason || ': ' || error AS what FROM dead_letters WHERE NOT
     (reason = 'undecodable'
      OR reason = 'impossible' AND event LIKE '%5ead00000000%'
      OR reason = 'exhausted' AND error LIKE '%the simulator says so%')",
    "SELECT 'the outbox ends before what was published' AS what FROM relay_position
     WHERE published > (SELECT coalesce(max(seq), 0) FROM outbox)",
];

/// Judges a world in which nothing is under way.
///
/// # Errors
/// The first thing that is not as it must be.
pub fn judge(world: &mut World) -> Result<(), Broken> {
    for (service, laws) in LAWS {
        for law in laws.iter().chain(&SHARED) {
            if let Some(what) = first(world, service, law)? {
                return Err(format!("{service}: {what}"));
            }
        }
    }
    let World { known, .. } = world;
    stored_as_known(&mut world.order, known)?;
    stored_as_known(&mut world.user, known)?;
    stored_as_known(&mut world.inventory, known)?;
    stored_as_known(&mut world.item, known)?;
    stored_as_known(&mut world.payment, known)?;
    stored_as_known(&mut world.notify, known)?;
    for order in &world.accepted {
        if known.row(*order, Service::Order).is_none() {
            return Err(format!("order {order} was answered 201, and is not there"));
        }
    }
    for order in known.orders().keys() {
        judge_order(known, &world.bank, *order)?;
    }
    for (key, line) in world.bank.book() {
        let state = known.state(*key, Service::Order);
        if line.answer == Answer::Approved && !state.starts_with("COMPLETED") {
            return Err(format!(
                "the bank has charged {key}, whose order is {state}"
            ));
        }
    }
    Ok(())
}

/// The first finding of a law's query.
fn first(world: &mut World, service: Service, law: &str) -> Result<Option<String>, Broken> {
    let process = world.process(service);
    let Some(conn) = process.conn() else {
        return Err(format!("{service} is down"));
    };
    let found: QueryResult<Vec<Found>> = diesel::sql_query(law).load(conn);
    let found = found.map_err(|error| format!("{law}: {error}"))?;
    Ok(found.into_iter().next().map(|found| found.what))
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    what: String,
}

#[derive(QueryableByName)]
struct Last {
    #[diesel(sql_type = BigInt)]
    seq: i64,
}

/// The database has the rows that its commits have said, no others, and all that it says is published.
fn stored_as_known<S: Stage>(process: &mut Process<S>, known: &Known) -> Result<(), Broken> {
    let (service, published) = (S::ME, process.published());
    let broken = |error: diesel::result::Error| format!("{service}: {error}");
    let Some(conn) = process.conn() else {
        return Err(format!("{service} is down"));
    };
    let mut expected = 0;
    for order in known.orders().keys() {
        let (row, known) = (
            S::row(conn, *order).map_err(broken)?,
            known.row(*order, service),
        );
        if row.as_ref() != known {
            return Err(format!(
                "{service}: order {order} is {} in the database, and was {} at its last commit",
                name(row.as_ref()),
                name(known)
            ));
        }
        expected += usize::from(row.is_some());
    }
    let stored = S::sagas(conn, None, None, i64::MAX).map_err(broken)?.len();
    if stored != expected {
        return Err(format!("{service} has {stored} rows, not {expected}"));
    }
    let last = diesel::sql_query("SELECT coalesce(max(seq), 0) AS seq FROM outbox");
    let Last { seq } = last.get_result(conn).map_err(broken)?;
    if seq != published {
        return Err(format!(
            "{service} has said {seq} events, and published {published}"
        ));
    }
    Ok(())
}

/// One order, over all six.
fn judge_order(known: &Known, bank: &Bank, id: OrderId) -> Result<(), Broken> {
    let Some(Row::Order(order)) = known.row(id, Service::Order) else {
        return Err(format!(
            "somebody has a row of order {id}, which order-svc does not have"
        ));
    };
    let Purchase {
        total_amount,
        quantity,
        ..
    } = order.purchase;
    let hold = |service| match known.row(id, service) {
        Some(Row::Hold(hold)) => Some(hold),
        _ => None,
    };
    let charged = bank.line(id).filter(|line| line.answer == Answer::Approved);
    match order.status {
        Status::Completed => {
            let held = [Service::User, Service::Item].map(|who| hold(who).map(|hold| hold.held));
            let right = [Some(total_amount.get()), Some(quantity.get())];
            if held != right {
                return Err(format!(
                    "order {id} has captured {held:?}, and not {right:?}"
                ));
            }
            let charged = charged.map(|line| line.amount);
            if charged != Some(total_amount) {
                return Err(format!(
                    "order {id} is charged {charged:?}, and not {total_amount}"
                ));
            }
        }
        Status::Cancelled => {
            let why = hold(Service::User).and_then(|hold| hold.reason);
            if order.reason.is_none() || why != order.reason {
                let reason = order.reason;
                return Err(format!(
                    "order {id} is cancelled for {reason:?}, user-svc says {why:?}"
                ));
            }
        }
        Status::Pending | Status::Cancelling => {
            return Err(format!("order {id} is {}", order.status.as_str()));
        }
    }
    let told = known.state(id, Service::Notify);
    if !told.eq_ignore_ascii_case(order.status.as_str()) {
        return Err(format!(
            "order {id} is {}, and its buyer was told {told}",
            order.status.as_str()
        ));
    }
    Ok(())
}
