//! `sagactl watch`: purchases as they flow through the line. On a terminal a picture, else a line an
//! event.

mod picture;
mod stream;

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use saga_events::{Event, EventType, OrderId, Timestamp};

use crate::client::Client;
use crate::exit::Exit;
use crate::interruption::interruption;
use crate::screen::{Screen, Tone};
use picture::Picture;
use stream::{Frame, Stream};

/// How often the picture is drawn.
const DRAW: Duration = Duration::from_millis(250);

/// What `sagactl watch` can be told.
#[derive(Debug, Args)]
pub struct Options {
    /// Only this purchase, from its beginning until its buyer was told
    #[arg(value_name = "ID")]
    id: Option<OrderId>,
    /// Lines on a terminal, too
    #[arg(long)]
    lines: bool,
}

/// Shows what is said, as it is said.
///
/// # Errors
/// order-svc does not answer when it begins, or there is no such purchase.
pub async fn run(client: &Client, screen: &mut Screen, options: &Options) -> Result<Exit> {
    tokio::select! {
        ended = watch(client, screen, options) => ended,
        // Nobody needs to be told that it was interrupted: it is how this ends.
        _ = interruption::<Exit>() => Ok(Exit::Clean),
    }
}

async fn watch(client: &Client, screen: &mut Screen, options: &Options) -> Result<Exit> {
    let path = match options.id {
        Some(id) => format!("/orders/{id}/events"),
        None => "/events".to_owned(),
    };
    let mut stream = Stream::open(client, path).await?;
    if options.id.is_none() && screen.is_terminal() && !options.lines {
        return paint(screen, &mut stream).await;
    }
    while let Some(frame) = stream.next().await? {
        let text = match Said::read(&frame) {
            Some(said) => said.line(screen),
            None => screen.paint(Some(Tone::Faint), "… some was missed"),
        };
        screen.line(text)?;
    }
    Ok(Exit::Clean)
}

async fn paint(screen: &mut Screen, stream: &mut Stream<'_>) -> Result<Exit> {
    let mut picture = Picture::default();
    let mut clock = tokio::time::interval(DRAW);
    loop {
        tokio::select! {
            frame = stream.next() => match frame? {
                None => return Ok(Exit::Clean),
                Some(frame) => match Said::read(&frame) {
                    Some(said) => picture.said(said, Timestamp::now()),
                    None => picture.missed(),
                },
            },
            _ = clock.tick() => {
                let lines = picture.lines(screen, Timestamp::now());
                screen.draw(&lines)?;
            }
        }
    }
}

/// What of an event is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    order: OrderId,
    event_type: EventType,
    attempt: u32,
    time: Timestamp,
}

impl Said {
    /// Of the bus' envelope, or of an event of a timeline. `None`: the frame tells that some was missed.
    fn read(frame: &Frame) -> Option<Self> {
        if let Ok(event) = Event::decode(frame.data.as_bytes()) {
            return Some(Self {
                order: event.order_id(),
                event_type: event.event_type(),
                attempt: event.message.attempt,
                time: event.time,
            });
        }
        let event: saga_timeline::timeline::Event = serde_json::from_str(&frame.data).ok()?;
        let order = event.data.get("orderId")?.as_str()?;
        Some(Self {
            order: order.parse().ok()?,
            event_type: event.event_type,
            attempt: event.attempt,
            time: event.time,
        })
    }

    fn line(&self, screen: &Screen) -> String {
        let spec = self.event_type.spec();
        let time = self.time.to_string();
        let repeat = match self.attempt {
            0 => String::new(),
            attempt => format!(" (repeat {attempt})"),
        };
        let name = format!("{:<27}", self.event_type);
        format!(
            "{} {} {:<13} {} {}{repeat}",
            time.get(11..23).unwrap_or_default(),
            self.order,
            spec.publisher,
            screen.paint(Tone::of(spec.phase), name),
            screen.paint(Some(Tone::Faint), spec.meaning),
        )
    }
}
