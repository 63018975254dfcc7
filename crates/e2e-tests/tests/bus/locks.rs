//! The lock that keeps singletons single, and the fence behind it.

use std::time::{Duration, Instant};

use e2e_tests::{PATIENCE, eventually};
use saga_events::Service;
use saga_events::bus::Lock;
use svc_chassis::singleton::Fence;

use crate::Bench;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(150);

/// The lock of the same name, as two instances have it.
fn two(bench: &Bench, time_to_live: Duration) -> (Lock, Lock) {
    let lock = || bench.bus(Service::Order).lock("sweep", time_to_live);
    (lock(), lock())
}

#[tokio::test]
async fn one_of_many_gets_the_lock() {
    let bench = Bench::start().await;
    let (lock, _) = two(&bench, LONG);
    let tries = e2e_tests::together((0..50).map(|_| lock.try_take())).await;
    assert_eq!(
        tries
            .into_iter()
            .filter(|hold| hold.as_ref().unwrap().is_some())
            .count(),
        1
    );
    let other_name = bench.bus(Service::Order).lock("trim", LONG);
    assert!(other_name.try_take().await.unwrap().is_some());
}

#[tokio::test]
async fn only_the_owner_renews_and_releases() {
    let bench = Bench::start().await;
    let (mine, yours) = two(&bench, LONG);
    let first = mine.try_take().await.unwrap().unwrap();
    assert!(yours.try_take().await.unwrap().is_none());
    assert!(mine.renew(&first).await.unwrap());
    assert!(mine.release(first.clone()).await.unwrap());

    let second = yours.try_take().await.unwrap().unwrap();
    assert!(!mine.renew(&first).await.unwrap());
    assert!(!mine.release(first).await.unwrap());
    assert!(yours.renew(&second).await.unwrap(), "it was left alone");
}

#[tokio::test]
async fn a_lock_ends_by_itself_unless_it_is_renewed() {
    let bench = Bench::start().await;
    let (mine, yours) = two(&bench, SHORT);
    let hold = mine.try_take().await.unwrap().unwrap();
    let renewed_until = Instant::now() + 4 * SHORT;
    while Instant::now() < renewed_until {
        assert!(mine.renew(&hold).await.unwrap());
        assert!(yours.try_take().await.unwrap().is_none());
        tokio::time::sleep(SHORT / 10).await;
    }
    // Not renewed any more.
    let other = yours.take_within(PATIENCE).await.unwrap();
    assert!(other.is_some());
    assert!(
        !mine.renew(&hold).await.unwrap(),
        "the late one learns that it is late"
    );
}

#[tokio::test]
async fn waiting_is_bounded() {
    let bench = Bench::start().await;
    let (mine, yours) = two(&bench, LONG);
    let hold = mine.try_take().await.unwrap().unwrap();
    let began = Instant::now();
    assert!(
        yours
            .take_within(Duration::from_millis(300))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "waited {:?}",
        began.elapsed()
    );

    let (waited, released) = tokio::join!(yours.take_within(PATIENCE), async {
        mine.release(hold).await
    });
    assert!(released.unwrap());
    assert!(waited.unwrap().is_some(), "who waits gets it");
}

#[tokio::test]
async fn after_a_flush_the_holder_learns_that_it_is_gone_and_takes_it_again() {
    let bench = Bench::start().await;
    let (mine, yours) = two(&bench, LONG);
    let hold = mine.try_take().await.unwrap().unwrap();
    bench.redis.ask::<()>("FLUSHALL").await;
    assert!(!mine.renew(&hold).await.unwrap());
    let again = mine.try_take().await.unwrap().unwrap();
    assert_ne!(again, hold);
    assert!(yours.try_take().await.unwrap().is_none());
}

#[tokio::test]
async fn without_redis_a_lock_is_an_error_and_comes_back_with_it() {
    let bench = Bench::start().await;
    let (mine, _) = two(&bench, LONG);
    let hold = mine.try_take().await.unwrap().unwrap();
    bench.redis.kill();
    assert!(mine.renew(&hold).await.is_err());
    bench.redis.start().await;
    let renewed = async || mine.renew(&hold).await;
    assert!(
        eventually("Redis answers again", PATIENCE, renewed).await,
        "it was kept on disk"
    );
}

#[tokio::test]
async fn a_holder_that_wakes_too_late_writes_nothing() {
    let bench = Bench::start().await;
    let mut database = svc_chassis::testing::Bench::open(bench.folder.path(), &[]).unwrap();
    let (mine, yours) = two(&bench, SHORT);

    let hold = mine.try_take().await.unwrap().unwrap();
    let (slow, _) = database.write(|tx| Fence::next(tx, "sweep")).unwrap();
    assert!(database.write(|tx| slow.holds(tx)).unwrap().0);
    // It sleeps over the end of its lock; another one takes over.
    let next = yours.take_within(PATIENCE).await.unwrap().unwrap();
    let (quick, _) = database.write(|tx| Fence::next(tx, "sweep")).unwrap();

    assert!(
        !database.write(|tx| slow.holds(tx)).unwrap().0,
        "its number is stale"
    );
    assert!(database.write(|tx| quick.holds(tx)).unwrap().0);
    assert!(!mine.release(hold).await.unwrap());
    drop(next);

    // A flush forgets locks, not numbers.
    bench.redis.ask::<()>("FLUSHALL").await;
    mine.try_take().await.unwrap().unwrap();
    let (third, _) = database.write(|tx| Fence::next(tx, "sweep")).unwrap();
    assert!(!database.write(|tx| quick.holds(tx)).unwrap().0);
    assert!(database.write(|tx| third.holds(tx)).unwrap().0);
    let (other, _) = database.write(|tx| Fence::next(tx, "trim")).unwrap();
    assert!(
        database
            .write(|tx| Ok((third.holds(tx)?, other.holds(tx)?)))
            .unwrap()
            .0
            == (true, true)
    );
}
