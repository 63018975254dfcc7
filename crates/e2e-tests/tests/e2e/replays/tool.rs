//! The same through `sagactl dlq`.

use e2e_tests::{Sale, System, envelope, failure, settled};
use saga_events::{EventType, Service};

use super::first_letter;

#[tokio::test]
async fn an_operator_lists_shows_replays_and_discards_over_all_services() {
    let system = System::start().await;
    assert_eq!(
        system.sagactl(&["dlq", "list"]).expect(0).out.trim(),
        "no dead letters"
    );
    let sale = Sale::of(system.user(1_000).await, system.item(10, 100).await);
    let order = system.buy(sale).await;
    let poison = "{\u{1b}[31m";
    system.plant(EventType::OrderCreated, "event", poison).await;
    system
        .forge(failure(EventType::PaymentFailed, order.id, 9))
        .await;
    first_letter(&system, Service::User).await;
    first_letter(&system, Service::Item).await;

    let list = system.sagactl(&["dlq", "list"]).expect(0).out;
    assert_eq!(list.lines().count(), 3, "{list}");
    assert!(list.contains("user-svc/1") && list.contains("item-svc/1"));
    assert!(list.contains(&order.id.to_string()));
    let of_items = ["dlq", "list", "--service", "item", "--json"];
    let of_items = system.sagactl(&of_items).expect(0).json();
    assert_eq!(of_items.as_array().unwrap().len(), 1);
    assert_eq!(of_items[0]["service"], "item-svc");
    let typed = ["dlq", "list", "--type", "order.created", "--json"];
    let typed = system.sagactl(&typed).expect(0).json();
    assert_eq!(typed[0]["service"], "user-svc");

    let shown = system.sagactl(&["dlq", "show", "user-svc/1"]).expect(0).out;
    assert!(shown.contains("undecodable"), "{shown}");
    assert!(
        shown.contains("\\u{1b}[31m"),
        "shown, not obeyed: {shown:?}"
    );
    assert!(!shown.contains('\u{1b}'));

    let why = ["--reason", "it may be mended"];
    let all = [&["dlq", "replay", "--all", "--dry-run"][..], &why].concat();
    let dry = system.sagactl(&all).expect(1).out;
    assert!(dry.contains("0 would be applied, 2 would stay"), "{dry}");
    let one = [&["dlq", "replay", "user/1", "--json"][..], &why].concat();
    let replayed = system.sagactl(&one).expect(1).json();
    assert_eq!(replayed[0]["outcome"], "undecodable");

    // As after an upgrade: what was late is an event that somebody else has done the work of.
    let late = envelope(settled(EventType::PaymentProcessed, order.id, 0));
    let sql = format!("UPDATE dead_letters SET event = '{late}'");
    system.file(Service::Item).run(&sql);
    let some = [
        "dlq",
        "replay",
        "--all",
        "--service",
        "item-svc",
        "--by",
        "bob",
    ];
    let replayed = system.sagactl(&[&some[..], &why].concat()).expect(0).out;
    assert!(replayed.contains("nothing changed"), "{replayed}");
    assert!(replayed.contains("1 applied, 0 stay dead letters"));

    let discard = [&["dlq", "discard", "user-svc/1"][..], &why].concat();
    assert!(system.sagactl(&discard).expect(0).out.contains("discarded"));
    assert!(system.sagactl(&discard).expect(1).err.contains("409"));
    let shown = system.sagactl(&["dlq", "show", "user-svc/1"]).expect(0).out;
    let trail: Vec<_> = shown
        .lines()
        .filter(|line| line.contains("by ann"))
        .collect();
    assert_eq!(trail.len(), 2, "{shown}");
    let of_bob = system.sagactl(&["dlq", "show", "item-svc/1"]).expect(0).out;
    assert!(of_bob.contains("replay by bob: nothing changed (it may be mended)"));
    let left = system.sagactl(&["dlq", "list"]).expect(0).out;
    assert_eq!(left.trim(), "no dead letters");
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_named_and_the_others_are_told() {
    let system = System::start().await;
    system.plant(EventType::PaymentFailed, "event", "{").await;
    first_letter(&system, Service::Item).await;
    system.kill(Service::Payment);
    let list = system.sagactl(&["dlq", "list"]).expect(3);
    assert!(list.out.contains("item-svc/1"), "{list:?}");
    assert!(list.err.contains("payment-svc does not answer"), "{list:?}");
    assert_eq!(list.err.lines().count(), 1, "{list:?}");
    let all = ["dlq", "replay", "--all", "--reason", "x"];
    let replayed = system.sagactl(&all).expect(1);
    assert!(replayed.err.contains("payment-svc"), "{replayed:?}");
    assert!(replayed.out.contains("item-svc/1"), "{replayed:?}");
}

#[tokio::test]
async fn a_wrong_command_line_says_nothing_about_the_system() {
    let system = System::with().stopped();
    for words in [
        &["dlq", "replay", "--reason", "x"][..],
        &["dlq", "replay", "item-svc/1"],
        &["dlq", "replay", "--all", "item-svc/1", "--reason", "x"],
        &[
            "dlq",
            "replay",
            "item-svc/1",
            "--type",
            "order.created",
            "--reason",
            "x",
        ],
        &["dlq", "discard", "--reason", "x"],
        &["dlq", "show", "cart-svc/1"],
        &["dlq", "list", "--type", "order.exploded"],
        &["dlq"],
    ] {
        assert!(system.sagactl(words).expect(64).out.is_empty(), "{words:?}");
    }
    let help = system.sagactl(&["dlq", "--help"]).expect(0).out;
    assert!(help.contains("Exit codes: 0"), "{help}");
}
