//! `POST /setup-test-data`: a buyer and three items to play with, made by their owners' `PUT`s. Their
//! ids are fixed, so a second call, or one after a crash midway, changes nothing.

use actix_web::{HttpResponse, web};
use saga_events::{ItemId, Service, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use svc_chassis::http::{Problem, Routes, resource};
use svc_chassis::{Chassis, Error};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::OrderSvc;
use crate::peers::Peers;

/// The one route.
pub fn routes(routes: &mut Routes<'_>) {
    resource("/setup-test-data").post(set_up).register(routes);
}

#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = TestUser)]
struct User {
    id: UserId,
    username: String,
    balance: i64,
}

#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = TestItem)]
struct Item {
    id: ItemId,
    name: String,
    price: i64,
    stock: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TestDataReady)]
struct Ready {
    success: bool,
    message: &'static str,
    data: TestData,
}

#[derive(Serialize, ToSchema)]
struct TestData {
    user: User,
    items: [Item; 3],
}

/// Make a buyer and three items to play with
///
/// Their ids are fixed: a second call changes nothing.
#[utoipa::path(
    post, path = "/setup-test-data", operation_id = "setUpTestData", tag = "demo",
    responses(
        (status = 200, description = "They are there", body = Ready),
        (status = 404, description = "The demo is off"),
        (status = 503, description = "user-svc or item-svc is away"),
    ),
)]
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
    let items = [sword, shield, potion];
    Ok(HttpResponse::Ok().json(Ready {
        success: true,
        message: "test data is ready",
        data: TestData { user, items },
    }))
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
