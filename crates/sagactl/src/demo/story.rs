//! A purchase as a person reads it: there, the turning point, and back.

use anyhow::Result;
use saga_events::{Phase, Timestamp};
use saga_timeline::timeline::{Effect, Event};

use crate::client::Client;
use crate::purchase::{Order, whole_story};
use crate::screen::{Screen, Tone};
use crate::tell::{millis, outcome, tone};

/// Shows every event of a purchase and how it ended.
///
/// # Errors
/// A service does not answer.
pub async fn tell(client: &Client, screen: &mut Screen, order: &Order) -> Result<()> {
    let story = whole_story(client, order.id).await?;
    screen.line(screen.paint(Some(Tone::Faint), format!("   order {}", order.id)))?;
    for event in &story.timeline.events {
        screen.line(line(screen, event, order.created_at))?;
    }
    screen.line(format!("   {}", outcome(screen, &story)))?;
    Ok(())
}

fn line(screen: &Screen, event: &Event, begin: Timestamp) -> String {
    let spec = event.event_type.spec();
    let repeat = match event.effect {
        Effect::Repeated => format!(" (repeat {})", event.attempt),
        _ => String::new(),
    };
    let name = format!("{:<27}", event.event_type);
    format!(
        "   {:>9}  {} {:<14}{} {}{repeat}",
        millis(begin, event.time),
        arrow(spec.phase),
        event.service,
        screen.paint(tone(event), name),
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
