//! Server-Sent Events: an answer that goes on. Ids to resume by, a sign of life, an end at shutdown,
//! and no more clients than the service can bear.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use utoipa::{IntoParams, ToSchema};

use super::{Problem, Query};
use crate::chassis::Chassis;
use crate::error::Error;

/// Clients that one service streams to; each costs a task and a few kilobytes.
pub const MOST_CLIENTS: usize = 64;
/// How often a client hears that the stream is alive. Proxies cut what is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a client waits before it connects again, in milliseconds.
const RETRY_MS: u32 = 2_000;
/// Frames that wait for a slow client; whoever feeds it waits, too.
const WAITING: usize = 64;

/// The header, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)] // it is read by hand
pub struct LastEventId {
    /// Go on after the event with this id.
    #[param(rename = "Last-Event-ID", nullable = false)]
    last_event_id: Option<String>,
}

/// The query of a stream that has no other parameters.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resume {
    /// Go on after this one. For browsers, whose `EventSource` sends the header only by itself.
    last_event_id: Option<String>,
}

/// What a client of such a stream has seen last, by [`LastEventId`] or [`Resume`].
#[derive(Debug)]
pub struct Seen(pub Option<String>);

impl FromRequest for Seen {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let query = Query::<Resume>::from_request(request, payload).into_inner();
        ready(query.map(|Query(resume)| Self(last_event_id(request, resume.last_event_id))))
    }
}

/// The places for clients. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_CLIENTS)))
    }
}

/// One client's place, until it is dropped.
pub type Place = OwnedSemaphorePermit;

impl Places {
    /// Takes a place.
    ///
    /// # Errors
    /// 503 with `Retry-After` where all are taken.
    pub fn take(&self) -> Result<Place, Problem> {
        let taken = self.0.clone().try_acquire_owned();
        taken.map_err(|_| Problem::unavailable("a place for another stream", "all are taken"))
    }
}

/// One event of a stream.
#[derive(Debug, Clone, ToSchema)]
#[schema(as = StreamedEvent)]
pub struct Frame {
    /// What to resume after.
    pub id: String,
    /// The event's type.
    pub event: &'static str,
    /// What it says, on one line.
    pub data: String,
}

/// The client has gone.
#[derive(Debug, Clone, Copy)]
pub struct Gone;

/// Where a stream is written to.
#[derive(Debug, Clone)]
pub struct Sink(mpsc::Sender<Bytes>);

impl Sink {
    /// Sends a frame, once the client has taken those before it.
    ///
    /// # Errors
    /// [`Gone`]
    pub async fn send(&self, frame: &Frame) -> Result<(), Gone> {
        let Frame { id, event, data } = frame;
        self.write(format!("id: {id}\nevent: {event}\ndata: {data}\n\n"))
            .await
    }

    async fn write(&self, text: String) -> Result<(), Gone> {
        self.0.send(Bytes::from(text)).await.map_err(|_| Gone)
    }
}

/// Answers with a stream that `feed` writes, until it is done, the client has gone, or the service is
/// to end.
pub fn answer<F>(
    chassis: &Chassis,
    place: Place,
    feed: impl FnOnce(Sink) -> F + 'static,
) -> HttpResponse
where
    F: Future<Output = Result<(), Gone>> + 'static,
{
    answer_until(chassis.shutdown.clone(), place, feed)
}

/// As [`answer`], for a server that is no service: until `shutdown` is cancelled.
pub fn answer_until<F>(
    shutdown: CancellationToken,
    place: Place,
    feed: impl FnOnce(Sink) -> F + 'static,
) -> HttpResponse
where
    F: Future<Output = Result<(), Gone>> + 'static,
{
    let (to_client, frames) = mpsc::channel(WAITING);
    let sink = Sink(to_client);
    actix_web::rt::spawn(async move {
        let _place = place;
        let fed = async {
            sink.write(format!("retry: {RETRY_MS}\n\n")).await?;
            feed(sink.clone()).await
        };
        // Whoever has gone or been fed needs nothing more.
        tokio::select! {
            _ = fed => {}
            _ = keep_alive(&sink) => {}
            () = shutdown.cancelled() => {}
        }
    });
    let body = stream::unfold(frames, |mut frames| async move {
        let bytes = frames.recv().await?;
        Some((Ok::<_, actix_web::Error>(bytes), frames))
    });
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        // nginx would collect frames until its buffer is full.
        .insert_header((HeaderName::from_static("x-accel-buffering"), "no"))
        .streaming(Box::pin(body))
}

/// Tells the client now and then that the stream is alive, until it has gone.
async fn keep_alive(sink: &Sink) -> Result<(), Gone> {
    loop {
        tokio::select! {
            () = sink.0.closed() => return Err(Gone),
            () = tokio::time::sleep(HEARTBEAT) => sink.write(": alive\n\n".to_owned()).await?,
        }
    }
}

/// What a client has seen last: `Last-Event-ID`, or `?lastEventId=` for those that cannot set headers.
pub fn last_event_id(request: &HttpRequest, query: Option<String>) -> Option<String> {
    let header = request.headers().get("last-event-id");
    let header = header.and_then(|value| value.to_str().ok());
    let text = header.map(str::to_owned).or(query);
    text.filter(|text| !text.is_empty())
}
