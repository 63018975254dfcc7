//! payment-svc's rows, and the simulated gateway's book: a file of its own, with its own commit,
//! between the commit that intends a payment and the one that knows its end. Payments that the book
//! has answered are settled together with the next ones that come in, as the service's writer does.

use std::path::Path;

use anyhow::Result;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use diesel_migrations::EmbeddedMigrations;
use payment_svc::schema::payments;
use saga_events::{EventType, ItemId, OrderId, UserId};
use svc_chassis::{Service, cached_statement};

use super::ledger::{Batch, Bought};
use super::part::Work;
use super::{PRICE, TRACE};

/// As long as what the simulated gateway calls a charge.
const REFERENCE: &str = "sim-00000000000070008000000000000000";

diesel::table! {
    charges (key) {
        key -> Binary,
        amount -> BigInt,
        answer -> Text,
        reference -> Text,
        created_at -> BigInt,
    }
}

cached_statement! {
    struct UpdatePayment =
        "UPDATE payments SET state = " { state: &'static str => Text }
        ", reason_code = " { reason_code: Option<&'static str> => Nullable<Text> }
        ", failed_step = " { failed_step: Option<&'static str> => Nullable<Text> }
        ", gateway_reference = " { gateway_reference: Option<&'static str> => Nullable<Text> }
        ", answered_item = " { answered_item: i64 => BigInt }
        ", answered_cancel = " { answered_cancel: i64 => BigInt }
        ", updated_at = " { updated_at: i64 => BigInt }
        " WHERE order_id = " { order_id: OrderId => Binary };
}

struct NewPayment {
    order_id: OrderId,
    state: &'static str,
    user_id: Option<UserId>,
    item_id: Option<ItemId>,
    quantity: Option<i64>,
    unit_price: Option<i64>,
    total_amount: Option<i64>,
    deadline: Option<i64>,
    reason_code: Option<&'static str>,
    failed_step: Option<&'static str>,
    gateway_reference: Option<&'static str>,
    answered_item: i64,
    answered_cancel: i64,
    traceparent: Option<&'static str>,
    updated_at: i64,
}

svc_chassis::cached_insert! {
    NewPayment, into payments:
    order_id, state, user_id, item_id, quantity, unit_price, total_amount, deadline, reason_code, failed_step, gateway_reference, answered_item, answered_cancel, traceparent, updated_at
}

struct NewCharge {
    key: OrderId,
    amount: i64,
    answer: &'static str,
    reference: &'static str,
    created_at: i64,
}

svc_chassis::cached_insert! {
    NewCharge, into charges:
    key, amount, answer, reference, created_at
}

/// payment-svc's part.
pub struct Payment {
    book: SqliteConnection,
    /// Intended in this batch: the book comes next.
    intended: Vec<Bought>,
    /// In the book: to be settled.
    answered: Vec<Bought>,
}

impl Payment {
    /// Opens the gateway's book, as payment-svc makes it.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(book: &Path) -> Result<Self> {
        let mut book = SqliteConnection::establish(&book.to_string_lossy())?;
        for statement in [
            "PRAGMA busy_timeout = 5000",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            payment_svc::gateway::simulated::BOOK,
        ] {
            book.batch_execute(statement)?;
        }
        Ok(Self {
            book,
            intended: Vec::new(),
            answered: Vec::new(),
        })
    }
}

impl Work for Payment {
    fn migrations(&self) -> Vec<EmbeddedMigrations> {
        payment_svc::PaymentSvc::migrations()
    }

    fn hear(&mut self, batch: &mut Batch<'_>, _: EventType, bought: Bought) -> QueryResult<()> {
        let row = NewPayment {
            order_id: bought.order,
            state: "Authorizing",
            user_id: Some(bought.user),
            item_id: Some(bought.item),
            quantity: Some(1),
            unit_price: Some(PRICE),
            total_amount: Some(PRICE),
            deadline: Some(batch.now),
            reason_code: None::<&str>,
            failed_step: None::<&str>,
            gateway_reference: None::<&str>,
            answered_item: 0,
            answered_cancel: 0,
            traceparent: Some(TRACE),
            updated_at: batch.now,
        };
        row.insert(batch.conn)?;
        self.intended.push(bought);
        Ok(())
    }

    fn is_busy(&self) -> bool {
        !self.answered.is_empty()
    }

    fn add(&mut self, batch: &mut Batch<'_>) -> QueryResult<()> {
        for bought in self.answered.drain(..) {
            let (state, reason_code, failed_step, says) = if bought.declined {
                let why = (Some(super::DECLINED), Some("payment-svc"));
                ("Failed", why.0, why.1, EventType::PaymentFailed)
            } else {
                ("Processed", None, None, EventType::PaymentProcessed)
            };
            let update = UpdatePayment {
                state,
                reason_code,
                failed_step,
                gateway_reference: Some(REFERENCE),
                answered_item: 0,
                answered_cancel: 0,
                updated_at: batch.now,
                order_id: bought.order,
            };
            update.execute(batch.conn)?;
            batch.say(says, bought.order)?;
        }
        Ok(())
    }

    fn follow(&mut self) -> Result<()> {
        if self.intended.is_empty() {
            return Ok(());
        }
        let Self {
            book,
            intended,
            answered,
        } = self;
        book.immediate_transaction(|book| {
            intended.iter().try_for_each(|bought| {
                let answer = if bought.declined {
                    "Declined"
                } else {
                    "Approved"
                };
                let row = NewCharge {
                    key: bought.order,
                    amount: PRICE,
                    answer,
                    reference: REFERENCE,
                    created_at: 0,
                };
                row.insert(book)
            })
        })?;
        answered.append(intended);
        Ok(())
    }
}
