//! Live: `GET /orders/{id}/events`, one purchase from its beginning until the buyer was told, and
//! `GET /events`, everything that is said from now on.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::OrderId;
use saga_timeline::Timeline;
use saga_timeline::timeline::Event;
use svc_chassis::http::sse::{self, Frame, Gone, LastEventId, Resume, Seen, Sink};
use svc_chassis::http::{Problem, Routes, id_in_path, resource};
use svc_chassis::{Chassis, Error};

use super::read;
use crate::OrderSvc;
use crate::gather::Gatherer;
use crate::ring::Watcher;
use crate::seen::{SeenOf, is_over};
use crate::watched::Heard;

/// How often a purchase that is under way is looked at; what it says arrives that much later.
const LOOK: Duration = Duration::from_millis(100);
/// One that is stuck is looked at less and less, down to this.
const SELDOM: Duration = Duration::from_secs(2);

pub fn routes(routes: &mut Routes<'_>) {
    resource("/events").get(all).register(routes);
    resource("/orders/{id}/events")
        .get(of_order)
        .register(routes);
}

/// Everything that is said from now on, as Server-Sent Events
#[utoipa::path(
    get, path = "/events", operation_id = "streamEvents", tag = "live",
    params(Resume, LastEventId),
    responses((
        status = 200, description = "Each `data` is an event as the bus carries it; `missed` where some were",
        body = Frame, content_type = "text/event-stream",
    )),
)]
async fn all(
    seen: Seen,
    svc: web::Data<OrderSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let place = chassis.places.take()?;
    let watcher = svc.live.watched.watch(seen.0.as_deref());
    Ok(sse::answer(&chassis, place, |sink| pass_on(watcher, sink)))
}

async fn pass_on(mut watcher: Watcher<Heard>, sink: Sink) -> Result<(), Gone> {
    while let Some((id, event)) = watcher.next().await {
        let frame = match event.flatten() {
            Some(event) => Frame {
                id,
                event: event.event_type().as_str(),
                // What the bus carries. It was decoded from there, so it can be written again.
                data: String::from_utf8(event.encode().unwrap_or_default()).unwrap_or_default(),
            },
            None => Frame {
                id,
                event: "missed",
                data: "{}".to_owned(),
            },
        };
        sink.send(&frame).await?;
    }
    Ok(())
}

/// One purchase from its beginning until the buyer was told, as Server-Sent Events
#[utoipa::path(
    get, path = "/orders/{id}/events", operation_id = "streamOrder", tag = "live",
    params(("id" = OrderId, Path, description = "The purchase"), Resume, LastEventId),
    responses(
        (
            status = 200, description = "Each `data` is an event of the timeline",
            body = Frame, content_type = "text/event-stream",
        ),
        (status = 204, description = "It has ended, and the caller has seen all of it"),
        (status = 404, description = "`ORDER_NOT_FOUND`"),
    ),
)]
async fn of_order(
    request: HttpRequest,
    Seen(seen): Seen,
    svc: web::Data<OrderSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let order: OrderId = id_in_path(&request, "id")?;
    let seen = match seen {
        None => SeenOf::default(),
        Some(id) => SeenOf::read(&id).ok_or_else(|| {
            let message = "must be an id of this stream: six numbers, joined by dots";
            Problem::malformed("lastEventId", message)
        })?,
    };
    let timeline = look(&svc, &chassis, order).await?;
    if is_over(&timeline) && seen.news(&timeline).next().is_none() {
        // Tells a browser not to connect again.
        return Ok(HttpResponse::NoContent().finish());
    }
    let place = chassis.places.take()?;
    let (svc, with) = (svc.into_inner(), chassis.get_ref().clone());
    Ok(sse::answer(&chassis, place, move |sink| async move {
        follow(&svc, &with, order, timeline, seen, sink).await
    }))
}

async fn follow(
    svc: &OrderSvc,
    chassis: &Chassis,
    order: OrderId,
    mut timeline: Timeline,
    mut seen: SeenOf,
    sink: Sink,
) -> Result<(), Gone> {
    let mut wait = LOOK;
    loop {
        let mut news = false;
        for (after, frame) in seen.news(&timeline).map(frame).collect::<Vec<_>>() {
            sink.send(&frame).await?;
            (seen, news) = (after, true);
        }
        if is_over(&timeline) {
            return Ok(());
        }
        wait = if news {
            LOOK
        } else {
            (wait * 5 / 4).min(SELDOM)
        };
        tokio::time::sleep(wait).await;
        // What cannot be read now is read later.
        if let Ok(next) = look(svc, chassis, order).await {
            timeline = next;
        }
    }
}

async fn look(svc: &OrderSvc, chassis: &Chassis, order: OrderId) -> Result<Timeline, Error> {
    let stored = read(chassis, order).await?;
    Gatherer::new(chassis, &svc.peers).timeline(&stored).await
}

fn frame((seen, event): (SeenOf, &Event)) -> (SeenOf, Frame) {
    let frame = Frame {
        id: seen.id(),
        event: event.event_type.as_str(),
        data: serde_json::to_string(event).unwrap_or_default(),
    };
    (seen, frame)
}
