//! The laws of conservation across services. Their two sides are sums of different databases, so
//! they are judged only where nothing was under way while both were read.

use saga_events::Service;
use saga_events::Service::{Inventory, Item, Notify, Order, Payment, User};

use crate::check::{Check, Named};
use crate::report::{Report, SagaRow};

/// Two totals of two services that are the same once everything has ended.
#[derive(Debug, Clone, Copy)]
pub struct Sum {
    /// Its name in every answer.
    pub id: &'static str,
    /// Whose total, and its name there.
    pub left: (Service, &'static str),
    /// Whose total it must be, and its name there.
    pub right: (Service, &'static str),
    /// What one purchase adds to them.
    pub of: Counted,
}

/// What one purchase adds to a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Its total, in the currency's minor unit, where it was captured, paid, completed.
    Money,
    /// Its pieces, where they were captured, completed.
    Pieces,
    /// One, where it is in this state at notify-svc's and order-svc's.
    Ended {
        /// order-svc's.
        order: &'static str,
        /// notify-svc's.
        told: &'static str,
    },
}

/// Every sum.
pub const SUMS: &[Sum] = &[
    Sum {
        id: "money-captured",
        left: (User, "captured"),
        right: (Order, "completedAmount"),
        of: Counted::Money,
    },
    Sum {
        id: "money-paid",
        left: (Payment, "processed"),
        right: (Order, "completedAmount"),
        of: Counted::Money,
    },
    Sum {
        id: "money-charged",
        left: (Payment, "charged"),
        right: (Order, "completedAmount"),
        of: Counted::Money,
    },
    Sum {
        id: "stock-sold",
        left: (Item, "sold"),
        right: (Order, "completedQuantity"),
        of: Counted::Pieces,
    },
    Sum {
        id: "room-owned",
        left: (Inventory, "owned"),
        right: (Order, "completedQuantity"),
        of: Counted::Pieces,
    },
    Sum {
        id: "told-completed",
        left: (Notify, "completed"),
        right: (Order, "completed"),
        of: Counted::Ended {
            order: "COMPLETED",
            told: "Completed",
        },
    },
    Sum {
        id: "told-cancelled",
        left: (Notify, "cancelled"),
        right: (Order, "cancelled"),
        of: Counted::Ended {
            order: "CANCELLED",
            told: "Cancelled",
        },
    },
];

impl Sum {
    /// Compares the two totals. `None`: one of the services, or its total, is missing.
    pub fn judge<'a>(&self, report: impl Fn(Service) -> Option<&'a Report>) -> Option<Check> {
        let side = |(service, name): (Service, &str)| {
            let total = report(service)?.total(name)?;
            Some(vec![Named::number(format!("{service} {name}"), total)])
        };
        Some(Check::of_sides(
            self.id,
            side(self.left)?,
            side(self.right)?,
        ))
    }

    /// Whether one purchase adds the same to both sides, as far as both were seen.
    pub fn agrees<'a>(&self, row: impl Fn(Service) -> Option<Option<&'a SagaRow>>) -> bool {
        let adds =
            |service| row(service).map(|row| row.map_or(0, |row| self.of.adds(service, row)));
        match (adds(self.left.0), adds(self.right.0)) {
            (Some(left), Some(right)) => left == right,
            _ => true,
        }
    }
}

impl Counted {
    fn adds(self, service: Service, row: &SagaRow) -> i64 {
        let captured = matches!(row.state.as_str(), "Confirmed" | "Processed" | "COMPLETED");
        match self {
            Self::Money if captured => row.amount,
            Self::Pieces if captured => row.quantity.unwrap_or(row.amount),
            Self::Money | Self::Pieces => 0,
            Self::Ended { order, told } => {
                let state = if service == Notify { told } else { order };
                i64::from(row.state == state)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use saga_events::{OrderId, Timestamp};

    use super::*;
    use crate::check::CheckState;

    fn report(service: Service, totals: Vec<Named>) -> Report {
        Report {
            service,
            at: Timestamp::from_micros(0),
            last_seq: 0,
            published: 0,
            unpublished: 0,
            unpublished_orders: vec![],
            open: 0,
            overdue: vec![],
            oldest_overdue_ms: None,
            dead_letters: 0,
            pending: Some(0),
            oldest_pending_ms: None,
            totals,
            checks: vec![],
        }
    }

    fn row(state: &str, amount: i64, quantity: Option<i64>) -> SagaRow {
        SagaRow {
            order_id: OrderId::from_uuid(uuid::Uuid::from_u128(1)),
            state: state.into(),
            amount,
            quantity,
            updated_at: Timestamp::from_micros(0),
        }
    }

    #[test]
    fn every_sum_holds_where_both_totals_agree_and_is_broken_where_they_differ() {
        for sum in SUMS {
            for (right, state) in [(7, CheckState::Holds), (8, CheckState::Violated)] {
                let left = report(sum.left.0, vec![Named::number(sum.left.1, 7)]);
                let right = report(sum.right.0, vec![Named::number(sum.right.1, right)]);
                let reports = [left, right];
                let of = |service| reports.iter().find(|report| report.service == service);
                let check = sum.judge(of).unwrap();
                assert_eq!((check.id.as_str(), check.state), (sum.id, state));
            }
        }
    }

    #[test]
    fn a_sum_without_one_of_its_totals_is_not_judged() {
        for sum in SUMS {
            let reports = [
                report(sum.left.0, vec![]),
                report(sum.right.0, vec![Named::number(sum.right.1, 8)]),
            ];
            let of = |service| reports.iter().find(|report| report.service == service);
            assert_eq!(sum.judge(of), None, "{}", sum.id);
        }
    }

    #[test]
    fn every_sum_finds_the_order_that_makes_the_difference() {
        for sum in SUMS {
            let (done, left_state) = match sum.of {
                Counted::Ended { order, told } => (order, told),
                Counted::Money if sum.left.0 == Payment => ("COMPLETED", "Processed"),
                Counted::Money | Counted::Pieces => ("COMPLETED", "Confirmed"),
            };
            let order = row(done, 30, Some(3));
            let agreeing = match sum.of {
                Counted::Pieces if sum.left.0 == Item => row(left_state, 3, None),
                Counted::Pieces => row(left_state, 1, Some(3)),
                Counted::Money | Counted::Ended { .. } => row(left_state, 30, Some(3)),
            };
            let judged = |left: Option<&SagaRow>| {
                sum.agrees(|service| {
                    if service == Order {
                        return Some(Some(&order));
                    }
                    (service == sum.left.0).then_some(left)
                })
            };
            assert!(judged(Some(&agreeing)), "{}", sum.id);
            assert!(!judged(None), "{}", sum.id);
        }
    }
}
