//! Steps on a real SQLite file: row, effect and outbox are one transaction, and no input has its
//! effect twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use diesel::prelude::*;
use payment_svc::PaymentSvc;
use payment_svc::gateway::{Authorization, Charge};
use payment_svc::saga::{Answer, State};
use payment_svc::store::{self, Shown};
use saga_events::{
    Amount, Event, EventId, EventType, Failure, ItemId, Message, OrderId, Payload, Purchase,
    Quantity, Reason, ReasonCode, Service as Name, Timestamp, TraceParent, UserId,
};
use svc_chassis::testing::Bench;
use svc_chassis::{Error, Outcome, Service, outbox};
use tempfile::TempDir;

struct Payments {
    folder: TempDir,
    bench: Bench,
}

impl Payments {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench::open(folder.path(), &PaymentSvc::migrations()).unwrap();
        Self { folder, bench }
    }

    /// As after a crash: nothing but the file is left.
    fn reopen(self) -> Self {
        let Self { folder, bench } = self;
        drop(bench);
        let bench = Bench::open(folder.path(), &PaymentSvc::migrations()).unwrap();
        Self { folder, bench }
    }

    fn apply(&mut self, event: &Event) -> (Outcome, Option<Charge>, Vec<Event>) {
        let ((outcome, charge), said) = self.bench.write(|tx| store::apply(tx, event)).unwrap();
        (outcome, charge, said)
    }

    fn settle(&mut self, order_id: OrderId, answer: Answer) -> (Outcome, Vec<Event>) {
        let told = Authorization {
            answer,
            reference: format!("{answer:?}-1"),
        };
        let ((outcome, _), said) = self
            .bench
            .write(|tx| store::settle(tx, order_id, &told))
            .unwrap();
        (outcome, said)
    }

    fn payment(&mut self, order_id: OrderId) -> Option<Shown> {
        store::payment_of(self.bench.conn(), order_id).unwrap()
    }

    fn state(&mut self, order_id: OrderId) -> Option<State> {
        self.payment(order_id).map(|shown| shown.payment.state)
    }

    /// The journal: types and attempts, in order.
    fn said(&mut self, order_id: OrderId) -> Vec<(EventType, u32)> {
        let events = outbox::of_order(self.bench.conn(), order_id).unwrap();
        events
            .iter()
            .map(|event| (event.event_type(), event.message.attempt))
            .collect()
    }
}

fn event(event_type: EventType, attempt: u32, payload: Payload) -> Event {
    let message = Message {
        event_type,
        attempt,
        payload,
    };
    Event::new(message, None, Some(TraceParent::new()), Timestamp::now())
}

fn item_reserved(order_id: OrderId, attempt: u32) -> Event {
    let purchase = Purchase {
        order_id,
        user_id: UserId::new(),
        item_id: ItemId::new(),
        quantity: Quantity::new(3).unwrap(),
        unit_price: Amount::new(100).unwrap(),
        total_amount: Amount::new(300).unwrap(),
        deadline: Timestamp::now(),
    };
    event(
        EventType::ItemReserved,
        attempt,
        Payload::Purchase(purchase),
    )
}

fn cancel_requested(order_id: OrderId, attempt: u32) -> Event {
    let reason = Reason {
        reason_code: ReasonCode::DeadlineExceeded,
        failed_step: Name::Payment,
    };
    let payload = Payload::Failure(Failure { order_id, reason });
    event(EventType::OrderCancelRequested, attempt, payload)
}

#[test]
fn the_intent_is_stored_before_the_gateway_is_asked_and_nothing_is_said_yet() {
    let (mut payments, order) = (Payments::open(), OrderId::new());
    let (outcome, charge, said) = payments.apply(&item_reserved(order, 0));
    assert_eq!(outcome, Outcome::Changed("Authorizing"));
    assert_eq!(
        charge,
        Some(Charge {
            order_id: order,
            amount: Amount::new(300).unwrap()
        })
    );
    assert!(said.is_empty());
    assert_eq!(payments.state(order), Some(State::Authorizing));
}

#[test]
fn an_approval_is_stored_with_its_reference_and_answers_item_reserved() {
    let (mut payments, order) = (Payments::open(), OrderId::new());
    let reserved = item_reserved(order, 0);
    payments.apply(&reserved);
    let (outcome, said) = payments.settle(order, Answer::Approved);
    assert_eq!(outcome, Outcome::Changed("Processed"));
    let [processed] = said.as_slice() else {
        panic!("{said:?}")
    };
    assert_eq!(processed.event_type(), EventType::PaymentProcessed);
    // Cause and span are those of the event that made us ask, though the answer came without.
    assert_eq!(processed.causation_id, Some(reserved.id));
    let carried = reserved.traceparent.unwrap();
    let step = carried.step(reserved.id, Name::Payment);
    assert_eq!(processed.traceparent, Some(step));
    let shown = payments.payment(order).unwrap();
    assert_eq!(shown.gateway_reference.as_deref(), Some("Approved-1"));
    assert_eq!(shown.payment.reason, None);
}

#[test]
fn a_decline_is_stored_with_its_reason_and_compensates() {
    let (mut payments, order) = (Payments::open(), OrderId::new());
    payments.apply(&item_reserved(order, 0));
    let (outcome, said) = payments.settle(order, Answer::Declined);
    assert_eq!(outcome, Outcome::Changed("Failed"));
    let [failed] = said.as_slice() else {
        panic!("{said:?}")
    };
    let reason = failed.message.payload.reason().unwrap();
    assert_eq!(reason.reason_code, ReasonCode::PaymentDeclined);
    assert_eq!(reason.failed_step, Name::Payment);
    assert_eq!(
        payments.payment(order).unwrap().payment.reason,
        Some(reason)
    );
}

#[test]
fn an_error_in_the_middle_leaves_nothing() {
    let (mut payments, order) = (Payments::open(), OrderId::new());
    let event = item_reserved(order, 0);
    let failed = payments.bench.write(|tx| {
        store::apply(tx, &event)?;
        Err::<(), _>(Error::internal("in the middle"))
    });
    assert!(failed.is_err());
    assert_eq!(payments.payment(order), None);

    payments.apply(&event);
    let told = Authorization {
        answer: Answer::Approved,
        reference: "r".into(),
    };
    let failed = payments.bench.write(|tx| {
        store::settle(tx, order, &told)?;
        Err::<(), _>(Error::internal("in the middle"))
    });
    assert!(failed.is_err());
    assert_eq!(payments.state(order), Some(State::Authorizing));
    assert_eq!(payments.said(order), []);
}

#[test]
fn duplicates_are_silent_and_have_no_second_effect() {
    let (mut payments, order) = (Payments::open(), OrderId::new());
    let event = item_reserved(order, 0);
    payments.apply(&event);
    assert_eq!(payments.apply(&event), (Outcome::Duplicate, None, vec![]));
    payments.settle(order, Answer::Approved);
    let settled = payments.payment(order);
    assert_eq!(payments.apply(&event), (Outcome::Duplicate, None, vec![]));
    assert_eq!(
        payments.settle(order, Answer::Approved),
        (Outcome::Duplicate, vec![])
    );
    assert_eq!(payments.payment(order), settled);
    assert_eq!(payments.said(order), [(EventType::PaymentProcessed, 0)]);
}

#[test]
fn a_crash_before_the_acknowledgement_has_no_second_effect() {
    let (mut payments, order) = (Payments::open(), OrderId::new());
    let event = item_reserved(order, 0);
    payments.apply(&event);
    // Committed, not acknowledged, killed: Redis delivers it again.
    let mut payments = payments.reopen();
    assert_eq!(payments.apply(&event), (Outcome::Duplicate, None, vec![]));
    payments.settle(order, Answer::Declined);
    let mut payments = payments.reopen();
    assert_eq!(payments.apply(&event), (Outcome::Duplicate, None, vec![]));
    assert_eq!(payments.said(order), [(EventType::PaymentFailed, 0)]);
}

#[test]
fn what_is_authorizing_at_the_end_is_asked_again_after_the_start() {
    let mut payments = Payments::open();
    let orders: Vec<OrderId> = (0..4).map(|_| OrderId::new()).collect();
    let [open, paid, declined, cancelled] = orders[..] else {
        unreachable!()
    };
    for order in [open, paid, declined] {
        payments.apply(&item_reserved(order, 0));
    }
    payments.settle(paid, Answer::Approved);
    payments.settle(declined, Answer::Declined);
    payments.apply(&cancel_requested(cancelled, 0));
    let mut payments = payments.reopen();
    let amount = Amount::new(300).unwrap();
    let left = store::authorizing(payments.bench.conn()).unwrap();
    let left: Vec<Charge> = left.into_iter().map(|due| due.charge).collect();
    assert_eq!(
        left,
        [Charge {
            order_id: open,
            amount
        }]
    );
    let (outcome, said) = payments.settle(open, Answer::Approved);
    assert_eq!(outcome, Outcome::Changed("Processed"));
    assert_eq!(
        said[0].causation_id,
        Some(EventId::of(open, EventType::ItemReserved))
    );
    assert_eq!(store::authorizing(payments.bench.conn()).unwrap(), []);
}

#[test]
fn a_cancel_first_is_a_tombstone_that_keeps_the_gateway_from_being_asked() {
    let (mut payments, order) = (Payments::open(), OrderId::new());
    let (outcome, charge, said) = payments.apply(&cancel_requested(order, 0));
    assert_eq!((outcome, charge), (Outcome::Changed("Failed"), None));
    assert_eq!(said[0].event_type(), EventType::PaymentFailed);
    assert_eq!(payments.payment(order).unwrap().payment.purchase, None);
    // The late one is silent at first, and answered when order-svc repeats.
    let (outcome, charge, said) = payments.apply(&item_reserved(order, 0));
    assert_eq!((outcome, charge, said.len()), (Outcome::Duplicate, None, 0));
    let (outcome, charge, said) = payments.apply(&item_reserved(order, 1));
    assert_eq!((outcome, charge, said.len()), (Outcome::Repeated, None, 1));
    assert_eq!(
        payments.said(order),
        [(EventType::PaymentFailed, 0), (EventType::PaymentFailed, 1)]
    );
}

#[test]
fn a_cancel_while_authorizing_waits_for_the_gateway_and_is_answered_by_it() {
    let (mut payments, order) = (Payments::open(), OrderId::new());
    payments.apply(&item_reserved(order, 1));
    assert_eq!(payments.apply(&cancel_requested(order, 3)).2, []);
    assert_eq!(payments.state(order), Some(State::Authorizing));
    let mut payments = payments.reopen();
    payments.settle(order, Answer::Approved);
    assert_eq!(payments.said(order), [(EventType::PaymentProcessed, 3)]);
    // Both memories were kept: only a higher attempt is answered.
    assert_eq!(
        payments.apply(&cancel_requested(order, 3)).0,
        Outcome::Duplicate
    );
    assert_eq!(
        payments.apply(&item_reserved(order, 1)).0,
        Outcome::Duplicate
    );
    assert_eq!(
        payments.apply(&cancel_requested(order, 4)).0,
        Outcome::Repeated
    );
    let told = payments.payment(order).unwrap();
    assert_eq!(
        told.gateway_reference.as_deref(),
        Some("Approved-1"),
        "a repeat keeps it"
    );
}

#[test]
fn a_gateway_that_contradicts_itself_changes_nothing() {
    let (mut payments, order) = (Payments::open(), OrderId::new());
    let (outcome, said) = payments.settle(order, Answer::Approved);
    assert!(matches!(outcome, Outcome::Impossible(_)), "{outcome:?}");
    assert!(said.is_empty());
    payments.apply(&item_reserved(order, 0));
    payments.settle(order, Answer::Approved);
    let before = payments.payment(order);
    let (outcome, said) = payments.settle(order, Answer::Declined);
    assert!(matches!(outcome, Outcome::Impossible(_)), "{outcome:?}");
    assert!(said.is_empty());
    assert_eq!(payments.payment(order), before);
}

#[test]
fn an_event_of_another_service_is_impossible_and_leaves_no_row() {
    let (mut payments, order) = (Payments::open(), OrderId::new());
    let Payload::Purchase(purchase) = item_reserved(order, 0).message.payload else {
        panic!()
    };
    let other = event(EventType::InventoryReserved, 0, Payload::Purchase(purchase));
    assert!(matches!(payments.apply(&other).0, Outcome::Impossible(_)));
    assert_eq!(payments.payment(order), None);
}

#[test]
fn lists_are_newest_first_by_state_and_in_pages() {
    let mut payments = Payments::open();
    let orders: Vec<OrderId> = (0..6).map(|_| OrderId::new()).collect();
    for order in &orders {
        payments.apply(&item_reserved(*order, 0));
    }
    payments.settle(orders[1], Answer::Approved);
    payments.settle(orders[4], Answer::Declined);
    let mut list = |state, before, limit| -> Vec<OrderId> {
        let page = store::newest(payments.bench.conn(), state, before, limit).unwrap();
        page.into_iter()
            .map(|shown| shown.payment.order_id)
            .collect()
    };
    let all: Vec<OrderId> = orders.iter().rev().copied().collect();
    assert_eq!(list(None, None, 100), all);
    assert_eq!(list(None, None, 2), all[..2]);
    assert_eq!(list(None, Some(all[1]), 100), all[2..]);
    assert_eq!(list(Some(State::Processed), None, 100), [orders[1]]);
    assert_eq!(list(Some(State::Failed), None, 100), [orders[4]]);
    let open = [orders[5], orders[3], orders[2], orders[0]];
    assert_eq!(list(Some(State::Authorizing), None, 100), open);
    assert_eq!(
        list(Some(State::Authorizing), Some(orders[3]), 1),
        [orders[2]]
    );
    let sagas = store::sagas(
        payments.bench.conn(),
        Some(orders[0]),
        Some("Processed"),
        10,
    )
    .unwrap();
    assert_eq!(
        (sagas.len(), sagas[0].order_id, sagas[0].amount),
        (1, orders[1], 300)
    );
}

#[test]
fn the_list_of_unknown_payments_reads_only_its_small_index() {
    #[derive(QueryableByName)]
    struct Plan {
        #[diesel(sql_type = diesel::sql_types::Text)]
        detail: String,
    }
    let mut payments = Payments::open();
    let plan = diesel::sql_query(
        "EXPLAIN QUERY PLAN SELECT order_id, total_amount FROM payments
         WHERE state = 'Authorizing' ORDER BY order_id",
    );
    let plan: Vec<Plan> = plan.load(payments.bench.conn()).unwrap();
    assert!(
        plan.iter()
            .any(|step| step.detail.contains("payments_authorizing")),
        "{}",
        plan[0].detail
    );
}
