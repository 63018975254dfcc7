use saga_events::Timestamp;

use super::*;
use crate::check::Value;

fn id(number: u128) -> OrderId {
    OrderId::from_uuid(uuid::Uuid::from_u128(number))
}

fn row(order: u128, state: &str) -> SagaRow {
    SagaRow {
        order_id: id(order),
        state: state.to_owned(),
        amount: 10,
        quantity: Some(2),
        updated_at: Timestamp::from_micros(0),
    }
}

fn totals(service: Service) -> Vec<Named> {
    let of = |sides: [(Service, &'static str); 2]| sides.into_iter();
    let names = SUMS.iter().flat_map(|sum| of([sum.left, sum.right]));
    let mut names: Vec<&str> = names
        .filter(|(who, _)| *who == service)
        .map(|(_, n)| n)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| Named::number(name, 7))
        .collect()
}

/// What everybody says when nothing is under way and all agree.
fn reports() -> Vec<Report> {
    let report = |service| Report {
        service,
        at: Timestamp::from_micros(0),
        last_seq: 5,
        published: 5,
        unpublished: 0,
        unpublished_orders: vec![],
        open: 0,
        overdue: vec![],
        oldest_overdue_ms: None,
        dead_letters: 0,
        pending: Some(0),
        oldest_pending_ms: None,
        totals: totals(service),
        checks: vec![],
    };
    Service::ALL.into_iter().map(report).collect()
}

fn of(reports: &mut [Report], service: Service) -> &mut Report {
    reports.iter_mut().find(|r| r.service == service).unwrap()
}

fn look(service: Service, rows: &[SagaRow]) -> Look {
    let rows = rows.iter().map(|row| (row.order_id, row.clone()));
    Look {
        service,
        rows: rows.collect(),
    }
}

fn settled(order: u128) -> Vec<Look> {
    let state = |service| match service {
        Service::Order => row(order, "COMPLETED"),
        Service::User | Service::Inventory => row(order, "Confirmed"),
        Service::Item => SagaRow {
            amount: 2,
            ..row(order, "Confirmed")
        },
        Service::Payment => row(order, "Processed"),
        Service::Notify => row(order, "Completed"),
    };
    LOOKS.iter().map(|who| look(*who, &[state(*who)])).collect()
}

fn judge(looks: &[Look], before: &[Report], after: &[Report]) -> Audit {
    let mut judge = Judge::default();
    judge.look(looks);
    judge.conclude(&rounds([before, after]))
}

fn rounds<'a>(all: impl IntoIterator<Item = &'a [Report]>) -> Rounds {
    let mut all = all.into_iter().map(<[Report]>::to_vec);
    let mut rounds = Rounds::new(all.next().unwrap());
    all.for_each(|round| rounds.add(round));
    rounds
}

/// As many rounds as tell what is stuck, the reports of each as they are `at` that one, whose number
/// is also the second.
fn watched(at: impl Fn(usize, &mut [Report])) -> Audit {
    let mut all = Vec::new();
    for number in 0..WATCHED {
        let mut round = reports();
        let passed = Duration::from_secs(1) * u32::try_from(number).unwrap();
        for report in &mut round {
            report.at = report.at.plus(passed);
        }
        at(number, &mut round);
        all.push(round);
    }
    Judge::default().conclude(&rounds(all.iter().map(Vec::as_slice)))
}

fn violated(audit: &Audit) -> Vec<&str> {
    audit.violations().map(|check| check.id.as_str()).collect()
}

fn state_of(audit: &Audit, id: &str) -> CheckState {
    audit
        .checks
        .iter()
        .find(|check| check.id == id)
        .unwrap()
        .state
}

#[test]
fn a_quiet_system_that_agrees_is_ok() {
    let audit = judge(&settled(1), &reports(), &reports());
    assert!(
        audit.ok && audit.quiet && audit.missing.is_empty(),
        "{audit:#?}"
    );
    assert_eq!(audit.purchases, 1);
    assert!(
        audit
            .checks
            .iter()
            .all(|check| check.state == CheckState::Holds)
    );
}

#[test]
fn a_sum_that_differs_is_a_violation_in_quiet_and_in_flight_otherwise() {
    for sum in SUMS {
        let mut reports = reports();
        let total = of(&mut reports, sum.left.0)
            .totals
            .iter_mut()
            .find(|total| total.name == sum.left.1);
        total.unwrap().value = Value::Number(8);
        let audit = judge(&[], &reports, &reports);
        assert_eq!(violated(&audit), [sum.id]);
        assert!(audit.quiet && !audit.ok);

        of(&mut reports, Service::Order).open = 1;
        let audit = judge(&[], &reports, &reports);
        assert!(audit.ok && !audit.quiet);
        assert_eq!(state_of(&audit, sum.id), CheckState::InFlight);
    }
}

#[test]
fn a_broken_sum_names_the_orders_that_make_the_difference() {
    let mut looks = settled(1);
    looks.retain(|look| look.service != Service::Item);
    looks.push(look(Service::Item, &[]));
    let mut reports = reports();
    let totals = &mut of(&mut reports, Service::Item).totals;
    totals
        .iter_mut()
        .for_each(|total| total.value = Value::Number(5));
    let audit = judge(&looks, &reports, &reports);
    let sum = audit
        .violations()
        .find(|check| check.id == "stock-sold")
        .unwrap();
    assert_eq!((&*sum.orders, sum.difference), (&[id(1)][..], Some(-2)));
}

#[test]
fn whatever_is_under_way_or_changes_is_not_quiet() {
    type Change = fn(&mut Vec<Report>, &mut Vec<Report>);
    let changes: [(&str, Change); 6] = [
        ("open before", |before, _| {
            of(before, Service::Order).open = 1
        }),
        ("open after", |_, after| of(after, Service::Order).open = 1),
        ("unpublished", |_, after| {
            of(after, Service::Item).unpublished = 1
        }),
        ("said something", |_, after| {
            of(after, Service::User).last_seq = 6
        }),
        ("another total", |_, after| {
            of(after, Service::User).totals[0].value = Value::Number(9)
        }),
        ("somebody away", |before, _| {
            before.retain(|r| r.service != Service::Notify)
        }),
    ];
    for (what, change) in changes {
        let (mut before, mut after) = (reports(), reports());
        change(&mut before, &mut after);
        assert!(!judge(&[], &before, &after).quiet, "{what}");
    }
}

#[test]
fn who_is_away_is_missing_and_the_others_are_judged() {
    let mut there = reports();
    there.retain(|report| report.service != Service::Payment);
    let looks = [
        look(Service::Order, &[row(1, "COMPLETED")]),
        look(Service::User, &[row(1, "Released")]),
    ];
    let audit = judge(&looks, &there, &there);
    assert_eq!(audit.missing, [Service::Payment]);
    assert!(!audit.ok && !audit.quiet);
    assert_eq!(violated(&audit), ["order-completed"]);
    assert_eq!(state_of(&audit, "money-paid"), CheckState::InFlight);
}

#[test]
fn who_answers_at_first_and_is_away_then_is_missing() {
    let mut judge = Judge::default();
    judge.miss(Service::Item);
    let audit = judge.conclude(&Rounds::new(reports()));
    assert_eq!((audit.missing, audit.ok), (vec![Service::Item], false));
}

#[test]
fn a_law_that_needs_quiet_is_judged_only_then() {
    let untold = [
        look(Service::Order, &[row(1, "COMPLETED")]),
        look(Service::Notify, &[]),
    ];
    assert_eq!(
        violated(&judge(&untold, &reports(), &reports())),
        ["buyer-told"]
    );
    let mut open = reports();
    of(&mut open, Service::Order).open = 1;
    let audit = judge(&untold, &open, &open);
    assert_eq!(state_of(&audit, "buyer-told"), CheckState::InFlight);
    assert!(audit.ok);
}

#[test]
fn a_live_law_is_judged_while_purchases_are_under_way() {
    let mut open = reports();
    of(&mut open, Service::Order).open = 1;
    let looks = [
        look(Service::Payment, &[row(1, "Processed")]),
        look(Service::Item, &[row(1, "Released")]),
    ];
    let audit = judge(&looks, &open, &open);
    assert_eq!(violated(&audit), ["paid"]);
    let check = audit.violations().next().unwrap();
    assert_eq!(check.orders, [id(1)]);
    assert_eq!(check.left, [Named::text("payment-svc", "Processed")]);
    assert_eq!(check.right, [Named::text("item-svc", "Released")]);
}

#[test]
fn a_hold_is_a_violation_once_every_order_has_ended() {
    for service in [
        Service::User,
        Service::Inventory,
        Service::Item,
        Service::Payment,
    ] {
        let mut held = reports();
        of(&mut held, service).open = 1;
        assert_eq!(violated(&judge(&[], &held, &held)), ["nothing-open"]);
        of(&mut held, Service::Order).open = 1;
        assert!(judge(&[], &held, &held).ok);
    }
}

fn one_waits_for_redis(round: &mut [Report]) {
    let report = of(round, Service::User);
    (report.last_seq, report.unpublished) = (6, 1);
    report.unpublished_orders = vec![id(3)];
}

#[test]
fn a_row_that_stays_unpublished_is_a_violation_only_if_nothing_moves() {
    let audit = watched(|_, round| one_waits_for_redis(round));
    assert_eq!(violated(&audit), ["everything-published"]);
    assert_eq!(audit.violations().next().unwrap().orders, [id(3)]);

    // In any one of the rounds.
    for when in 0..WATCHED {
        let but = |other: fn(&mut Report)| {
            watched(move |number, round| {
                one_waits_for_redis(round);
                if number == when {
                    other(of(round, Service::User));
                }
            })
        };
        assert!(but(|user| user.pending = None).ok, "Redis is away");
        assert!(but(|user| user.published = 4).ok, "it moves");
        assert!(but(|user| user.unpublished = 0).ok, "it was published");
    }
    let away = watched(|number, round| {
        one_waits_for_redis(round);
        if number == 5 {
            of(round, Service::User).service = Service::Notify;
        }
    });
    assert!(away.ok, "the service did not answer for a while");
}

#[test]
fn what_seems_to_stand_still_is_watched_until_it_moves_or_is_stuck() {
    let mut waiting = reports();
    one_waits_for_redis(&mut waiting);
    let mut rounds = Rounds::new(waiting.clone());
    assert_eq!(rounds.in_doubt(), None, "it is not seen to stand still");
    let mut waits = Vec::new();
    for _ in 2..WATCHED {
        rounds.add(waiting.clone());
        waits.extend(rounds.in_doubt());
        assert!(Judge::default().conclude(&rounds).ok);
    }
    assert_eq!(waits.len(), WATCHED - 2);
    assert_eq!(waits.iter().sum::<Duration>().as_secs(), 11);
    assert!(waits.is_sorted() && waits[0] < Duration::from_millis(30));
    let mut stuck = rounds.clone();
    stuck.add(waiting);
    assert_eq!(stuck.in_doubt(), None);
    assert!(!Judge::default().conclude(&stuck).ok);

    rounds.add(reports());
    assert_eq!(rounds.in_doubt(), None);
    assert!(Judge::default().conclude(&rounds).ok);
}

#[test]
fn an_entry_that_stays_unread_is_a_violation_when_it_is_old_and_the_same() {
    let pending = |first: i64, a_round: i64| {
        watched(move |number, round| {
            let report = of(round, Service::Item);
            let age = first + a_round * i64::try_from(number).unwrap();
            (report.pending, report.oldest_pending_ms) = (Some(1), Some(age));
        })
    };
    assert_eq!(
        violated(&pending(400_000, 1_000)),
        ["everything-acknowledged"]
    );
    assert!(
        pending(400_000, -500).ok,
        "another entry is the oldest each time"
    );
    assert!(pending(1_000, 1_000).ok, "it is young");
}

#[test]
fn what_services_find_themselves_is_part_of_the_verdict() {
    let mut found = reports();
    let check = Check::equal("users-money", [("deposits", 5)], [("available", 6)]);
    of(&mut found, Service::User).checks = vec![check.about("user 1")];
    assert_eq!(violated(&judge(&[], &found, &reports())), ["users-money"]);
}

/// The verdict of these purchases alone, after an audit of all.
fn glance(looks: &[Look], earlier: Option<&Audit>) -> Audit {
    let mut judge = Judge::default();
    judge.look(looks);
    judge.glance(earlier)
}

#[test]
fn at_a_glance_the_purchases_are_judged_and_the_rest_waits() {
    let earlier = judge(&settled(1), &reports(), &reports());
    let audit = glance(&settled(2), Some(&earlier));
    assert_eq!((audit.ok, audit.quiet, audit.purchases), (true, false, 1));
    let ids = |audit: &Audit| -> Vec<String> {
        let mut ids: Vec<String> = audit.checks.iter().map(|c| c.id.clone()).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&audit), ids(&earlier));
    assert_eq!(state_of(&audit, "paid"), CheckState::Holds);
    assert_eq!(state_of(&audit, SUMS[0].id), CheckState::InFlight);

    let looks = [
        look(Service::Payment, &[row(3, "Processed")]),
        look(Service::Item, &[row(3, "Released")]),
    ];
    assert_eq!(violated(&glance(&looks, Some(&earlier))), ["paid"]);
    let first = glance(&looks, None);
    assert_eq!(violated(&first), ["paid"]);
    for sum in SUMS {
        assert_eq!(state_of(&first, sum.id), CheckState::InFlight);
    }
}

#[test]
fn a_violation_of_the_whole_stands_until_the_whole_is_read_again() {
    let mut found = reports();
    let check = Check::equal("users-money", [("deposits", 5)], [("available", 6)]);
    of(&mut found, Service::User).checks = vec![check.about("user 1")];
    let earlier = judge(&[], &found, &found);
    let audit = glance(&settled(1), Some(&earlier));
    assert_eq!(violated(&audit), ["users-money"]);
}

#[test]
fn dead_letters_and_late_orders_are_reported_and_no_violation() {
    let mut after = reports();
    of(&mut after, Service::Item).dead_letters = 2;
    of(&mut after, Service::Order).overdue = vec![id(9)];
    let audit = judge(&[], &reports(), &after);
    assert_eq!(
        (audit.ok, audit.dead_letters, audit.overdue),
        (true, 2, vec![id(9)])
    );
}

#[test]
fn violations_beyond_the_most_that_are_named_are_counted() {
    let many: Vec<SagaRow> = (0..150).map(|n| row(n, "COMPLETED")).collect();
    let looks = [look(Service::Order, &many), look(Service::User, &[])];
    let audit = judge(&looks, &reports(), &reports());
    let found: Vec<_> = audit
        .violations()
        .filter(|c| c.id == "order-completed")
        .collect();
    assert_eq!(found.len(), MOST_NAMED + 1);
    assert_eq!(found[MOST_NAMED].difference, Some(150));
}
