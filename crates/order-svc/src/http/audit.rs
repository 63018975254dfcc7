//! `GET /audit`: the invariants, computed from all six services. One audit at a time: it reads much.

use actix_web::{HttpResponse, web};
use saga_audit::{Audit, Report, Scope};
use saga_events::Timestamp;
use serde::Deserialize;
use svc_chassis::http::{
    AuditQuery, Own, Problem, Query, Routes, audit_answer, own_audit, resource,
};
use svc_chassis::{Chassis, Error};
use utoipa::{IntoParams, ToSchema};

use crate::OrderSvc;

pub fn routes(routes: &mut Routes<'_>) {
    resource("/audit").get(audit).register(routes);
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// `self`: order-svc's own part, as at every other service.
    #[param(inline)]
    of: Option<Own>,
    /// With `of=self`, `false`: only the totals, which cost less than the checks.
    checks: Option<bool>,
    /// With `of=self`: rows are compared with the journal from then on.
    since: Option<Timestamp>,
    /// Every purchase is looked at, not only the open and the recent ones.
    all: Option<bool>,
}

/// What is answered, for the OpenAPI document.
#[derive(ToSchema)]
#[schema(as = AuditOrReport)]
#[serde(untagged)]
#[allow(dead_code)] // each is answered by itself
enum Told {
    All(Audit),
    Own(Report),
}

/// The invariants, computed from all six services
#[utoipa::path(
    get, path = "/audit", operation_id = "getAudit", tag = "service",
    params(Asked),
    responses(
        (status = 200, description = "Nothing is violated, and nobody is missing", body = Told),
        (status = 503, description = "A law is violated, or a service does not answer: the same body", body = Told),
    ),
)]
async fn audit(
    Query(asked): Query<Asked>,
    svc: web::Data<OrderSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let Asked {
        of,
        checks,
        since,
        all,
    } = asked;
    if of.is_some() {
        if all.is_some() {
            return Err(Problem::malformed("all", "does not go with of=self").into());
        }
        return own_audit(Query(AuditQuery { of, checks, since }), svc, chassis).await;
    }
    for (field, given) in [("checks", checks.is_some()), ("since", since.is_some())] {
        if given {
            return Err(Problem::malformed(field, "goes only with of=self").into());
        }
    }
    let scope = match all {
        Some(true) => Scope::All,
        Some(false) | None => Scope::default(),
    };
    let audit = svc.auditor.lock().await.audit(scope).await;
    svc.live.figures.audited(audit.violations().count());
    Ok(audit_answer(audit.ok, &audit))
}
