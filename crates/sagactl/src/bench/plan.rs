//! What is measured, in which order.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

/// How purchases arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Load {
    /// So many are under way at any time: what the system can do.
    Closed {
        /// Purchases under way.
        in_flight: usize,
    },
    /// So many arrive in a second, whatever became of those before: what a buyer sees.
    Open {
        /// Arrivals a second, evenly spaced.
        per_second: u32,
    },
}

/// What is measured. The floor follows each closed loop, at the same width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The system's loads, in order.
    pub loads: Vec<Load>,
    /// Whether the floor is measured.
    pub floor: bool,
}

impl Load {
    /// All that a full bench measures.
    pub const ALL: [Self; 5] = [
        Self::Closed { in_flight: 512 },
        Self::Closed { in_flight: 64 },
        Self::Open { per_second: 20 },
        Self::Open { per_second: 200 },
        Self::Open { per_second: 1000 },
    ];

    /// `closed-512`, `open-20`.
    pub fn name(self) -> String {
        match self {
            Self::Closed { in_flight } => format!("closed-{in_flight}"),
            Self::Open { per_second } => format!("open-{per_second}"),
        }
    }

    /// The width of a closed loop.
    pub const fn in_flight(self) -> Option<usize> {
        match self {
            Self::Closed { in_flight } => Some(in_flight),
            Self::Open { .. } => None,
        }
    }

    /// As a person says it.
    pub fn words(self) -> String {
        match self {
            Self::Closed { in_flight } => format!("{in_flight} in flight"),
            Self::Open { per_second } => format!("{per_second}/s"),
        }
    }
}

impl Plan {
    /// Everything, or only what is named: `closed-N`, `open-N`, `floor`.
    ///
    /// # Errors
    /// A name means nothing.
    pub fn of(only: &[String]) -> Result<Self> {
        if only.is_empty() {
            return Ok(Self {
                loads: Load::ALL.to_vec(),
                floor: true,
            });
        }
        let mut plan = Self {
            loads: Vec::new(),
            floor: false,
        };
        for name in only {
            match name.split_once('-') {
                None if name == "floor" => plan.floor = true,
                Some(("closed", width)) if at_least_one(width) => {
                    let in_flight = width.parse()?;
                    plan.loads.push(Load::Closed { in_flight });
                }
                Some(("open", rate)) if at_least_one(rate) => {
                    let per_second = rate.parse()?;
                    plan.loads.push(Load::Open { per_second });
                }
                _ => bail!("{name} is none of closed-N, open-N, floor"),
            }
        }
        Ok(plan)
    }
}

fn at_least_one(number: &str) -> bool {
    number.parse::<u32>().is_ok_and(|number| number > 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn plan(only: &[&str]) -> Result<Plan> {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        Plan::of(&only)
    }

    #[test]
    fn a_plan_is_everything_or_what_is_named() {
        let all = plan(&[]).unwrap();
        assert_eq!((all.loads.len(), all.floor), (5, true));
        let some = plan(&["closed-64", "open-20", "floor"]).unwrap();
        assert_eq!(
            some.loads
                .iter()
                .map(|load| load.name())
                .collect::<Vec<_>>(),
            ["closed-64", "open-20"]
        );
        assert!(some.floor);
        for wrong in ["closed", "closed-0", "open-x", "half-open-3", "floor-64"] {
            assert!(plan(&[wrong]).is_err(), "{wrong}");
        }
    }
}
