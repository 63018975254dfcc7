//! The lab's calls: each is read strictly, handed on, and answered.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::Value;
use svc_chassis::Error;
use svc_chassis::http::{Body, Problem, Query, Routes, passed_on, resource};

use super::gateway::Wanted;
use super::kind::Kind;
use super::picture::PerSecond;
use super::{Lab, live, model, traffic};

/// How long a fault lasts unless told otherwise, in seconds.
const LASTS: u32 = 10;
/// The longest that a fault lasts that heals by itself, in seconds.
const LONGEST: u32 = 3_600;

type Answer = Result<HttpResponse, Error>;

/// All of them.
pub fn routes(routes: &mut Routes<'_>) {
    resource("/lab").get(picture).register(routes);
    resource("/lab/live").get(watch).register(routes);
    resource("/lab/faults")
        .post(strike)
        .delete(heal_all)
        .register(routes);
    resource("/lab/faults/{id}").delete(heal).register(routes);
    resource("/lab/gateway").put(set_gateway).register(routes);
    resource("/lab/traffic").put(set_traffic).register(routes);
    resource("/lab/purchases").post(buy).register(routes);
    resource("/model").get(what_if).register(routes);
    resource("/model/shortcuts").get(shortcuts).register(routes);
}

async fn picture(lab: web::Data<Lab>) -> HttpResponse {
    HttpResponse::Ok().json(lab.picture())
}

async fn watch(lab: web::Data<Lab>) -> Answer {
    Ok(live::stream(lab.into_inner())?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewFault {
    kind: Kind,
    target: Option<String>,
    /// 0: until it is healed by hand.
    seconds: Option<u32>,
}

async fn strike(lab: web::Data<Lab>, body: Body<NewFault>) -> Answer {
    let NewFault {
        kind,
        target,
        seconds,
    } = body.value;
    let strike = kind.strikes(target.as_deref())?;
    let seconds = seconds.unwrap_or(LASTS);
    if seconds > LONGEST {
        let message = format!("must be from 0 (until it is healed by hand) to {LONGEST}");
        return Err(Problem::invalid("seconds", message).into());
    }
    let heals_after = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
    let fault = lab.faults.strike(kind, strike, heals_after).await?;
    Ok(HttpResponse::Created().json(fault))
}

async fn heal(lab: web::Data<Lab>, request: HttpRequest) -> Answer {
    let id = request.match_info().get("id").unwrap_or_default();
    let id: u64 = id
        .parse()
        .map_err(|_| Problem::malformed("id", "must be the number of a fault"))?;
    if !lab.faults.heal(id) {
        let what = format!("fault {id} that is on; GET /lab names those that are");
        return Err(Problem::not_found("NO_SUCH_FAULT", what).into());
    }
    Ok(HttpResponse::NoContent().finish())
}

async fn heal_all(lab: web::Data<Lab>) -> Answer {
    lab.heal_all().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn set_gateway(lab: web::Data<Lab>, body: Body<Wanted>) -> Answer {
    let (status, answer) = lab.set_gateway(&body.value).await?;
    Ok(passed_on(status, &answer))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewTraffic {
    per_second: u32,
}

async fn set_traffic(lab: web::Data<Lab>, body: Body<NewTraffic>) -> Answer {
    let NewTraffic { per_second } = body.value;
    if per_second > traffic::MOST {
        let message = format!("must be from 0 to {}", traffic::MOST);
        return Err(Problem::invalid("perSecond", message).into());
    }
    lab.traffic.set(per_second);
    lab.has_changed();
    Ok(HttpResponse::Ok().json(PerSecond { per_second }))
}

/// What is in it is judged by order-svc.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewPurchase {
    item_id: Value,
    quantity: Option<Value>,
}

async fn buy(lab: web::Data<Lab>, body: Body<NewPurchase>) -> Answer {
    let NewPurchase { item_id, quantity } = body.value;
    let quantity = quantity.unwrap_or_else(|| 1.into());
    let (status, answer) = lab.buy(&item_id, &quantity).await?;
    Ok(passed_on(status, &answer))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WhatIf {
    without: Option<String>,
}

async fn what_if(lab: web::Data<Lab>, Query(query): Query<WhatIf>) -> Answer {
    let without = model::without(&query.without.unwrap_or_default())?;
    Ok(HttpResponse::Ok().json(lab.model.what_if(without).await?))
}

async fn shortcuts() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"shortcuts": model::shortcuts()}))
}
