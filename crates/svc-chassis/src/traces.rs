//! Traces: what was done for a purchase, by whom and when, as spans of the trace that its request
//! began. The ids are in the `traceparent` of every event, with or without anybody who keeps spans;
//! the feature `otel` exports them over OTLP, where the environment says to where.

mod environment;
#[cfg(feature = "otel")]
mod otlp;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use saga_events::{Service, Timestamp, TraceParent};

pub(crate) use environment::Environment;
use environment::Sampler;
#[cfg(feature = "otel")]
use otlp::Exporter;

/// At the end, what is in hand may take so long to be exported. All else has ended by then.
const LAST_EXPORT: Duration = Duration::from_secs(1);

/// Where spans go. Cheap to clone; by default nowhere.
#[derive(Clone, Default)]
pub struct Traces {
    sampler: Sampler,
    exporter: Option<Arc<Exporter>>,
}

/// A build without the feature has none.
#[cfg(not(feature = "otel"))]
enum Exporter {}

#[cfg(not(feature = "otel"))]
impl Exporter {
    fn take(&self, _: Span) {
        match *self {}
    }

    fn close(&self, _: Duration) {
        match *self {}
    }
}

/// Something that was done, and took time.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its place between the services.
    pub kind: Kind,
    /// What it is called; one of few, so that spans of a name can be compared.
    pub name: Cow<'static, str>,
    /// Its trace and its own id.
    pub id: TraceParent,
    /// The span that caused it.
    pub parent: Option<TraceParent>,
    /// When it began; it ends when it is recorded.
    pub began: Timestamp,
    /// What is known of it.
    pub attributes: Vec<(&'static str, Value)>,
    /// Why it failed, if it did.
    pub error: Option<Cow<'static, str>>,
}

/// A span's place between the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A request that is answered.
    Server,
    /// A call that waits for its answer.
    Client,
    /// An event that is said.
    Producer,
    /// An event that is applied.
    Consumer,
}

/// What an attribute says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(Cow<'static, str>),
    /// A number.
    Number(i64),
}

impl Traces {
    /// Begins to export, if the environment asks for it.
    ///
    /// # Errors
    /// The exporter cannot be made.
    pub(crate) fn start(
        environment: &Environment,
        service: Service,
        instance: &str,
    ) -> anyhow::Result<Self> {
        let exporter = environment.endpoint.as_ref();
        let exporter = exporter.map(|endpoint| exporter_to(endpoint, service, instance));
        Ok(Self {
            sampler: environment.sampler,
            exporter: exporter.transpose()?.flatten().map(Arc::new),
        })
    }

    /// Begins a trace, for a request that came without one.
    pub(crate) fn begin(&self) -> TraceParent {
        let trace = TraceParent::new();
        if self.sampler.keeps(&trace) {
            trace
        } else {
            trace.unsampled()
        }
    }

    /// Records a span that ends now, if there is an exporter and the trace is one that is kept: only
    /// then is it made. `carried`: the `traceparent` of what it was done for.
    pub fn record(&self, carried: Option<&TraceParent>, span: impl FnOnce(&TraceParent) -> Span) {
        if let (Some(exporter), Some(carried)) = (&self.exporter, carried)
            && carried.is_sampled()
        {
            exporter.take(span(carried));
        }
    }

    /// Exports what is in hand, as far as that can be done soon.
    pub(crate) async fn close(self) {
        if let Some(exporter) = self.exporter {
            let closing = move || exporter.close(LAST_EXPORT);
            // It waits for a thread of its own, which never panics.
            let _ = tokio::task::spawn_blocking(closing).await;
        }
    }
}

#[cfg(feature = "otel")]
fn exporter_to(
    endpoint: &str,
    service: Service,
    instance: &str,
) -> anyhow::Result<Option<Exporter>> {
    Exporter::start(endpoint, service, instance).map(Some)
}

#[cfg(not(feature = "otel"))]
fn exporter_to(_: &str, _: Service, _: &str) -> anyhow::Result<Option<Exporter>> {
    tracing::warn!(
        "traces are not exported: build with `--features svc-chassis/otel`, or unset \
         OTEL_EXPORTER_OTLP_ENDPOINT"
    );
    Ok(None)
}

impl Span {
    /// One that began then, with an id of its own.
    pub fn new(
        kind: Kind,
        name: impl Into<Cow<'static, str>>,
        id: TraceParent,
        began: Timestamp,
    ) -> Self {
        Self {
            kind,
            name: name.into(),
            id,
            parent: None,
            began,
            attributes: Vec::with_capacity(10),
            error: None,
        }
    }

    /// Names the span that caused it.
    #[must_use]
    pub fn child_of(mut self, parent: &TraceParent) -> Self {
        self.parent = Some(parent.clone());
        self
    }

    /// Adds what is known of it.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// It failed, and why.
    #[must_use]
    pub fn failed(mut self, why: impl Into<Cow<'static, str>>) -> Self {
        self.error = Some(why.into());
        self
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}
