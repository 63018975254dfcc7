//! Every route is in the OpenAPI document, and `openapi.json` is what the document says of them.

use svc_chassis::testing::documents::documented;
use user_svc::UserSvc;

#[test]
fn the_document_tells_of_every_route() {
    documented::<UserSvc>(env!("CARGO_MANIFEST_DIR"));
}
