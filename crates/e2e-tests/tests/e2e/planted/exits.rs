//! What the exit codes of `sagactl audit` say.

use e2e_tests::{Sale, System};
use saga_events::Service;

#[tokio::test]
async fn a_service_that_is_away_is_named_and_the_rest_is_judged() {
    let system = System::start().await;
    let sale = Sale::of(system.user(1_000).await, system.item(10, 100).await);
    system.buy(sale).await;
    system.until_closed().await;
    let told = system.sagactl(&["audit"]).expect(0);
    assert!(told.out.contains("clean: "), "{told:?}");
    system.kill(Service::Notify);
    let told = system.sagactl(&["audit"]).expect(3);
    assert!(told.out.contains("notify-svc does not answer"), "{told:?}");
    assert!(told.out.contains("no violation: "), "{told:?}");
    // A violation is worse, and is found all the same.
    let book = system.file(Service::User);
    book.run("UPDATE users SET available = available + 1");
    let told = system.sagactl(&["audit"]).expect(1);
    assert!(told.out.contains("users-money"), "{told:?}");
    assert!(told.out.contains(&sale.user.to_string()), "{told:?}");
    assert!(told.out.contains("+1"), "the difference: {told:?}");
}

#[tokio::test]
async fn files_that_are_missing_or_in_use_or_of_something_else_are_named() {
    let system = System::start().await;
    let folder = system.folder().to_str().unwrap();
    let audit = || system.sagactl(&["audit", "--files", folder]);
    let told = audit().expect(3);
    assert!(told.err.contains("order-svc works on"), "{told:?}");
    for service in Service::ALL {
        system.terminate(service).await;
    }
    audit().expect(0);
    let of = |name: &str| system.folder().join(name).display().to_string();
    let names = ["order", "user", "inventory", "item", "payment", "notify"];
    let six = names.map(|name| of(&format!("{name}-svc.db")));
    let mut words = vec!["audit", "--files"];
    words.extend(six.iter().map(String::as_str));
    system.sagactl(&words).expect(0);
    words.swap(2, 7);
    let told = system.sagactl(&words).expect(3);
    assert!(told.err.contains("no database of order-svc"), "{told:?}");
    std::fs::remove_file(of("item-svc.db")).unwrap();
    let told = audit().expect(3);
    assert!(
        told.err.contains("there is no file") && told.err.contains("item-svc"),
        "{told:?}"
    );
    system.sagactl(&["audit", "--files", "a", "b"]).expect(3);
    system
        .sagactl(&["audit", "--all", "--within", "1"])
        .expect(64);
}

#[tokio::test]
async fn an_order_that_is_older_than_it_may_be_is_named() {
    let system = System::start().await;
    let sale = Sale::of(system.user(1_000).await, system.item(10, 100).await);
    system.kill(Service::Payment);
    let order = system.order(sale).await;
    system.until_state(Service::Item, order, "Reserved").await;
    system
        .file(Service::Order)
        .run("UPDATE orders SET deadline = 1");
    let told = system.sagactl(&["audit"]).expect(3);
    assert!(
        told.out
            .contains(&format!("order {order} is older than it may be")),
        "{told:?}"
    );
    for service in Service::ALL
        .into_iter()
        .filter(|service| *service != Service::Payment)
    {
        system.terminate(service).await;
    }
    let folder = system.folder().to_str().unwrap();
    let told = system.sagactl(&["audit", "--files", folder]).expect(2);
    assert!(told.out.contains(&order.to_string()), "{told:?}");
}
