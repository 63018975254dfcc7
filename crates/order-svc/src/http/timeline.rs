//! One purchase as all six services tell it: `GET /orders/{id}/timeline`, and in plain words
//! `GET /orders/{id}/explain`.

use actix_web::http::header::{AcceptLanguage, CONTENT_LANGUAGE, Header, VARY};
use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::{OrderId, Timestamp};
use saga_timeline::{Language, Timeline, explain};
use serde::Serialize;
use svc_chassis::http::{Routes, id_in_path, resource};
use svc_chassis::{Chassis, Error};
use utoipa::{IntoParams, ToSchema};

use super::order_view::OrderView;
use super::read;
use crate::OrderSvc;
use crate::conformance::Illegal;
use crate::gather::Gatherer;

pub fn routes(routes: &mut Routes<'_>) {
    resource("/orders/{id}/timeline")
        .get(timeline)
        .register(routes);
    resource("/orders/{id}/explain")
        .get(explained)
        .register(routes);
    resource("/conformance").get(conformance).register(routes);
}

#[derive(Serialize, ToSchema)]
#[schema(as = TimelineOfOrder)]
struct Told {
    order: OrderView,
    #[serde(flatten)]
    timeline: Timeline,
}

/// A purchase, as all six services tell it
///
/// Read from the services' own journals: there is no central store. Who does not answer is in `missing`.
#[utoipa::path(
    get, path = "/orders/{id}/timeline", operation_id = "getTimeline", tag = "orders",
    params(("id" = OrderId, Path, description = "The purchase")),
    responses(
        (status = 200, description = "What happened, what comes next, and why that may be late", body = Told),
        (status = 404, description = "`ORDER_NOT_FOUND`"),
    ),
)]
async fn timeline(
    request: HttpRequest,
    svc: web::Data<OrderSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let (order, timeline) = tell(&request, &svc, &chassis).await?;
    Ok(HttpResponse::Ok().json(Told { order, timeline }))
}

/// The header, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)] // it is read by hand
struct LanguageHeader {
    /// `en` or `ko`; English unless it is liked better.
    #[param(rename = "Accept-Language", nullable = false, example = "ko")]
    language: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Explained {
    order_id: OrderId,
    /// `en` or `ko`
    language: &'static str,
    /// One paragraph.
    text: String,
}

/// A purchase in plain words
#[utoipa::path(
    get, path = "/orders/{id}/explain", operation_id = "explainOrder", tag = "orders",
    params(("id" = OrderId, Path, description = "The purchase"), LanguageHeader),
    responses(
        (status = 200, description = "What happened, and what comes next", body = Explained),
        (status = 404, description = "`ORDER_NOT_FOUND`"),
    ),
)]
async fn explained(
    request: HttpRequest,
    svc: web::Data<OrderSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let (order, timeline) = tell(&request, &svc, &chassis).await?;
    let language = language(&request);
    let text = explain(&timeline, language, Timestamp::now());
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_LANGUAGE, language.tag()))
        .insert_header((VARY, "Accept-Language"))
        .json(Explained {
            order_id: order.id(),
            language: language.tag(),
            text,
        }))
}

#[derive(Serialize, ToSchema)]
struct Followed {
    /// How many were followed, in the life of this process.
    followed: u64,
    /// Those that went another way, the latest 100.
    orders: Vec<Illegal>,
}

/// Purchases that went another way than the protocol allows
#[utoipa::path(
    get, path = "/conformance", operation_id = "getConformance", tag = "orders",
    responses((status = 200, description = "Of those that were followed", body = Followed)),
)]
async fn conformance(svc: web::Data<OrderSvc>) -> HttpResponse {
    let (followed, orders) = (svc.live.figures.timelines(), svc.live.findings.listed());
    HttpResponse::Ok().json(Followed { followed, orders })
}

async fn tell(
    request: &HttpRequest,
    svc: &OrderSvc,
    chassis: &Chassis,
) -> Result<(OrderView, Timeline), Error> {
    let id: OrderId = id_in_path(request, "id")?;
    // Twice: what the journals tell may be newer than the row that said that there is such an order.
    let stored = read(chassis, id).await?;
    let timeline = Gatherer::new(chassis, &svc.peers).timeline(&stored).await?;
    svc.live.followed(id, &timeline);
    let stored = read(chassis, id).await?;
    Ok((OrderView::from(&stored), timeline))
}

/// The language that the caller likes best of those that there are; a header that cannot be read is
/// none.
fn language(request: &HttpRequest) -> Language {
    let liked = AcceptLanguage::parse(request).map(|accepted| accepted.ranked());
    let liked = liked.unwrap_or_default().into_iter().find_map(|tag| {
        let tag = tag.to_string();
        let primary = tag
            .split('-')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        Language::ALL
            .into_iter()
            .find(|language| language.tag() == primary)
    });
    liked.unwrap_or(Language::English)
}
