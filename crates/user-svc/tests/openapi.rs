//! `openapi.json` beside this folder is what `GET /openapi.json` answers.

use std::path::Path;

use svc_chassis::testing::documents::documented;
use user_svc::UserSvc;

#[test]
fn the_document_tells_of_every_route() {
    documented::<UserSvc>(&Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json"));
}
