#![allow(clippy::unwrap_used)]

use svc_chassis::Service;
use svc_chassis::testing::{Bench, plan_of};

use super::*;
use crate::NotifySvc;

#[test]
fn the_notifications_of_a_user_are_found_by_index() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(folder.path(), &NotifySvc::migrations()).unwrap();
    let page = of(Some(UserId::new())).filter(notifications::seq.lt(10));
    let plan = plan_of(bench.conn(), &page.order(notifications::seq.desc())).unwrap();
    let by_index = "INDEX notifications_of_user (bucket=? AND user_id=? AND rowid<?)";
    assert!(plan.contains(by_index), "{plan}");
    assert!(!plan.contains("SCAN notifications"), "{plan}");
}
