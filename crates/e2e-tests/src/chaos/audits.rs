//! The audit, as an operator runs it: again and again while everything goes wrong, when it must
//! raise no false alarm, and over every purchase in the end.

use std::time::Duration;

use saga_audit::{Audit, Auditor, Scope};
use tokio::time::{Instant, sleep};

use super::scene::Scene;

/// Between two live passes.
const PAUSE: Duration = Duration::from_secs(1);

fn auditor(scene: &Scene) -> Auditor {
    let base = |service| scene.system.at(service).base().to_owned();
    Auditor::new(base).unwrap()
}

fn note(scene: &Scene, when: &str, audit: &Audit) {
    for check in audit.violations() {
        let check = serde_json::to_string(check).unwrap();
        scene.record.violation(format!("audit {when}: {check}"));
    }
}

/// Audits while faults strike. Who is away then is missing, which is no violation.
pub async fn audit_all_the_while(scene: &Scene) {
    let auditor = auditor(scene);
    loop {
        sleep(PAUSE).await;
        let audit = auditor.audit(Scope::default()).await;
        note(scene, "under chaos", &audit);
        scene.record.audited();
    }
}

/// Audits every purchase, once all is quiet, until this moment at most.
pub async fn audit_all(scene: &Scene, end: Instant) {
    let auditor = auditor(scene);
    loop {
        let audit = auditor.audit(Scope::All).await;
        if audit.violations().next().is_some() || (audit.ok && audit.quiet) {
            return note(scene, "in the end", &audit);
        }
        if Instant::now() >= end {
            let missing = audit.missing;
            let what = format!("the audit finds no quiet in time; missing: {missing:?}");
            return scene.record.violation(what);
        }
        sleep(Duration::from_millis(200)).await;
    }
}
