//! Requests in, answers out; no decisions.

use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::{NotificationId, OrderId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use svc_chassis::http::sse::{self, Frame, Gone, Sink};
use svc_chassis::http::{Problem, Query, page_of, resource};
use svc_chassis::{Chassis, Error};
use tokio::sync::watch;

use crate::NotifySvc;
use crate::store::{self, Shown};

/// Notifications that a stream reads at once.
const AT_ONCE: i64 = 100;

/// Adds this service's routes.
pub fn routes(app: &mut web::ServiceConfig) {
    resource("/notifications").get(notifications).register(app);
    resource("/notifications/stream").get(stream).register(app);
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NotificationsQuery {
    user_id: Option<UserId>,
    limit: Option<i64>,
    cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NotificationBody {
    #[serde(skip)]
    seq: i64,
    id: NotificationId,
    order_id: OrderId,
    user_id: UserId,
    kind: &'static str,
    text: String,
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
            kind: shown.kind.as_str(),
            text: shown.text,
            channels: shown.channels.split(',').map(str::to_owned).collect(),
            created_at: shown.created_at,
        }
    }
}

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
    Ok(HttpResponse::Ok().json(page.answer("notifications", rows, |row| row.seq)))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StreamQuery {
    user_id: Option<UserId>,
    /// For browsers, whose `EventSource` sends the header only by itself.
    last_event_id: Option<String>,
}

/// `GET /notifications/stream`: those that are told from now on, or after the one with this id.
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
                event: body.kind,
                data: serde_json::to_string(&body).unwrap_or_default(),
            };
            sink.send(&frame).await?;
        }
        if is_all && news.changed().await.is_err() {
            return Ok(());
        }
    }
}
