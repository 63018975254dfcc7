//! notify-svc's own section of the configuration; `defaults.toml` explains each key.

use serde::Deserialize;
use svc_chassis::Validate;

/// The section `[notify]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether letters go to the log, too.
    pub log: bool,
}

impl Validate for Config {
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}
