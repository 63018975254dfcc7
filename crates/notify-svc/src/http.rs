//! Requests in, answers out; no decisions.

use actix_web::{HttpResponse, web};
use saga_events::{NotificationId, OrderId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use svc_chassis::http::{Query, page_of, resource};
use svc_chassis::{Chassis, Error};

use crate::store::{self, Shown};

/// Adds this service's routes.
pub fn routes(app: &mut web::ServiceConfig) {
    resource("/notifications").get(notifications).register(app);
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
