//! The purchase at a glance: ten cells, the line there and back, folded.

use saga_events::Service::{self, Notify, Order, Payment};
use saga_events::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::sources::Sources;
use crate::stand::{ALONG, Stand};

/// Which way along the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Way {
    /// From order-svc to payment-svc.
    There,
    /// From payment-svc to order-svc, and on to notify-svc.
    Back,
}

/// What was done in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum CellState {
    /// order-svc: the purchase has begun.
    Made,
    /// The step is done, and was not kept before the way back came by.
    Held,
    /// payment-svc: the gateway is being asked.
    Asking,
    /// The step is kept for ever; payment-svc: the buyer has paid.
    Captured,
    /// The step is undone.
    GivenBack,
    /// The step could not be done; payment-svc: declined.
    Refused,
    /// Cancelled before it was done, and never will be done: a late message changes nothing.
    Tombstone,
    /// order-svc: the purchase has ended, all is captured.
    Completed,
    /// order-svc: the purchase has ended, all is given back.
    Cancelled,
    /// notify-svc: the buyer knows.
    Notified,
    /// Yet to come.
    Next,
    /// It never comes to that.
    Untouched,
    /// The service did not answer.
    Unknown,
}

/// A service on one of the two ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cell {
    /// Whose.
    pub service: Service,
    /// Which way.
    pub way: Way,
    /// What was done.
    pub state: CellState,
    /// Since when, where something was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// The ten cells: five there, then back as far as order-svc, then notify-svc.
pub fn cells(sources: &Sources) -> Vec<Cell> {
    let stands = ALONG.map(|service| Stand::of(sources, service));
    let there = ALONG.iter().enumerate().map(|(at, service)| {
        let state = state_there(sources, *service, &stands, at);
        cell(sources, *service, Way::There, state)
    });
    let mut cells: Vec<Cell> = there.collect();
    for (at, service) in ALONG.iter().enumerate().rev().skip(1) {
        let state = state_back(sources, *service, &stands, at, cells[at].state);
        cells.push(cell(sources, *service, Way::Back, state));
    }
    let told = match Stand::of(sources, Notify) {
        Stand::Captured => CellState::Notified,
        Stand::Unknown if sources.closed => CellState::Notified,
        Stand::Unknown => CellState::Unknown,
        _ => CellState::Next,
    };
    cells.push(cell(sources, Notify, Way::Back, told));
    cells
}

fn state_there(sources: &Sources, service: Service, stands: &[Stand; 5], at: usize) -> CellState {
    let journal = sources.journal(service);
    match (service, stands[at]) {
        (_, Stand::Unknown) => CellState::Unknown,
        (Order, _) => CellState::Made,
        (_, Stand::Untouched) if never_comes(stands, at) => CellState::Untouched,
        (_, Stand::Untouched) => CellState::Next,
        (_, Stand::Asking) => CellState::Asking,
        (Payment, Stand::Captured) => CellState::Captured,
        // Whoever never heard of the amount was cancelled before it was asked.
        (Payment, _) if journal.is_some_and(|journal| journal.amount == 0) => CellState::Tombstone,
        (_, Stand::Refused) => CellState::Refused,
        (_, Stand::Released) if is_tombstone(sources, service) => CellState::Untouched,
        (_, Stand::Held | Stand::Captured | Stand::Released) => CellState::Held,
    }
}

fn state_back(
    sources: &Sources,
    service: Service,
    stands: &[Stand; 5],
    at: usize,
    there: CellState,
) -> CellState {
    match (service, stands[at]) {
        (_, Stand::Unknown) => CellState::Unknown,
        (Order, Stand::Captured) => CellState::Completed,
        (Order, Stand::Released) => CellState::Cancelled,
        (_, Stand::Captured) => CellState::Captured,
        (_, Stand::Released) if is_tombstone(sources, service) => CellState::Tombstone,
        (_, Stand::Released) => CellState::GivenBack,
        (_, Stand::Refused) => CellState::Untouched,
        (_, Stand::Untouched) if there == CellState::Untouched => CellState::Untouched,
        (_, Stand::Held | Stand::Asking | Stand::Untouched) => CellState::Next,
    }
}

/// Somebody nearer to order-svc is done with the purchase already.
fn never_comes(stands: &[Stand; 5], at: usize) -> bool {
    stands[..at].iter().any(|stand| stand.is_settled())
}

/// It was given back without ever having been held. A journal that is pruned tells nothing of it.
fn is_tombstone(sources: &Sources, service: Service) -> bool {
    let journal = sources.journal(service);
    journal.is_some_and(|journal| !journal.events.is_empty() && !journal.has_reserved())
}

fn cell(sources: &Sources, service: Service, way: Way, state: CellState) -> Cell {
    let journal = sources.journal(service);
    let since = match state {
        CellState::Next | CellState::Untouched | CellState::Unknown => None,
        // The row has changed since, so the journal tells.
        CellState::Made | CellState::Held => journal.and_then(|journal| {
            let first = journal.events.first().map(|entry| entry.time);
            first.or(Some(journal.updated_at))
        }),
        _ => journal.map(|journal| journal.updated_at),
    };
    Cell {
        service,
        way,
        state,
        since,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
