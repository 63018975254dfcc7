//! `sagactl demo`: one purchase that completes and one that is compensated, told in a few lines.

mod shop;
mod story;

use anyhow::{Result, ensure};
use clap::Args;
use saga_events::Amount;

use crate::client::Client;
use crate::gateway::Gateway;
use crate::interruption::interruption;
use crate::purchase::Status;
use crate::screen::{Screen, Tone, won};
use shop::{Shop, Standing};

/// What `sagactl demo` can be told.
#[derive(Debug, Args)]
pub struct Options {
    /// Tops the test user's balance up to this first [default: what the purchases need]
    #[arg(long, value_name = "AMOUNT", value_parser = amount, allow_negative_numbers = true)]
    user_balance: Option<Amount>,
}

fn amount(text: &str) -> Result<Amount> {
    Ok(Amount::new(text.parse()?)?)
}

/// Buys twice and shows both. The gateway is left as it was found, however this ends.
///
/// # Errors
/// A service does not answer, or a purchase did not end as it must.
pub async fn run(client: &Client, screen: &mut Screen, options: &Options) -> Result<()> {
    let shop = Shop::set_up(client, options.user_balance).await?;
    let gateway = Gateway::take_over(client).await?;
    let bought = tokio::select! {
        bought = buy_twice(&shop, &gateway, screen) => bought,
        stopped = interruption() => stopped,
    };
    let given_back = gateway.give_back().await;
    bought.and(given_back)
}

async fn buy_twice(shop: &Shop<'_>, gateway: &Gateway<'_>, screen: &mut Screen) -> Result<()> {
    let start = shop.standing().await?;

    gateway.approve(1.0).await?;
    headline(
        screen,
        shop,
        "1. A purchase that completes: the gateway approves",
    )?;
    let order = shop.buy().await?;
    story::tell(shop.client, screen, &order).await?;
    let middle = shop.standing().await?;
    screen.line(format!("   {}\n", change(start, middle)))?;
    ensure!(
        order.status == Status::Completed,
        "purchase {} did not complete",
        order.id
    );
    ensure!(
        middle == start.after(&order),
        "purchase {} completed, the books differ",
        order.id
    );

    gateway.approve(0.0).await?;
    headline(
        screen,
        shop,
        "2. A purchase that is compensated: the gateway declines",
    )?;
    let order = shop.buy().await?;
    story::tell(shop.client, screen, &order).await?;
    let end = shop.standing().await?;
    let back = if end == middle {
        "   everything is back"
    } else {
        ""
    };
    screen.line(format!("   {}{back}\n", change(middle, end)))?;
    ensure!(
        order.status == Status::Cancelled,
        "purchase {} was not cancelled",
        order.id
    );
    ensure!(
        end == middle,
        "purchase {} was cancelled, not everything came back",
        order.id
    );
    Ok(())
}

fn headline(screen: &mut Screen, shop: &Shop<'_>, text: &str) -> Result<()> {
    let text = screen.paint(Some(Tone::Strong), text);
    screen.line(format!(
        "{text} ({}, 1 × {}, {})",
        shop.username,
        shop.item,
        won(shop.price)
    ))?;
    Ok(())
}

/// What the purchase did to the books, as its parties see them.
fn change(before: Standing, after: Standing) -> String {
    format!(
        "balance {} → {}   stock {} → {}   owned {} → {}",
        won(before.balance),
        won(after.balance),
        before.stock,
        after.stock,
        before.owned,
        after.owned,
    )
}
