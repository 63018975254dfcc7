//! Halting a purchase anywhere on its way, there and back.

use saga_events::{OrderId, Service};
use serde_json::json;

use crate::{Sale, System};

/// Where a purchase stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// On the way there, before this service: it is killed.
    Before(Service),
    /// payment-svc asks the gateway, which does not answer.
    Authorizing,
    /// Paid, on the way back, before this service: it is frozen.
    BackBefore(Service),
}

impl Stage {
    /// Makes an order and waits until it stands here. A service that is away may not be needed to
    /// make the order: item-svc's price must be known to order-svc.
    pub async fn halt(self, system: &System, sale: Sale) -> OrderId {
        match self {
            Self::Before(service) => {
                system.kill(service);
                let order = system.order(sale).await;
                // The service before it has done its part.
                if service != Service::User {
                    system.until_state(before(service), order, "Reserved").await;
                }
                order
            }
            Self::Authorizing => {
                system.set_gateway(json!({"outage": "timeout"})).await;
                let order = system.order(sale).await;
                system
                    .until_state(Service::Payment, order, "Authorizing")
                    .await;
                order
            }
            Self::BackBefore(service) => {
                let order = Box::pin(Self::Authorizing.halt(system, sale)).await;
                system.freeze(service);
                system.set_gateway(json!({"outage": "none"})).await;
                match service {
                    Service::Item => {
                        system
                            .until_state(Service::Payment, order, "Processed")
                            .await
                    }
                    _ => system.until_state(after(service), order, "Confirmed").await,
                }
                order
            }
        }
    }

    /// Lets the purchase go on.
    pub async fn resume(self, system: &System) {
        match self {
            Self::Before(service) => system.restart(service).await,
            Self::BackBefore(service) => system.thaw(service),
            Self::Authorizing => system.set_gateway(json!({"outage": "none"})).await,
        }
    }
}

/// The left neighbour on the line.
fn before(service: Service) -> Service {
    let place = Service::ALL
        .iter()
        .position(|other| *other == service)
        .unwrap_or(0);
    Service::ALL[place - 1]
}

/// The right neighbour on the line.
fn after(service: Service) -> Service {
    let place = Service::ALL
        .iter()
        .position(|other| *other == service)
        .unwrap_or(0);
    Service::ALL[place + 1]
}
