//! An order as callers see it.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, HeaderMap};
use actix_web::{HttpResponse, HttpResponseBuilder};
use saga_events::{
    Amount, ItemId, OrderId, Purchase, Quantity, ReasonCode, Service, Timestamp, UserId,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::etag::is_known;
use crate::saga::Status;
use crate::store::StoredOrder;

/// A purchase, as callers see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Order)]
pub struct OrderView {
    id: OrderId,
    user_id: UserId,
    item_id: ItemId,
    quantity: Quantity,
    unit_price: Amount,
    total_amount: Amount,
    /// Where it stands.
    status: Status,
    /// Why it was cancelled; with `CANCELLED` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_code: Option<ReasonCode>,
    /// The service that refused; payment-svc for a decline, a deadline and a cancel.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_step: Option<Service>,
    /// The reason in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// When it is cancelled, unless it is paid.
    deadline: Timestamp,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl OrderView {
    /// The order's id.
    pub fn id(&self) -> OrderId {
        self.id
    }
}

impl From<&StoredOrder> for OrderView {
    fn from(stored: &StoredOrder) -> Self {
        let status = stored.order.status;
        // While CANCELLING nobody knows yet how it ends: its reason is the one that ends it.
        let reason = stored.order.reason.filter(|_| status == Status::Cancelled);
        let Purchase {
            order_id,
            user_id,
            item_id,
            quantity,
            unit_price,
            total_amount,
            deadline,
        } = stored.order.purchase;
        Self {
            id: order_id,
            user_id,
            item_id,
            quantity,
            unit_price,
            total_amount,
            status,
            reason_code: reason.map(|reason| reason.reason_code),
            failed_step: reason.map(|reason| reason.failed_step),
            reason: reason.map(|reason| reason.reason_code.sentence()),
            deadline,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        }
    }
}

/// Begins an answer about an order: its `ETag`, and the preference that was honoured.
pub fn answer(
    status: StatusCode,
    stored: &StoredOrder,
    wait: Option<Duration>,
) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((ETAG, etag(stored)));
    if let Some(wait) = wait {
        response.insert_header(("Preference-Applied", format!("wait={}", wait.as_secs())));
    }
    response
}

/// The order, or 304 where the caller has it already.
pub fn unless_known(
    headers: &HeaderMap,
    stored: &StoredOrder,
    wait: Option<Duration>,
) -> HttpResponse {
    if is_known(headers, &etag(stored)) {
        return answer(StatusCode::NOT_MODIFIED, stored, wait).finish();
    }
    answer(StatusCode::OK, stored, wait).json(OrderView::from(stored))
}

/// All that changes of an order is its status, once at most into each.
fn etag(stored: &StoredOrder) -> String {
    format!("\"{}\"", stored.order.status.as_str().to_lowercase())
}
