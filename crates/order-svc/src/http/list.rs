//! `GET /orders`: purchases, newest first, found by what people know of them.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use saga_events::{ItemId, OrderId, ReasonCode, Timestamp, UserId};
use saga_timeline::stuck::Stuck;
use serde::{Deserialize, Serialize};
use svc_chassis::http::{Problem, Query, page_of};
use svc_chassis::{Chassis, Error};
use utoipa::{IntoParams, ToSchema};

use super::order_view::OrderView;
use super::search::{Found, search};
use super::stuck;
use crate::OrderSvc;
use crate::saga::Status;
use crate::store::list::Filter;
use crate::store::{self, StoredOrder};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Only those that stand so.
    #[param(value_type = Option<Status>, inline)]
    status: Option<String>,
    /// Only those of this buyer.
    user_id: Option<UserId>,
    /// Only those of this item.
    item_id: Option<ItemId>,
    /// Only those cancelled for this reason.
    reason_code: Option<ReasonCode>,
    /// What somebody knows of it: an order's id or its first six hexadecimal digits or more, a user's
    /// or an item's id, the exact name of a user, a part of an item's, a reason code, a status.
    #[param(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    q: Option<String>,
    /// Only those that began so long ago: a number and ms, s, m, h or d.
    #[param(pattern = "^[0-9]{1,6}(ms|s|m|h|d)$", example = "10s")]
    older_than: Option<String>,
    /// Only those that wait for something, and why.
    stuck: Option<bool>,
    /// With the names of buyers and items, as far as their owners answer.
    #[serde(default)]
    names: bool,
    /// How many rows, 1 to 100; 100 unless given.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// The `nextCursor` of the page before.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Orders {
    orders: Vec<Listed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ListedOrder)]
pub(super) struct Listed {
    #[serde(flatten)]
    order: OrderView,
    /// Who buys; with `names=true`, unless user-svc is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// What; with `names=true`, unless item-svc is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    item_name: Option<String>,
    /// Why it waits; with `stuck=true` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    stuck: Option<Vec<Stuck>>,
}

/// Purchases, the newest first
///
/// A page may be short, or empty, and still have a next one: no page looks at more than 20,000
/// purchases.
#[utoipa::path(
    get, path = "/orders", operation_id = "listOrders", tag = "orders",
    params(ListQuery),
    responses(
        (status = 200, description = "A page of them", body = Orders),
        (status = 503, description = "`q` may be a name, and its owner is away"),
    ),
)]
pub(super) async fn list(
    Query(query): Query<ListQuery>,
    svc: web::Data<OrderSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let pages = page_of::<OrderId>(query.limit, query.cursor.as_deref())?;
    let mut filter = Filter {
        after: pages.after,
        ..filter(&query)?
    };
    let nothing = || Orders::of(Vec::new(), None);
    if let Some(text) = query.q.as_deref().map(str::trim) {
        match search(text, &svc, &chassis).await? {
            Found::Nothing => return Ok(nothing()),
            found => {
                if !found.narrow(&mut filter) {
                    return Ok(nothing());
                }
            }
        }
    }
    let stuck_only = query.stuck == Some(true);
    if stuck_only {
        stuck::only(&mut filter);
    }
    let limit = pages.limit;
    let read = move |conn: &mut _| Ok(store::list::list(conn, &filter, limit)?);
    let store::list::Listed { orders, more } = chassis.readers.read(read).await?;
    let mut rows: Vec<(StoredOrder, Option<Vec<Stuck>>)> = if stuck_only {
        stuck::held_up(&svc, &chassis, orders).await?
    } else {
        orders.into_iter().map(|stored| (stored, None)).collect()
    };
    let mut listed = Vec::with_capacity(rows.len());
    if query.names {
        svc.names.learn(rows.iter().map(|(stored, _)| stored)).await;
    }
    for (stored, stuck) in rows.drain(..) {
        let purchase = &stored.order.purchase;
        let (user, item) = (purchase.user_id, purchase.item_id);
        let named = query.names;
        listed.push(Listed {
            order: OrderView::from(&stored),
            username: named.then(|| svc.names.user(user)).flatten(),
            item_name: named.then(|| svc.names.item(item)).flatten(),
            stuck,
        });
    }
    Ok(Orders::of(listed, more))
}

impl Orders {
    fn of(orders: Vec<Listed>, more: Option<OrderId>) -> HttpResponse {
        HttpResponse::Ok().json(Self {
            orders,
            next_cursor: more.map(|last| last.to_string()),
        })
    }
}

/// What the query says by itself.
fn filter(query: &ListQuery) -> Result<Filter, Problem> {
    let status = match query.status.as_deref().map(str::parse) {
        None => None,
        Some(Ok(status)) => Some(status),
        Some(Err(_)) => {
            let states = Status::ALL.map(Status::as_str).join(", ");
            return Err(Problem::malformed(
                "status",
                format!("must be one of {states}"),
            ));
        }
    };
    let before = match query.older_than.as_deref().map(age) {
        None => None,
        Some(Some(age)) => Some(Timestamp::now().minus(age)),
        Some(None) => {
            let message = "must be a number and ms, s, m, h or d, such as 10s";
            return Err(Problem::malformed("olderThan", message));
        }
    };
    if let Some(text) = &query.q {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > 100 || text.chars().any(char::is_control) {
            let message = "must have 1 to 100 characters, none of them a control character";
            return Err(Problem::invalid("q", message));
        }
    }
    Ok(Filter {
        status,
        before,
        users: query.user_id.into_iter().collect(),
        items: query.item_id.into_iter().collect(),
        reason: query.reason_code,
        ..Filter::default()
    })
}

/// `10s`, `500ms`, `2m`, `1h`, `1d`
fn age(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(millis)?))
}
