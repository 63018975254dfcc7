//! What the environment says about traces, by the names of the OpenTelemetry specification. What is
//! not checked here, the SDK reads itself.

use actix_web::http::Uri;
use saga_events::TraceParent;

use crate::config::ConfigError;

/// What the environment says about traces. An empty variable counts as one that is not set.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Environment {
    /// Where spans go, with the path; `None`: nowhere.
    pub endpoint: Option<String>,
    /// Which of the traces that begin here are kept.
    pub sampler: Sampler,
}

/// Which traces are kept, where nobody has decided before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sampler {
    /// From 0 for none to 1 for all.
    ratio: f64,
}

impl Default for Sampler {
    fn default() -> Self {
        Self { ratio: 1.0 }
    }
}

impl Sampler {
    /// Whether this trace is one of those.
    pub fn keeps(self, trace: &TraceParent) -> bool {
        // As many bits as an f64 holds exactly, so that 1 is all of them.
        const LOTS: u64 = 1 << 53;
        self.ratio >= 1.0 || ((trace.lot() % LOTS) as f64) < self.ratio * LOTS as f64
    }
}

/// The variable of all signals or of traces alone, which counts for more.
const PROTOCOL: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
];
const COMPRESSION: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
];
/// Numbers that the SDK reads; of none of them it says that it cannot read it.
const NUMBERS: [&str; 6] = [
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
];

impl Environment {
    /// That of this process.
    ///
    /// # Errors
    /// The first variable that cannot work, and why.
    pub fn read() -> Result<Self, ConfigError> {
        Self::of(|name| std::env::var(name).ok()).map_err(ConfigError)
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let wrong = |name: &str, why: String| Err(format!("{name}: {why}"));
        let sampler = sampler(&set)?;
        for name in PROTOCOL {
            if let Some(value) = set(name).filter(|value| value != "http/protobuf") {
                return wrong(name, format!("must be http/protobuf, not {value:?}"));
            }
        }
        for name in COMPRESSION {
            if let Some(value) = set(name).filter(|value| value != "none") {
                return wrong(name, format!("must be none, not {value:?}"));
            }
        }
        for name in NUMBERS {
            let read = set(name).map(|value| (value.parse::<u32>().ok().filter(|n| *n > 0), value));
            if let Some((None, value)) = read {
                return wrong(name, format!("must be a number from 1 on, not {value:?}"));
            }
        }
        let endpoint = endpoint(&set)?;
        let is_on = match set("OTEL_TRACES_EXPORTER").as_deref() {
            None | Some("otlp") => true,
            Some("none") => false,
            Some(other) => {
                return wrong(
                    "OTEL_TRACES_EXPORTER",
                    format!("must be otlp or none, not {other:?}"),
                );
            }
        };
        // Whatever else it says is no: so the specification has it.
        let is_off =
            set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        Ok(Self {
            endpoint: endpoint.filter(|_| is_on && !is_off),
            sampler,
        })
    }
}

fn endpoint(set: &impl Fn(&str) -> Option<String>) -> Result<Option<String>, String> {
    let (traces, all) = (
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    );
    let (name, url, path) = match (set(traces), set(all)) {
        (Some(url), _) => (traces, url, ""),
        (None, Some(url)) => (all, url, "/v1/traces"),
        (None, None) => return Ok(None),
    };
    let url = match path {
        "" => url,
        path => format!("{}{path}", url.trim_end_matches('/')),
    };
    let parsed = url.parse::<Uri>().ok();
    let host = parsed.as_ref().and_then(Uri::host);
    let scheme = parsed.as_ref().and_then(Uri::scheme_str);
    match (scheme, host) {
        (Some("http"), Some(host)) if !host.is_empty() => Ok(Some(url)),
        (Some("https"), _) => Err(format!(
            "{name}: https:// cannot work, as this program has no TLS: send to a collector nearby that has"
        )),
        _ => Err(format!("{name}: must be http://host:port, not {url:?}")),
    }
}

fn sampler(set: &impl Fn(&str) -> Option<String>) -> Result<Sampler, String> {
    let (name, argument) = ("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG");
    let ratio = match set(name).as_deref() {
        None | Some("parentbased_always_on") => 1.0,
        Some("parentbased_always_off") => 0.0,
        Some("parentbased_traceidratio") => {
            let text = set(argument).unwrap_or_else(|| "1".to_owned());
            let ratio = text.parse::<f64>().ok();
            let ratio = ratio.filter(|ratio| (0.0..=1.0).contains(ratio));
            ratio.ok_or_else(|| format!("{argument}: must be from 0 to 1, not {text:?}"))?
        }
        Some(other) => {
            return Err(format!(
                "{name}: must be parentbased_always_on, parentbased_always_off or \
                 parentbased_traceidratio, not {other:?}"
            ));
        }
    };
    Ok(Sampler { ratio })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Environment, String> {
        Environment::of(|name| {
            let mut variables = variables.iter();
            variables.find_map(|(of, value)| (*of == name).then(|| (*value).to_owned()))
        })
    }

    fn endpoint(variables: &[(&str, &str)]) -> Option<String> {
        of(variables).unwrap().endpoint
    }

    #[test]
    fn spans_go_where_the_environment_says() {
        let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other:1/here");
        let to_all = Some("http://collector:4318/v1/traces".to_owned());
        assert_eq!(of(&[]), Ok(Environment::default()));
        assert_eq!(endpoint(&[(all.0, "")]), None);
        assert_eq!(endpoint(&[all]), to_all);
        assert_eq!(endpoint(&[all, (traces.0, "")]), to_all);
        assert_eq!(endpoint(&[all, traces]).as_deref(), Some(traces.1));
        assert_eq!(endpoint(&[all, ("OTEL_SDK_DISABLED", "True")]), None);
        assert_eq!(endpoint(&[all, ("OTEL_SDK_DISABLED", "no")]), to_all);
        assert_eq!(endpoint(&[all, ("OTEL_TRACES_EXPORTER", "none")]), None);
        assert_eq!(
            endpoint(&[all, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]),
            to_all
        );
    }

    #[test]
    fn what_cannot_work_is_named() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/v1/traces"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_TRACES_SAMPLER", "always_on"),
        ] {
            let why = of(&[(name, value)]).unwrap_err();
            assert!(why.starts_with(&format!("{name}: ")), "{why}");
            assert!(!why.contains('\n'), "{why}");
        }
        for ratio in ["1.1", "-0.1", "half", "NaN"] {
            let why = of(&[
                ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", ratio),
            ]);
            assert!(why.unwrap_err().starts_with("OTEL_TRACES_SAMPLER_ARG: "));
        }
    }

    #[test]
    fn as_many_traces_are_kept_as_were_asked_for() {
        let kept = |sampler: &str, ratio: &str| {
            let environment = of(&[
                ("OTEL_TRACES_SAMPLER", sampler),
                ("OTEL_TRACES_SAMPLER_ARG", ratio),
            ]);
            let sampler = environment.unwrap().sampler;
            let kept = (0..1_000).filter(|_| sampler.keeps(&TraceParent::new()));
            kept.count()
        };
        assert_eq!(kept("", ""), 1_000);
        assert_eq!(kept("parentbased_always_off", ""), 0);
        assert_eq!(kept("parentbased_traceidratio", ""), 1_000);
        assert_eq!(kept("parentbased_traceidratio", "0"), 0);
        let quarter = kept("parentbased_traceidratio", "0.25");
        assert!((150..350).contains(&quarter), "{quarter}");
    }
}
