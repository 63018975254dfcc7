//! What buyers and shopkeepers ask for: each request is a job of the service that it goes to.

use order_svc::OrderSvc;
use order_svc::advance;
use saga_events::{OrderId, TraceParent};
use svc_chassis::{Outcome, Tx};

use crate::air::short;
use crate::process::Runs;
use crate::shop;
use crate::world::World;

/// Somebody buys something.
pub fn buy(world: &mut World) {
    let World { order, air, .. } = world;
    let Some(instance) = order.instance() else {
        return;
    };
    let new = world.shop.purchase(&mut air.dice, order.now());
    let id = new.order_id;
    let live = instance.service().inner().live().clone();
    let trace = trace_of(id);
    let watch = order.watch.clone();
    air.tell(|| format!("the buyer asks for order {}", short(id)));
    let answer = instance.ask(move |tx| {
        let begin = |tx: &mut Tx<'_>| advance::begin(tx, &live, new, &trace);
        watch.noting::<OrderSvc, _>(tx, id, begin, |_| {
            Some(("begin", None, Outcome::Changed("PENDING")))
        })?;
        Ok(())
    });
    world.begun.push((id, answer));
}

/// A buyer cancels some order.
pub fn cancel(world: &mut World) {
    let Some(id) = some_order(world) else {
        return;
    };
    let Some(instance) = world.order.instance() else {
        return;
    };
    let live = instance.service().inner().live().clone();
    let watch = world.order.watch.clone();
    world
        .air
        .tell(|| format!("the buyer cancels order {}", short(id)));
    drop(instance.ask(move |tx| {
        let cancel = |tx: &mut Tx<'_>| advance::cancel(tx, &live, id);
        watch.noting::<OrderSvc, _>(tx, id, cancel, |done| {
            let (_, outcome) = done.as_ref()?;
            Some(("cancel", None, outcome.clone()))
        })?;
        Ok(())
    }));
}

/// One of the orders, more often than not a recent one.
pub fn some_order(world: &mut World) -> Option<OrderId> {
    let dice = &mut world.air.dice;
    let orders = world.known.orders();
    let span = if dice.says(700) { 6 } else { orders.len() };
    let back = dice.place(span.min(orders.len()));
    orders.keys().rev().nth(back).copied()
}

fn trace_of(id: OrderId) -> TraceParent {
    let (high, low) = id.uuid().as_u64_pair();
    let text = format!("00-{high:016x}{low:016x}-{:016x}-01", low | 1);
    text.parse().unwrap_or_default()
}

/// What else the six services are asked to do: money comes in, prices change, items go.
pub fn govern(world: &mut World) {
    let World { air, shop, .. } = world;
    let dice = &mut air.dice;
    let user = dice.pick(&shop.users);
    let at = dice.place(shop.items.len());
    let (item, _) = shop.items[at];
    match dice.below(7) {
        0 | 2 => {
            let (amount, user_svc) = (shop::deposit(dice), world.user.instance());
            if let Some(instance) = user_svc {
                drop(instance.ask(move |tx| user_svc::store::add(tx, user, amount)));
            }
        }
        1 => {
            let active = dice.says(800);
            if let Some(instance) = world.user.instance() {
                drop(instance.ask(move |tx| user_svc::store::set_active(tx, user, active)));
            }
        }
        3 => {
            let quantity = shop::stock(dice);
            if let Some(instance) = world.item.instance()
                && quantity.get() > 0
            {
                drop(instance.ask(move |tx| item_svc::store::restock(tx, item, quantity)));
            }
        }
        4 => {
            let price = shop::price(dice);
            // Half of the time order-svc has not heard of it yet.
            if dice.says(500) {
                shop.items[at].1 = price;
            }
            if let Some(instance) = world.item.instance() {
                let edit = item_svc::store::Edit {
                    name: None,
                    description: None,
                    price: Some(price),
                };
                drop(instance.ask(move |tx| item_svc::store::edit(tx, item, &edit)));
            }
        }
        5 if dice.says(150) => {
            if let Some(instance) = world.item.instance() {
                drop(instance.ask(move |tx| item_svc::store::withdraw(tx, item)));
            }
        }
        _ => {
            let slots = dice.between(1, 7);
            if let Some(instance) = world.inventory.instance() {
                drop(instance.ask(move |tx| inventory_svc::store::set_capacity(tx, user, slots)));
            }
        }
    }
}
