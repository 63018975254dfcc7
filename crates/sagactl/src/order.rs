//! `sagactl order`: one purchase, what happened in which service because of what, what comes next and
//! why it may be stuck.

mod tree;

use anyhow::{Context, Result, ensure};
use clap::Args;
use saga_events::{OrderId, Timestamp};
use saga_timeline::cells::{Cell, CellState, Way};
use saga_timeline::timeline::Effect;
use saga_timeline::{Language, explain};

use crate::client::Client;
use crate::exit::Exit;
use crate::purchase::{Story, story};
use crate::screen::{Screen, Tone, won};
use crate::table::Table;
use crate::tell::{late, millis, outcome, seconds, tone};

/// What `sagactl order` can be told.
#[derive(Debug, Args)]
pub struct Options {
    /// The purchase
    #[arg(value_name = "ID")]
    id: OrderId,
    /// Prints JSON, as order-svc answers it
    #[arg(long)]
    json: bool,
    /// Tells it in Korean
    #[arg(long)]
    korean: bool,
}

/// Shows the purchase.
///
/// # Errors
/// order-svc does not answer, there is no such purchase, or its path is not as the protocol allows.
pub async fn run(client: &Client, screen: &mut Screen, options: &Options) -> Result<Exit> {
    let told = story(client, options.id).await?;
    let told = told.with_context(|| format!("there is no order {}", options.id))?;
    if options.json {
        screen.json(&told)?;
    } else {
        let language = if options.korean {
            Language::Korean
        } else {
            Language::English
        };
        tell(screen, &told, language)?;
    }
    ensure!(
        told.timeline.conformance.ok,
        "the path of order {} is not as the protocol allows",
        options.id
    );
    Ok(if told.timeline.missing.is_empty() {
        Exit::Clean
    } else {
        Exit::Unreachable
    })
}

fn tell(screen: &mut Screen, story: &Story, language: Language) -> Result<()> {
    let (order, timeline, now) = (&story.order, &story.timeline, Timestamp::now());
    let headline = format!("order {}", order.id);
    screen.line(format!(
        "{}  {}",
        screen.paint(Some(Tone::Strong), headline),
        outcome(screen, story)
    ))?;
    screen.line(format!(
        "user {}  item {}  {} × {}",
        order.user_id,
        order.item_id,
        order.quantity,
        won(order.total_amount / order.quantity.max(1))
    ))?;
    screen.line("")?;
    screen.table(&line(&timeline.cells))?;
    screen.line("")?;
    for (branch, event) in tree::drawn(&timeline.events) {
        let name = format!("{branch}{}", event.event_type);
        let repeat = match event.effect {
            Effect::Repeated => format!(" (repeat {})", event.attempt),
            _ => String::new(),
        };
        screen.line(format!(
            "{:>3} {:>10}  {} {:<14}{}{repeat}",
            event.n,
            millis(order.created_at, event.time),
            screen.paint(tone(event), format!("{name:<40}")),
            event.service,
            screen.paint(Some(Tone::Faint), event.event_type.spec().meaning),
        ))?;
    }
    for due in &timeline.expected {
        let waits = seconds(due.since, now);
        screen.line(format!(
            "  ? {:>10}  {:<40} {:<14}expected for {waits}",
            "", due.event_type, due.from
        ))?;
    }
    screen.line("")?;
    for stuck in &timeline.stuck {
        let text = format!("stuck: {}", late(stuck, now));
        screen.line(screen.paint(Some(Tone::Bad), text))?;
    }
    for problem in &timeline.conformance.problems {
        let place = problem
            .n
            .map_or(String::new(), |n| format!(" at event {n}"));
        let text = format!(
            "not as the protocol allows: {}{place}: {}",
            problem.service, problem.detail
        );
        screen.line(screen.paint(Some(Tone::Bad), text))?;
    }
    screen.line(explain(timeline, language, now))?;
    Ok(())
}

/// The ten cells, folded: the way there above, the way back below, notify-svc at its end.
fn line(cells: &[Cell]) -> Table {
    let along: Vec<&Cell> = cells.iter().filter(|cell| cell.way == Way::There).collect();
    let mut headline = vec![""];
    headline.extend(along.iter().map(|cell| cell.service.as_str()));
    headline.push("notify-svc");
    let mut table = Table::new(&headline);
    let there = along.iter().map(|cell| name(cell.state));
    table.row(std::iter::once("there".to_owned()).chain(there));
    let mut back = vec!["back".to_owned()];
    let services = along.iter().map(|cell| cell.service);
    back.extend(
        services
            .chain([saga_events::Service::Notify])
            .map(|service| {
                let mut cells = cells.iter();
                let found = cells.find(|cell| cell.way == Way::Back && cell.service == service);
                found.map_or_else(String::new, |cell| name(cell.state))
            }),
    );
    table.row(back);
    table
}

fn name(state: CellState) -> String {
    match state {
        CellState::Made => "made",
        CellState::Held => "held",
        CellState::Asking => "asking",
        CellState::Captured => "captured",
        CellState::GivenBack => "given back",
        CellState::Refused => "refused",
        CellState::Tombstone => "tombstone",
        CellState::Completed => "completed",
        CellState::Cancelled => "cancelled",
        CellState::Notified => "notified",
        CellState::Next => "next",
        CellState::Untouched => "–",
        CellState::Unknown => "unknown",
    }
    .to_owned()
}
