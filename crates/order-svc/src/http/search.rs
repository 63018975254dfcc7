//! `GET /orders?q=`: what somebody knows of a purchase, and what that can be.

use saga_events::{ItemId, OrderId, ReasonCode, UserId};
use svc_chassis::{Chassis, Error};
use uuid::Uuid;

use crate::OrderSvc;
use crate::saga::Status;
use crate::store::list::{Filter, list};

/// Fewer digits of an id name too many orders.
const DIGITS: usize = 6;

/// What was meant.
pub(super) enum Found {
    /// Nothing that there is.
    Nothing,
    /// Orders with an id from this one up to that one.
    Ids(OrderId, OrderId),
    /// Orders of these users.
    Users(Vec<UserId>),
    /// Orders of these items.
    Items(Vec<ItemId>),
    /// Orders cancelled for this reason.
    Reason(ReasonCode),
    /// Orders that stand so.
    Status(Status),
}

impl Found {
    /// Lets the list show only these. `false`: what it shows already is none of them.
    pub fn narrow(self, filter: &mut Filter) -> bool {
        fn both<T: Copy + PartialEq>(there: &mut Vec<T>, found: Vec<T>) -> bool {
            if there.is_empty() {
                *there = found;
            } else {
                there.retain(|id| found.contains(id));
            }
            !there.is_empty()
        }
        fn same<T: PartialEq>(there: &mut Option<T>, found: T) -> bool {
            there.as_ref().is_none_or(|there| *there == found) && {
                *there = Some(found);
                true
            }
        }
        match self {
            Self::Nothing => false,
            Self::Ids(from, to) => {
                filter.ids = Some((from, to));
                true
            }
            Self::Users(users) => both(&mut filter.users, users),
            Self::Items(items) => both(&mut filter.items, items),
            Self::Reason(reason) => same(&mut filter.reason, reason),
            Self::Status(status) => same(&mut filter.status, status),
        }
    }
}

/// What this text means, the most exact first.
///
/// # Errors
/// 503 where it may be a name and its owner is away.
pub(super) async fn search(text: &str, svc: &OrderSvc, chassis: &Chassis) -> Result<Found, Error> {
    if let Ok(id) = text.parse::<Uuid>() {
        return whole_id(id, chassis).await;
    }
    let spelled = text.to_ascii_uppercase();
    if let Ok(status) = spelled.parse() {
        return Ok(Found::Status(status));
    }
    if let Ok(reason) = spelled.parse() {
        return Ok(Found::Reason(reason));
    }
    if let Some((from, to)) = first_digits(text)
        && any(
            chassis,
            Filter {
                ids: Some((from, to)),
                ..Filter::default()
            },
        )
        .await?
    {
        return Ok(Found::Ids(from, to));
    }
    let (users, items) = tokio::join!(svc.names.users_of(text), svc.names.items_with(text));
    match (users, items) {
        (Ok(users), _) if !users.is_empty() => Ok(Found::Users(users)),
        (_, Ok(items)) if !items.is_empty() => Ok(Found::Items(items)),
        (Err(away), _) | (_, Err(away)) => Err(away.into()),
        (Ok(_), Ok(_)) => Ok(Found::Nothing),
    }
}

/// An order's, a user's or an item's: ids of different things are different.
async fn whole_id(id: Uuid, chassis: &Chassis) -> Result<Found, Error> {
    let (order, user) = (OrderId::from_uuid(id), UserId::from_uuid(id));
    if any(
        chassis,
        Filter {
            ids: Some((order, order)),
            ..Filter::default()
        },
    )
    .await?
    {
        return Ok(Found::Ids(order, order));
    }
    if any(
        chassis,
        Filter {
            users: vec![user],
            ..Filter::default()
        },
    )
    .await?
    {
        return Ok(Found::Users(vec![user]));
    }
    Ok(Found::Items(vec![ItemId::from_uuid(id)]))
}

async fn any(chassis: &Chassis, filter: Filter) -> Result<bool, Error> {
    let read = move |conn: &mut _| Ok(!list(conn, &filter, 1)?.orders.is_empty());
    chassis.readers.read(read).await
}

/// The first and the last id that begin with these digits; with or without hyphens.
fn first_digits(text: &str) -> Option<(OrderId, OrderId)> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let is_hex = digits.chars().all(|c| c.is_ascii_hexdigit());
    if !is_hex || !(DIGITS..=32).contains(&digits.len()) {
        return None;
    }
    let filled = |with: &str| {
        let rest = with.repeat(32 - digits.len());
        let id = Uuid::try_parse(&format!("{digits}{rest}")).ok()?;
        Some(OrderId::from_uuid(id))
    };
    Some((filled("0")?, filled("f")?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_or_more_name_a_range_of_ids() {
        let (from, to) = first_digits("0198AB-c").unwrap();
        assert_eq!(from.to_string(), "0198abc0-0000-0000-0000-000000000000");
        assert_eq!(to.to_string(), "0198abcf-ffff-ffff-ffff-ffffffffffff");
        for none in ["", "0198a", "0198ag", "sword", "0198ab 1"] {
            assert!(first_digits(none).is_none(), "{none}");
        }
        assert!(first_digits(&"a".repeat(33)).is_none());
    }

    #[test]
    fn what_is_found_and_what_is_asked_for_must_both_hold() {
        let (one, other) = (UserId::new(), UserId::new());
        let of = |users: &[UserId]| Filter {
            users: users.to_vec(),
            ..Filter::default()
        };
        let mut filter = of(&[]);
        assert!(Found::Users(vec![one, other]).narrow(&mut filter));
        assert_eq!(filter.users, [one, other]);
        let mut filter = of(&[one]);
        assert!(Found::Users(vec![one, other]).narrow(&mut filter));
        assert_eq!(filter.users, [one]);
        assert!(!Found::Users(vec![other]).narrow(&mut of(&[one])));
        let mut filter = Filter {
            status: Some(Status::Pending),
            ..Filter::default()
        };
        assert!(Found::Status(Status::Pending).narrow(&mut filter));
        assert!(!Found::Status(Status::Completed).narrow(&mut filter));
        assert!(!Found::Nothing.narrow(&mut of(&[])));
    }
}
