//! `GET /live`: the system as it is, while it is watched.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use svc_chassis::http::sse::{self, Frame, Gone, LastEventId, Resume, Seen, Sink};
use svc_chassis::http::{Routes, resource};
use svc_chassis::{Chassis, Error};

use crate::OrderSvc;
use crate::lookout::Sight;
use crate::ring::Watcher;

pub fn routes(routes: &mut Routes<'_>) {
    resource("/live").get(live).register(routes);
}

/// The system as it is, while it is watched, as Server-Sent Events
///
/// `tick`, twice a second and at once: what `GET /system` answers, with how many events of each type
/// were said since the tick before. `step`: a step of a purchase, of 20 purchases a second at most.
/// `audit`, once a second at most: whether the books agree.
#[utoipa::path(
    get, path = "/live", operation_id = "watchSystem", tag = "live",
    params(Resume, LastEventId),
    responses((
        status = 200, description = "Each `data` is a tick, a step or an audit",
        body = Frame, content_type = "text/event-stream",
    )),
)]
async fn live(
    seen: Seen,
    svc: web::Data<OrderSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let place = chassis.places.take()?;
    let watcher = svc.live.lookout.watch(seen.0.as_deref());
    Ok(sse::answer(&chassis, place, |sink| pass_on(watcher, sink)))
}

async fn pass_on(mut watcher: Watcher<Arc<Sight>>, sink: Sink) -> Result<(), Gone> {
    while let Some((id, sight)) = watcher.next().await {
        // What was missed is said anew by the next tick.
        let Some(sight) = sight else { continue };
        let (event, data) = (sight.event, sight.data.clone());
        sink.send(&Frame { id, event, data }).await?;
    }
    Ok(())
}
