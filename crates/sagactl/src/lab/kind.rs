//! The eight faults by name, and what each can strike.

use saga_events::Service;
use saga_local::Part;
use serde::{Deserialize, Serialize};
use svc_chassis::http::Problem;

/// A fault's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// SIGKILL; healed by a start.
    Kill,
    /// SIGTERM; healed by a start.
    Stop,
    /// SIGSTOP; healed by SIGCONT.
    Pause,
    /// The network between a service and Redis is cut; healed by mending it.
    Cut,
    /// Redis forgets everything.
    Flushall,
    /// The newest events of streams come once more.
    Duplicate,
    /// They come once more, in another order.
    Shuffle,
    /// Groups read everything again that Redis still has.
    Rewind,
}

/// What a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// A process, until it is healed.
    Process(Part),
    /// The network of a service, until it is healed.
    Network(Service),
    /// All of Redis, at once.
    Redis,
    /// What one service reads, or all do, at once.
    Streams(Option<Service>),
}

impl Kind {
    /// What it strikes, given the name of a target.
    ///
    /// # Errors
    /// 422 that names `target`.
    pub fn strikes(self, target: Option<&str>) -> Result<Strike, Problem> {
        let invalid = |message: String| Problem::invalid("target", message);
        let part = target
            .map(str::parse::<Part>)
            .transpose()
            .map_err(invalid)?;
        match (self, part) {
            (Self::Kill | Self::Stop | Self::Pause, Some(part)) => Ok(Strike::Process(part)),
            (Self::Kill | Self::Stop | Self::Pause, None) => {
                let names = Part::ALL.map(Part::as_str).join(", ");
                Err(invalid(format!("is missing: one of {names}")))
            }
            (Self::Cut, Some(Part::Service(service))) => Ok(Strike::Network(service)),
            (Self::Flushall, None | Some(Part::Redis)) => Ok(Strike::Redis),
            (Self::Flushall, Some(_)) => {
                let what = "leave it out: Redis forgets everything, not one service's part";
                Err(invalid(what.to_owned()))
            }
            (Self::Duplicate | Self::Shuffle | Self::Rewind, None) => Ok(Strike::Streams(None)),
            (Self::Duplicate | Self::Shuffle | Self::Rewind, Some(Part::Service(service))) => {
                Ok(Strike::Streams(Some(service)))
            }
            (Self::Cut | Self::Duplicate | Self::Shuffle | Self::Rewind, _) => {
                let names = Service::ALL.map(Service::as_str).join(", ");
                Err(invalid(format!("must be a service: one of {names}")))
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_strikes_what_it_can_and_names_the_target_where_it_cannot() {
        let item = Some("item-svc");
        let process = Strike::Process(Part::Service(Service::Item));
        let streams = Strike::Streams(Some(Service::Item));
        let cases = [
            (Kind::Kill, item, Some(process)),
            (
                Kind::Pause,
                Some("redis"),
                Some(Strike::Process(Part::Redis)),
            ),
            (Kind::Stop, None, None),
            (Kind::Kill, Some("item"), None),
            (Kind::Cut, item, Some(Strike::Network(Service::Item))),
            (Kind::Cut, Some("redis"), None),
            (Kind::Cut, None, None),
            (Kind::Flushall, None, Some(Strike::Redis)),
            (Kind::Flushall, Some("redis"), Some(Strike::Redis)),
            (Kind::Flushall, item, None),
            (Kind::Duplicate, None, Some(Strike::Streams(None))),
            (Kind::Shuffle, item, Some(streams)),
            (Kind::Rewind, item, Some(streams)),
            (Kind::Rewind, Some("redis"), None),
        ];
        for (kind, target, expected) in cases {
            let strikes = kind.strikes(target);
            assert_eq!(strikes.clone().ok(), expected, "{kind:?} {target:?}");
            if let Err(problem) = strikes {
                assert!(problem.to_string().contains("target: "), "{problem}");
            }
        }
    }
}
