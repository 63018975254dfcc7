//! Configuration: nothing of its own. What all services share is the chassis'.

use serde::Deserialize;
use svc_chassis::Validate;

pub(crate) const DEFAULTS: &str = "[inventory]\n";

/// The section `[inventory]`: empty, so a key in it is refused instead of ignored.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

impl Validate for Config {
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}
