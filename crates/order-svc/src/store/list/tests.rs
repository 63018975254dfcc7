#![allow(clippy::unwrap_used)]

use svc_chassis::Service;
use svc_chassis::testing::{Bench, plan_of};

use super::*;
use crate::OrderSvc;

#[test]
fn the_orders_of_users_are_found_by_index() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(folder.path(), &OrderSvc::migrations()).unwrap();
    let filter = Filter {
        users: vec![UserId::new(), UserId::new()],
        after: Some(OrderId::new()),
        ..Filter::default()
    };
    let page = filter.indexed().order(orders::order_id.desc()).limit(10);
    let plan = plan_of(bench.conn(), &page.select(orders::order_id)).unwrap();
    let by_index = "COVERING INDEX orders_of_user (bucket=? AND user_id=? AND order_id<?)";
    assert!(plan.contains(by_index), "{plan}");
    assert!(!plan.contains("SCAN orders"), "{plan}");
}
