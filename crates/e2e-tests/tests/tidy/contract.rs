//! The contract is complete: who says what to whom, what is undone, what is carried.

use std::collections::BTreeSet;

use saga_events::{EventType, LINE, PayloadKind, Phase, Service, schema};

#[test]
fn every_event_is_one_row_with_one_publisher() {
    let names: BTreeSet<_> = LINE.iter().map(|spec| spec.event_type.as_str()).collect();
    assert_eq!((names.len(), LINE.len()), (21, 21));
    for (event_type, spec) in EventType::ALL.iter().zip(LINE) {
        assert_eq!(
            (*event_type, spec.event_type),
            (spec.event_type, event_type.spec().event_type)
        );
        assert!(
            !spec.consumers.contains(&spec.publisher),
            "{event_type}: nobody talks to himself"
        );
        let publishers = Service::ALL
            .into_iter()
            .filter(|s| s.publishes().any(|e| e == *event_type));
        assert_eq!(publishers.collect::<Vec<_>>(), [spec.publisher]);
        assert!(
            spec.consumers.len() == 1 || spec.phase == Phase::Inform,
            "{event_type} is read"
        );
    }
}

#[test]
fn a_service_knows_only_its_neighbours_on_the_line() {
    let place = |service| {
        Service::ALL
            .iter()
            .position(|other| *other == service)
            .unwrap()
    };
    for spec in LINE {
        for consumer in spec.consumers {
            let is_request = spec.phase == Phase::Request;
            let tells = spec.publisher == Service::Notify || *consumer == Service::Notify;
            let distance = place(spec.publisher).abs_diff(place(*consumer));
            assert!(
                distance == 1 || is_request || tells,
                "{} goes too far",
                spec.event_type
            );
        }
    }
}

#[test]
fn the_way_there_is_a_line_and_the_way_back_is_the_same_line() {
    let next = |service: Service, phases: &[Phase]| {
        let says = service.publishes().map(EventType::spec);
        let says = says.filter(|spec| phases.contains(&spec.phase));
        says.flat_map(|spec| spec.consumers)
            .copied()
            .collect::<BTreeSet<_>>()
    };
    let line = [
        Service::Order,
        Service::User,
        Service::Inventory,
        Service::Item,
        Service::Payment,
    ];
    for pair in line.windows(2) {
        let (left, right) = (pair[0], pair[1]);
        assert_eq!(
            next(left, &[Phase::Begin, Phase::Reserve]),
            [right].into(),
            "there from {left}"
        );
        let back = [
            Phase::Refuse,
            Phase::Pivot,
            Phase::Confirm,
            Phase::Compensate,
        ];
        assert_eq!(next(right, &back), [left].into(), "back from {right}");
    }
}

#[test]
fn every_reserve_has_its_confirm_and_its_undo() {
    let holding = Service::ALL
        .into_iter()
        .filter(|service| says(*service, Phase::Reserve));
    for service in holding {
        for phase in [Phase::Refuse, Phase::Confirm, Phase::Compensate] {
            assert!(says(service, phase), "{service} never says {phase:?}");
        }
        let hears = |kind| {
            service.consumes().any(|event_type| {
                let spec = event_type.spec();
                matches!(
                    spec.phase,
                    Phase::Pivot | Phase::Confirm | Phase::Compensate
                ) && spec.payload == kind
            })
        };
        assert!(
            hears(PayloadKind::Settled),
            "{service} is never told to confirm"
        );
        assert!(
            hears(PayloadKind::Failure),
            "{service} is never told to compensate"
        );
    }
}

fn says(service: Service, phase: Phase) -> bool {
    service
        .publishes()
        .any(|event_type| event_type.spec().phase == phase)
}

/// What a consumer of this phase works with, so that no step needs a default or a call back.
fn needed(phase: Phase) -> &'static [&'static str] {
    const PURCHASE: &[&str] = &[
        "orderId",
        "userId",
        "itemId",
        "quantity",
        "unitPrice",
        "totalAmount",
        "deadline",
    ];
    match phase {
        Phase::Begin | Phase::Inform | Phase::Reserve | Phase::Final => PURCHASE,
        Phase::Refuse | Phase::Compensate | Phase::Request => {
            &["orderId", "reasonCode", "failedStep"]
        }
        Phase::Pivot | Phase::Confirm | Phase::Close => &["orderId"],
    }
}

#[test]
fn every_field_that_a_consumer_reads_is_required_in_the_payload() {
    for spec in LINE {
        let schema = schema::of(spec.event_type);
        let required: BTreeSet<&str> = schema
            .get("required")
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|f| f.as_str())
            .collect();
        for field in needed(spec.phase) {
            assert!(
                required.contains(field),
                "{} lacks {field}",
                spec.event_type
            );
        }
    }
    let reasons = [EventType::PaymentFailed, EventType::OrderCancelled].map(EventType::spec);
    for spec in reasons {
        let required = schema::of(spec.event_type)
            .get("required")
            .unwrap()
            .to_string();
        assert!(required.contains("reasonCode") && required.contains("failedStep"));
    }
}
