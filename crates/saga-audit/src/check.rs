//! One law, judged: both sides by name, and whom it concerns.

use saga_events::OrderId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most violations of one law that are named one by one, and the most orders that one check
/// names.
pub const MOST_NAMED: usize = 100;

/// A law and what came of it. A law that holds is one check with its totals; a law that does not
/// is one check for each violation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Which law: stable, the same in all answers.
    pub id: String,
    /// What came of it.
    pub state: CheckState,
    /// Whom it concerns, where that is no order: `user 2438cbe6-…`, `item …`, a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// One side.
    pub left: Vec<Named>,
    /// The other side, which must agree.
    pub right: Vec<Named>,
    /// The sum of the left side less that of the right side, where both are numbers.
    pub difference: Option<i64>,
    /// The orders that it concerns, [`MOST_NAMED`] at most.
    pub orders: Vec<OrderId>,
}

/// What came of a law.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum CheckState {
    /// Both sides agree.
    Holds,
    /// It cannot be judged now: purchases are under way, or somebody did not answer.
    InFlight,
    /// Both sides were seen, and contradict each other.
    Violated,
}

/// A number or a state, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Named {
    /// What it is.
    pub name: String,
    /// How much, or in which state.
    pub value: Value,
}

/// A number (money in the currency's minor unit, pieces, slots, rows) or a state's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Value {
    /// Money in the currency's minor unit, pieces, slots, rows.
    Number(i64),
    /// A state, spelled as in its table; `–` where there is no row.
    Text(String),
}

impl Named {
    /// A number by its name.
    pub fn number(name: impl Into<String>, value: i64) -> Self {
        Self {
            name: name.into(),
            value: Value::Number(value),
        }
    }

    /// A state by its owner.
    pub fn text(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: Value::Text(value.into()),
        }
    }
}

impl Check {
    /// The sum of the left side is the sum of the right side.
    pub fn equal<const L: usize, const R: usize>(
        id: impl Into<String>,
        left: [(&str, i64); L],
        right: [(&str, i64); R],
    ) -> Self {
        let named = |side: &[(&str, i64)]| {
            let named = side
                .iter()
                .map(|(name, value)| Named::number(*name, *value));
            named.collect::<Vec<_>>()
        };
        Self::of_sides(id, named(&left), named(&right))
    }

    /// As [`Check::equal`], of sides that were made elsewhere.
    pub fn of_sides(id: impl Into<String>, left: Vec<Named>, right: Vec<Named>) -> Self {
        let difference = match (sum(&left), sum(&right)) {
            (Some(left), Some(right)) => left.checked_sub(right),
            _ => None,
        };
        let agree = difference.map_or_else(
            || {
                let values = |side: &[Named]| -> Vec<Value> {
                    side.iter().map(|named| named.value.clone()).collect()
                };
                values(&left) == values(&right)
            },
            |difference| difference == 0,
        );
        Self {
            id: id.into(),
            state: if agree {
                CheckState::Holds
            } else {
                CheckState::Violated
            },
            subject: None,
            left,
            right,
            difference,
            orders: Vec::new(),
        }
    }

    /// A violation between two states, each by its owner.
    pub fn states(
        id: impl Into<String>,
        (left, left_state): (impl Into<String>, impl Into<String>),
        (right, right_state): (impl Into<String>, impl Into<String>),
        order: OrderId,
    ) -> Self {
        Self {
            id: id.into(),
            state: CheckState::Violated,
            subject: None,
            left: vec![Named::text(left, left_state)],
            right: vec![Named::text(right, right_state)],
            difference: None,
            orders: vec![order],
        }
    }

    /// Says whom it concerns.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Names orders, [`MOST_NAMED`] at most.
    #[must_use]
    pub fn naming(mut self, orders: impl IntoIterator<Item = OrderId>) -> Self {
        let room = MOST_NAMED.saturating_sub(self.orders.len());
        self.orders.extend(orders.into_iter().take(room));
        self
    }

    /// What both sides are says nothing yet.
    #[must_use]
    pub fn in_flight(mut self) -> Self {
        self.state = CheckState::InFlight;
        self
    }

    /// Whether both sides contradict each other.
    pub fn is_violated(&self) -> bool {
        self.state == CheckState::Violated
    }
}

/// `None`: not all are numbers, or they cannot be added.
fn sum(side: &[Named]) -> Option<i64> {
    side.iter().try_fold(0_i64, |sum, named| match named.value {
        Value::Number(number) => sum.checked_add(number),
        Value::Text(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_agree_when_their_sums_do() {
        let holds = Check::equal("m", [("a", 3), ("b", 4)], [("c", 7)]);
        assert_eq!(
            (holds.state, holds.difference),
            (CheckState::Holds, Some(0))
        );
        let broken = Check::equal("m", [("a", 3)], [("c", 7)]);
        assert_eq!(
            (broken.state, broken.difference),
            (CheckState::Violated, Some(-4))
        );
    }

    #[test]
    fn sides_too_large_to_be_added_are_compared_as_they_are() {
        let check = Check::equal("m", [("a", i64::MAX), ("b", 1)], [("c", 7)]);
        assert!(check.is_violated() && check.difference.is_none());
    }

    #[test]
    fn a_check_is_written_as_the_api_says() {
        let check = Check::states(
            "law",
            ("order-svc", "COMPLETED"),
            ("user-svc", "–"),
            order(),
        );
        let json = serde_json::to_value(check).unwrap();
        let expected = serde_json::json!({
            "id": "law", "state": "violated", "left": [{"name": "order-svc", "value": "COMPLETED"}],
            "right": [{"name": "user-svc", "value": "–"}], "difference": null, "orders": [order()],
        });
        assert_eq!(json, expected);
    }

    fn order() -> OrderId {
        OrderId::from_uuid(uuid::Uuid::from_u128(1))
    }
}
