//! The section `[order]`. Every key is explained in `defaults.toml`.

use std::time::Duration;

use serde::Deserialize;
use svc_chassis::Validate;
use svc_chassis::config::Settings;

/// What only order-svc can be told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderConfig {
    /// From an order's beginning to its deadline, in milliseconds.
    pub deadline_ms: u64,
    /// The shortest wait before the first repeat, in milliseconds.
    pub first_repeat_ms: u64,
    /// The longest wait between two repeats, in milliseconds.
    pub max_repeat_ms: u64,
    /// The most repeats in a second, of all orders together.
    pub repeats_per_second: u32,
    /// From one look for due orders to the next, in milliseconds.
    pub sweep_ms: u64,
    /// The most orders that are not final.
    pub max_open: i64,
    /// The most events that are committed and not published.
    pub max_outbox: i64,
    /// How long a price is taken for current, in milliseconds.
    pub price_ttl_ms: u64,
    /// From one look whether a purchase went as the protocol allows to the next, in milliseconds; 0:
    /// none.
    pub conformance_ms: u64,
    /// Where the lab is that the page may talk to; empty: there is none.
    pub lab_origin: String,
}

impl OrderConfig {
    /// From an order's beginning to its deadline.
    pub const fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// From one look whether a purchase went as the protocol allows to the next; zero: none.
    pub const fn conformance(&self) -> Duration {
        Duration::from_millis(self.conformance_ms)
    }
}

impl Validate for OrderConfig {
    /// While an order is open, its whole journal is there to be read at all services.
    fn validate_with(&self, shared: &Settings) -> Result<(), String> {
        let (least_s, kept_s) = (
            (self.deadline_ms * 2).div_ceil(1000),
            shared.retention.journal_s,
        );
        if kept_s < least_s {
            return Err(format!(
                "retention.journal_s: must be at least {least_s}, twice order.deadline_ms, not {kept_s}"
            ));
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        const DAY_MS: u64 = 86_400_000;
        for (key, value, min, max) in [
            ("deadline_ms", self.deadline_ms, 1, DAY_MS),
            ("first_repeat_ms", self.first_repeat_ms, 1, DAY_MS),
            (
                "max_repeat_ms",
                self.max_repeat_ms,
                self.first_repeat_ms,
                DAY_MS,
            ),
            (
                "repeats_per_second",
                self.repeats_per_second.into(),
                1,
                1_000_000,
            ),
            ("sweep_ms", self.sweep_ms, 1, 60_000),
            ("price_ttl_ms", self.price_ttl_ms, 0, DAY_MS),
            ("conformance_ms", self.conformance_ms, 0, DAY_MS),
        ] {
            if value < min || value > max {
                return Err(format!(
                    "order.{key}: must be from {min} to {max}, not {value}"
                ));
            }
        }
        for (key, value) in [("max_open", self.max_open), ("max_outbox", self.max_outbox)] {
            if value < 1 {
                return Err(format!("order.{key}: must be at least 1, not {value}"));
            }
        }
        if !self.lab_origin.is_empty() && !is_loopback_origin(&self.lab_origin) {
            return Err(format!(
                "order.lab_origin: must be empty, http://127.0.0.1:PORT, http://localhost:PORT or \
                 http://[::1]:PORT, not {:?}",
                self.lab_origin
            ));
        }
        Ok(())
    }
}

/// Only this machine, spelled in one way: it goes into a header as it is.
fn is_loopback_origin(origin: &str) -> bool {
    let hosts = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
    let port = hosts.iter().find_map(|host| origin.strip_prefix(host));
    port.is_some_and(|port| {
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        digits && !port.starts_with('0') && port.parse::<u16>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lab_is_on_this_machine() {
        for good in [
            "http://127.0.0.1:3010",
            "http://localhost:1",
            "http://[::1]:65535",
        ] {
            assert!(is_loopback_origin(good), "{good}");
        }
        for wrong in [
            "http://127.0.0.1",
            "http://127.0.0.1:",
            "http://127.0.0.1:0",
            "http://127.0.0.1:65536",
            "http://127.0.0.1:3010/",
            "http://127.0.0.1:+80",
            "https://127.0.0.1:3010",
            "http://127.0.0.1.evil.example:80",
            "http://lab.example:3010",
            "http://localhost:3010; script-src *",
            "*",
        ] {
            assert!(!is_loopback_origin(wrong), "{wrong}");
        }
    }
}
