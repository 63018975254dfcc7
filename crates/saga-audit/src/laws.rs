//! The live laws: what one service's row for a purchase says about another's, at that moment and
//! for ever after. No snapshot is needed: the left side is read first, the right side any time
//! later, and whatever happens in between cannot break the law. So a hit is a violation, never a
//! race.
//!
//! They follow from two sentences of the protocol: *refused* and *released* mean "I, and everyone
//! beyond me on the line, hold nothing for this order, and never will"; *confirmed* means "I, and
//! everyone beyond me, have captured". What is left out is not sound live: a hold of item-svc that
//! was read before user-svc's says nothing about whether that one is still held.

use saga_events::Service;
use saga_events::Service::{Inventory, Item, Notify, Order, Payment, User};

use crate::check::{Check, Named};
use crate::report::SagaRow;

/// How the state is spelled where there is no row.
pub const UNTOUCHED: &str = "–";

/// A service in one of these states.
#[derive(Debug, Clone, Copy)]
pub struct Side {
    /// Whose row.
    pub service: Service,
    /// Its states, spelled as in its table; [`UNTOUCHED`] where there is no row.
    pub states: &'static [&'static str],
}

/// When a law can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// At any moment.
    Live,
    /// Only where nothing was under way while both sides were read.
    Quiet,
}

/// An implication between two rows of one purchase.
#[derive(Debug, Clone, Copy)]
pub struct Law {
    /// Its name in every answer; laws of one name are one law.
    pub id: &'static str,
    /// What was seen first.
    pub when: Side,
    /// What must be seen of these afterwards.
    pub then: &'static [Side],
    /// When it can be judged.
    pub judged: Judged,
}

const fn is(service: Service, states: &'static [&'static str]) -> Side {
    Side { service, states }
}

const fn live(id: &'static str, when: Side, then: &'static [Side]) -> Law {
    Law {
        id,
        when,
        then,
        judged: Judged::Live,
    }
}

const fn quiet(id: &'static str, when: Side, then: &'static [Side]) -> Law {
    Law {
        id,
        when,
        then,
        judged: Judged::Quiet,
    }
}

/// It has a row there.
const KNOWN: &[&str] = &["PENDING", "CANCELLING", "COMPLETED", "CANCELLED"];
const NOT_CANCELLED: &[&str] = &["PENDING", "CANCELLING", "COMPLETED"];
const NOT_COMPLETED: &[&str] = &["PENDING", "CANCELLING", "CANCELLED"];
const NOTHING: &[&str] = &["Refused", "Released"];
const NOTHING_OR_UNTOUCHED: &[&str] = &[UNTOUCHED, "Refused", "Released"];
const NOT_CAPTURED: &[&str] = &[UNTOUCHED, "Reserved", "Refused", "Released"];
const HELD_OR_CAPTURED: &[&str] = &["Reserved", "Confirmed"];
const WAS_HELD: &[&str] = &["Reserved", "Released", "Confirmed"];
const UNPAID: &[&str] = &[UNTOUCHED, "Failed"];

/// Every law about the states of one purchase.
pub const LAWS: &[Law] = &[
    live(
        "order-completed",
        is(Order, &["COMPLETED"]),
        &[
            is(User, &["Confirmed"]),
            is(Inventory, &["Confirmed"]),
            is(Item, &["Confirmed"]),
            is(Payment, &["Processed"]),
            is(Notify, &[UNTOUCHED, "Completed"]),
            is(Order, &["COMPLETED"]),
        ],
    ),
    live(
        "order-cancelled",
        is(Order, &["CANCELLED"]),
        &[
            is(User, NOTHING),
            is(Inventory, NOTHING_OR_UNTOUCHED),
            is(Item, NOTHING_OR_UNTOUCHED),
            is(Payment, UNPAID),
            is(Notify, &[UNTOUCHED, "Cancelled"]),
            is(Order, &["CANCELLED"]),
        ],
    ),
    live(
        "paid",
        is(Payment, &["Processed"]),
        &[
            is(User, HELD_OR_CAPTURED),
            is(Inventory, HELD_OR_CAPTURED),
            is(Item, HELD_OR_CAPTURED),
            is(Order, NOT_CANCELLED),
            is(Payment, &["Processed"]),
        ],
    ),
    live(
        "paying",
        is(Payment, &["Authorizing"]),
        &[
            is(User, WAS_HELD),
            is(Inventory, WAS_HELD),
            is(Item, WAS_HELD),
            is(Payment, &["Authorizing", "Processed", "Failed"]),
        ],
    ),
    live(
        "not-paid",
        is(Payment, &["Failed"]),
        &[
            is(User, NOT_CAPTURED),
            is(Inventory, NOT_CAPTURED),
            is(Item, NOT_CAPTURED),
            is(Order, NOT_COMPLETED),
            is(Payment, &["Failed"]),
        ],
    ),
    live(
        "item-captured",
        is(Item, &["Confirmed"]),
        &[
            is(Payment, &["Processed"]),
            is(Inventory, HELD_OR_CAPTURED),
            is(User, HELD_OR_CAPTURED),
            is(Order, NOT_CANCELLED),
            is(Item, &["Confirmed"]),
        ],
    ),
    live(
        "inventory-captured",
        is(Inventory, &["Confirmed"]),
        &[
            is(Payment, &["Processed"]),
            is(Item, &["Confirmed"]),
            is(User, HELD_OR_CAPTURED),
            is(Order, NOT_CANCELLED),
            is(Inventory, &["Confirmed"]),
        ],
    ),
    live(
        "user-captured",
        is(User, &["Confirmed"]),
        &[
            is(Payment, &["Processed"]),
            is(Item, &["Confirmed"]),
            is(Inventory, &["Confirmed"]),
            is(Order, NOT_CANCELLED),
            is(User, &["Confirmed"]),
        ],
    ),
    live(
        "item-holds-nothing",
        is(Item, NOTHING),
        &[
            is(Payment, UNPAID),
            is(Inventory, NOT_CAPTURED),
            is(User, NOT_CAPTURED),
            is(Order, NOT_COMPLETED),
            is(Item, NOTHING),
        ],
    ),
    live(
        "inventory-holds-nothing",
        is(Inventory, NOTHING),
        &[
            is(Payment, UNPAID),
            is(Item, NOTHING_OR_UNTOUCHED),
            is(User, NOT_CAPTURED),
            is(Order, NOT_COMPLETED),
            is(Inventory, NOTHING),
        ],
    ),
    live(
        "user-holds-nothing",
        is(User, NOTHING),
        &[
            is(Payment, UNPAID),
            is(Item, NOTHING_OR_UNTOUCHED),
            is(Inventory, NOTHING_OR_UNTOUCHED),
            is(Order, NOT_COMPLETED),
            is(User, NOTHING),
        ],
    ),
    live(
        "held-in-order",
        is(Item, &["Reserved"]),
        &[
            is(Inventory, WAS_HELD),
            is(User, WAS_HELD),
            is(Item, WAS_HELD),
        ],
    ),
    live(
        "held-in-order",
        is(Inventory, &["Reserved"]),
        &[is(User, WAS_HELD), is(Inventory, WAS_HELD)],
    ),
    live(
        "told",
        is(Notify, &["Completed"]),
        &[is(Order, &["COMPLETED"]), is(Notify, &["Completed"])],
    ),
    live(
        "told",
        is(Notify, &["Cancelled"]),
        &[is(Order, &["CANCELLED"]), is(Notify, &["Cancelled"])],
    ),
    live("order-known", is(User, HOLD), &[is(Order, KNOWN)]),
    live("order-known", is(Inventory, HOLD), &[is(Order, KNOWN)]),
    live("order-known", is(Item, HOLD), &[is(Order, KNOWN)]),
    live("order-known", is(Payment, PAYMENT), &[is(Order, KNOWN)]),
    live("order-known", is(Notify, TOLD), &[is(Order, KNOWN)]),
    live("order-known", is(Order, KNOWN), &[is(Order, KNOWN)]),
    quiet(
        "buyer-told",
        is(Order, &["COMPLETED"]),
        &[is(Notify, &["Completed"])],
    ),
    quiet(
        "buyer-told",
        is(Order, &["CANCELLED"]),
        &[is(Notify, &["Cancelled"])],
    ),
];

const HOLD: &[&str] = &["Reserved", "Refused", "Released", "Confirmed"];
const PAYMENT: &[&str] = &["Authorizing", "Processed", "Failed"];
const TOLD: &[&str] = &["Completed", "Cancelled"];

/// The states that a service's row can be in.
const fn spelled(service: Service) -> &'static [&'static str] {
    match service {
        Order => KNOWN,
        User | Inventory | Item => HOLD,
        Payment => PAYMENT,
        Notify => TOLD,
    }
}

/// What was seen of one purchase, in the order in which it was read. A service may be read more
/// than once; one that did not answer is not in it.
pub type Sightings<'a> = [(Service, Option<&'a SagaRow>)];

/// What a law made of one purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether the law spoke of this purchase at all.
    pub applies: bool,
    /// What contradicts it.
    pub broken: Vec<Check>,
}

/// Holds one purchase to one law.
pub fn judge(law: &Law, seen: &Sightings<'_>) -> Finding {
    let mut finding = Finding {
        applies: false,
        broken: Vec::new(),
    };
    let mut broken_by = Vec::new();
    for (at, (service, row)) in seen.iter().enumerate() {
        let (true, Some(row)) = (law.when.allows(*service, *row), row) else {
            continue;
        };
        finding.applies = true;
        for (other, later) in &seen[at + 1..] {
            let side = law.then.iter().find(|side| side.service == *other);
            if side.is_none_or(|side| side.allows(*other, *later)) || broken_by.contains(other) {
                continue;
            }
            broken_by.push(*other);
            let left = (service.as_str(), row.state.clone());
            finding.broken.push(Check::states(
                law.id,
                left,
                (other.as_str(), state_of(*later)),
                row.order_id,
            ));
        }
    }
    finding
}

impl Side {
    fn allows(&self, service: Service, row: Option<&SagaRow>) -> bool {
        self.service == service && self.states.contains(&state_of(row))
    }
}

fn state_of(row: Option<&SagaRow>) -> &str {
    row.map_or(UNTOUCHED, |row| &row.state)
}

/// The name of the law of [`spelling`].
pub const SPELLING: &str = "states-known";

/// Every state is one of its table.
pub fn spelling(seen: &Sightings<'_>) -> Finding {
    let rows = || seen.iter().filter_map(|(who, row)| Some((*who, (*row)?)));
    let wrong = rows().find(|(who, row)| !spelled(*who).contains(&row.state.as_str()));
    let broken = wrong.map(|(who, row)| {
        let expected = (format!("{who} knows"), spelled(who).join(", "));
        Check::states(SPELLING, (who.as_str(), &row.state), expected, row.order_id)
    });
    Finding {
        applies: rows().next().is_some(),
        broken: broken.into_iter().collect(),
    }
}

/// The name of the law of [`amounts`].
pub const AMOUNTS: &str = "amounts-agree";

/// Whoever holds, captured, asked for or told an amount did so with the order's: the purchase is
/// frozen when the order is made. Sound live, since what a row keeps never changes.
pub fn amounts(seen: &Sightings<'_>) -> Finding {
    let of = |service| seen.iter().rev().find(|(who, _)| *who == service);
    let order = of(Order).and_then(|(_, row)| *row);
    let mut finding = Finding {
        applies: order.is_some(),
        broken: Vec::new(),
    };
    let Some(order) = order else {
        return finding;
    };
    for service in [User, Inventory, Item, Payment, Notify] {
        let Some((_, Some(row))) = of(service) else {
            continue;
        };
        let keeps_amount = ["Reserved", "Confirmed", "Authorizing", "Processed"]
            .contains(&row.state.as_str())
            || service == Notify;
        let (name, expected) = match service {
            Item => ("quantity", order.quantity),
            // Slots: how many is between the inventory and itself.
            Inventory => ("amount", None),
            Order | User | Payment | Notify => ("amount", Some(order.amount)),
        };
        let amount = expected.filter(|_| keeps_amount).map(|expected| {
            let left = vec![Named::number(format!("order-svc {name}"), expected)];
            let right = vec![Named::number(format!("{service} amount"), row.amount)];
            Check::of_sides(AMOUNTS, left, right)
        });
        let quantity = order.quantity.zip(row.quantity).map(|(expected, found)| {
            let left = vec![Named::number("order-svc quantity", expected)];
            let right = vec![Named::number(format!("{service} quantity"), found)];
            Check::of_sides(AMOUNTS, left, right)
        });
        let broken = amount.into_iter().chain(quantity);
        finding.broken.extend(
            broken
                .filter(Check::is_violated)
                .map(|check| check.naming([order.order_id])),
        );
    }
    finding
}

#[cfg(test)]
mod tests;
