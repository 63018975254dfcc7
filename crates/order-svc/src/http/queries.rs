//! Answers that are composed of other services' answers: the paths that a learner knows. Each
//! service keeps its own data; what is away is named.

use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::{ItemId, Service, UserId};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use svc_chassis::Error;
use svc_chassis::http::{Problem, Routes, id_in_path, resource};
use utoipa::ToSchema;

use crate::OrderSvc;

/// The composed reads.
pub fn routes(routes: &mut Routes<'_>) {
    resource("/user/{id}/balance").get(balance).register(routes);
    resource("/user/{id}/inventory")
        .get(inventory)
        .register(routes);
    resource("/items").get(items).register(routes);
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Balance {
    user_id: UserId,
    balance: i64,
    held: i64,
}

/// A buyer's money
#[utoipa::path(
    get, path = "/user/{id}/balance", operation_id = "getBalance", tag = "buyers",
    params(("id" = UserId, Path, description = "The buyer")),
    responses(
        (status = 200, description = "As user-svc has it", body = Balance),
        (status = 404, description = "`USER_NOT_FOUND`"),
        (status = 503, description = "user-svc is away"),
    ),
)]
async fn balance(request: HttpRequest, svc: web::Data<OrderSvc>) -> Result<HttpResponse, Error> {
    let user_id: UserId = id_in_path(&request, "id")?;
    let balance: Option<Balance> = svc
        .peers
        .get(Service::User, &format!("/users/{user_id}/balance"))
        .await?;
    let balance =
        balance.ok_or_else(|| Problem::not_found("USER_NOT_FOUND", format!("user {user_id}")))?;
    Ok(HttpResponse::Ok().json(balance))
}

/// As inventory-svc answers.
#[derive(Deserialize)]
struct Inventory {
    capacity: i64,
    used: i64,
    held: i64,
    items: Vec<Stack>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stack {
    item_id: ItemId,
    quantity: i64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Stack)]
struct NamedStack {
    item_id: ItemId,
    /// `null` while item-svc is away.
    name: Option<String>,
    quantity: i64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Inventory)]
struct InventoryView {
    user_id: UserId,
    capacity: i64,
    used: i64,
    held: i64,
    inventory: Vec<NamedStack>,
}

/// What a buyer owns
#[utoipa::path(
    get, path = "/user/{id}/inventory", operation_id = "getInventory", tag = "buyers",
    params(("id" = UserId, Path, description = "The buyer")),
    responses(
        (status = 200, description = "As inventory-svc has it, with the names that item-svc has", body = InventoryView),
        (status = 503, description = "inventory-svc is away"),
    ),
)]
async fn inventory(request: HttpRequest, svc: web::Data<OrderSvc>) -> Result<HttpResponse, Error> {
    let user_id: UserId = id_in_path(&request, "id")?;
    let path = format!("/inventories/{user_id}");
    let (inventory, catalogue) = tokio::join!(
        svc.peers.get::<Inventory>(Service::Inventory, &path),
        catalogue(&svc)
    );
    let inventory = inventory?
        .ok_or_else(|| Problem::not_found("USER_NOT_FOUND", format!("user {user_id}")))?;
    // Without item-svc the answer is still worth having: only the names are missing.
    let items = catalogue
        .map(|catalogue| catalogue.items)
        .unwrap_or_default();
    let mut names: HashMap<ItemId, String> =
        items.into_iter().map(|item| (item.id, item.name)).collect();
    let named = |Stack { item_id, quantity }| NamedStack {
        item_id,
        name: names.remove(&item_id),
        quantity,
    };
    Ok(HttpResponse::Ok().json(InventoryView {
        user_id,
        capacity: inventory.capacity,
        used: inventory.used,
        held: inventory.held,
        inventory: inventory.items.into_iter().map(named).collect(),
    }))
}

#[derive(Deserialize, Serialize, ToSchema)]
struct Catalogue {
    items: Vec<Item>,
}

#[derive(Deserialize, Serialize, ToSchema)]
struct Item {
    id: ItemId,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    price: i64,
    stock: i64,
    withdrawn: bool,
}

/// What there is to buy
#[utoipa::path(
    get, path = "/items", operation_id = "listItems", tag = "buyers",
    responses(
        (status = 200, description = "All of it, as item-svc has it", body = Catalogue),
        (status = 503, description = "item-svc is away"),
    ),
)]
async fn items(svc: web::Data<OrderSvc>) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Ok().json(catalogue(&svc).await?))
}

async fn catalogue(svc: &OrderSvc) -> Result<Catalogue, Problem> {
    let catalogue = svc.peers.get(Service::Item, "/items").await?;
    catalogue.ok_or_else(|| Problem::unavailable(Service::Item.as_str(), "GET /items: 404"))
}
