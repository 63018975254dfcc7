//! A collector of traces: takes what the services export over OTLP, and keeps it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Collector {
    port: u16,
    taken: Arc<Mutex<Vec<Exported>>>,
    listening: JoinHandle<()>,
}

/// A span as it was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// What is known of who exported it: `service.name` and so on.
    pub resource: BTreeMap<String, String>,
    /// The trace, 32 hexadecimal digits.
    pub trace: String,
    /// The span itself, 16 hexadecimal digits.
    pub id: String,
    /// Its parent; empty where it has none.
    pub parent: String,
    /// What it is called.
    pub name: String,
    /// Its place between the services.
    pub kind: SpanKind,
    /// When it began and ended, in nanoseconds since 1970.
    pub began: u64,
    /// See `began`.
    pub ended: u64,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// What else is known of it.
    pub attributes: BTreeMap<String, String>,
}

impl Exported {
    /// Who exported it, what it is called.
    pub fn title(&self) -> (&str, &str) {
        (&self.resource["service.name"], &self.name)
    }
}

impl Collector {
    /// One that listens on this port of 127.0.0.1.
    pub async fn listen(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let taken = Arc::<Mutex<Vec<Exported>>>::default();
        let keep = taken.clone();
        let listening = tokio::spawn(async move {
            // They end with it.
            let mut connections = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                connections.spawn(take(connection, keep.clone()));
            }
        });
        Self {
            port,
            taken,
            listening,
        }
    }

    /// Where it listens, as `OTEL_EXPORTER_OTLP_ENDPOINT` names it.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What came of a trace so far, in the order of time.
    pub fn trace(&self, id: &str) -> Vec<Exported> {
        let mut spans = self.taken.lock().unwrap().clone();
        spans.retain(|span| span.trace == id);
        spans.sort_by_key(|span| span.began);
        spans
    }

    /// How many spans came so far.
    pub fn len(&self) -> usize {
        self.taken.lock().unwrap().len()
    }

    /// Whether none came.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Answers the requests of a connection: `POST /v1/traces` with a length, which is all that is sent.
async fn take(connection: TcpStream, keep: Arc<Mutex<Vec<Exported>>>) -> std::io::Result<()> {
    let mut connection = BufReader::new(connection);
    loop {
        let (mut length, mut is_first, mut line) = (0, true, String::new());
        while connection.read_line(&mut line).await? > 0 && line.trim() != "" {
            if std::mem::take(&mut is_first) {
                assert_eq!(line.trim(), "POST /v1/traces HTTP/1.1");
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            match name.to_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap(),
                "content-type" => assert_eq!(value.trim(), "application/x-protobuf"),
                _ => {}
            }
            line.clear();
        }
        if is_first {
            return Ok(());
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body).await?;
        let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        keep.lock().unwrap().extend(spans(request));
        connection
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n")
            .await?;
    }
}

fn spans(request: ExportTraceServiceRequest) -> impl Iterator<Item = Exported> {
    request.resource_spans.into_iter().flat_map(|of_one| {
        let resource = texts(of_one.resource.unwrap_or_default().attributes);
        let spans = of_one.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.map(move |span| exported(span, resource.clone()))
    })
}

fn exported(span: Span, resource: BTreeMap<String, String>) -> Exported {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Exported {
        resource,
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        kind: span.kind(),
        name: span.name,
        began: span.start_time_unix_nano,
        ended: span.end_time_unix_nano,
        error: span.status.and_then(|status| {
            let failed = status.code() == StatusCode::Error;
            failed.then_some(status.message)
        }),
        attributes: texts(span.attributes),
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Option<AnyValue>| match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("an attribute that nobody writes: {other:?}"),
    };
    let pairs = attributes.into_iter();
    pairs.map(|pair| (pair.key, text(pair.value))).collect()
}
