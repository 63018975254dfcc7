//! A purchase as a person reads it: there, the turning point, and back.

use anyhow::Result;
use saga_events::{Phase, Timestamp};

use super::shop::{Order, Status};
use crate::client::Client;
use crate::journal::{self, Entry};
use crate::screen::{Screen, Tone};

/// Shows every event of a purchase and how it ended.
///
/// # Errors
/// A service does not answer.
pub async fn tell(client: &Client, screen: &mut Screen, order: &Order) -> Result<()> {
    let entries = journal::of_told(client, order.id).await?;
    screen.line(screen.paint(Some(Tone::Faint), format!("   order {}", order.id)))?;
    let begin = entries
        .first()
        .map_or(Timestamp::from_micros(0), |entry| entry.time);
    for entry in &entries {
        screen.line(line(screen, entry, begin))?;
    }
    let took = entries
        .iter()
        .rfind(|entry| entry.event_type.spec().phase == Phase::Final);
    let took = took.map_or(String::new(), |last| {
        format!(" in {}", millis(begin, last.time))
    });
    screen.line(format!("   {}", outcome(screen, order, &took)))?;
    Ok(())
}

fn line(screen: &Screen, entry: &Entry, begin: Timestamp) -> String {
    let spec = entry.event_type.spec();
    let repeat = match entry.attempt {
        0 => String::new(),
        attempt => format!(" (repeat {attempt})"),
    };
    let event = format!("{:<27}", entry.event_type);
    format!(
        "   {:>9}  {} {:<14}{} {}{repeat}",
        millis(begin, entry.time),
        arrow(spec.phase),
        spec.publisher,
        screen.paint(Tone::of(spec.phase), event),
        screen.paint(Some(Tone::Faint), spec.meaning),
    )
}

/// Which way along the line the purchase moves with this event.
const fn arrow(phase: Phase) -> &'static str {
    match phase {
        Phase::Begin | Phase::Inform | Phase::Reserve | Phase::Request => "→",
        Phase::Pivot | Phase::Refuse => "↩",
        Phase::Confirm | Phase::Compensate => "←",
        Phase::Final | Phase::Close => "•",
    }
}

fn outcome(screen: &Screen, order: &Order, took: &str) -> String {
    match order.status {
        Status::Completed => screen.paint(Some(Tone::Good), format!("COMPLETED{took}")),
        Status::Cancelled => {
            let code = order.reason_code.map_or("no reason", |code| code.as_str());
            let step = order.failed_step.map_or("nobody", |step| step.as_str());
            screen.paint(
                Some(Tone::Back),
                format!("CANCELLED{took}: {code} at {step}"),
            )
        }
        Status::Pending | Status::Cancelling => {
            screen.paint(Some(Tone::Bad), "not final after 30 s")
        }
    }
}

fn millis(from: Timestamp, to: Timestamp) -> String {
    let micros = to.since(from).as_micros();
    format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
}
