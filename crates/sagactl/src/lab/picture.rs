//! How the lab is, in one picture: `GET /lab`.

use saga_events::{Service, Timestamp};
use saga_local::Part;
use serde::Serialize;

use super::Lab;
use super::faults::Fault;
use super::gateway::Shown;
use super::parts::State;
use super::shop::{Buyer, Item};
use super::witness::Count;

/// The picture.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Picture<'a> {
    at: Timestamp,
    processes: Vec<Process>,
    links: Vec<Link>,
    /// Missing while payment-svc is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<Shown>,
    traffic: PerSecond,
    faults: Vec<Fault>,
    witness: Count,
    items: &'a [Item],
    buyers: &'a [Buyer],
}

#[derive(Serialize)]
struct Process {
    name: &'static str,
    /// Missing while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    port: u16,
    state: State,
}

#[derive(Serialize)]
struct Link {
    service: Service,
    state: LinkState,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum LinkState {
    Up,
    Cut,
}

/// How many purchases begin in a second.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PerSecond {
    pub per_second: u32,
}

impl Lab {
    /// How it is now.
    pub fn picture(&self) -> Picture<'_> {
        let process = |part: Part| {
            let (system, state) = (self.parts.system(), self.parts.state(part));
            Process {
                name: part.as_str(),
                pid: system.part_pid(part).filter(|_| state.has_a_process()),
                port: system.part_port(part),
                state,
            }
        };
        let link = |service| Link {
            service,
            state: match self.faults.cuts(service) {
                true => LinkState::Cut,
                false => LinkState::Up,
            },
        };
        Picture {
            at: Timestamp::now(),
            processes: Part::ALL.map(process).into(),
            links: Service::ALL.map(link).into(),
            gateway: self.gateway.shown(),
            traffic: PerSecond {
                per_second: self.traffic.per_second(),
            },
            faults: self.faults.on(),
            witness: self.witness.count(),
            items: &self.shop.items,
            buyers: &self.shop.buyers,
        }
    }
}
