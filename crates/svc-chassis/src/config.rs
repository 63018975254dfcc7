//! Configuration: embedded defaults, then a file, then the environment; checked as a whole before
//! anything starts.

use std::collections::HashMap;
use std::path::Path;

use config::{Config, Environment, File, FileFormat, Value, ValueKind};
use saga_events::Service;
use saga_events::bus::BusConfig;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::database::Database;

const DEFAULTS: &str = include_str!("defaults.toml");
/// "For ever", in seconds.
const CENTURY_S: u64 = 100 * 365 * 86_400;

/// What all six services have in common. Every key is explained in `defaults.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Test data and the simulated gateway's controls.
    pub demo: bool,
    /// This consumer's name in its group.
    pub instance: String,
    /// The HTTP server.
    pub http: Http,
    /// The SQLite file.
    pub database: Storage,
    /// Redis.
    pub bus: BusConfig,
    /// Reading events.
    pub consumer: Consumption,
    /// How long what is over is kept.
    pub retention: Retention,
    /// What is logged, and how.
    pub log: Log,
    /// Where the six services are.
    pub services: Services,
}

/// The HTTP server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The address to listen on.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Threads.
    pub workers: usize,
    /// After SIGTERM: how long requests in hand may take, in milliseconds.
    pub drain_ms: u64,
    /// More names by which this service may be called, separated by commas.
    pub names: String,
}

impl Http {
    /// Each of the names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.names.split(',').map(str::trim);
        names.filter(|name| !name.is_empty())
    }

    /// The base URL at which this process reaches itself.
    pub fn own_url(&self) -> String {
        let Self { host, port, .. } = self;
        // One that listens everywhere is reached here.
        let host = match host.as_str() {
            "0.0.0.0" => "127.0.0.1",
            "::" => "::1",
            host => host,
        };
        if host.contains(':') {
            format!("http://[{host}]:{port}")
        } else {
            format!("http://{host}:{port}")
        }
    }
}

/// The SQLite file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// `sqlite:path/to/file.db`
    pub url: String,
    /// Connections that only read.
    pub readers: u32,
    /// The most jobs in one transaction.
    pub batch: usize,
}

/// Reading events.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumption {
    /// Events read but not committed yet.
    pub max_in_flight: usize,
    /// Tries of a step before its event is a dead letter.
    pub max_tries: u32,
    /// From one read that brought events to the next, in milliseconds, at least.
    pub pace_ms: u64,
}

/// How long what is over is kept.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Published rows of the journal whose order is over, in seconds.
    pub journal_s: u64,
    /// Idempotency keys, in seconds.
    pub idempotency_keys_s: u64,
}

/// What is logged, and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// A filter in `RUST_LOG`'s language.
    pub filter: String,
}

/// For people or for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Aligned columns.
    Human,
    /// One JSON object a line.
    Json,
}

/// Where the six services are: base URLs without a path.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Services {
    /// order-svc
    pub order: String,
    /// user-svc
    pub user: String,
    /// inventory-svc
    pub inventory: String,
    /// item-svc
    pub item: String,
    /// payment-svc
    pub payment: String,
    /// notify-svc
    pub notify: String,
}

impl Services {
    /// The base URL of one service.
    pub fn url(&self, service: Service) -> &str {
        use Service::{Inventory, Item, Notify, Order, Payment, User};
        match service {
            Order => &self.order,
            User => &self.user,
            Inventory => &self.inventory,
            Item => &self.item,
            Payment => &self.payment,
            Notify => &self.notify,
        }
    }
}

/// A configuration that cannot work, in one line: the key and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("configuration: {0}")]
pub struct ConfigError(pub(crate) String);

/// A configuration section that can say what is wrong with it.
pub trait Validate {
    /// Checks what types cannot.
    ///
    /// # Errors
    /// One line: the key and why, `order.deadline_ms must be at least 1000`.
    fn validate(&self) -> Result<(), String>;

    /// Checks what has to fit to the sections that all services share.
    ///
    /// # Errors
    /// One line, as [`Validate::validate`].
    fn validate_with(&self, _shared: &Settings) -> Result<(), String> {
        Ok(())
    }
}

/// Whose configuration it is.
#[derive(Debug, Clone, Copy)]
pub struct Owner {
    /// The service: its port and file are defaults.
    pub service: Service,
    /// The name of its own section.
    pub section: &'static str,
    /// That section's defaults, as TOML.
    pub defaults: &'static str,
}

/// Reads, completes and checks the configuration of a service: what all share, and its own section.
///
/// # Errors
/// [`ConfigError`] names the key.
pub fn load<C: DeserializeOwned + Validate>(
    owner: Owner,
    file: Option<&Path>,
) -> Result<(Settings, C), ConfigError> {
    let mut builder = Config::builder()
        .add_source(File::from_str(DEFAULTS, FileFormat::Toml))
        .add_source(File::from_str(owner.defaults, FileFormat::Toml));
    if let Some(path) = file {
        builder = builder.add_source(File::from(path).format(FileFormat::Toml));
    }
    let prefixed = Environment::with_prefix("SAGA")
        .prefix_separator("__")
        .separator("__");
    builder = builder.add_source(prefixed);
    for (variable, key) in [
        ("PORT", "http.port"),
        ("REDIS_URL", "bus.url"),
        ("DATABASE_URL", "database.url"),
        ("RUST_LOG", "log.filter"),
        ("LOG_FORMAT", "log.format"),
    ] {
        if let Some(value) = std::env::var(variable)
            .ok()
            .filter(|value| !value.is_empty())
        {
            builder = builder.set_override(key, value).map_err(error)?;
        }
    }
    let config = builder.build().map_err(error)?;
    let mut root: HashMap<String, Value> = config.try_deserialize().map_err(error)?;
    let own = root
        .remove(owner.section)
        .unwrap_or_else(|| Value::from(HashMap::<String, Value>::new()));
    let own: C = section(own, owner.section)?;
    let mut settings: Settings = section(Value::new(None, ValueKind::Table(root)), "")?;
    complete(&mut settings, owner.service);
    check(&settings)?;
    own.validate().map_err(ConfigError)?;
    own.validate_with(&settings).map_err(ConfigError)?;
    Ok((settings, own))
}

fn section<T: DeserializeOwned>(value: Value, name: &str) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let parts = [name, path.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty() && *part != ".");
        ConfigError(format!(
            "{}: {}",
            parts.collect::<Vec<_>>().join("."),
            one_line(error.inner())
        ))
    })
}

/// Fills in what depends on the service.
fn complete(settings: &mut Settings, service: Service) {
    if settings.http.port == 0 {
        settings.http.port = service.port();
    }
    if settings.database.url.is_empty() {
        settings.database.url = format!("sqlite:data/{}.db", service);
    }
    if settings.instance.is_empty() {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = if host.trim().is_empty() {
            "localhost"
        } else {
            host.trim()
        };
        settings.instance = format!("{host}:{}", settings.http.port);
    }
}

fn check(settings: &Settings) -> Result<(), ConfigError> {
    let Settings {
        http,
        database,
        bus,
        consumer,
        retention,
        log,
        services,
        ..
    } = settings;
    let wrong = |key: &str, why: String| Err(ConfigError(format!("{key}: {why}")));
    if let Err(why) = Database::from_url(&database.url) {
        return wrong("database.url", why);
    }
    if !["redis://", "rediss://"]
        .iter()
        .any(|scheme| bus.url.starts_with(scheme))
    {
        return wrong(
            "bus.url",
            format!("must be redis://host:port, not {:?}", bus.url),
        );
    }
    for service in Service::ALL {
        let (name, url) = (
            service.as_str().trim_end_matches("-svc"),
            services.url(service),
        );
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return wrong(
                &format!("services.{name}"),
                format!("must be http://host:port, not {url:?}"),
            );
        }
    }
    let is_name = |name: &str| {
        let mut bytes = name.bytes();
        bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    if let Some(name) = http.names().find(|name| !is_name(name)) {
        let why = "must be names without scheme and port, separated by commas";
        return wrong("http.names", format!("{why}, not {name:?}"));
    }
    if let Err(why) = log
        .filter
        .parse::<tracing_subscriber::filter::targets::Targets>()
    {
        return wrong("log.filter", why.to_string());
    }
    for (key, value, min, max) in [
        ("http.workers", http.workers as u64, 1, 256),
        ("http.drain_ms", http.drain_ms, 0, 9_000),
        ("database.readers", database.readers.into(), 1, 64),
        ("database.batch", database.batch as u64, 1, 65_536),
        ("bus.partitions", bus.partitions.into(), 1, 1_024),
        ("bus.read_count", bus.read_count as u64, 1, 65_536),
        ("bus.block_ms", bus.block_ms, 1, 60_000),
        ("bus.claim_idle_ms", bus.claim_idle_ms, 1, 86_400_000),
        (
            "bus.max_stream_entries",
            bus.max_stream_entries as u64,
            1,
            1 << 32,
        ),
        (
            "bus.max_unconsumed_entries",
            bus.max_unconsumed_entries as u64,
            1,
            1 << 32,
        ),
        ("bus.trim_ms", bus.trim_ms, 10, 60_000),
        (
            "consumer.max_in_flight",
            consumer.max_in_flight as u64,
            1,
            1 << 20,
        ),
        ("consumer.max_tries", consumer.max_tries.into(), 1, 1_000),
        ("consumer.pace_ms", consumer.pace_ms, 0, 1_000),
        ("retention.journal_s", retention.journal_s, 1, CENTURY_S),
        (
            "retention.idempotency_keys_s",
            retention.idempotency_keys_s,
            1,
            CENTURY_S,
        ),
    ] {
        if value < min || value > max {
            return wrong(key, format!("must be from {min} to {max}, not {value}"));
        }
    }
    Ok(())
}

fn error(error: config::ConfigError) -> ConfigError {
    ConfigError(one_line(&error))
}

fn one_line(error: &config::ConfigError) -> String {
    error
        .to_string()
        .lines()
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" ")
}
