//! Requests in, answers out; no decisions.

use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::{NotificationId, OrderId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use svc_chassis::http::sse::{self, Frame, Gone, LastEventId, Sink};
use svc_chassis::http::{Problem, Query, Routes, page_of, resource};
use svc_chassis::{Chassis, Error};
use tokio::sync::watch;
use utoipa::{IntoParams, ToSchema};

use crate::NotifySvc;
use crate::saga::Kind;
use crate::store::{self, Shown};

/// Notifications that a stream reads at once.
const AT_ONCE: i64 = 100;

/// Adds this service's routes.
pub fn routes(routes: &mut Routes<'_>) {
    resource("/notifications")
        .get(notifications)
        .register(routes);
    resource("/notifications/stream")
        .get(stream)
        .register(routes);
}

/// The paths of notify-svc, for its document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(notifications, stream))]
pub struct Api;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NotificationsQuery {
    /// Only those of this buyer.
    user_id: Option<UserId>,
    /// How many rows, 1 to 100; 100 unless given.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// The `nextCursor` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Notifications {
    notifications: Vec<NotificationBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Notification)]
struct NotificationBody {
    #[serde(skip)]
    seq: i64,
    id: NotificationId,
    order_id: OrderId,
    user_id: UserId,
    /// What the buyer was told of.
    kind: Kind,
    /// What the buyer was told.
    text: String,
    /// By which channels.
    channels: Vec<String>,
    created_at: Timestamp,
}

impl From<Shown> for NotificationBody {
    fn from(shown: Shown) -> Self {
        Self {
            seq: shown.seq,
            id: shown.id,
            order_id: shown.order_id,
            user_id: shown.user_id,
            kind: shown.kind,
            text: shown.text,
            channels: shown.channels.split(',').map(str::to_owned).collect(),
            created_at: shown.created_at,
        }
    }
}

/// What buyers were told, the newest first
#[utoipa::path(
    get, path = "/notifications", operation_id = "listNotifications", tag = "notifications",
    params(NotificationsQuery),
    responses((status = 200, description = "A page of it", body = Notifications)),
)]
async fn notifications(
    Query(query): Query<NotificationsQuery>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let page = page_of::<i64>(query.limit, query.cursor.as_deref())?;
    let (before, limit) = (page.after, page.to_read());
    let rows = chassis
        .readers
        .read(move |conn| Ok(store::newest(conn, query.user_id, before, limit)?))
        .await?;
    let rows: Vec<NotificationBody> = rows.into_iter().map(NotificationBody::from).collect();
    let (notifications, next_cursor) = page.cut(rows, |row| row.seq);
    Ok(HttpResponse::Ok().json(Notifications {
        notifications,
        next_cursor,
    }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StreamQuery {
    /// Only those of this buyer.
    user_id: Option<UserId>,
    /// Go on after this one. For browsers, whose `EventSource` sends the header only by itself.
    last_event_id: Option<String>,
}

/// What buyers are told from now on, as Server-Sent Events
#[utoipa::path(
    get, path = "/notifications/stream", operation_id = "streamNotifications", tag = "notifications",
    params(StreamQuery, LastEventId),
    responses((
        status = 200, description = "Each `data` is a `Notification`", body = Frame,
        content_type = "text/event-stream",
    )),
)]
async fn stream(
    request: HttpRequest,
    Query(query): Query<StreamQuery>,
    service: web::Data<NotifySvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    // Before the last one is looked up, so that none slips through in between.
    let news = service.news.subscribe();
    let seen = match sse::last_event_id(&request, query.last_event_id) {
        Some(id) => id.parse().map_err(|_| {
            Problem::malformed("lastEventId", "must be the id of an event of this stream")
        })?,
        None => {
            chassis
                .readers
                .read(|conn| Ok(store::last_seq(conn)?))
                .await?
        }
    };
    let place = chassis.places.take()?;
    let with = chassis.get_ref().clone();
    Ok(sse::answer(&chassis, place, move |sink| {
        tell(with, query.user_id, seen, news, sink)
    }))
}

async fn tell(
    chassis: Chassis,
    user_id: Option<UserId>,
    mut seen: i64,
    mut news: watch::Receiver<()>,
    sink: Sink,
) -> Result<(), Gone> {
    loop {
        let read = move |conn: &mut _| Ok(store::after(conn, user_id, seen, AT_ONCE)?);
        // What cannot be read now is read with the next one.
        let told = chassis.readers.read(read).await.unwrap_or_default();
        let is_all = told.len() < usize::try_from(AT_ONCE).unwrap_or(0);
        for shown in told {
            let body = NotificationBody::from(shown);
            seen = body.seq;
            let frame = Frame {
                id: body.seq.to_string(),
                event: body.kind.as_str(),
                data: serde_json::to_string(&body).unwrap_or_default(),
            };
            sink.send(&frame).await?;
        }
        if is_all && news.changed().await.is_err() {
            return Ok(());
        }
    }
}
