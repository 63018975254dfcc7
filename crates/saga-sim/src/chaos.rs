//! While purchases run and everything goes wrong: what happens next is thrown.

use std::time::Duration;

use saga_events::Service;
use saga_events::bus::stream;
use saga_events::{OrderId, ReasonCode, TraceParent};

use order_svc::advance;
use order_svc::saga::Status;
use order_svc::store::{self as orders, StoredOrder};
use order_svc::sweep;
use svc_chassis::singleton::Fence;
use svc_chassis::{Error, Outcome, Tx};

use crate::air::short;
use crate::fault::Fault;
use crate::gateway;
use crate::process::{Broken, Runs};
use crate::shop;
use crate::stray;
use crate::watched::Watch;
use crate::world::World;
use crate::wrong::Wrong;

/// Orders that one sweep takes up.
const BATCH: i64 = 1024;

/// Lets something happen.
///
/// # Errors
/// Something that must not be.
pub fn something_happens(world: &mut World, purchases_left: &mut u32) -> Result<(), Broken> {
    let pause = match world.air.dice.below(200) {
        0 => 2_000_000,
        1..=4 => 100_000,
        _ => 3_000,
    };
    let pause = world.air.dice.below(pause);
    world.air.pass(Duration::from_micros(pause));
    let service = world.air.dice.pick(&Service::ALL);
    match world.air.dice.below(1000) {
        0..220 => {
            let service = some_service(world, service, |process| process.is_up());
            let most = 1 + world.air.dice.place(6);
            let (process, air) = world.process_in_air(service);
            process.read(air, most);
            Ok(())
        }
        220..520 => {
            let service = some_service(world, service, |process| process.waiting() > 0);
            work(world, service)
        }
        520..760 => {
            let service = some_service(world, service, |process| process.has_to_publish());
            publish(world, service)
        }
        760..860 => gateway::call(world),
        860..900 => sweep_as(world, world.fence.clone()),
        900..940 if *purchases_left > 0 => {
            *purchases_left -= 1;
            buy(world)
        }
        940..945 => govern(world),
        945..952 => {
            world.process(service).remember();
            Ok(())
        }
        952.. => go_wrong(world, service),
        // Nothing is left to buy.
        _ => restart(world, service),
    }
}

/// This service, or the next one for which this is so.
fn some_service(world: &mut World, first: Service, fits: impl Fn(&dyn Runs) -> bool) -> Service {
    let from = first as usize;
    let candidates = (0..6).map(|place| Service::ALL[(from + place) % 6]);
    let mut candidates = candidates.filter(|service| fits(world.process(*service)));
    candidates.next().unwrap_or(first)
}

/// A batch of the writer, which may be the last thing that the process does.
fn work(world: &mut World, service: Service) -> Result<(), Broken> {
    let most = 1 + world.air.dice.place(8);
    let (process, air) = world.process_in_air(service);
    process.submit(air, most);
    if process.waiting() > 0 && air.goes_wrong(Fault::CrashBeforeCommit) {
        air.tell(|| format!("{service:<14}is killed before it commits"));
        process.crash_before_commit(air)?;
        world.forget_memory(service);
        return world.look(service);
    }
    process.commit(most)?;
    if air.goes_wrong(Fault::CrashAfterCommit) {
        air.tell(|| format!("{service:<14}is killed after it has committed"));
        world.look(service)?;
        world.kill(service);
        return Ok(());
    }
    world.after_commit(service)
}

fn publish(world: &mut World, service: Service) -> Result<(), Broken> {
    let (process, air) = world.process_in_air(service);
    process.publish(air)?;
    if !process.is_up() {
        world.forget_memory(service);
    }
    Ok(())
}

fn restart(world: &mut World, service: Service) -> Result<(), Broken> {
    let service = some_service(world, service, |process| !process.is_up());
    world.start(service)
}

/// Somebody buys something.
fn buy(world: &mut World) -> Result<(), Broken> {
    let World { order, air, .. } = world;
    let Some(instance) = order.instance() else {
        return Ok(());
    };
    let new = world.shop.purchase(&mut air.dice, order.now());
    let id = new.order_id;
    let live = instance.service().inner().live().clone();
    let trace = trace_of(id);
    let watch = order.watch.clone();
    air.tell(|| format!("the buyer asks for order {}", short(id)));
    let answer = instance.ask(move |tx| {
        let begin = |tx: &mut Tx<'_>| advance::begin(tx, &live, new, &trace);
        watch.noting::<order_svc::OrderSvc, _>(tx, id, begin, |_| {
            Some(("begin", None, Outcome::Changed("PENDING")))
        })?;
        Ok(())
    });
    world.begun.push((id, answer));
    Ok(())
}

/// A buyer cancels some order.
fn cancel(world: &mut World) -> Result<(), Broken> {
    let Some(id) = some_order(world) else {
        return Ok(());
    };
    let Some(instance) = world.order.instance() else {
        return Ok(());
    };
    let live = instance.service().inner().live().clone();
    let watch = world.order.watch.clone();
    world
        .air
        .tell(|| format!("the buyer cancels order {}", short(id)));
    drop(instance.ask(move |tx| {
        let cancel = |tx: &mut Tx<'_>| advance::cancel(tx, &live, id);
        watch.noting::<order_svc::OrderSvc, _>(tx, id, cancel, |done| {
            let (_, outcome) = done.as_ref()?;
            Some(("cancel", None, outcome.clone()))
        })?;
        Ok(())
    }));
    Ok(())
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
fn govern(world: &mut World) -> Result<(), Broken> {
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
    Ok(())
}

/// order-svc looks after its orders, under this number.
///
/// # Errors
/// Its database cannot be read.
pub fn sweep_as(world: &mut World, fence: Option<Fence>) -> Result<(), Broken> {
    let Some(fence) = fence else { return Ok(()) };
    let (now, published) = (world.order.now(), world.order.published());
    let repeats = !matches!(
        world.wrong,
        Some(Wrong::NoRepeats | Wrong::AcknowledgeFirst)
    );
    let behind = sweep::FIRST_TO_LAST.map(|status| has_backlog(world, status));
    let Some(conn) = world.order.conn() else {
        return Ok(());
    };
    let broken = |error: diesel::result::Error| error.to_string();
    let mut due = orders::overdue(conn, now, BATCH).map_err(broken)?;
    for (status, behind) in sweep::FIRST_TO_LAST.into_iter().zip(behind) {
        let since = if behind {
            now.minus(sweep::BACKLOG_PATIENCE)
        } else {
            now
        };
        if repeats {
            let repeats = orders::due(conn, status, since, published, BATCH).map_err(broken)?;
            due.extend(repeats);
        }
    }
    for order in due {
        take_up(world, order, fence.clone());
    }
    Ok(())
}

fn has_backlog(world: &World, status: Status) -> bool {
    let event_type = status.says();
    let behind = |partition| {
        let stream = stream(partition, event_type);
        let mut consumers = event_type.spec().consumers.iter();
        consumers.any(|consumer| world.air.bus.backlog(&stream, *consumer) > 0)
    };
    (0..world.air.bus.partitions()).any(behind)
}

fn take_up(world: &mut World, id: OrderId, fence: Fence) {
    let Some(instance) = world.order.instance() else {
        return;
    };
    let live = instance.service().inner().live().clone();
    let (watch, wrong) = (world.order.watch.clone(), world.wrong);
    drop(instance.ask(move |tx| {
        if wrong == Some(Wrong::CancelByItself) && cancel_by_itself(tx, &watch, &live, id)? {
            return Ok(());
        }
        let take_up = |tx: &mut Tx<'_>| sweep::take_up_one(tx, &live, &fence, id);
        watch.noting::<order_svc::OrderSvc, _>(tx, id, take_up, |said| {
            let (stored, _) = said.as_ref()?;
            Some(match stored.repeats {
                0 => (
                    "cancel",
                    None,
                    Outcome::Changed(stored.order.status.as_str()),
                ),
                _ => ("no news", None, Outcome::Repeated),
            })
        })?;
        Ok(())
    }));
}

/// What no order-svc may do: it takes its deadline for the answer.
fn cancel_by_itself(
    tx: &mut Tx<'_>,
    watch: &Watch,
    live: &std::sync::Arc<order_svc::live::Live>,
    id: OrderId,
) -> Result<bool, Error> {
    let Some(stored) = orders::find(tx.conn(), id)? else {
        return Ok(false);
    };
    let overdue = stored.order.purchase.deadline <= tx.now();
    if stored.order.status != Status::Pending || !overdue {
        return Ok(false);
    }
    let event = stray::failure(id, ReasonCode::DeadlineExceeded);
    let cancel = |tx: &mut Tx<'_>| -> Result<(StoredOrder, Outcome), Error> {
        let input = order_svc::saga::Input::Message(&event.message);
        advance::advance(tx, live, stored, input, None)
    };
    watch.noting::<order_svc::OrderSvc, _>(tx, id, cancel, |(_, outcome)| {
        Some(("cancel", None, outcome.clone()))
    })?;
    Ok(true)
}

/// What goes wrong by itself, and not while something else is done.
const BY_THEMSELVES: [Fault; 14] = [
    Fault::CrashIdle,
    Fault::OtherInstance,
    Fault::Claim,
    Fault::Flush,
    Fault::TailLost,
    Fault::Rewind,
    Fault::GroupLost,
    Fault::Trim,
    Fault::OldEvent,
    Fault::Poison,
    Fault::Stray,
    Fault::ClockJump,
    Fault::StaleSweep,
    Fault::BuyerCancels,
];

/// Something that goes wrong by itself, or a service that was down comes back.
fn go_wrong(world: &mut World, service: Service) -> Result<(), Broken> {
    restart(world, service)?;
    // Only what is in the air today, so that it comes often.
    let in_the_air = BY_THEMSELVES.iter().copied();
    let in_the_air: Vec<Fault> = in_the_air
        .filter(|fault| world.air.weather.of(*fault) > 0)
        .collect();
    if in_the_air.is_empty() {
        return Ok(());
    }
    let fault = world.air.dice.pick(&in_the_air);
    if !world.air.goes_wrong(fault) {
        return Ok(());
    }
    world
        .air
        .tell(|| format!("{:<14}{}", fault.as_str(), fault.sentence()));
    match fault {
        Fault::CrashIdle => world.kill(service),
        Fault::OtherInstance => {
            world.kill(service);
            world.process(service).rename();
            world.start(service)?;
        }
        Fault::Claim => {
            let (process, air) = world.process_in_air(service);
            process.claim(air);
        }
        Fault::Flush => world.air.bus.flush(),
        Fault::TailLost => world.air.on_bus(|bus, dice| bus.lose_tail(dice)),
        Fault::Rewind => world.air.on_bus(|bus, dice| bus.rewind(dice)),
        Fault::GroupLost => world.air.on_bus(|bus, dice| bus.lose_groups(dice)),
        Fault::Trim => world.air.on_bus(|bus, dice| bus.trim(dice)),
        Fault::OldEvent => {
            let at = world.air.dice.place(world.air.history.len());
            if let Some((stream, bytes)) = world.air.history.get(at).cloned() {
                world.air.bus.add(&stream, bytes);
            }
        }
        Fault::Poison => stray::poison(world),
        Fault::Stray => stray::impossible(world)?,
        Fault::ClockJump => {
            let micros = world.air.dice.between(-3_600_000_000, 3_600_000_000);
            world.process(service).set_fast_by(micros);
        }
        Fault::StaleSweep => stale_sweep(world)?,
        Fault::BuyerCancels => cancel(world)?,
        _ => {}
    }
    Ok(())
}

/// Another sweep has taken a higher number; this one does not know yet, and goes on.
fn stale_sweep(world: &mut World) -> Result<(), Broken> {
    let stale = world.fence.clone();
    if let Some(instance) = world.order.instance() {
        let next = instance.ask(|tx| Fence::next(tx, "sweep"));
        world.fences.push(next);
    }
    sweep_as(world, stale)
}
