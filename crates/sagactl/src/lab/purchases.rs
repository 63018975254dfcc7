//! One purchase by one of the lab's buyers, witnessed.

use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::http::StatusCode;
use reqwest::Method;
use saga_events::{OrderId, Service};
use serde_json::{Value, json};
use svc_chassis::http::Problem;

use super::Lab;

/// Whose turn it is.
static TURN: AtomicUsize = AtomicUsize::new(0);

impl Lab {
    /// Buys, and returns what order-svc answers. An order that was answered 201 has a witness; one
    /// whose answer was lost has none: nobody was promised anything.
    ///
    /// # Errors
    /// 503: order-svc is away.
    pub async fn buy(
        &self,
        item: &Value,
        quantity: &Value,
    ) -> Result<(StatusCode, Value), Problem> {
        let turn = TURN.fetch_add(1, Ordering::Relaxed);
        let buyer = &self.shop.buyers[turn % self.shop.buyers.len()];
        let body = json!({"userId": buyer.id, "itemId": item, "quantity": quantity});
        let (status, answer) = self
            .ask(Service::Order, Method::POST, "/orders", Some(&body))
            .await?;
        if status == StatusCode::CREATED {
            let id: Option<OrderId> = answer["id"].as_str().and_then(|id| id.parse().ok());
            let none = || Problem::unavailable("order-svc", "a 201 without an id");
            self.witness.has_seen(id.ok_or_else(none)?);
        }
        Ok((status, answer))
    }
}
