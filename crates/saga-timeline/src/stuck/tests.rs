use super::*;
use crate::expected::expected;
use crate::testing::{THERE, at, authorizing, sources};
use crate::{Letter, Told};

/// `cause service since`, in milliseconds.
fn why(sources: &Sources) -> Vec<String> {
    let all = stuck(sources, &expected(sources)).into_iter().map(|stuck| {
        assert_eq!(stuck.behind.is_some(), stuck.cause == Cause::Lagging);
        let millis = stuck.since.since(at(0)).as_millis();
        format!("{:?} {} {millis}", stuck.cause, stuck.service)
    });
    all.collect()
}

/// user-svc has done its part at 1 ms; inventory-svc is next.
fn waiting(now: i64) -> Sources {
    let mut waiting = sources(&THERE[..3]);
    waiting.now = at(now);
    waiting
}

#[test]
fn what_is_only_under_way_is_not_stuck() {
    assert!(why(&waiting(900)).is_empty());
    let mut behind = waiting(900);
    behind.behind.insert(Service::Inventory, 7);
    assert!(why(&behind).is_empty());
}

#[test]
fn every_cause_is_found_and_the_most_telling_counts() {
    let mut all = waiting(5_000);
    assert_eq!(why(&all), ["WaitingRepeat inventory-svc 1"]);
    all.behind.insert(Service::Inventory, 7);
    assert_eq!(why(&all), ["Lagging inventory-svc 1"]);
    all.redis_up = false;
    assert_eq!(why(&all), ["RedisDown inventory-svc 1"]);
    let letter = Letter { created_at: at(3) };
    all.dead_letters.insert(Service::Inventory, letter);
    assert_eq!(why(&all), ["DeadLetter inventory-svc 3"]);
    all.told.insert(Service::Inventory, Told::Missing);
    assert_eq!(why(&all), ["ServiceDown inventory-svc 1"]);
}

#[test]
fn what_concerns_another_service_explains_nothing() {
    let mut elsewhere = waiting(900);
    elsewhere
        .dead_letters
        .insert(Service::Notify, Letter { created_at: at(3) });
    elsewhere.gateway_unknown_since = Some(at(3));
    elsewhere.told.insert(Service::Notify, Told::Missing);
    assert!(why(&elsewhere).is_empty());
}

#[test]
fn an_unanswered_gateway_is_told_at_once() {
    let mut asking = sources(&THERE);
    authorizing(&mut asking, 4);
    assert!(why(&asking).is_empty());
    asking.gateway_unknown_since = Some(at(6));
    assert_eq!(why(&asking), ["GatewayUnknown payment-svc 6"]);
}

#[test]
fn the_next_repeat_is_named_where_there_is_one() {
    let mut late = waiting(5_000);
    late.next_repeat_at = Some(at(6_000));
    let stuck = stuck(&late, &expected(&late));
    assert_eq!(stuck[0].next_repeat_at, Some(at(6_000)));
    let json = serde_json::to_value(&stuck[0]).unwrap();
    assert_eq!(json["cause"], "WAITING_REPEAT");
    assert!(json.get("behind").is_none());
}
