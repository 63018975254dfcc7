//! `openapi.json` is what the documents of all services say of the routes that all services have.

use svc_chassis::testing::documents::shared_is_kept;

#[test]
fn the_shared_part_is_the_one_that_is_kept() {
    shared_is_kept(env!("CARGO_MANIFEST_DIR"));
}
