//! Work that one instance does for all, in the running system: its lock in Redis keeps it single and
//! is never what correctness rests on.

use e2e_tests::{PATIENCE, Sale, System, eventually};
use saga_events::{OrderId, Service, Timestamp};

const SWEEP: &str = "saga:lock:sweep";

/// A system whose orders are overdue after half a second, and one such order that stands still.
async fn overdue_order(system: &System) -> OrderId {
    let sale = Sale::of(system.user(100).await, system.item(10, 10).await);
    system.kill(Service::User);
    system.order(sale).await
}

fn impatient() -> e2e_tests::Builder {
    System::with().set(Service::Order, "SAGA__ORDER__DEADLINE_MS", 500)
}

/// Who holds the sweep's lock.
async fn holder(system: &System) -> Option<String> {
    system.redis().ask(&format!("GET {SWEEP}")).await
}

async fn until_held(system: &System) -> String {
    let ask = async || holder(system).await.ok_or("nobody");
    eventually("the sweep's lock is held", PATIENCE, ask).await
}

#[tokio::test]
async fn the_sweep_waits_while_another_instance_holds_its_lock() {
    let system = impatient().stopped();
    system.redis().start().await;
    system
        .redis()
        .ask::<()>(&format!("SET {SWEEP} another"))
        .await;
    for service in Service::ALL {
        system.restart(service).await;
    }
    let order = overdue_order(&system).await;

    // A second after the deadline it has been looked for several times.
    let deadline = system.look_at(order).await.deadline;
    let passed = async || {
        let late = Timestamp::now().since(deadline).as_millis();
        if late > 1_000 {
            Ok(())
        } else {
            Err(format!("{late} ms late"))
        }
    };
    eventually("the deadline has passed", PATIENCE, passed).await;
    assert_eq!(
        system.look_at(order).await.status,
        "PENDING",
        "the other one would see to it"
    );

    system.redis().ask::<()>(&format!("DEL {SWEEP}")).await;
    system.until_status(order, "CANCELLING").await;
    system.restart(Service::User).await;
    system.settled().await;
}

#[tokio::test]
async fn the_sweep_works_on_while_redis_is_away() {
    let system = impatient().start().await;
    let order = overdue_order(&system).await;
    system.redis().kill();
    system.until_status(order, "CANCELLING").await;
    system.redis().start().await;
    system.restart(Service::User).await;
    assert_eq!(system.ended(order).await.status, "CANCELLED");
    system.settled().await;
}

#[tokio::test]
async fn a_lock_that_was_flushed_away_is_taken_again() {
    let system = System::start().await;
    let before = until_held(&system).await;
    system.redis().ask::<()>("FLUSHALL").await;
    let after = until_held(&system).await;
    assert_ne!(before, after, "under a new token");
}

#[tokio::test]
async fn a_service_that_ends_gives_its_lock_back_and_one_that_is_killed_does_not() {
    let system = System::start().await;
    until_held(&system).await;
    assert!(system.terminate(Service::Order).await.success());
    assert_eq!(holder(&system).await, None);

    system.restart(Service::Order).await;
    let dead = until_held(&system).await;
    system.kill(Service::Order);
    assert_eq!(
        holder(&system).await.as_deref(),
        Some(&*dead),
        "it ends by itself"
    );
    // A successor under the same name waits for that end and then works.
    system.restart(Service::Order).await;
    let taken = async || match holder(&system).await {
        Some(holder) if holder != dead => Ok(()),
        holder => Err(format!("{holder:?}")),
    };
    eventually("the successor holds the lock", PATIENCE, taken).await;
}
