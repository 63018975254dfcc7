//! `sagactl orders`: purchases, one line each; `--stuck`: those that wait for something, and why.

use anyhow::Result;
use clap::{Args, ValueEnum};
use saga_events::{OrderId, Service, Timestamp, UserId};
use saga_timeline::conformance::Problem;
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::exit::Exit;
use crate::purchase::Order;
use crate::screen::{Screen, won};
use crate::table::Table;
use crate::tell::{late, seconds};

/// What `sagactl orders` can be told.
#[derive(Debug, Args)]
pub struct Options {
    /// Only those that wait for something, with the reason
    #[arg(long)]
    stuck: bool,
    /// Those that did not go as the protocol allows, of the ones that order-svc has followed
    #[arg(long, conflicts_with_all = ["stuck", "status", "buyer", "limit"])]
    illegal: bool,
    /// Only those in this state
    #[arg(long, value_enum)]
    status: Option<Wanted>,
    /// Only this buyer's
    #[arg(long, value_name = "ID")]
    buyer: Option<UserId>,
    /// How many at most, the newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Wanted {
    Pending,
    Cancelling,
    Completed,
    Cancelled,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    orders: Vec<Order>,
    next_cursor: Option<OrderId>,
}

#[derive(Deserialize, Serialize)]
struct Conformance {
    followed: u64,
    orders: Vec<Illegal>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Illegal {
    order_id: OrderId,
    seen_at: Timestamp,
    problems: Vec<Problem>,
}

/// Lists them.
///
/// # Errors
/// order-svc does not answer.
pub async fn run(client: &Client, screen: &mut Screen, options: &Options) -> Result<Exit> {
    if options.illegal {
        return illegal(client, screen, options.json).await;
    }
    let orders = read(client, options).await?;
    if options.json {
        screen.json(&orders)?;
        return Ok(Exit::Clean);
    }
    if orders.is_empty() {
        screen.line(if options.stuck {
            "nothing is stuck"
        } else {
            "no orders"
        })?;
        return Ok(Exit::Clean);
    }
    let now = Timestamp::now();
    let mut table = Table::new(&["ORDER", "AGE", "STATUS", "PIECES", "TOTAL", "WHY"]);
    for order in &orders {
        let why = match (order.stuck.is_empty(), order.reason_code, order.failed_step) {
            (false, ..) => {
                let causes = order.stuck.iter().map(|stuck| late(stuck, now));
                causes.collect::<Vec<_>>().join("; ")
            }
            (true, Some(code), Some(step)) => format!("{code} at {step}"),
            (true, ..) => String::new(),
        };
        table.row([
            order.id.to_string(),
            seconds(order.created_at, now),
            order.status.as_str().to_owned(),
            order.quantity.to_string(),
            won(order.total_amount),
            why,
        ]);
    }
    screen.table(&table)?;
    Ok(Exit::Clean)
}

async fn illegal(client: &Client, screen: &mut Screen, as_json: bool) -> Result<Exit> {
    let found: Conformance = client.get(Service::Order, "/conformance").await?;
    if as_json {
        screen.json(&found)?;
    } else if found.orders.is_empty() {
        screen.line(format!(
            "followed {} times: every purchase went as the protocol allows",
            found.followed
        ))?;
    } else {
        let mut table = Table::new(&["ORDER", "SEEN", "SERVICE", "PROBLEM", "DETAIL"]);
        for order in &found.orders {
            for problem in &order.problems {
                table.row([
                    order.order_id.to_string(),
                    order.seen_at.to_string(),
                    problem.service.to_string(),
                    problem.code.as_str().to_owned(),
                    problem.detail.clone(),
                ]);
            }
        }
        screen.table(&table)?;
    }
    let any = !found.orders.is_empty();
    Ok(if any { Exit::Failed } else { Exit::Clean })
}

/// Reads pages until there are enough: a page of stuck ones may be short.
async fn read(client: &Client, options: &Options) -> Result<Vec<Order>> {
    let wanted = usize::try_from(options.limit)?;
    let (mut orders, mut cursor) = (Vec::new(), None::<OrderId>);
    loop {
        let mut path = format!("/orders?limit={}", options.limit.min(100));
        if options.stuck {
            path.push_str("&stuck=true");
        }
        if let Some(status) = options.status {
            path.push_str(&format!("&status={}", format!("{status:?}").to_uppercase()));
        }
        if let Some(buyer) = options.buyer {
            path.push_str(&format!("&userId={buyer}"));
        }
        if let Some(cursor) = cursor {
            path.push_str(&format!("&cursor={cursor}"));
        }
        let answer: Answer = client.get(Service::Order, &path).await?;
        orders.extend(answer.orders);
        cursor = answer.next_cursor;
        if orders.len() >= wanted || cursor.is_none() {
            orders.truncate(wanted);
            return Ok(orders);
        }
    }
}
