//! What a law is about, in one word, for whoever looks at all of them at once.

use serde::Serialize;
use utoipa::ToSchema;

/// What a law is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LawGroup)]
pub enum Group {
    /// The buyers' money.
    Money,
    /// The items' stock.
    Stock,
    /// The room in the buyers' inventories.
    Room,
    /// A purchase ends the same way for all: all of it is captured, or all is given back.
    Captured,
    /// What payment-svc and the gateway say.
    Paid,
    /// What is said arrives, and the buyer is told.
    Told,
}

impl Group {
    /// All of them, in the order in which people read them.
    pub const ALL: [Self; 6] = [
        Self::Money,
        Self::Stock,
        Self::Room,
        Self::Captured,
        Self::Paid,
        Self::Told,
    ];

    /// What the law of this name is about.
    pub fn of(id: &str) -> Self {
        // One that is not listed concerns the purchase as a whole: a violation is never left out.
        LISTED
            .iter()
            .find(|(_, ids)| ids.contains(&id))
            .map_or(Self::Captured, |(group, _)| *group)
    }

    /// Whether the law of this name is listed.
    pub fn lists(id: &str) -> bool {
        LISTED.iter().any(|(_, ids)| ids.contains(&id))
    }
}

/// Every law, those of the services too.
const LISTED: [(Group, &[&str]); 6] = [
    (
        Group::Money,
        &[
            "user-holds-nothing",
            "amounts-agree",
            "money-captured",
            "users-money",
            "users-held",
            "users-captured",
            "users-not-negative",
            "users-hold-the-total",
        ],
    ),
    (
        Group::Stock,
        &[
            "item-holds-nothing",
            "stock-sold",
            "items-stock",
            "items-held",
            "items-sold",
            "items-not-negative",
            "items-hold-the-quantity",
        ],
    ),
    (
        Group::Room,
        &[
            "inventory-holds-nothing",
            "room-owned",
            "inventories-room",
            "inventories-used",
            "inventories-held",
            "inventories-owned",
            "inventories-hold-one-slot",
        ],
    ),
    (
        Group::Captured,
        &[
            "order-completed",
            "order-cancelled",
            "item-captured",
            "inventory-captured",
            "user-captured",
            "held-in-order",
            "order-known",
            "states-known",
            "nothing-open",
            "holds-whole",
            "holds-said",
            "orders-whole",
            "orders-said",
        ],
    ),
    (
        Group::Paid,
        &[
            "paid",
            "paying",
            "not-paid",
            "money-paid",
            "money-charged",
            "payments-whole",
            "payments-charged",
            "payments-said",
        ],
    ),
    (
        Group::Told,
        &[
            "told",
            "buyer-told",
            "told-completed",
            "told-cancelled",
            "notifications-once",
            "notifications-said",
            "everything-published",
            "everything-acknowledged",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::laws::{AMOUNTS, LAWS, SPELLING};
    use crate::sums::SUMS;

    #[test]
    fn every_law_across_the_services_is_in_one_group() {
        let laws = LAWS.iter().map(|law| law.id);
        let ids = laws.chain(SUMS.iter().map(|sum| sum.id));
        for id in ids.chain([AMOUNTS, SPELLING]) {
            let groups = LISTED.iter().filter(|(_, ids)| ids.contains(&id));
            assert_eq!(groups.count(), 1, "{id}");
        }
    }
}
