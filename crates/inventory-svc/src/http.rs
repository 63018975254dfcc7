//! Requests about inventories: each is read strictly, handed to the store, and answered.

use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::{OutOfRange, UserId};
use serde::Deserialize;
use svc_chassis::http::{Body, Routes, id_in_path, resource};
use svc_chassis::{Chassis, Error};
use utoipa::ToSchema;

use crate::store::{self, Inventory};

/// The paths of inventory-svc.
pub(crate) fn routes(routes: &mut Routes<'_>) {
    resource("/inventories/{userId}")
        .get(show)
        .put(set_capacity)
        .register(routes);
}

/// The paths of inventory-svc, for its document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(show, set_capacity))]
pub(crate) struct Api;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Capacity)]
struct InventoryBody {
    /// How many slots there are to be.
    #[schema(value_type = i64, minimum = 0, maximum = 10_000)]
    capacity: Capacity,
}

/// A user's inventory
///
/// It knows no users: any UUID has an inventory, of 20 free slots until set otherwise.
#[utoipa::path(
    get, path = "/inventories/{userId}", operation_id = "getInventory", tag = "inventories",
    params(("userId" = UserId, Path, description = "Whose it is")),
    responses((status = 200, description = "As it is now", body = Inventory)),
)]
async fn show(request: HttpRequest, chassis: web::Data<Chassis>) -> Result<HttpResponse, Error> {
    let id = id_in_path(&request, "userId")?;
    let inventory = chassis
        .readers
        .read(move |conn| store::inventory(conn, id))
        .await?;
    Ok(HttpResponse::Ok().json(inventory))
}

/// Set how many slots there are
#[utoipa::path(
    put, path = "/inventories/{userId}", operation_id = "setCapacity", tag = "inventories",
    params(("userId" = UserId, Path, description = "Whose it is")),
    request_body = InventoryBody,
    responses(
        (status = 200, description = "The inventory", body = Inventory),
        (status = 409, description = "Fewer than are used and held"),
    ),
)]
async fn set_capacity(
    request: HttpRequest,
    chassis: web::Data<Chassis>,
    body: Body<InventoryBody>,
) -> Result<HttpResponse, Error> {
    let id = id_in_path(&request, "userId")?;
    let Capacity(capacity) = body.value.capacity;
    let inventory = chassis
        .writer
        .write(move |tx| store::set_capacity(tx, id, capacity))
        .await?;
    Ok(HttpResponse::Ok().json(inventory))
}

/// A number of slots, 0 to 10,000: an inventory is shown whole, so it cannot be endless.
#[derive(Deserialize)]
#[serde(try_from = "i64")]
struct Capacity(i64);

impl TryFrom<i64> for Capacity {
    type Error = OutOfRange;

    fn try_from(value: i64) -> Result<Self, OutOfRange> {
        let (min, max) = (0, 10_000);
        if (min..=max).contains(&value) {
            Ok(Self(value))
        } else {
            Err(OutOfRange { value, min, max })
        }
    }
}
