//! `GET /audit`: the invariants, computed from all six services. One audit at a time: it reads much.

use actix_web::{HttpResponse, web};
use saga_audit::Scope;
use serde::Deserialize;
use svc_chassis::http::{AuditQuery, Own, Problem, Query, audit_answer, own_audit, resource};
use svc_chassis::{Chassis, Error};

use crate::OrderSvc;

pub fn routes(app: &mut web::ServiceConfig) {
    resource("/audit").get(audit).register(app);
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// `self`: order-svc's own part, as at every other service.
    of: Option<Own>,
    checks: Option<bool>,
    /// Every purchase is looked at, not only the open and the recent ones.
    all: Option<bool>,
}

async fn audit(
    Query(Asked { of, checks, all }): Query<Asked>,
    svc: web::Data<OrderSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    match (of, checks, all) {
        (Some(_), _, None) => own_audit(Query(AuditQuery { of, checks }), svc, chassis).await,
        (Some(_), _, Some(_)) => Err(Problem::malformed("all", "does not go with of=self").into()),
        (None, Some(_), _) => Err(Problem::malformed("checks", "goes only with of=self").into()),
        (None, None, all) => {
            let scope = match all {
                Some(true) => Scope::All,
                Some(false) | None => Scope::default(),
            };
            let audit = svc.auditor.lock().await.audit(scope).await;
            svc.live.figures.audited(audit.violations().count());
            Ok(audit_answer(audit.ok, &audit))
        }
    }
}
