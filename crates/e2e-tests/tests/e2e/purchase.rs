//! The happy path, and what the caller of `POST /orders` sees of it.

use std::collections::BTreeMap;

use e2e_tests::{Order, Said, Sale, System};
use reqwest::Method;
use saga_events::{EventId, EventType, Service};

#[tokio::test]
async fn a_purchase_captures_money_slot_and_stock() {
    let system = System::start().await;
    let (user, item) = (system.user(50_000).await, system.item(10_000, 50).await);

    let order = system
        .buy(Sale {
            user,
            item,
            quantity: 3,
        })
        .await;

    assert_eq!(order.outcome(), ("COMPLETED", None, None));
    assert_eq!((order.unit_price, order.total_amount), (10_000, 30_000));
    let account = system.account(user).await;
    assert_eq!((account.balance, account.held), (20_000, 0));
    let stock = system.stock(item).await;
    assert_eq!((stock.stock, stock.held, stock.sold), (47, 0, 3));
    let inventory = system.inventory(user).await;
    assert_eq!(
        (inventory.used, inventory.held, inventory.capacity),
        (1, 0, 20)
    );
    assert_eq!(
        (inventory.items[0].item_id, inventory.items[0].quantity),
        (item, 3)
    );
    let books = system.settled().await;
    assert_eq!(books.charges[&order.id], 30_000);
    assert!(books.payments[&order.id].gateway_reference.is_some());
}

#[tokio::test]
async fn a_purchase_is_eleven_events_each_caused_by_the_one_before() {
    use EventType::{
        InventoryConfirmed, InventoryReserved, ItemDeducted, ItemReserved, NotificationSent,
        OrderCompleted, OrderCreated, PaymentConfirmed, PaymentProcessed, PaymentReserved,
        UserValidated,
    };
    let system = System::start().await;
    let (user, item) = (system.user(10_000).await, system.item(10_000, 1).await);

    let order = system.buy(Sale::of(user, item)).await;
    system.settled().await;

    let journal = system.journal(order.id).await;
    let caused_by: BTreeMap<EventType, Option<EventId>> = journal
        .iter()
        .map(|said| (said.event_type, said.causation_id))
        .collect();
    let expected = [
        (OrderCreated, None),
        (UserValidated, Some(OrderCreated)),
        (PaymentReserved, Some(OrderCreated)),
        (InventoryReserved, Some(PaymentReserved)),
        (ItemReserved, Some(InventoryReserved)),
        (PaymentProcessed, Some(ItemReserved)),
        (ItemDeducted, Some(PaymentProcessed)),
        (InventoryConfirmed, Some(ItemDeducted)),
        (PaymentConfirmed, Some(InventoryConfirmed)),
        (OrderCompleted, Some(PaymentConfirmed)),
        (NotificationSent, Some(OrderCompleted)),
    ];
    let id = |event_type| EventId::of(order.id, event_type);
    let expected = expected
        .map(|(event, cause)| (event, cause.map(id)))
        .into_iter()
        .collect();
    assert_eq!(caused_by, expected);
    assert_eq!(journal.len(), 11, "nothing is said twice: {journal:#?}");
    for Said {
        id: said,
        event_type,
        attempt,
        data,
        ..
    } in &journal
    {
        assert_eq!((*said, *attempt), (id(*event_type), 0));
        assert_eq!(
            data["orderId"],
            order.id.to_string(),
            "{event_type} names its order"
        );
    }
}

#[tokio::test]
async fn the_trace_of_the_request_is_carried_through_every_event() {
    let system = System::start().await;
    let sale = Sale::of(system.user(10).await, system.item(10, 1).await);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";

    let client = system.at(Service::Order);
    let request = client.request(Method::POST, "/orders").json(&sale.body());
    let request = request.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
    client
        .send(request.header("Prefer", "wait=30"))
        .await
        .expect(201);
    system.settled().await;

    let sql =
        format!("SELECT count(*) AS number FROM outbox WHERE traceparent LIKE '00-{trace}-%-01'");
    let traced: i64 = Service::ALL
        .map(|service| system.file(service).number(&sql))
        .iter()
        .sum();
    assert_eq!(traced, 11);
}

#[tokio::test]
async fn an_order_is_answered_at_once_with_its_location() {
    let system = System::start().await;
    let sale = Sale {
        user: system.user(100).await,
        item: system.item(10, 9).await,
        quantity: 2,
    };

    let answer = system
        .at(Service::Order)
        .post("/orders", &sale.body())
        .await
        .expect(201);
    let order: Order = answer.json();

    assert_eq!(answer.header("location"), format!("/orders/{}", order.id));
    assert_eq!(
        (order.status.as_str(), order.user_id, order.item_id),
        ("PENDING", sale.user, sale.item)
    );
    assert_eq!(
        (order.quantity, order.unit_price, order.total_amount),
        (2, 10, 20)
    );
    assert_eq!(order.id.uuid().get_version_num(), 7);
    assert_eq!(order.deadline.since(order.created_at).as_secs(), 60);
    let shown = system.ended(order.id).await;
    assert_eq!(
        shown,
        Order {
            status: "COMPLETED".into(),
            updated_at: shown.updated_at,
            ..order
        }
    );
    system.settled().await;
}

#[tokio::test]
async fn a_caller_may_wait_for_the_end_of_the_purchase() {
    let system = System::start().await;
    let sale = Sale::of(system.user(100).await, system.item(10, 9).await);
    let client = system.at(Service::Order);
    let waiting = |seconds| {
        let request = client.request(Method::POST, "/orders").json(&sale.body());
        request.header("Prefer", format!("wait={seconds}"))
    };

    let order: Order = client.send(waiting(30)).await.expect(201).json();
    assert!(
        order.is_completed(),
        "the answer came when the order was final"
    );

    // Who waits in vain is told how things stand.
    system.freeze(Service::User);
    let order: Order = client.send(waiting(1)).await.expect(201).json();
    assert_eq!(order.status, "PENDING");
    let path = format!("/orders/{}", order.id);
    let still = client
        .send(
            client
                .request(Method::GET, &path)
                .header("Prefer", "wait=1"),
        )
        .await;
    assert_eq!(still.expect(200).field::<String>("status"), "PENDING");
    system.thaw(Service::User);
    let end = client
        .send(
            client
                .request(Method::GET, &path)
                .header("Prefer", "wait=30"),
        )
        .await;
    assert_eq!(end.expect(200).field::<String>("status"), "COMPLETED");
    system.settled().await;
}

#[tokio::test]
async fn an_unchanged_order_is_not_sent_again() {
    let system = System::start().await;
    let sale = Sale::of(system.user(100).await, system.item(10, 9).await);
    let order = system.buy(sale).await;
    let client = system.at(Service::Order);
    let path = format!("/orders/{}", order.id);

    let tag = client
        .get(&path)
        .await
        .expect(200)
        .header("etag")
        .to_owned();
    assert!(!tag.is_empty());
    let request = client
        .request(Method::GET, &path)
        .header("If-None-Match", &tag);
    client.send(request).await.expect(304);
    let request = client
        .request(Method::GET, &path)
        .header("If-None-Match", "\"another\"");
    client.send(request).await.expect(200);
    system.settled().await;
}

#[tokio::test]
async fn the_request_id_is_taken_over_or_made() {
    let system = System::start().await;
    for service in Service::ALL {
        let client = system.at(service);
        let request = client
            .request(Method::GET, "/health/live")
            .header("X-Request-Id", "mine-1");
        assert_eq!(
            client
                .send(request)
                .await
                .expect(200)
                .header("x-request-id"),
            "mine-1"
        );
        assert!(
            !client
                .get("/health/live")
                .await
                .expect(200)
                .header("x-request-id")
                .is_empty()
        );
    }
}

#[tokio::test]
async fn purchases_complete_over_four_partitions() {
    let system = System::with()
        .set_for_all("SAGA__BUS__PARTITIONS", 4)
        .start()
        .await;
    let (user, item) = (system.user(1_000).await, system.item(10, 100).await);
    let sales = (0..20).map(|_| system.buy(Sale::of(user, item)));
    assert!(
        e2e_tests::together(sales)
            .await
            .iter()
            .all(Order::is_completed)
    );
    let streams: Vec<String> = system.redis().ask("KEYS saga:{*}:order.created").await;
    assert_eq!(streams.len(), 4, "{streams:?}");
    system.settled().await;
}
