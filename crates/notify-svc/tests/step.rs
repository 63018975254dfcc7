//! Steps on a real SQLite file: the inbox's row and `notification.sent` are one transaction, and no
//! buyer is told twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use diesel::connection::SimpleConnection;
use notify_svc::NotifySvc;
use notify_svc::letter::Letter;
use notify_svc::saga::Kind;
use notify_svc::store::{self, Shown};
use saga_events::{
    Amount, Cancelled, Event, EventType, ItemId, Message, OrderId, Payload, Purchase, Quantity,
    Reason, ReasonCode, Service as Name, Timestamp, TraceParent, UserId,
};
use svc_chassis::testing::Bench;
use svc_chassis::{Error, Outcome, Service, outbox};
use tempfile::TempDir;

struct Notifications {
    folder: TempDir,
    bench: Bench,
}

impl Notifications {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench::open(folder.path(), &NotifySvc::migrations()).unwrap();
        Self { folder, bench }
    }

    /// As after a crash: nothing but the file is left.
    fn reopen(self) -> Self {
        let Self { folder, bench } = self;
        drop(bench);
        let bench = Bench::open(folder.path(), &NotifySvc::migrations()).unwrap();
        Self { folder, bench }
    }

    fn apply(&mut self, event: &Event) -> (Outcome, Option<Letter>, Vec<Event>) {
        let applied = self.bench.write(|tx| store::apply(tx, event, "inbox,log"));
        let ((outcome, letter), said) = applied.unwrap();
        (outcome, letter, said)
    }

    fn inbox(&mut self, user: Option<UserId>) -> Vec<Shown> {
        store::newest(self.bench.conn(), user, None, 100).unwrap()
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

fn end(kind: Kind, order_id: OrderId, user_id: UserId, attempt: u32) -> Event {
    let purchase = Purchase {
        order_id,
        user_id,
        item_id: ItemId::new(),
        quantity: Quantity::new(3).unwrap(),
        unit_price: Amount::new(100).unwrap(),
        total_amount: Amount::new(300).unwrap(),
        deadline: Timestamp::now(),
    };
    let reason = Reason {
        reason_code: ReasonCode::OutOfStock,
        failed_step: Name::Item,
    };
    let (event_type, payload) = match kind {
        Kind::Completed => (EventType::OrderCompleted, Payload::Purchase(purchase)),
        Kind::Cancelled => (
            EventType::OrderCancelled,
            Payload::Cancelled(Cancelled { purchase, reason }),
        ),
    };
    let message = Message {
        event_type,
        attempt,
        payload,
    };
    Event::new(message, None, Some(TraceParent::new()), Timestamp::now())
}

#[test]
fn the_inbox_and_notification_sent_are_committed_together() {
    let (mut notifications, order, user) = (Notifications::open(), OrderId::new(), UserId::new());
    let event = end(Kind::Cancelled, order, user, 0);
    let (outcome, letter, said) = notifications.apply(&event);
    assert_eq!(outcome, Outcome::Changed("Cancelled"));
    let [sent] = said.as_slice() else {
        panic!("{said:?}")
    };
    assert_eq!(sent.event_type(), EventType::NotificationSent);
    assert_eq!(sent.causation_id, Some(event.id));
    let step = event
        .traceparent
        .as_ref()
        .unwrap()
        .step(event.id, Name::Notify);
    assert_eq!(sent.traceparent, Some(step));
    let inbox = notifications.inbox(Some(user));
    let [shown] = inbox.as_slice() else {
        panic!("{inbox:?}")
    };
    assert_eq!(
        (shown.order_id, shown.user_id, shown.kind),
        (order, user, Kind::Cancelled)
    );
    assert_eq!(shown.channels, "inbox,log");
    assert_eq!(shown.text, letter.expect("it is news").text);
    let saga = store::saga_of(notifications.bench.conn(), order)
        .unwrap()
        .unwrap();
    assert_eq!((saga.state.as_str(), saga.amount), ("Cancelled", 300));
}

#[test]
fn an_error_in_the_middle_leaves_nothing() {
    let (mut notifications, order) = (Notifications::open(), OrderId::new());
    let event = end(Kind::Completed, order, UserId::new(), 0);
    let failed = notifications.bench.write(|tx| {
        store::apply(tx, &event, "inbox")?;
        Err::<(), _>(Error::internal("in the middle"))
    });
    assert!(failed.is_err());
    assert_eq!(notifications.inbox(None), []);
    assert_eq!(notifications.said(order), []);
}

#[test]
fn a_duplicate_is_silent_and_makes_no_second_letter() {
    let (mut notifications, order) = (Notifications::open(), OrderId::new());
    let event = end(Kind::Completed, order, UserId::new(), 0);
    notifications.apply(&event);
    assert_eq!(
        notifications.apply(&event),
        (Outcome::Duplicate, None, vec![])
    );
    assert_eq!(notifications.inbox(None).len(), 1);
}

#[test]
fn a_crash_before_the_acknowledgement_makes_no_second_letter() {
    let (mut notifications, order) = (Notifications::open(), OrderId::new());
    let event = end(Kind::Completed, order, UserId::new(), 0);
    notifications.apply(&event);
    // Committed, not acknowledged, killed: Redis delivers it again.
    let mut notifications = notifications.reopen();
    assert_eq!(
        notifications.apply(&event),
        (Outcome::Duplicate, None, vec![])
    );
    assert_eq!(
        notifications.said(order),
        [(EventType::NotificationSent, 0)]
    );
}

#[test]
fn a_repeat_tells_order_svc_again_and_the_buyer_not() {
    let (mut notifications, order, user) = (Notifications::open(), OrderId::new(), UserId::new());
    notifications.apply(&end(Kind::Completed, order, user, 0));
    let told = notifications.inbox(None);
    let (outcome, letter, said) = notifications.apply(&end(Kind::Completed, order, user, 2));
    assert_eq!((outcome, letter, said.len()), (Outcome::Repeated, None, 1));
    assert_eq!(notifications.inbox(None), told);
    let mut notifications = notifications.reopen();
    let again = notifications.apply(&end(Kind::Completed, order, user, 2));
    assert_eq!(again, (Outcome::Duplicate, None, vec![]));
    let sent = EventType::NotificationSent;
    assert_eq!(notifications.said(order), [(sent, 0), (sent, 2)]);
}

#[test]
fn the_opposite_end_changes_nothing() {
    let (mut notifications, order, user) = (Notifications::open(), OrderId::new(), UserId::new());
    notifications.apply(&end(Kind::Completed, order, user, 0));
    let told = notifications.inbox(None);
    let (outcome, letter, said) = notifications.apply(&end(Kind::Cancelled, order, user, 5));
    assert!(matches!(outcome, Outcome::Impossible(_)), "{outcome:?}");
    assert_eq!((letter, said.len()), (None, 0));
    assert_eq!(notifications.inbox(None), told);
}

#[test]
fn lists_are_newest_first_by_user_and_in_pages() {
    let mut notifications = Notifications::open();
    let (ada, bob) = (UserId::new(), UserId::new());
    // An order that began earlier may end later: the list is in the order of the news.
    let orders: Vec<OrderId> = (0..6).map(|_| OrderId::new()).collect();
    for (n, order) in orders.iter().rev().enumerate() {
        let user = if n % 2 == 0 { ada } else { bob };
        notifications.apply(&end(Kind::Completed, *order, user, 0));
    }
    let mut page = |user, before, limit| {
        let page = store::newest(notifications.bench.conn(), user, before, limit).unwrap();
        page.into_iter()
            .map(|shown| (shown.seq, shown.order_id))
            .collect::<Vec<_>>()
    };
    let all = page(None, None, 100);
    assert_eq!(
        all.iter().map(|(_, order)| *order).collect::<Vec<_>>(),
        orders
    );
    assert_eq!(page(None, None, 2), all[..2]);
    assert_eq!(page(None, Some(all[1].0), 100), all[2..]);
    assert_eq!(page(Some(ada), None, 100), [all[1], all[3], all[5]]);
    assert_eq!(page(Some(bob), Some(all[0].0), 1), [all[2]]);
    assert_eq!(page(Some(UserId::new()), None, 100), []);
    let after = |notifications: &mut Notifications, user, seq| -> Vec<OrderId> {
        let later = store::after(notifications.bench.conn(), user, seq, 2).unwrap();
        later.iter().map(|shown| shown.order_id).collect()
    };
    assert_eq!(
        after(&mut notifications, None, all[5].0),
        [all[4].1, all[3].1]
    );
    assert_eq!(
        after(&mut notifications, Some(ada), all[5].0),
        [all[3].1, all[1].1]
    );
    let sagas = store::sagas(
        notifications.bench.conn(),
        Some(orders[3]),
        Some("Completed"),
        10,
    );
    let sagas: Vec<OrderId> = sagas.unwrap().iter().map(|saga| saga.order_id).collect();
    assert_eq!(sagas, orders[4..]);
}

#[test]
fn a_users_list_is_in_order_whichever_bucket_each_was_made_in() {
    let mut notifications = Notifications::open();
    let (ada, bob) = (UserId::new(), UserId::new());
    for n in 0..6 {
        let user = if n % 2 == 0 { ada } else { bob };
        notifications.apply(&end(Kind::Completed, OrderId::new(), user, 0));
    }
    let orders = |notifications: &mut Notifications, user| -> Vec<OrderId> {
        let inbox = notifications.inbox(user);
        inbox.iter().map(|shown| shown.order_id).collect()
    };
    let before = orders(&mut notifications, Some(ada));
    let spread = "UPDATE notifications SET bucket = seq * 3";
    notifications.bench.conn().batch_execute(spread).unwrap();
    assert_eq!(orders(&mut notifications, Some(ada)), before);
    let conn = notifications.bench.conn();
    let newest = store::newest(conn, Some(ada), Some(5), 1).unwrap();
    assert_eq!((newest[0].seq, newest[0].order_id), (3, before[1]));
    let next = store::after(conn, Some(bob), 2, 1).unwrap();
    assert_eq!(next[0].seq, 4);
}
