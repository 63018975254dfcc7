//! One purchase, as order-svc answers it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use saga_events::{ItemId, OrderId, ReasonCode, Service, Timestamp, UserId};
use saga_timeline::Timeline;
use saga_timeline::stuck::Stuck;
use serde::{Deserialize, Serialize};

use crate::client::Client;

/// The buyer is told after the order is final; on a healthy system within milliseconds.
const TOLD_TIMEOUT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// A purchase.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Who buys.
    pub user_id: UserId,
    /// What.
    pub item_id: ItemId,
    /// How far it is.
    pub status: Status,
    /// How many.
    pub quantity: i64,
    /// What they cost together, in the currency's minor unit.
    pub total_amount: i64,
    /// Why it was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<ReasonCode>,
    /// Who refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_step: Option<Service>,
    /// When it began.
    pub created_at: Timestamp,
    /// Why it waits; only where that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stuck: Vec<Stuck>,
}

/// How far a purchase is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)] // protocol.md's words
pub enum Status {
    Pending,
    Cancelling,
    Completed,
    Cancelled,
}

impl Status {
    /// As it is spelled everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Cancelling => "CANCELLING",
            Self::Completed => "COMPLETED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// A purchase and what the six services tell of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Story {
    /// The purchase.
    pub order: Order,
    /// Its timeline.
    #[serde(flatten)]
    pub timeline: Timeline,
}

/// What the six services tell of a purchase; none: there is no such purchase.
///
/// # Errors
/// order-svc does not answer.
pub async fn story(client: &Client, order: OrderId) -> Result<Option<Story>> {
    let path = format!("/orders/{order}/timeline");
    client.find(Service::Order, &path).await
}

/// As [`story`], once nothing is to come, or after five seconds as far as it has come.
///
/// # Errors
/// order-svc does not answer, or knows no such purchase.
pub async fn whole_story(client: &Client, order: OrderId) -> Result<Story> {
    let deadline = Instant::now() + TOLD_TIMEOUT;
    loop {
        let told = story(client, order).await?;
        let told = told.with_context(|| format!("there is no order {order}"))?;
        if told.timeline.expected.is_empty() || Instant::now() > deadline {
            return Ok(told);
        }
        tokio::time::sleep(POLL).await;
    }
}
