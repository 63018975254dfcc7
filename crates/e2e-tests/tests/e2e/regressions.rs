//! The 23 defects of the project that this one began from, each tried on the running system.

use e2e_tests::{Sale, Stage, System, together};
use saga_events::bus::{Bus, BusConfig, stream};
use saga_events::{Event, Message};
use saga_events::{
    EventId, EventType, ItemId, MAX_MONEY, OrderId, Payload, Phase, ReasonCode, Service, Timestamp,
    UserId,
};
use serde_json::json;
use std::time::Duration;

/// So long that no repeat heals what a test is about.
const NEVER_MS: u64 = 600_000;

fn never_repeating() -> e2e_tests::Builder {
    System::with()
        .set(Service::Order, "SAGA__ORDER__FIRST_REPEAT_MS", NEVER_MS)
        .set(Service::Order, "SAGA__ORDER__MAX_REPEAT_MS", NEVER_MS)
}

/// A user with money and an item.
async fn shop(system: &System) -> (UserId, ItemId) {
    (system.user(10_000).await, system.item(100, 100).await)
}

/// Publishes a message as if a service had said it.
async fn forge(system: &System, message: Message) {
    let event = Event::new(message, None, None, Timestamp::now());
    let json = String::from_utf8(event.encode().unwrap()).unwrap();
    let key = stream(0, message.event_type);
    system
        .redis()
        .ask_words::<String>(&["XADD", &key, "*", "event", &json])
        .await;
}

/// What was said about an order, as messages with this attempt.
async fn messages(system: &System, order: OrderId, attempt: u32) -> Vec<Message> {
    let journal = system.journal(order).await;
    let message = |said: e2e_tests::Said| {
        let kind = said.event_type.spec().payload;
        let payload = Payload::decode(kind, &said.data.to_string()).unwrap();
        Message {
            event_type: said.event_type,
            attempt,
            payload,
        }
    };
    journal.into_iter().map(message).collect()
}

#[tokio::test]
async fn seed_01_the_happy_path_carries_the_item_id() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let order = system.buy(Sale::of(user, item)).await;
    assert!(order.is_completed());
    for said in system.journal(order.id).await {
        if matches!(said.event_type.spec().phase, Phase::Begin | Phase::Reserve) {
            assert_eq!(said.data["itemId"], item.to_string(), "{}", said.event_type);
        }
    }
    assert_eq!(
        system.settled().await.inventories[&user].items[0].item_id,
        item
    );
}

#[tokio::test]
async fn seed_02_every_step_works_with_the_ordered_quantity() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let order = system
        .buy(Sale {
            user,
            item,
            quantity: 7,
        })
        .await;
    for said in system.journal(order.id).await {
        if matches!(said.event_type.spec().phase, Phase::Begin | Phase::Reserve) {
            assert_eq!(said.data["quantity"], 7, "{}", said.event_type);
        }
    }
    let books = system.settled().await;
    assert_eq!(books.accounts[&user].balance, 10_000 - 700);
    assert_eq!(books.items[&item].stock, 93);
    assert_eq!(books.inventories[&user].items[0].quantity, 7);
}

#[tokio::test]
async fn seed_03_compensation_gives_back_an_amount_and_not_an_old_balance() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let scarce = system.item(100, 1).await;
    system.freeze(Service::Inventory);
    let lost = system
        .order(Sale {
            user,
            item: scarce,
            quantity: 2,
        })
        .await;
    system.until_state(Service::User, lost, "Reserved").await;
    // Between its hold and its compensation the balance moves twice.
    let won = system
        .order(Sale {
            user,
            item,
            quantity: 3,
        })
        .await;
    system.until_state(Service::User, won, "Reserved").await;
    let deposits = format!("/users/{user}/deposits");
    system
        .at(Service::User)
        .post(&deposits, &json!({"amount": 50}))
        .await
        .expect(201);
    system.note_deposit(user, 50);
    system.thaw(Service::Inventory);

    assert_eq!(
        system.ended(lost).await.reason_code,
        Some(ReasonCode::OutOfStock)
    );
    assert!(system.ended(won).await.is_completed());
    assert_eq!(
        system.settled().await.accounts[&user].balance,
        10_000 + 50 - 300
    );
}

#[tokio::test]
async fn seed_04_a_stray_failure_does_not_make_paid_goods_free() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let order = system.buy(Sale::of(user, item)).await;
    let before = system.settled().await;
    let (reason_code, failed_step) = (ReasonCode::PaymentDeclined, Service::Payment);
    let reason = saga_events::Reason {
        reason_code,
        failed_step,
    };
    let payload = Payload::Failure(saga_events::Failure {
        order_id: order.id,
        reason,
    });
    let strays = [
        EventType::PaymentFailed,
        EventType::ItemRestored,
        EventType::InventoryRollback,
    ];
    for (event_type, attempt) in strays
        .into_iter()
        .flat_map(|event| [(event, 0), (event, 7)])
    {
        forge(
            &system,
            Message {
                event_type,
                attempt,
                payload,
            },
        )
        .await;
    }
    // A later purchase travels behind them on the same streams.
    let later = system.buy(Sale::of(user, item)).await;
    assert!(later.is_completed());
    let after = system.settled_despite_dead_letters().await;
    assert_eq!(
        after.accounts[&user].balance,
        before.accounts[&user].balance - 100
    );
    for service in [Service::Item, Service::Inventory, Service::User] {
        assert_eq!(
            system.state(service, order.id).await.as_deref(),
            Some("Confirmed")
        );
        let letters = async || match system.file(service).dead_letters().len() {
            2 => Ok(()),
            count => Err(format!("{service} has {count} dead letters")),
        };
        e2e_tests::eventually("two alarms", e2e_tests::PATIENCE, letters).await;
    }
}

#[tokio::test]
async fn seed_05_stock_is_given_back_when_the_payment_fails() {
    let system = System::with()
        .set(Service::Payment, "SAGA__GATEWAY__APPROVAL_RATE", 0)
        .start()
        .await;
    let (user, item) = shop(&system).await;
    let order = system
        .buy(Sale {
            user,
            item,
            quantity: 9,
        })
        .await;
    assert_eq!(order.reason_code, Some(ReasonCode::PaymentDeclined));
    // At once: CANCELLED means that everything is given back.
    let stock = system.stock(item).await;
    assert_eq!((stock.stock, stock.held, stock.sold), (100, 0, 0));
    system.settled().await;
}

#[tokio::test]
async fn seed_06_holds_survive_a_flush_of_redis_and_can_be_compensated() {
    let builder = System::with().repeating_quickly();
    let system = builder
        .set(Service::Payment, "SAGA__GATEWAY__APPROVAL_RATE", 0)
        .start()
        .await;
    let (user, item) = shop(&system).await;
    let order = Stage::Before(Service::Payment)
        .halt(&system, Sale::of(user, item))
        .await;
    system.redis().ask::<()>("FLUSHALL").await;
    assert_eq!(system.account(user).await.held, 100);
    Stage::Before(Service::Payment).resume(&system).await;

    assert_eq!(
        system.ended(order).await.reason_code,
        Some(ReasonCode::PaymentDeclined)
    );
    assert_eq!(system.settled().await.accounts[&user].balance, 10_000);
}

#[tokio::test]
async fn seed_07_a_lock_that_somebody_else_holds_stops_no_purchase() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    assert!(system.buy(Sale::of(user, item)).await.is_completed());
    let locks: Vec<String> = system.redis().ask("KEYS saga:lock:*").await;
    for lock in &locks {
        system
            .redis()
            .ask_words::<()>(&["SET", lock, "somebody else"])
            .await;
    }
    assert!(system.buy(Sale::of(user, item)).await.is_completed());
    system.set_gateway(json!({"approvalRate": 0})).await;
    assert!(!system.buy(Sale::of(user, item)).await.is_completed());
    for lock in &locks {
        let holder: String = system.redis().ask_words(&["GET", lock]).await;
        assert_eq!(holder, "somebody else", "nobody takes a lock that is held");
    }
    system.settled().await;
}

#[tokio::test]
async fn seed_08_a_final_order_has_already_settled_everywhere() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    for turn in 0..20 {
        system.set_gateway(json!({"approvalRate": turn % 2})).await;
        let order = system.buy(Sale::of(user, item)).await;
        // No waiting: whoever sees the final status sees nothing half-done.
        let expected = if order.is_completed() {
            "Confirmed"
        } else {
            "Released"
        };
        for service in [Service::User, Service::Inventory, Service::Item] {
            let state = system.state(service, order.id).await;
            assert_eq!(
                state.as_deref(),
                Some(expected),
                "{service} after {}",
                order.status
            );
        }
        assert_eq!(system.account(user).await.held, 0);
    }
    system.settled().await;
}

#[tokio::test]
async fn seed_09_a_final_status_never_changes() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let completed = system.buy(Sale::of(user, item)).await;
    system.set_gateway(json!({"approvalRate": 0})).await;
    let cancelled = system.buy(Sale::of(user, item)).await;
    system.settled().await;
    let confirmed = Payload::Settled(saga_events::Settled {
        order_id: cancelled.id,
    });
    let (reason_code, failed_step) = (ReasonCode::PaymentDeclined, Service::Payment);
    let reason = saga_events::Reason {
        reason_code,
        failed_step,
    };
    let failed = Payload::Failure(saga_events::Failure {
        order_id: completed.id,
        reason,
    });
    for (event_type, payload) in [
        (EventType::PaymentConfirmed, confirmed),
        (EventType::PaymentRollback, failed),
        (EventType::PaymentReservationFailed, failed),
        (EventType::UserValidationFailed, failed),
    ] {
        forge(
            &system,
            Message {
                event_type,
                attempt: 3,
                payload,
            },
        )
        .await;
    }
    let letters = async || match system.file(Service::Order).dead_letters().len() {
        4 => Ok(()),
        count => Err(format!("{count} dead letters")),
    };
    e2e_tests::eventually("four alarms", e2e_tests::PATIENCE, letters).await;
    let books = system.settled_despite_dead_letters().await;
    assert_eq!(books.orders[&completed.id], completed);
    assert_eq!(books.orders[&cancelled.id], cancelled);
}

#[tokio::test]
async fn seed_10_a_consumer_that_was_down_gets_the_event_when_it_comes_back() {
    let system = never_repeating().start().await;
    let (user, item) = shop(&system).await;
    assert!(system.buy(Sale::of(user, item)).await.is_completed());
    for service in [
        Service::User,
        Service::Inventory,
        Service::Payment,
        Service::Notify,
    ] {
        system.kill(service);
        let order = system.order(Sale::of(user, item)).await;
        system.restart(service).await;
        assert!(
            system.ended(order).await.is_completed(),
            "{service} was down"
        );
    }
    system.settled().await;
}

#[tokio::test]
async fn seed_11_a_crash_between_saving_and_publishing_strands_nothing() {
    let system = never_repeating().start().await;
    let (user, item) = shop(&system).await;
    // Without Redis every service saves what it cannot publish, and then it dies.
    system.redis().kill();
    let order = system.order(Sale::of(user, item)).await;
    system.kill(Service::Order);
    system.redis().start().await;
    system.restart(Service::Order).await;
    assert!(system.ended(order).await.is_completed());
    system.settled().await;
}

#[tokio::test]
async fn seed_12_events_published_before_a_consumer_starts_are_not_lost() {
    let system = never_repeating().stopped();
    system.redis().start().await;
    let late = [Service::Inventory, Service::Notify];
    for service in Service::ALL
        .into_iter()
        .filter(|service| !late.contains(service))
    {
        system.restart(service).await;
    }
    let (user, item) = shop(&system).await;
    let order = system.order(Sale::of(user, item)).await;
    system.until_state(Service::User, order, "Reserved").await;
    for service in late {
        system.restart(service).await;
    }
    assert!(system.ended(order).await.is_completed());
    system.settled().await;
}

#[tokio::test]
async fn seed_13_a_duplicate_charges_nobody_twice() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let completed = system.buy(Sale::of(user, item)).await;
    system.set_gateway(json!({"approvalRate": 0})).await;
    let cancelled = system.buy(Sale::of(user, item)).await;
    system.set_gateway(json!({"approvalRate": 1})).await;
    let before = system.settled().await;
    for order in [completed.id, cancelled.id] {
        // As it was, twice, and once as a repeat that everybody has to answer.
        for attempt in [0, 0, 5] {
            for message in messages(&system, order, attempt).await {
                forge(&system, message).await;
            }
        }
    }
    // A later purchase travels behind the duplicates on the same streams.
    assert!(system.buy(Sale::of(user, item)).await.is_completed());
    let after = system.settled().await;
    assert_eq!(after.charges.len(), before.charges.len() + 1);
    assert_eq!(
        after.accounts[&user].balance,
        before.accounts[&user].balance - 100
    );
    assert_eq!(after.notifications.len(), 3);
}

#[tokio::test]
async fn seed_14_two_instances_of_a_service_execute_no_step_twice() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let seconds: Vec<_> = Service::ALL
        .into_iter()
        .map(|service| system.launch_second(service))
        .collect();
    for (_, client) in &seconds {
        let live = async || {
            let request = client.request(reqwest::Method::GET, "/health/live");
            client
                .try_send(request)
                .await
                .map_err(|error| error.to_string())
        };
        e2e_tests::eventually("it lives", e2e_tests::PATIENCE, live)
            .await
            .expect(200);
    }
    let orders = together((0..20).map(|_| system.buy(Sale::of(user, item)))).await;
    assert!(orders.iter().all(e2e_tests::Order::is_completed));
    let books = system.settled().await;
    assert_eq!((books.charges.len(), books.notifications.len()), (20, 20));
    assert_eq!(
        system.journal(orders[0].id).await.len(),
        11,
        "every step once"
    );
}

#[tokio::test]
async fn seed_15_only_its_owner_releases_a_lock() {
    let system = System::start().await;
    let config = BusConfig {
        url: system.redis().url(),
        partitions: 1,
        read_count: 10,
        block_ms: 100,
        claim_idle_ms: 1_000,
        max_stream_entries: 1_000,
        max_unconsumed_entries: 1_000,
        trim_ms: 1_000,
    };
    let bus = Bus::open(&config, Service::Order).unwrap();
    // Work that takes longer than the lock lasts: another one has it when the work is done.
    let short = bus.lock("work", Duration::from_millis(1));
    let slow = short.try_take().await.unwrap().expect("it is free");
    let long = bus.lock("work", Duration::from_secs(60));
    let next = long
        .take_within(Duration::from_secs(10))
        .await
        .unwrap()
        .expect("it has ended");
    assert!(
        !short.renew(&slow).await.unwrap(),
        "the slow one learns that it is late"
    );
    assert!(
        !short.release(slow).await.unwrap(),
        "and does not release another one's lock"
    );
    assert!(long.try_take().await.unwrap().is_none());
    assert!(long.release(next).await.unwrap());
}

#[tokio::test]
async fn seed_16_two_simultaneous_orders_of_one_user_both_complete() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    for _ in 0..10 {
        let sale = Sale::of(user, item);
        let (one, two) = tokio::join!(system.buy(sale), system.buy(sale));
        assert!(one.is_completed() && two.is_completed());
    }
    system.settled().await;
}

#[tokio::test]
async fn seed_17_held_room_counts_and_an_owned_item_needs_none() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let other = system.item(100, 100).await;
    system.set_capacity(user, 1).await;
    // The room is held, not yet used, when the second purchase asks for it.
    let holding = Stage::Before(Service::Payment)
        .halt(&system, Sale::of(user, item))
        .await;
    assert_eq!(system.inventory(user).await.held, 1);
    let refused = system.buy(Sale::of(user, other)).await;
    assert_eq!(refused.reason_code, Some(ReasonCode::InventoryFull));
    Stage::Before(Service::Payment).resume(&system).await;
    assert!(system.ended(holding).await.is_completed());
    // The only slot is taken, by this very item.
    assert!(system.buy(Sale::of(user, item)).await.is_completed());
    let inventory = &system.settled().await.inventories[&user];
    assert_eq!((inventory.used, inventory.items[0].quantity), (1, 2));
}

#[tokio::test]
async fn seed_18_a_negative_quantity_credits_nobody() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    for quantity in [-5, 0, -1, 1_001, i64::MIN] {
        let body = Sale {
            user,
            item,
            quantity,
        }
        .body();
        let answer = system.at(Service::Order).post("/orders", &body).await;
        assert!(
            [400, 422].contains(&answer.status),
            "{quantity}: {}",
            answer.body
        );
    }
    let books = system.settled().await;
    assert!(books.orders.is_empty());
    assert_eq!(books.accounts[&user].balance, 10_000);
}

#[tokio::test]
async fn seed_19_money_is_whole_to_the_last_unit() {
    let system = System::start().await;
    let (user, item) = (
        system.user(MAX_MONEY).await,
        system.item(MAX_MONEY - 1, 1).await,
    );
    let order = system.buy(Sale::of(user, item)).await;
    assert_eq!(
        (order.is_completed(), order.total_amount),
        (true, MAX_MONEY - 1)
    );
    assert_eq!(system.settled().await.accounts[&user].balance, 1);
    for price in [json!(0.1), json!(100.0), json!(1e3), json!("100")] {
        let body = json!({"name": "thing", "price": price, "stock": 1});
        let answer = system.at(Service::Item).post("/items", &body).await;
        assert!(
            [400, 422].contains(&answer.status),
            "{price}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn seed_20_the_failed_step_is_data_and_travels_unchanged() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    // A name that would mislead whoever guesses from texts.
    let misleading = json!({"name": "payment balance inventory", "price": 100, "stock": 0});
    let sold_out = system
        .at(Service::Item)
        .post("/items", &misleading)
        .await
        .expect(201);
    let sold_out: ItemId = sold_out.field("id");
    system.note_supply(sold_out, 0);
    system.set_gateway(json!({"approvalRate": 0})).await;
    for (item, reason, failed_step) in [
        (sold_out, ReasonCode::OutOfStock, Service::Item),
        (item, ReasonCode::PaymentDeclined, Service::Payment),
    ] {
        let order = system.buy(Sale::of(user, item)).await;
        assert_eq!(
            order.outcome(),
            ("CANCELLED", Some(reason), Some(failed_step))
        );
        let journal = system.journal(order.id).await;
        let failures: Vec<_> = journal
            .iter()
            .filter(|said| said.data.get("failedStep").is_some())
            .collect();
        assert!(failures.len() >= 4, "the way back: {failures:#?}");
        for said in failures {
            assert_eq!(
                said.data["failedStep"],
                failed_step.as_str(),
                "{}",
                said.event_type
            );
            assert_eq!(
                said.data["reasonCode"],
                reason.as_str(),
                "{}",
                said.event_type
            );
        }
    }
    system.settled().await;
}

#[tokio::test]
async fn seed_21_an_approval_rate_of_0_can_be_configured() {
    for (rate, completes) in [("0", false), ("1", true)] {
        let rate_is = System::with().set(Service::Payment, "SAGA__GATEWAY__APPROVAL_RATE", rate);
        let system = rate_is.start().await;
        let (user, item) = shop(&system).await;
        let orders = together((0..10).map(|_| system.buy(Sale::of(user, item)))).await;
        assert!(
            orders.iter().all(|order| order.is_completed() == completes),
            "rate {rate}"
        );
        system.settled().await;
    }
}

#[tokio::test]
async fn seed_22_the_balance_is_the_money_and_the_gateway_records_its_payment() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let order = system
        .buy(Sale {
            user,
            item,
            quantity: 4,
        })
        .await;
    let books = system.settled().await;
    let hold = books.holds[&user]
        .iter()
        .find(|hold| hold.order_id == order.id)
        .unwrap();
    assert_eq!((hold.amount, hold.state.as_str()), (400, "Confirmed"));
    assert_eq!(
        (books.payments[&order.id].amount, books.charges[&order.id]),
        (400, 400)
    );

    // A gateway that would approve does not help who has no balance: it is not even asked.
    let poor = system.user(99).await;
    let order = system.buy(Sale::of(poor, item)).await;
    assert_eq!(order.reason_code, Some(ReasonCode::InsufficientBalance));
    assert_eq!(system.state(Service::Payment, order.id).await, None);
    system.settled().await;
}

#[tokio::test]
async fn seed_23_the_price_is_frozen_in_the_order_and_checked_by_item_svc() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let bought = system.buy(Sale::of(user, item)).await;
    let halted = Stage::Before(Service::Inventory)
        .halt(&system, Sale::of(user, item))
        .await;
    let path = format!("/items/{item}");
    system
        .at(Service::Item)
        .patch(&path, &json!({"price": 1}))
        .await
        .expect(200);
    Stage::Before(Service::Inventory).resume(&system).await;

    let refused = system.ended(halted).await;
    let changed = (
        "CANCELLED",
        Some(ReasonCode::PriceChanged),
        Some(Service::Item),
    );
    assert_eq!((refused.outcome(), refused.unit_price), (changed, 100));
    assert_eq!(
        system.look_at(bought.id).await.unit_price,
        100,
        "what is bought keeps its price"
    );
    let cheap = system.buy(Sale::of(user, item)).await;
    assert_eq!((cheap.is_completed(), cheap.total_amount), (true, 1));
    let created = EventId::of(cheap.id, EventType::OrderCreated);
    let said = system.said(Service::Order, cheap.id).await;
    assert!(
        said.iter()
            .any(|said| said.id == created && said.data["unitPrice"] == 1)
    );
    system.settled().await;
}
