//! Every route is in the OpenAPI document, and `openapi.json` is what the document says of them.

use payment_svc::PaymentSvc;
use svc_chassis::testing::documents::documented;

#[test]
fn the_document_tells_of_every_route() {
    documented::<PaymentSvc>(env!("CARGO_MANIFEST_DIR"));
}
