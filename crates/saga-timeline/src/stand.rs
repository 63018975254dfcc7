//! Where each service stands with a purchase, in one vocabulary for all six.

use saga_events::Service;
use saga_events::Service::{Inventory, Item, Notify, Order, Payment, User};

use crate::sources::{Sources, Told};

/// The line, without notify-svc, which is beside it.
pub const ALONG: [Service; 5] = [Order, User, Inventory, Item, Payment];

/// Where a service stands with a purchase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// The purchase has not reached it, or never will.
    Untouched,
    /// It has done its step, which may still be undone. order-svc: the purchase is open.
    Held,
    /// payment-svc: the gateway is being asked.
    Asking,
    /// Its step is kept for ever. order-svc: completed. notify-svc: told.
    Captured,
    /// It could not do its step, and nobody beyond it ever will.
    Refused,
    /// Its step is undone. order-svc: cancelled.
    Released,
    /// It did not answer.
    Unknown,
}

impl Stand {
    /// By the name that the service's own table gives the state; none for a name that is not in it.
    pub fn named(service: Service, state: &str) -> Option<Self> {
        let stand = match (service, state) {
            (Order, "PENDING" | "CANCELLING") => Self::Held,
            (Order, "COMPLETED") => Self::Captured,
            (Order, "CANCELLED") => Self::Released,
            (User | Inventory | Item, "Reserved") => Self::Held,
            (User | Inventory | Item, "Refused") => Self::Refused,
            (User | Inventory | Item, "Released") => Self::Released,
            (User | Inventory | Item, "Confirmed") => Self::Captured,
            (Payment, "Authorizing") => Self::Asking,
            (Payment, "Processed") => Self::Captured,
            (Payment, "Failed") => Self::Refused,
            (Notify, "Completed" | "Cancelled") => Self::Captured,
            _ => return None,
        };
        Some(stand)
    }

    /// As this service has answered.
    pub fn of(sources: &Sources, service: Service) -> Self {
        match sources.told.get(&service).unwrap_or(&Told::Missing) {
            Told::Missing => Self::Unknown,
            Told::Nothing => Self::Untouched,
            Told::Journal(journal) => Self::named(service, &journal.state).unwrap_or(Self::Unknown),
        }
    }

    /// Whether its part of the purchase is over.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Captured | Self::Refused | Self::Released)
    }
}

/// Where the five services along the line stand; who did not answer stands where its neighbours
/// say: what a service has said, its neighbour may have done already.
pub fn along(sources: &Sources) -> [Stand; 5] {
    let mut stands = ALONG.map(|service| Stand::of(sources, service));
    for at in 1..stands.len() {
        if stands[at] != Stand::Unknown {
            continue;
        }
        let beyond = stands[at + 1..].iter();
        let beyond = beyond.copied().find(|stand| *stand != Stand::Unknown);
        stands[at] = match (stands[at - 1], beyond) {
            (Stand::Refused, _) => Stand::Untouched,
            (Stand::Captured, _) => Stand::Captured,
            (Stand::Released, _) => Stand::Released,
            (_, None | Some(Stand::Untouched)) => Stand::Untouched,
            (_, Some(_)) => Stand::Held,
        };
    }
    stands
}
