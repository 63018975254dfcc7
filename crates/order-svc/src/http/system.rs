//! `GET /system`: the whole system at a moment.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use svc_chassis::http::{Routes, resource};
use svc_chassis::{Chassis, Error};

use crate::OrderSvc;
use crate::overview::Picture;

/// Whoever asks often is shown the same picture again.
const FRESH: Duration = Duration::from_millis(400);

pub fn routes(routes: &mut Routes<'_>) {
    resource("/system").get(system).register(routes);
}

/// The system at a moment
///
/// What the six services say of themselves. One that does not answer within 400 ms is not up.
#[utoipa::path(
    get, path = "/system", operation_id = "getSystem", tag = "live",
    responses((status = 200, description = "The picture, 400 ms old at most", body = Picture)),
)]
async fn system(
    svc: web::Data<OrderSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let taken = svc.picture(&chassis, FRESH).await?;
    Ok(HttpResponse::Ok().json(&taken.picture))
}
