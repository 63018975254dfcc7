//! The gateway's statement, compared with the payments: what was charged is `Processed`, and what
//! is `Processed` was charged. Two books that share no transaction, so the payments are read before
//! the charges and again after them: a charge follows the intent, and a decision follows the charge.

use std::collections::BTreeMap;
use std::future::Future;

use saga_audit::check::MOST_NAMED;
use saga_audit::{Check, Named};
use saga_events::{Amount, OrderId};
use svc_chassis::Error;
use svc_chassis::audit::Beyond;

use super::{Charge, Unknown};
use crate::saga::State;

/// Rows that are compared at once.
pub const PAGE: usize = 5_000;

const ID: &str = "payments-charged";

/// A payment, as far as the gateway knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    /// The purchase, and the gateway's key.
    pub order_id: OrderId,
    /// Where it stands.
    pub state: State,
    /// What is to be paid; unknown to a tombstone.
    pub amount: Option<Amount>,
}

/// Compares all payments with all charges. Both are read in pages of [`PAGE`] in order of the
/// purchase's id, those after the one given. Without `checks` only the charges are added up.
/// Where the gateway does not tell, nothing is judged.
pub async fn compare<P, C>(
    payments: impl Fn(Option<OrderId>) -> P + Send + Sync,
    charges: impl Fn(Option<OrderId>) -> C + Send + Sync,
    checks: bool,
) -> Beyond
where
    P: Future<Output = Result<Vec<Payment>, Error>> + Send,
    C: Future<Output = Result<Vec<Charge>, Unknown>> + Send,
{
    let mut found = Comparison::default();
    let mut after = None;
    loop {
        let (first, until) = if checks {
            let Ok(page) = payments(after).await else {
                return unknown("the payments cannot be read");
            };
            let last = page.last().filter(|_| page.len() >= PAGE);
            let until = last.map(|payment| payment.order_id);
            (page, until)
        } else {
            (Vec::new(), None)
        };
        let charged = range(&charges, after, until, |charge: &Charge| charge.order_id).await;
        let Ok(charged) = charged else {
            return unknown("the gateway does not tell");
        };
        let second = if checks {
            range(&payments, after, until, |payment: &Payment| {
                payment.order_id
            })
            .await
        } else {
            Ok(Vec::new())
        };
        let Ok(second) = second else {
            return unknown("the payments cannot be read");
        };
        found.add(&charged);
        if checks {
            found.compare(&first, &charged, &second);
        }
        match until {
            Some(until) => after = Some(until),
            None => return found.told(checks),
        }
    }
}

/// All rows after one id and up to another.
async fn range<T, E, F: Future<Output = Result<Vec<T>, E>>>(
    read: &impl Fn(Option<OrderId>) -> F,
    mut after: Option<OrderId>,
    until: Option<OrderId>,
    id: impl Fn(&T) -> OrderId,
) -> Result<Vec<T>, E> {
    let mut rows = Vec::new();
    loop {
        let page = read(after).await?;
        let last = page.last().map(&id);
        let is_last = page.len() < PAGE || (until.is_some() && last >= until);
        rows.extend(
            page.into_iter()
                .filter(|row| until.is_none_or(|until| id(row) <= until)),
        );
        if is_last {
            return Ok(rows);
        }
        after = last;
    }
}

fn unknown(why: &str) -> Beyond {
    let check = Check::of_sides(ID, vec![Named::text("charged", why)], vec![]);
    Beyond {
        totals: vec![],
        checks: vec![check.in_flight()],
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Comparison {
    charged: i64,
    compared: i64,
    broken: Vec<Check>,
}

impl Comparison {
    fn add(&mut self, charges: &[Charge]) {
        let sum: i64 = charges.iter().map(|charge| charge.amount.get()).sum();
        self.charged = self.charged.saturating_add(sum);
    }

    fn compare(&mut self, first: &[Payment], charges: &[Charge], second: &[Payment]) {
        let charged: BTreeMap<OrderId, i64> = charges
            .iter()
            .map(|charge| (charge.order_id, charge.amount.get()))
            .collect();
        for payment in first.iter().filter(|p| p.state == State::Processed) {
            let paid = payment.amount.map_or(0, Amount::get);
            let charged = charged.get(&payment.order_id).copied().unwrap_or(0);
            self.note(("Processed", paid), charged, payment.order_id);
        }
        let later: BTreeMap<OrderId, State> =
            second.iter().map(|p| (p.order_id, p.state)).collect();
        for charge in charges {
            let state = later.get(&charge.order_id).copied();
            match state {
                Some(State::Processed | State::Authorizing) => {}
                Some(State::Failed) | None => {
                    let name = state.map_or("no payment", State::as_str);
                    self.note((name, 0), charge.amount.get(), charge.order_id);
                }
            }
        }
    }

    fn note(&mut self, paid: (&str, i64), charged: i64, order: OrderId) {
        self.compared += 1;
        let check = Check::equal(ID, [paid], [("charged", charged)]);
        if check.is_violated() && self.broken.len() < MOST_NAMED {
            self.broken.push(check.naming([order]));
        }
    }

    fn told(self, checks: bool) -> Beyond {
        let all = || {
            let rows = self.compared;
            Check::equal(ID, [("payments and charges", rows)], [("that agree", rows)])
        };
        Beyond {
            totals: vec![Named::number("charged", self.charged)],
            checks: match (checks, self.broken.is_empty()) {
                (false, _) => vec![],
                (true, true) => vec![all()],
                (true, false) => self.broken,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use saga_audit::CheckState;
    use uuid::Uuid;

    use super::*;

    fn id(number: u128) -> OrderId {
        OrderId::from_uuid(Uuid::from_u128(number))
    }

    fn payment(number: u128, state: State, amount: i64) -> Payment {
        Payment {
            order_id: id(number),
            state,
            amount: Amount::new(amount).ok(),
        }
    }

    fn charge(number: u128, amount: i64) -> Charge {
        Charge {
            order_id: id(number),
            amount: Amount::new(amount).unwrap(),
        }
    }

    /// A page of a table in order of its ids.
    fn page<T: Clone>(rows: &[T], id: impl Fn(&T) -> OrderId, after: Option<OrderId>) -> Vec<T> {
        let rows = rows
            .iter()
            .filter(|row| after.is_none_or(|after| id(row) > after));
        rows.take(PAGE).cloned().collect()
    }

    async fn compared(payments: &[Payment], charges: &[Charge]) -> Beyond {
        compare(
            |after| std::future::ready(Ok(page(payments, |row| row.order_id, after))),
            |after| std::future::ready(Ok(page(charges, |row| row.order_id, after))),
            true,
        )
        .await
    }

    #[tokio::test]
    async fn books_that_agree_hold_over_any_number_of_pages() {
        let ids = 1..=(2 * PAGE as u128 + 3);
        let payments: Vec<Payment> = ids
            .clone()
            .map(|n| payment(n, State::Processed, 7))
            .collect();
        let charges: Vec<Charge> = ids.map(|n| charge(n, 7)).collect();
        let found = compared(&payments, &charges).await;
        let sum = 7 * i64::try_from(charges.len()).unwrap();
        assert_eq!(found.totals, [Named::number("charged", sum)]);
        assert_eq!(found.checks.len(), 1);
        assert_eq!(found.checks[0].state, CheckState::Holds);
    }

    #[tokio::test]
    async fn every_way_in_which_the_books_can_differ_is_found_and_named() {
        for (what, payments, charges) in [
            (
                "paid, not charged",
                vec![payment(1, State::Processed, 7)],
                vec![],
            ),
            (
                "another amount",
                vec![payment(1, State::Processed, 7)],
                vec![charge(1, 8)],
            ),
            (
                "failed, charged",
                vec![payment(1, State::Failed, 7)],
                vec![charge(1, 7)],
            ),
            ("charged out of nowhere", vec![], vec![charge(1, 7)]),
        ] {
            let found = compared(&payments, &charges).await;
            assert_eq!(found.checks.len(), 1, "{what}");
            assert!(found.checks[0].is_violated(), "{what}");
            assert_eq!(found.checks[0].orders, [id(1)], "{what}");
        }
    }

    #[tokio::test]
    async fn a_charge_whose_answer_is_on_its_way_is_no_violation() {
        let payments = [
            payment(1, State::Authorizing, 7),
            payment(2, State::Failed, 7),
        ];
        let found = compared(&payments, &[charge(1, 7)]).await;
        assert_eq!(found.checks[0].state, CheckState::Holds);
    }

    #[tokio::test]
    async fn a_gateway_that_does_not_tell_leaves_it_open() {
        let found = compare(
            |_| std::future::ready(Ok(vec![])),
            |_| std::future::ready(Err(Unknown::Refused)),
            true,
        )
        .await;
        assert_eq!(found.checks[0].state, CheckState::InFlight);
        assert!(found.totals.is_empty());
    }
}
