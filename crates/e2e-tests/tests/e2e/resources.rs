//! What the processes take of the machine stays bounded.

use e2e_tests::{Bounds, Soak, System};
use saga_events::Service;

#[tokio::test]
async fn memory_streams_and_logs_stay_bounded_over_20000_purchases_and_a_redis_that_goes_away() {
    let system = System::with()
        .set(Service::Order, "SAGA__ORDER__MAX_OPEN", 5_000)
        .set_for_all("RUST_LOG", "warn")
        .start()
        .await;
    let soak = Soak::of(system).await;
    soak.buy(15_000, None).await;
    let meanwhile = soak.without_redis().await;
    assert!(meanwhile >= 4_000, "{meanwhile} orders without Redis");
    soak.buy(20_000, None).await;
    soak.quiet().await;
    soak.streams_are_short().await;

    assert!(soak.completed() >= 20_000);
    println!("{} orders, at most: {}", soak.accepted(), soak.peak());
    let over = soak.peak().over(&Bounds::PROMISED);
    assert!(over.is_empty(), "{}", over.join("; "));
}
