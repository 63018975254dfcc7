//! Requests about inventories: each is read strictly, handed to the store, and answered.

use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::OutOfRange;
use serde::Deserialize;
use svc_chassis::http::{Body, id_in_path, resource};
use svc_chassis::{Chassis, Error};

use crate::store;

/// The paths of inventory-svc.
pub(crate) fn routes(app: &mut web::ServiceConfig) {
    resource("/inventories/{userId}")
        .get(show)
        .put(set_capacity)
        .register(app);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InventoryBody {
    capacity: Capacity,
}

async fn show(request: HttpRequest, chassis: web::Data<Chassis>) -> Result<HttpResponse, Error> {
    let id = id_in_path(&request, "userId")?;
    let inventory = chassis
        .readers
        .read(move |conn| store::inventory(conn, id))
        .await?;
    Ok(HttpResponse::Ok().json(inventory))
}

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
