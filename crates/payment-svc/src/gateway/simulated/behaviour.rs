//! How the simulated gateway behaves: what `GET /gateway` shows and `PUT /gateway` sets.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest latency, in milliseconds: longer than any deadline that makes sense.
const MAX_LATENCY_MS: u64 = 60_000;
/// What every JSON reader keeps exactly.
const MAX_SEED: u64 = (1 << 53) - 1;

/// How the simulated gateway behaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Behaviour {
    /// Which gateway it is.
    pub kind: Kind,
    /// The share of new keys that is approved.
    #[schema(value_type = f64, minimum = 0, maximum = 1)]
    pub approval_rate: Rate,
    /// The shortest time that a decision takes.
    #[schema(value_type = u64, maximum = 60_000)]
    pub latency_min_ms: LatencyMs,
    /// The longest time that a decision takes.
    #[schema(value_type = u64, maximum = 60_000)]
    pub latency_max_ms: LatencyMs,
    /// In which way it is away.
    pub outage: Outage,
    /// Chooses which of the orders are approved.
    #[schema(value_type = u64, maximum = 9_007_199_254_740_991_u64)]
    pub seed: Seed,
}

impl Behaviour {
    /// Checks what the fields' types cannot.
    ///
    /// # Errors
    /// What is wrong with `latencyMaxMs`.
    pub fn validate(&self) -> Result<(), &'static str> {
        if self.latency_min_ms > self.latency_max_ms {
            return Err("must not be below the shortest latency");
        }
        Ok(())
    }
}

/// Which gateway payments go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// The one in this crate.
    Simulated,
}

/// In which way the gateway is away. In none of them does the caller get an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outage {
    /// It is there.
    None,
    /// Connections are refused.
    Refuse,
    /// Requests get lost: nothing is charged.
    Timeout,
    /// Answers get lost: the charge is made, and nobody hears of it.
    TimeoutAfterCharge,
}

macro_rules! setting {
    ($(#[$doc:meta])* $name:ident($raw:ident as $text:literal) $allowed:pat, $range:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = $text, into = $text)]
        pub struct $name($raw);

        impl $name {
            /// The number itself.
            pub const fn get(self) -> $raw {
                self.0
            }
        }

        impl TryFrom<$raw> for $name {
            type Error = String;

            fn try_from(value: $raw) -> Result<Self, String> {
                match value {
                    $allowed => Ok(Self(value)),
                    _ => Err(format!(concat!("must be ", $range, ", not {}"), value)),
                }
            }
        }

        impl From<$name> for $raw {
            fn from(value: $name) -> $raw {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

setting! {
    /// An approval rate: 0 to 1, both included.
    Rate(f64 as "f64") 0.0..=1.0, "from 0 to 1"
}
setting! {
    /// A latency in milliseconds: 0 to a minute.
    LatencyMs(u64 as "u64") 0..=MAX_LATENCY_MS, "from 0 to 60000 milliseconds"
}
setting! {
    /// A seed: 0 to 2⁵³−1.
    Seed(u64 as "u64") 0..=MAX_SEED, "from 0 to 9007199254740991"
}
