//! `GET /contract`: who says what to whom, for whoever draws the line. It is the table that the
//! services themselves work by.

use actix_web::{HttpResponse, web};
use reqwest::Url;
use saga_events::{EventType, LINE, Phase, ReasonCode, Service};
use serde::Serialize;
use svc_chassis::Chassis;
use svc_chassis::http::{Routes, resource};
use utoipa::ToSchema;

use crate::OrderSvc;

pub fn routes(routes: &mut Routes<'_>) {
    resource("/contract").get(contract).register(routes);
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Contract {
    /// The six, in the order in which a purchase visits them.
    services: Vec<Place>,
    /// Every event, in the order of the contract.
    events: Vec<Said>,
    /// Why purchases are cancelled.
    reason_codes: &'static [ReasonCode],
}

#[derive(Serialize, ToSchema)]
#[schema(as = PlaceOnTheLine)]
struct Place {
    name: Service,
    /// Where it answers HTTP, as this system is configured.
    port: u16,
    /// Where its step is written, in the repository.
    file: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = EventOfTheContract)]
struct Said {
    r#type: EventType,
    /// The one service that says it.
    publisher: Service,
    /// Who acts on it.
    consumers: &'static [Service],
    /// What it does to the purchase.
    phase: Phase,
    /// One sentence.
    meaning: &'static str,
}

/// Who says what to whom
#[utoipa::path(
    get, path = "/contract", operation_id = "getContract", tag = "line",
    responses((status = 200, description = "The services, their events, and why purchases are cancelled", body = Contract)),
)]
async fn contract(svc: web::Data<OrderSvc>, chassis: web::Data<Chassis>) -> HttpResponse {
    let place = |service: Service| Place {
        name: service,
        port: match service {
            Service::Order => chassis.settings.http.port,
            other => port(svc.peers.base(other)).unwrap_or(other.port()),
        },
        file: format!("crates/{service}/src/saga.rs"),
    };
    let said = LINE.iter().map(|spec| Said {
        r#type: spec.event_type,
        publisher: spec.publisher,
        consumers: spec.consumers,
        phase: spec.phase,
        meaning: spec.meaning,
    });
    HttpResponse::Ok().json(Contract {
        services: Service::ALL.map(place).into(),
        events: said.collect(),
        reason_codes: ReasonCode::ALL,
    })
}

fn port(base: &str) -> Option<u16> {
    Url::parse(base).ok()?.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_step_is_where_the_contract_says_that_it_is() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for service in Service::ALL {
            let file = root.join(format!("crates/{service}/src/saga.rs"));
            assert!(file.is_file(), "{}", file.display());
        }
    }

    #[test]
    fn the_port_is_the_one_of_the_address() {
        assert_eq!(port("http://127.0.0.1:3004"), Some(3004));
        assert_eq!(port("http://user-svc"), Some(80));
        assert_eq!(port("nonsense"), None);
    }
}
