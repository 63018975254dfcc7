//! `openapi.json` beside this folder is what `GET /openapi.json` answers.

use std::path::Path;

use order_svc::OrderSvc;
use svc_chassis::testing::documents::documented;

#[test]
fn the_document_tells_of_every_route() {
    documented::<OrderSvc>(&Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json"));
}
