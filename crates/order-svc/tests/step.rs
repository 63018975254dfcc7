//! The initiator on a real database file: order, outbox row and what follows the commit are one,
//! and nothing happens twice.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use diesel::prelude::*;
use order_svc::advance::{NewPurchase, advance, begin};
use order_svc::saga::{Input, Status};
use order_svc::schema::orders;
use order_svc::store::list::{Filter, list, list_among};
use order_svc::store::{self, StoredOrder};
use order_svc::{MIGRATIONS, OrderSvc};
use saga_events::{
    Amount, Event, EventId, EventType, Failure, ItemId, Message, OrderId, Payload, Quantity,
    Reason, ReasonCode, Service, Settled, Timestamp, TraceParent, UserId,
};
use svc_chassis::config::Services;
use svc_chassis::testing::Bench;
use svc_chassis::{Error, Outcome, Service as _, Tx, outbox};
use tempfile::TempDir;

struct Shop {
    bench: Bench,
    svc: OrderSvc,
    trace: TraceParent,
    folder: TempDir,
}

impl Shop {
    fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let bench = Bench::open(folder.path(), &[MIGRATIONS]).unwrap();
        Self {
            bench,
            svc: order_svc(),
            trace: TraceParent::new(),
            folder,
        }
    }

    /// The process was killed and starts again on the same file.
    fn restarted(self) -> Self {
        drop((self.bench, self.svc));
        let bench = Bench::open(self.folder.path(), &[MIGRATIONS]).unwrap();
        Self {
            bench,
            svc: order_svc(),
            ..self
        }
    }

    fn buy(&mut self) -> StoredOrder {
        self.buy_as(UserId::new())
    }

    fn buy_as(&mut self, user_id: UserId) -> StoredOrder {
        let (new, live, trace) = (new_purchase(user_id), self.svc.live(), &self.trace);
        let begun = self.bench.write(|tx| begin(tx, live, new, trace));
        begun.unwrap().0
    }

    fn hear(&mut self, event: &Event) -> (Outcome, Vec<Event>) {
        let svc = &self.svc;
        self.bench.write(|tx| svc.step(tx, event)).unwrap()
    }

    fn take(&mut self, id: OrderId, input: Input<'_>) -> (StoredOrder, Vec<Event>) {
        let live = self.svc.live();
        let taken = self.bench.write(|tx| {
            let stored = store::find(tx.conn(), id)?.unwrap();
            advance(tx, live, stored, input, None)
        });
        let ((stored, _), said) = taken.unwrap();
        (stored, said)
    }

    fn find(&mut self, id: OrderId) -> StoredOrder {
        store::find(self.bench.conn(), id).unwrap().unwrap()
    }

    fn journal(&mut self, id: OrderId) -> Vec<EventType> {
        let events = outbox::of_order(self.bench.conn(), id).unwrap();
        events.iter().map(Event::event_type).collect()
    }

    fn list(&mut self, filter: &Filter) -> Vec<OrderId> {
        let listed = list(self.bench.conn(), filter, 100).unwrap();
        listed.orders.iter().map(id_of).collect()
    }
}

fn order_svc() -> OrderSvc {
    // Nobody listens there; steps ask nobody.
    let nowhere = || "http://127.0.0.1:9".to_owned();
    let services = Services {
        order: nowhere(),
        user: nowhere(),
        inventory: nowhere(),
        item: nowhere(),
        payment: nowhere(),
        notify: nowhere(),
    };
    let config = order_svc::config::OrderConfig {
        deadline_ms: 60_000,
        first_repeat_ms: 2_000,
        max_repeat_ms: 15_000,
        repeats_per_second: 500,
        sweep_ms: 200,
        max_open: 20_000,
        max_outbox: 50_000,
        price_ttl_ms: 3_000,
        conformance_ms: 0,
        lab_origin: String::new(),
    };
    OrderSvc::new(config, services).unwrap()
}

fn new_purchase(user_id: UserId) -> NewPurchase {
    NewPurchase {
        order_id: OrderId::new(),
        user_id,
        item_id: ItemId::new(),
        quantity: Quantity::new(2).unwrap(),
        unit_price: Amount::new(500).unwrap(),
        total_amount: Amount::new(1_000).unwrap(),
    }
}

fn id_of(stored: &StoredOrder) -> OrderId {
    stored.order.purchase.order_id
}

fn event(event_type: EventType, attempt: u32, payload: Payload) -> Event {
    Event::new(
        Message {
            event_type,
            attempt,
            payload,
        },
        None,
        None,
        Timestamp::now(),
    )
}

fn paid(order_id: OrderId) -> Event {
    event(
        EventType::PaymentConfirmed,
        0,
        Payload::Settled(Settled { order_id }),
    )
}

fn sent(order_id: OrderId) -> Event {
    event(
        EventType::NotificationSent,
        0,
        Payload::Settled(Settled { order_id }),
    )
}

const DECLINED: Reason = Reason {
    reason_code: ReasonCode::PaymentDeclined,
    failed_step: Service::Payment,
};

fn rolled_back(order_id: OrderId) -> Event {
    let failure = Failure {
        order_id,
        reason: DECLINED,
    };
    event(EventType::PaymentRollback, 0, Payload::Failure(failure))
}

#[test]
fn an_order_begins_with_its_row_and_its_event_in_one() {
    let mut shop = Shop::open();
    let (new, trace) = (new_purchase(UserId::new()), shop.trace.clone());
    let live = shop.svc.live();
    let (stored, said) = shop.bench.write(|tx| begin(tx, live, new, &trace)).unwrap();
    assert_eq!(shop.find(new.order_id), stored);
    assert_eq!(stored.order.status, Status::Pending);
    let purchase = stored.order.purchase;
    assert_eq!(
        purchase.deadline,
        stored.created_at.plus(Duration::from_secs(60))
    );
    assert_eq!(
        stored.due_at,
        Some(stored.created_at.plus(Duration::from_secs(2)))
    );
    let [created] = &said[..] else {
        unreachable!("{said:?}")
    };
    assert_eq!(
        created.id,
        EventId::of(new.order_id, EventType::OrderCreated)
    );
    assert_eq!(created.message.payload, Payload::Purchase(purchase));
    assert_eq!(created.traceparent.as_ref(), Some(&trace));
    assert_eq!(shop.svc.live().load.open(), 1);
}

#[test]
fn an_error_in_the_middle_leaves_neither_row_nor_event_nor_count() {
    let mut shop = Shop::open();
    let (new, trace, live) = (
        new_purchase(UserId::new()),
        shop.trace.clone(),
        shop.svc.live().clone(),
    );
    let failed = shop.bench.write(|tx: &mut Tx<'_>| {
        begin(tx, &live, new, &trace)?;
        Err::<(), _>(Error::internal("the disk is on fire"))
    });
    assert!(failed.is_err());
    assert!(
        store::find(shop.bench.conn(), new.order_id)
            .unwrap()
            .is_none()
    );
    assert_eq!(shop.journal(new.order_id), []);
    assert_eq!(live.load.open(), 0);

    let before = shop.buy();
    let id = id_of(&before);
    let svc = &shop.svc;
    let failed = shop.bench.write(|tx: &mut Tx<'_>| {
        svc.step(tx, &paid(id))?;
        Err::<(), _>(Error::internal("the disk is on fire"))
    });
    assert!(failed.is_err());
    assert_eq!(shop.find(id), before);
    assert_eq!(shop.journal(id), [EventType::OrderCreated]);
    assert_eq!(live.load.open(), 1);
    // Nothing is left of the try: the same event does it now.
    assert_eq!(shop.hear(&paid(id)).0, Outcome::Changed("COMPLETED"));
}

#[test]
fn a_paid_order_completes_is_told_and_never_looked_at_again() {
    let mut shop = Shop::open();
    let id = id_of(&shop.buy());
    let event = paid(id);
    let (outcome, said) = shop.hear(&event);
    assert_eq!(outcome, Outcome::Changed("COMPLETED"));
    assert_eq!(said[0].event_type(), EventType::OrderCompleted);
    assert_eq!(said[0].causation_id, Some(event.id));
    let step = shop.trace.step(event.id, Service::Order);
    assert_eq!(said[0].traceparent, Some(step));
    let completed = shop.find(id);
    assert_eq!(
        completed.due_at,
        Some(completed.updated_at.plus(Duration::from_secs(2)))
    );
    assert_eq!(shop.svc.live().load.open(), 0);

    assert_eq!(shop.hear(&sent(id)), (Outcome::Changed("closed"), vec![]));
    let closed = shop.find(id);
    assert!(closed.order.told);
    assert_eq!(
        (closed.due_at, closed.updated_at),
        (None, completed.updated_at)
    );
    assert_eq!(shop.hear(&sent(id)), (Outcome::Duplicate, vec![]));
}

#[test]
fn a_failed_order_keeps_the_reason_that_ended_it() {
    let mut shop = Shop::open();
    let id = id_of(&shop.buy());
    let (stored, said) = shop.take(id, Input::Cancel(ReasonCode::CancelledByUser));
    assert_eq!(stored.order.status, Status::Cancelling);
    assert_eq!(said[0].event_type(), EventType::OrderCancelRequested);
    let asking = shop.trace.saying(said[0].id, 0);
    assert_eq!(said[0].traceparent, Some(asking));
    assert_eq!(shop.hear(&rolled_back(id)).0, Outcome::Changed("CANCELLED"));
    let cancelled = shop.find(id).order;
    assert_eq!(
        (cancelled.status, cancelled.reason),
        (Status::Cancelled, Some(DECLINED))
    );
    assert_eq!(shop.svc.live().load.open(), 0);
    let (after, said) = shop.take(id, Input::Cancel(ReasonCode::CancelledByUser));
    assert_eq!((after.order, said), (cancelled, vec![]));
}

#[test]
fn a_duplicate_is_silent_and_counts_once() {
    let mut shop = Shop::open();
    let (id, other) = (id_of(&shop.buy()), id_of(&shop.buy()));
    assert_eq!(shop.hear(&paid(id)).0, Outcome::Changed("COMPLETED"));
    let before = shop.find(id);
    // Whatever attempt it answers: the initiator repeats by itself, not when it is spoken to.
    for attempt in [0, 1, 9] {
        let payload = Payload::Settled(Settled { order_id: id });
        let again = event(EventType::PaymentConfirmed, attempt, payload);
        assert_eq!(shop.hear(&again), (Outcome::Duplicate, vec![]));
    }
    assert_eq!(shop.find(id), before);
    assert_eq!(shop.svc.live().load.open(), 1);
    assert_eq!(shop.find(other).order.status, Status::Pending);
}

#[test]
fn a_crash_before_the_acknowledgement_has_no_second_effect() {
    let mut shop = Shop::open();
    let id = id_of(&shop.buy());
    shop.hear(&paid(id));
    let before = shop.find(id);
    let mut shop = shop.restarted();
    assert_eq!(shop.hear(&paid(id)), (Outcome::Duplicate, vec![]));
    assert_eq!(shop.find(id), before);
    assert_eq!(
        shop.journal(id),
        [EventType::OrderCreated, EventType::OrderCompleted]
    );
}

#[test]
fn an_impossible_event_changes_nothing() {
    let mut shop = Shop::open();
    let unknown = OrderId::new();
    let Outcome::Impossible(why) = shop.hear(&paid(unknown)).0 else {
        unreachable!()
    };
    assert_eq!(why, "impossible: payment.confirmed in state –");

    let id = id_of(&shop.buy());
    shop.hear(&paid(id));
    let before = shop.find(id);
    let (outcome, said) = shop.hear(&rolled_back(id));
    assert!(matches!(outcome, Outcome::Impossible(_)), "{outcome:?}");
    assert_eq!((shop.find(id), said), (before, vec![]));
}

#[test]
fn repeats_say_the_same_under_the_next_number_and_wait_longer_each_time() {
    let mut shop = Shop::open();
    let begun = shop.buy();
    let id = id_of(&begun);
    let mut waits = Vec::new();
    for attempt in 1..=3 {
        let (stored, said) = shop.take(id, Input::NoNews);
        let [repeat] = &said[..] else {
            unreachable!("{said:?}")
        };
        assert_eq!(repeat.id, EventId::of(id, EventType::OrderCreated));
        assert_eq!(repeat.message.attempt, attempt);
        assert_eq!(
            repeat.message.payload,
            Payload::Purchase(begun.order.purchase)
        );
        assert_eq!(
            (stored.repeats, stored.updated_at),
            (attempt, begun.updated_at)
        );
        waits.push(stored.due_at.unwrap().since(repeat.time));
    }
    assert!(waits[0] < waits[1] && waits[1] < waits[2], "{waits:?}");
    // A change of the status begins the waits anew, and keeps the number.
    let (asked, said) = shop.take(id, Input::Cancel(ReasonCode::DeadlineExceeded));
    assert_eq!((asked.repeats, said[0].message.attempt), (0, 3));
    assert_eq!(
        asked.due_at,
        Some(asked.updated_at.plus(Duration::from_secs(2)))
    );
}

#[test]
fn the_sweep_finds_what_is_overdue_and_what_is_due_and_published() {
    let mut shop = Shop::open();
    let (first, second, third) = (shop.buy(), shop.buy(), shop.buy());
    let last_seq = third.last_seq;
    let (id, later) = (id_of(&second), |seconds| {
        second.created_at.plus(Duration::from_secs(seconds))
    });
    shop.take(id_of(&third), Input::Cancel(ReasonCode::CancelledByUser));
    let conn = shop.bench.conn();

    assert_eq!(store::overdue(conn, later(59), 10).unwrap(), []);
    assert_eq!(
        store::overdue(conn, later(61), 10).unwrap(),
        [id_of(&first), id]
    );
    assert_eq!(store::overdue(conn, later(61), 1).unwrap(), [id_of(&first)]);

    let pending = |conn: &mut _, since, published| {
        store::due(conn, Status::Pending, since, published, 10).unwrap()
    };
    assert_eq!(pending(conn, later(1), last_seq), []);
    assert_eq!(pending(conn, later(3), last_seq), [id_of(&first), id]);
    // Never overtakes: the second one's event waits in the outbox.
    assert_eq!(
        pending(conn, later(3), second.last_seq - 1),
        [id_of(&first)]
    );
    let cancelling = store::due(conn, Status::Cancelling, later(3), i64::MAX, 10).unwrap();
    assert_eq!(cancelling, [id_of(&third)]);

    store::postpone(conn, id, later(9)).unwrap();
    assert_eq!(pending(conn, later(3), last_seq), [id_of(&first)]);
    assert_eq!(store::count_open(conn).unwrap(), 3);
    assert_eq!(outbox::last_seq(conn).unwrap(), last_seq + 1);
    shop.hear(&paid(id));
    assert_eq!(store::count_open(shop.bench.conn()).unwrap(), 2);
}

#[test]
fn lists_are_newest_first_and_filtered() {
    let mut shop = Shop::open();
    let buyer = UserId::new();
    let ids = [
        shop.buy_as(buyer),
        shop.buy(),
        shop.buy_as(buyer),
        shop.buy(),
    ]
    .map(|s| id_of(&s));
    let [a, b, c, d] = ids;
    shop.hear(&paid(a));
    shop.hear(&rolled_back(d));
    shop.take(c, Input::Cancel(ReasonCode::CancelledByUser));

    let all = Filter::default();
    assert_eq!(shop.list(&all), [d, c, b, a]);
    assert_eq!(
        shop.list(&Filter {
            after: Some(c),
            ..all.clone()
        }),
        [b, a]
    );
    assert_eq!(
        shop.list(&Filter {
            users: vec![buyer],
            ..all.clone()
        }),
        [c, a]
    );
    for (status, expected) in [
        (Status::Pending, b),
        (Status::Cancelling, c),
        (Status::Completed, a),
        (Status::Cancelled, d),
    ] {
        assert_eq!(
            shop.list(&Filter {
                status: Some(status),
                ..all.clone()
            }),
            [expected]
        );
    }
    let cancelling = Filter {
        status: Some(Status::Cancelling),
        ..all.clone()
    };
    assert_eq!(
        shop.list(&Filter {
            users: vec![buyer],
            ..cancelling.clone()
        }),
        [c]
    );
    assert_eq!(
        shop.list(&Filter {
            after: Some(c),
            ..cancelling
        }),
        []
    );
    let before = |time| Filter {
        before: Some(time),
        ..Filter::default()
    };
    assert_eq!(
        shop.list(&before(Timestamp::now().plus(Duration::from_secs(1)))),
        [d, c, b, a]
    );
    assert_eq!(
        shop.list(&before(Timestamp::now().minus(Duration::from_secs(10)))),
        []
    );
}

#[test]
fn lists_are_found_by_item_reason_and_the_first_digits_of_an_id() {
    let mut shop = Shop::open();
    let [a, b, c] = [shop.buy(), shop.buy(), shop.buy()];
    shop.hear(&rolled_back(id_of(&b)));
    let reason = shop.find(id_of(&b)).order.reason.unwrap().reason_code;
    shop.take(id_of(&c), Input::Cancel(reason));
    let of_item = Filter {
        items: vec![a.order.purchase.item_id],
        ..Filter::default()
    };
    assert!(shop.list(&of_item).contains(&id_of(&a)));
    let of_nothing = Filter {
        items: vec![saga_events::ItemId::new()],
        ..Filter::default()
    };
    assert_eq!(shop.list(&of_nothing), []);
    // One that is being cancelled may still be paid.
    let of_reason = Filter {
        reason: Some(reason),
        ..Filter::default()
    };
    assert_eq!(shop.list(&of_reason), [id_of(&b)]);
    let of_id = Filter {
        ids: Some((id_of(&b), id_of(&b))),
        ..Filter::default()
    };
    assert_eq!(shop.list(&of_id), [id_of(&b)]);
}

#[test]
fn the_orders_of_a_user_are_in_order_whichever_bucket_each_was_made_in() {
    let mut shop = Shop::open();
    let (ada, bob) = (UserId::new(), UserId::new());
    let ids = [ada, bob, ada, ada].map(|user| id_of(&shop.buy_as(user)));
    let of = |users: &[UserId], after| Filter {
        users: users.to_vec(),
        after,
        ..Filter::default()
    };
    let spread = "UPDATE orders SET bucket = \
                  (SELECT count(*) FROM orders o WHERE o.order_id > orders.order_id) * 5";
    for buckets in [1, 4] {
        assert_eq!(shop.list(&of(&[ada], None)), [ids[3], ids[2], ids[0]]);
        assert_eq!(shop.list(&of(&[ada], Some(ids[2]))), [ids[0]]);
        let of_both = shop.list(&of(&[bob, ada], Some(ids[3])));
        assert_eq!(of_both, [ids[2], ids[1], ids[0]]);
        let conn = shop.bench.conn();
        let used = orders::table.select(orders::bucket).distinct();
        assert_eq!(used.load::<i64>(conn).unwrap().len(), buckets);
        diesel::sql_query(spread).execute(conn).unwrap();
    }
}

#[test]
fn a_page_looks_at_so_many_rows_and_the_next_one_goes_on_there() {
    let mut shop = Shop::open();
    let ids: Vec<OrderId> = (0..10).map(|_| id_of(&shop.buy())).collect();
    for id in [ids[0], ids[8]] {
        shop.hear(&rolled_back(id));
    }
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let filter = Filter {
            status: Some(Status::Cancelled),
            after,
            ..Filter::default()
        };
        let page = list_among(shop.bench.conn(), &filter, 5, 3).unwrap();
        pages.push(page.orders.iter().map(id_of).collect::<Vec<_>>());
        match page.more {
            Some(more) => after = Some(more),
            None => break,
        }
    }
    let (new, old) = (vec![ids[8]], vec![ids[0]]);
    assert_eq!(pages, [new, vec![], vec![], old]);
}

#[test]
fn sagas_are_paged_oldest_first() {
    let mut shop = Shop::open();
    let [a, b, c] = [shop.buy(), shop.buy(), shop.buy()].map(|stored| id_of(&stored));
    shop.hear(&paid(b));
    let conn = shop.bench.conn();
    let mut page = |after, state, limit| -> Vec<OrderId> {
        let rows = OrderSvc::sagas(conn, after, state, limit).unwrap();
        rows.iter().map(|row| row.order_id).collect()
    };
    assert_eq!(page(None, None, 2), [a, b]);
    assert_eq!(page(Some(b), None, 2), [c]);
    assert_eq!(page(None, Some("PENDING"), 10), [a, c]);
    assert_eq!(page(None, Some("Pending"), 10), []);
    let saga = OrderSvc::saga(conn, b).unwrap().unwrap();
    assert_eq!((saga.state.as_str(), saga.amount), ("COMPLETED", 1_000));
}

#[actix_web::test]
async fn whoever_waits_is_woken_by_the_commit_that_ends_the_order() {
    let mut shop = Shop::open();
    let (id, other) = (id_of(&shop.buy()), id_of(&shop.buy()));
    let register = |shop: &Shop, id| shop.svc.live().waiting.register(id);
    let (first, second) = (register(&shop, id), register(&shop, id));
    let bystander = register(&shop, other);
    shop.hear(&paid(id));
    let final_order = shop.find(id);
    let patience = Duration::from_secs(5);
    assert_eq!(first.wait(patience).await, Some(final_order.clone()));
    assert_eq!(second.wait(patience).await, Some(final_order));
    assert_eq!(bystander.wait(Duration::ZERO).await, None);
}
