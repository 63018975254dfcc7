//! The books that end every test are tried themselves: what is planted must be found.

use e2e_tests::{Books, Sale, System};
use saga_events::{ItemId, OrderId, ReasonCode, Service, UserId};
use serde_json::json;

/// A completed and a cancelled order, with all that belongs to them.
struct Case {
    books: Books,
    user: UserId,
    item: ItemId,
    completed: OrderId,
    cancelled: OrderId,
}

type Plant = fn(&mut Case);

const VIOLATIONS: &[(&str, Plant)] = &[
    ("money from nowhere", |c| {
        c.books.accounts.get_mut(&c.user).unwrap().balance += 1
    }),
    ("money that vanished", |c| {
        c.books.accounts.get_mut(&c.user).unwrap().balance -= 1
    }),
    ("money still held", |c| {
        c.books.accounts.get_mut(&c.user).unwrap().held = 1
    }),
    ("a user nobody made", |c| {
        let stranger = UserId::new();
        let account = c.books.accounts[&c.user].clone();
        c.books.holds.insert(stranger, vec![]);
        c.books.accounts.insert(
            stranger,
            e2e_tests::Account {
                id: stranger,
                ..account
            },
        );
    }),
    ("a hold captured twice", |c| {
        let holds = c.books.holds.get_mut(&c.user).unwrap();
        holds.push(holds[0].clone());
    }),
    ("a payment without a charge", |c| {
        c.books.charges.retain(|order, _| *order != c.completed)
    }),
    ("a charge without a payment", |c| {
        c.books.charges.extend([(c.cancelled, 100)])
    }),
    ("another amount charged", |c| {
        *c.books.charges.get_mut(&c.completed).unwrap() += 1
    }),
    ("stock from nowhere", |c| {
        c.books.items.get_mut(&c.item).unwrap().stock += 1
    }),
    ("stock still held", |c| {
        c.books.items.get_mut(&c.item).unwrap().held = 1
    }),
    ("sold but not bought", |c| {
        let item = c.books.items.get_mut(&c.item).unwrap();
        (item.sold, item.stock) = (item.sold + 1, item.stock - 1);
    }),
    ("a stack that grew", |c| {
        c.books.inventories.get_mut(&c.user).unwrap().items[0].quantity += 1
    }),
    ("bought but not owned", |c| {
        let inventory = c.books.inventories.get_mut(&c.user).unwrap();
        (inventory.used, inventory.items) = (0, vec![]);
    }),
    ("a slot lost", |c| {
        c.books.inventories.get_mut(&c.user).unwrap().used += 1
    }),
    ("a slot still held", |c| {
        c.books.inventories.get_mut(&c.user).unwrap().held = 1
    }),
    ("an overfull inventory", |c| {
        c.books.inventories.get_mut(&c.user).unwrap().capacity = 0
    }),
    ("completed but given back", |c| {
        set(c, Service::Item, c.completed, "Released")
    }),
    ("completed but not paid", |c| {
        set(c, Service::Payment, c.completed, "Failed")
    }),
    ("completed but never held", |c| {
        drop(
            c.books
                .states
                .get_mut(&Service::Inventory)
                .unwrap()
                .remove(&c.completed),
        );
    }),
    ("cancelled but captured", |c| {
        set(c, Service::User, c.cancelled, "Confirmed")
    }),
    ("cancelled but paid", |c| {
        set(c, Service::Payment, c.cancelled, "Processed")
    }),
    ("an order only one service knows", |c| {
        set(c, Service::Item, OrderId::new(), "Released")
    }),
    ("cancelled without a reason", |c| {
        c.books.orders.get_mut(&c.cancelled).unwrap().reason = None
    }),
    ("completed with a reason", |c| {
        let order = c.books.orders.get_mut(&c.completed).unwrap();
        order.reason_code = Some(ReasonCode::OutOfStock);
        order.failed_step = Some(Service::Item);
        order.reason = Some("it was sold".into());
    }),
    ("told twice", |c| {
        c.books.notifications.push(c.books.notifications[0].clone())
    }),
    ("told the opposite", |c| {
        let (one, two) = (
            c.books.notifications[0].kind.clone(),
            c.books.notifications[1].kind.clone(),
        );
        (c.books.notifications[0].kind, c.books.notifications[1].kind) = (two, one);
    }),
    ("somebody else was told", |c| {
        c.books.notifications[0].user_id = UserId::new()
    }),
];

const UNDER_WAY: &[(&str, Plant)] = &[
    ("an open order", |c| {
        c.books.orders.get_mut(&c.completed).unwrap().status = "PENDING".into()
    }),
    ("a hold", |c| set(c, Service::User, c.completed, "Reserved")),
    ("a payment in flight", |c| {
        set(c, Service::Payment, c.completed, "Authorizing")
    }),
    ("a buyer who was not told", |c| {
        c.books.notifications.clear()
    }),
];

fn set(case: &mut Case, service: Service, order: OrderId, state: &str) {
    case.books
        .states
        .get_mut(&service)
        .unwrap()
        .insert(order, state.to_owned());
}

#[tokio::test]
async fn the_books_find_everything_that_is_planted_in_them() {
    let system = System::start().await;
    let (user, item) = (system.user(1_000).await, system.item(100, 10).await);
    let completed = system.buy(Sale::of(user, item)).await.id;
    system.set_gateway(json!({"approvalRate": 0})).await;
    let cancelled = system.buy(Sale::of(user, item)).await.id;
    let books = system.settled().await;
    let fresh = || Case {
        books: books.clone(),
        user,
        item,
        completed,
        cancelled,
    };

    for (what, plant) in VIOLATIONS {
        let mut case = fresh();
        plant(&mut case);
        assert!(!case.books.violations().is_empty(), "{what} is not found");
    }
    for (what, plant) in UNDER_WAY {
        let mut case = fresh();
        plant(&mut case);
        assert!(!case.books.under_way().is_empty(), "{what} is not found");
    }
}
