//! `POST /setup-test-data`: a buyer and three items to play with, made by their owners' `PUT`s. Their
//! ids are fixed, so a second call, or one after a crash midway, changes nothing.

use actix_web::{HttpResponse, web};
use saga_events::{ItemId, Service, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use svc_chassis::http::{Problem, resource};
use svc_chassis::{Chassis, Error};
use uuid::Uuid;

use crate::OrderSvc;
use crate::peers::Peers;

/// The one route.
pub fn routes(app: &mut web::ServiceConfig) {
    resource("/setup-test-data").post(set_up).register(app);
}

#[derive(Deserialize, Serialize)]
struct User {
    id: UserId,
    username: String,
    balance: i64,
}

#[derive(Deserialize, Serialize)]
struct Item {
    id: ItemId,
    name: String,
    price: i64,
    stock: i64,
}

/// `POST /setup-test-data`
async fn set_up(
    svc: web::Data<OrderSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    if !chassis.settings.demo {
        return Err(Problem::not_found("NO_SUCH_PATH", "path /setup-test-data").into());
    }
    // No call to inventory-svc: everybody's inventory has 20 slots until set otherwise, and setting
    // it again would undo what somebody has set since.
    let (user, sword, shield, potion) = tokio::try_join!(
        user(&svc.peers),
        item(&svc.peers, "마법검", "A blade that hums.", 10_000, 50),
        item(&svc.peers, "방패", "Round, and hardly dented.", 5_000, 30),
        item(&svc.peers, "회복물약", "Tastes of cherries.", 1_000, 100),
    )?;
    Ok(HttpResponse::Ok().json(json!({
        "success": true,
        "message": "test data is ready",
        "data": { "user": user, "items": [sword, shield, potion] },
    })))
}

async fn user(peers: &Peers) -> Result<User, Problem> {
    let id = UserId::from_uuid(id_of("user", "testuser"));
    let body = json!({ "username": "testuser", "balance": 50_000 });
    peers
        .put(Service::User, &format!("/users/{id}"), &body)
        .await
}

async fn item(
    peers: &Peers,
    name: &str,
    description: &str,
    price: i64,
    stock: i64,
) -> Result<Item, Problem> {
    let id = ItemId::from_uuid(id_of("item", name));
    let body = json!({ "name": name, "description": description, "price": price, "stock": stock });
    peers
        .put(Service::Item, &format!("/items/{id}"), &body)
        .await
}

fn id_of(kind: &str, name: &str) -> Uuid {
    Uuid::new_v5(
        &Uuid::NAMESPACE_URL,
        format!("urn:saga:test-data:{kind}:{name}").as_bytes(),
    )
}
