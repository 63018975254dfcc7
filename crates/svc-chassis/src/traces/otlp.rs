//! Spans on their way to a collector: from a bounded queue, in batches, by a thread of the SDK's own.
//! What does not fit into the queue is dropped: a collector that is away disturbs nobody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, SpanData, SpanEvents, SpanExporter, SpanLinks, SpanProcessor,
};
use saga_events::{Service, TraceParent};

use super::{Kind, Span, Value};

/// Sends spans to a collector.
pub(super) struct Exporter {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
}

impl Exporter {
    /// Sends them to this URL.
    pub fn start(endpoint: &str, service: Service, instance: &str) -> anyhow::Result<Self> {
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_endpoint(endpoint)
            .build()?;
        let exporter = Watched {
            exporter,
            is_away: AtomicBool::new(false),
        };
        let mut processor = BatchSpanProcessor::builder(exporter).build();
        processor.set_resource(&resource(service, instance));
        let version = env!("CARGO_PKG_VERSION");
        let scope = InstrumentationScope::builder("svc-chassis").with_version(version);
        Ok(Self {
            processor,
            scope: scope.build(),
        })
    }

    /// Queues a span that ends now.
    pub fn take(&self, span: Span) {
        self.processor.on_end(data(span, self.scope.clone()));
    }

    /// Exports what is queued.
    pub fn close(&self, patience: Duration) {
        if let Err(error) = self.processor.shutdown_with_timeout(patience) {
            tracing::warn!(%error, "the last spans are lost");
        }
    }
}

/// Who sends. What the environment says counts for more than what is known here.
fn resource(service: Service, instance: &str) -> Resource {
    let known = [
        KeyValue::new("service.name", service.as_str()),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", instance.to_owned()),
    ];
    let resource = Resource::builder_empty()
        .with_attributes(known)
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_detector(Box::new(EnvResourceDetector::new()));
    match std::env::var("OTEL_SERVICE_NAME") {
        Ok(name) if !name.is_empty() => resource.with_service_name(name).build(),
        _ => resource.build(),
    }
}

fn data(span: Span, scope: InstrumentationScope) -> SpanData {
    let id = &span.id;
    let flags = TraceFlags::default().with_sampled(id.is_sampled());
    let trace = TraceId::from_hex(id.trace_id()).unwrap_or(TraceId::INVALID);
    let attributes = span
        .attributes
        .into_iter()
        .map(|(name, value)| match value {
            Value::Text(text) => KeyValue::new(name, text),
            Value::Number(number) => KeyValue::new(name, number),
        });
    SpanData {
        span_context: SpanContext::new(trace, span_id(id), flags, false, TraceState::NONE),
        parent_span_id: span.parent.as_ref().map_or(SpanId::INVALID, span_id),
        // Every parent is another service's, or another task's of this one.
        parent_span_is_remote: span.parent.is_some(),
        span_kind: match span.kind {
            Kind::Server => SpanKind::Server,
            Kind::Client => SpanKind::Client,
            Kind::Producer => SpanKind::Producer,
            Kind::Consumer => SpanKind::Consumer,
        },
        name: span.name,
        start_time: SystemTime::UNIX_EPOCH
            + Duration::from_micros(span.began.micros().unsigned_abs()),
        end_time: SystemTime::now(),
        attributes: attributes.collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: span.error.map_or(Status::Unset, Status::error),
        instrumentation_scope: scope,
    }
}

fn span_id(of: &TraceParent) -> SpanId {
    SpanId::from_hex(of.span_id()).unwrap_or(SpanId::INVALID)
}

/// Says once that spans are not taken, and once that they are again.
#[derive(Debug)]
struct Watched<E> {
    exporter: E,
    is_away: AtomicBool,
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.exporter.export(batch).await;
        let was_away = self.is_away.swap(result.is_err(), Ordering::Relaxed);
        match &result {
            Err(error) if !was_away => tracing::warn!(
                spans, %error,
                "the collector of traces does not take spans: until it does they are lost"
            ),
            Ok(()) if was_away => tracing::info!("the collector of traces takes spans again"),
            _ => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
