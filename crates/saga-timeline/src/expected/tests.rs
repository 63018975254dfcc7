use super::*;
use crate::Told;
use crate::testing::{THERE, at, authorizing, completed, refused, sources};

/// `event from since`, in milliseconds.
fn due(sources: &Sources) -> Vec<String> {
    let told = expected(sources).into_iter().map(|due| {
        let millis = due.since.since(at(0)).as_millis();
        format!("{} {} {millis}", due.event_type, due.from)
    });
    told.collect()
}

#[test]
fn at_every_moment_somebody_is_waited_for_until_the_buyer_was_told() {
    let way: Vec<&str> = [
        THERE.as_slice(),
        &[
            "4 payment.processed<item.reserved",
            "5 item.deducted<payment.processed",
            "6 inventory.confirmed<item.deducted",
            "7 payment.confirmed<inventory.confirmed",
            "8 order.completed<payment.confirmed",
            "9 notification.sent<order.completed",
        ],
    ]
    .concat();
    let moments = [
        (1, "payment.reserved user-svc 0"),
        (3, "inventory.reserved inventory-svc 1"),
        (4, "item.reserved item-svc 2"),
        (5, "payment.processed payment-svc 3"),
        (6, "item.deducted item-svc 4"),
        (7, "inventory.confirmed inventory-svc 5"),
        (8, "payment.confirmed user-svc 6"),
        (9, "order.completed order-svc 7"),
        (10, "notification.sent notify-svc 8"),
    ];
    for (count, expected) in moments {
        assert_eq!(due(&sources(&way[..count])), [expected]);
    }
    assert!(due(&sources(&way)).is_empty());
    assert!(due(&completed()).is_empty() && due(&refused()).is_empty());
}

#[test]
fn the_gateway_is_waited_for_at_payment_svc() {
    let mut asking = sources(&THERE);
    authorizing(&mut asking, 4);
    assert_eq!(due(&asking), ["payment.processed payment-svc 3"]);
}

#[test]
fn what_was_refused_comes_back_to_be_undone() {
    let refused = sources(&[
        THERE[0],
        THERE[2],
        THERE[3],
        "3 item.reservation.failed<inventory.reserved",
    ]);
    assert_eq!(due(&refused), ["inventory.rollback inventory-svc 3"]);
    let at_the_door = sources(&[THERE[0], "1 user.validation.failed<order.created"]);
    assert_eq!(due(&at_the_door), ["order.cancelled order-svc 1"]);
}

#[test]
fn a_request_to_cancel_is_waited_for_beside_what_is_under_way() {
    let cancelling = sources(&[THERE[0], THERE[2], "2 order.cancel.requested<-"]);
    assert_eq!(
        due(&cancelling),
        [
            "inventory.reserved inventory-svc 1",
            "payment.failed payment-svc 2"
        ]
    );
    // The pivot has answered: nothing goes on any more, everything comes back.
    let failed = sources(&[
        THERE[0],
        THERE[2],
        "2 order.cancel.requested<-",
        "3 payment.failed<order.cancel.requested",
    ]);
    assert_eq!(due(&failed), ["item.restored item-svc 3"]);
}

#[test]
fn who_does_not_answer_is_waited_for_where_its_neighbours_say_so() {
    // Its left neighbour has done its part, nobody beyond it has.
    let mut there = sources(&THERE[..3]);
    there.told.insert(Service::Inventory, Told::Missing);
    assert_eq!(due(&there), ["inventory.reserved inventory-svc 1"]);
    // Those beyond it are back already.
    let mut back = sources(
        &[
            THERE.as_slice(),
            &[
                "4 payment.failed<item.reserved",
                "5 item.restored<payment.failed",
            ],
        ]
        .concat(),
    );
    back.told.insert(Service::Inventory, Told::Missing);
    assert_eq!(due(&back), ["inventory.rollback inventory-svc 5"]);
    // Its left neighbour is settled, so it is.
    let mut done = completed();
    done.told.insert(Service::Inventory, Told::Missing);
    assert!(due(&done).is_empty());
    // payment-svc is away after it was paid, or before: item-svc waits for it.
    let mut unpaid = sources(&THERE);
    unpaid.told.insert(Service::Payment, Told::Missing);
    assert_eq!(due(&unpaid), ["payment.processed payment-svc 3"]);
}

#[test]
fn an_untold_buyer_is_waited_for_only_until_order_svc_knows() {
    let mut untold = completed();
    untold.told.insert(Service::Notify, Told::Missing);
    assert!(due(&untold).is_empty());
    untold.closed = false;
    assert_eq!(due(&untold), ["notification.sent notify-svc 8"]);
}
