//! `openapi.json` beside this folder is what `GET /openapi.json` answers.

use std::path::Path;

use payment_svc::PaymentSvc;
use svc_chassis::testing::documents::documented;

#[test]
fn the_document_tells_of_every_route() {
    documented::<PaymentSvc>(&Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json"));
}
