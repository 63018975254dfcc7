//! While purchases run and everything goes wrong: what happens next is thrown.

use std::time::Duration;

use saga_events::Service;
use svc_chassis::singleton::Fence;

use crate::fault::Fault;
use crate::gateway;
use crate::process::{Broken, Runs};
use crate::requests::{buy, cancel, govern};
use crate::stray;
use crate::sweep::sweep_as;
use crate::world::World;

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
            buy(world);
            Ok(())
        }
        940..945 => {
            govern(world);
            Ok(())
        }
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
        Fault::BuyerCancels => cancel(world),
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
