//! One purchase as all six services tell it: `GET /orders/{id}/timeline`, and in plain words
//! `GET /orders/{id}/explain`.

use actix_web::http::header::{AcceptLanguage, CONTENT_LANGUAGE, Header, VARY};
use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::{OrderId, Timestamp};
use saga_timeline::{Language, Timeline, explain};
use serde::Serialize;
use serde_json::json;
use svc_chassis::http::{id_in_path, resource};
use svc_chassis::{Chassis, Error};

use super::order_view::OrderView;
use super::read;
use crate::OrderSvc;
use crate::gather::Gatherer;

pub fn routes(app: &mut web::ServiceConfig) {
    resource("/orders/{id}/timeline")
        .get(timeline)
        .register(app);
    resource("/orders/{id}/explain")
        .get(explained)
        .register(app);
    resource("/conformance").get(conformance).register(app);
}

#[derive(Serialize)]
struct Told {
    order: OrderView,
    #[serde(flatten)]
    timeline: Timeline,
}

async fn timeline(
    request: HttpRequest,
    svc: web::Data<OrderSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let (order, timeline) = tell(&request, &svc, &chassis).await?;
    Ok(HttpResponse::Ok().json(Told { order, timeline }))
}

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
        .json(json!({"orderId": order.id(), "language": language.tag(), "text": text})))
}

/// `GET /conformance`: of the purchases that were followed, those that went another way than the
/// protocol allows.
async fn conformance(svc: web::Data<OrderSvc>) -> HttpResponse {
    let (followed, orders) = (svc.live.figures.timelines(), svc.live.findings.listed());
    HttpResponse::Ok().json(json!({"followed": followed, "orders": orders}))
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
