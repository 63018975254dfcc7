//! The row of a hold, as user-, inventory- and item-svc write it.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use saga_events::{ItemId, OrderId, UserId};
use svc_chassis::cached_statement;
use svc_chassis::schema::holds;

use super::PRICE;
use super::ledger::{Batch, Bought};

cached_statement! {
    struct UpdateHold =
        "UPDATE holds SET state = " { state: &'static str => Text }
        ", reason_code = " { reason_code: Option<&'static str> => Nullable<Text> }
        ", failed_step = " { failed_step: Option<&'static str> => Nullable<Text> }
        ", answered_there = " { answered_there: i64 => BigInt }
        ", answered_back = " { answered_back: i64 => BigInt }
        ", updated_at = " { updated_at: i64 => BigInt }
        " WHERE order_id = " { order_id: OrderId => Binary };
}

struct NewHold {
    order_id: OrderId,
    state: &'static str,
    user_id: Option<UserId>,
    item_id: Option<ItemId>,
    quantity: Option<i64>,
    unit_price: Option<i64>,
    total_amount: Option<i64>,
    deadline: Option<i64>,
    held: i64,
    reason_code: Option<&'static str>,
    failed_step: Option<&'static str>,
    answered_there: i64,
    answered_back: i64,
    updated_at: i64,
    bucket: i64,
}

svc_chassis::cached_insert! {
    NewHold, into holds:
    order_id, state, user_id, item_id, quantity, unit_price, total_amount, deadline, held, reason_code, failed_step, answered_there, answered_back, updated_at, bucket
}

/// `Reserved`.
///
/// # Errors
/// The database's.
pub fn take(batch: &mut Batch<'_>, bought: Bought, held: i64) -> QueryResult<()> {
    let row = NewHold {
        order_id: bought.order,
        state: "Reserved",
        user_id: Some(bought.user),
        item_id: Some(bought.item),
        quantity: Some(1),
        unit_price: Some(PRICE),
        total_amount: Some(PRICE),
        deadline: Some(batch.now),
        held,
        reason_code: None::<&str>,
        failed_step: None::<&str>,
        answered_there: 0,
        answered_back: 0,
        updated_at: batch.now,
        bucket: batch.bucket(),
    };
    row.insert(batch.conn)
}

/// `Confirmed`, or `Released`.
///
/// # Errors
/// The database's.
pub fn leave(batch: &mut Batch<'_>, bought: Bought) -> QueryResult<()> {
    let (state, reason_code, failed_step) = if bought.declined {
        ("Released", Some(super::DECLINED), Some("payment-svc"))
    } else {
        ("Confirmed", None, None)
    };
    let update = UpdateHold {
        state,
        reason_code,
        failed_step,
        answered_there: 0,
        answered_back: 0,
        updated_at: batch.now,
        order_id: bought.order,
    };
    update.execute(batch.conn)?;
    Ok(())
}
