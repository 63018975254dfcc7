//! Every shortcut, alone and combined: the verdict, and the shortest way to it.

use saga_model::{Report, Shortcut, Verdict, what_if};

fn check(without: &[Shortcut], verdict: Verdict, steps: usize) -> Report {
    let report = what_if(without);
    assert_eq!(
        (report.verdict, report.steps.len()),
        (verdict, steps),
        "{without:?}: {report}"
    );
    report
}

#[test]
fn nothing_off_is_safe() {
    let report = check(&[], Verdict::Safe, 0);
    assert_eq!(report.states, 17_517);
}

/// Steps are what happens after the order was made: deliveries, the gateway, the clock, the buyer.
#[test]
fn every_shortcut_has_its_verdict_on_a_shortest_way() {
    use Shortcut as S;
    let expected = [
        (S::SelfCancel, Verdict::Unsafe, 2),
        (S::EffectPerMessage, Verdict::Unsafe, 2),
        (S::RefusalsNotStored, Verdict::Unsafe, 3),
        (S::Overhear, Verdict::Unsafe, 3),
        (S::HoldExpiry, Verdict::Unsafe, 4),
        (S::ForgetFinished, Verdict::Unsafe, 4),
        (S::TimeOutIsNo, Verdict::Unsafe, 5),
        (S::UndoInParallel, Verdict::Unsafe, 5),
        (S::CancelWhileCharging, Verdict::Unsafe, 6),
        (S::NoTombstone, Verdict::Unsafe, 7),
        (S::ConfirmInParallel, Verdict::Unsafe, 7),
        (S::PivotForgets, Verdict::Unsafe, 8),
        // Of a stuck order, what is lost and the futile repeat count as steps.
        (S::NoRepeats, Verdict::Stuck, 2),
        (S::DropRepeats, Verdict::Stuck, 4),
        (S::IgnoreEarlyUndo, Verdict::Stuck, 7),
        (S::AckBeforeCommit, Verdict::Safe, 0),
        (S::IgnoreAttempts, Verdict::Safe, 0),
    ];
    assert_eq!(expected.len(), Shortcut::ALL.len());
    for (shortcut, verdict, steps) in expected {
        let report = check(&[shortcut], verdict, steps);
        let why = shortcut.harmless_because();
        assert_eq!(why.is_some(), verdict == Verdict::Safe, "{shortcut}");
        assert!(
            report.because.contains(why.unwrap_or_default()),
            "{shortcut}"
        );
    }
}

#[test]
fn the_readme_has_every_shortcut_with_its_verdict() {
    let readme = include_str!("../../README.md");
    for shortcut in Shortcut::ALL {
        let Report { verdict, steps, .. } = what_if(&[*shortcut]);
        let row = readme
            .lines()
            .find(|line| line.starts_with(&format!("| `{shortcut}` |")));
        let cells: Vec<_> = row.unwrap_or_default().split('|').map(str::trim).collect();
        let steps = if steps.is_empty() {
            String::new()
        } else {
            steps.len().to_string()
        };
        let told = matches!(cells[..], [_, _, says, count, _]
            if says.starts_with(verdict.as_str()) && count == steps);
        assert!(told, "{shortcut}: {row:?}");
    }
}

#[test]
fn an_acknowledgement_before_the_commit_is_healed_by_the_repeat_and_by_nothing_else() {
    check(&[Shortcut::AckBeforeCommit], Verdict::Safe, 0);
    check(
        &[Shortcut::AckBeforeCommit, Shortcut::NoRepeats],
        Verdict::Stuck,
        2,
    );
}

/// Two shortcuts are as bad as the worse of them; but for one pair: who ignores an early undo has
/// no tombstone to forget.
#[test]
fn two_shortcuts_are_as_bad_as_the_worse_one() {
    let badness = |verdict: Verdict| match verdict {
        Verdict::Safe => 0,
        Verdict::Stuck => 1,
        Verdict::Unsafe => 2,
    };
    let alone: Vec<_> = Shortcut::ALL
        .iter()
        .map(|shortcut| badness(what_if(&[*shortcut]).verdict))
        .collect();
    let mut milder = vec![];
    for (first, one) in Shortcut::ALL.iter().zip(&alone) {
        for (second, other) in Shortcut::ALL
            .iter()
            .zip(&alone)
            .take_while(|(s, _)| *s != first)
        {
            let both = badness(what_if(&[*first, *second]).verdict);
            if both != *one.max(other) {
                milder.push((*second, *first));
            }
        }
    }
    assert_eq!(milder, [(Shortcut::NoTombstone, Shortcut::IgnoreEarlyUndo)]);
}

#[test]
fn a_counterexample_reads_like_a_story() {
    let report = what_if(&[Shortcut::NoTombstone]);
    assert_eq!(
        report.to_string(),
        "\
unsafe in 7 steps, 1613 states: CANCELLED, but user-svc holds the money
  1 order-svc     the deadline passes: PENDING → CANCELLING, says order.cancel.requested
  2 payment-svc   order.cancel.requested: – → Failed, says payment.failed
  3 item-svc      payment.failed: – → –, says item.restored
  4 inventory-svc item.restored: – → –, says inventory.rollback
  5 user-svc      inventory.rollback: – → –, says payment.rollback
  6 user-svc      order.created (late): – → Reserved, says user.validated and payment.reserved
  7 order-svc     payment.rollback: CANCELLING → CANCELLED, says order.cancelled
"
    );
    let report = what_if(&[Shortcut::DropRepeats]);
    assert_eq!(
        report.to_string(),
        "\
stuck in 4 steps, 3292 states: PENDING for ever: a message was lost, and no repeat makes it good
  1 user-svc      order.created: – → Reserved, says user.validated and payment.reserved
  2 inventory-svc payment.reserved is lost
  3 order-svc     no news: PENDING → PENDING, says order.created
  4 user-svc      order.created (repeat 1): Reserved → Reserved
"
    );
}

#[test]
fn a_report_is_json() {
    let report = serde_json::to_value(what_if(&[Shortcut::SelfCancel])).unwrap();
    let expected = serde_json::json!({
        "states": 10,
        "verdict": "unsafe",
        "because": "CANCELLED, but user-svc holds the money",
        "steps": [
            {
                "by": "order-svc",
                "input": "the deadline passes",
                "from": "PENDING",
                "to": "CANCELLED",
                "output": ["order.cancelled"],
            },
            {
                "by": "user-svc",
                "input": "order.created",
                "from": "–",
                "to": "Reserved",
                "output": ["user.validated", "payment.reserved"],
            },
        ],
    });
    assert_eq!(report, expected);
    let stuck = serde_json::to_value(what_if(&[Shortcut::NoRepeats])).unwrap();
    assert_eq!(stuck["steps"][0]["fate"], "lost");
}

#[test]
fn a_shortcut_is_found_by_its_name() {
    for shortcut in Shortcut::ALL {
        assert_eq!(shortcut.as_str().parse(), Ok(*shortcut));
        assert_eq!(serde_json::to_value(shortcut).unwrap(), shortcut.as_str());
    }
    assert!("luck".parse::<Shortcut>().is_err());
}
