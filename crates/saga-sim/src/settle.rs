//! After the faults have stopped: what is under way comes to rest, and order-svc ends what is open.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};
use saga_events::Service;

use crate::fault::Weather;
use crate::gateway;
use crate::process::{Broken, Runs};
use crate::sweep::sweep_as;
use crate::world::World;

/// From an empty bus, so many deliveries end an order after one repeat: the model's number.
const DELIVERIES: u32 = 14;
/// Rounds after which nothing may move any more.
const ROUNDS: u32 = 1_000;
/// Entries that are read at once.
const ALL: usize = 10_000;

/// Lets everything come to rest, and every order end.
///
/// # Errors
/// An order does not end, or something that must not be.
pub fn end_all(world: &mut World) -> Result<(), Broken> {
    world.air.tell(|| "the faults stop".to_owned());
    world.air.weather = Weather::calm();
    for service in Service::ALL {
        world.start(service)?;
        world.process(service).let_all_pass();
    }
    for service in Service::ALL {
        let (process, air) = world.process_in_air(service);
        process.read(air, ALL);
        process.claim(air);
    }
    come_to_rest(world)?;
    world.known.count_from_here();
    let mut last_due = None;
    while let Some(due) = next_due(world)? {
        if last_due == Some(due) {
            return Err(open_still(world));
        }
        last_due = Some(due);
        let late = due - world.order.now().micros();
        world
            .air
            .pass(Duration::from_micros(u64::try_from(late).unwrap_or(0)));
        sweep_as(world, world.fence.clone())?;
        come_to_rest(world)?;
        if let Some((order, (repeats, _))) = world.known.driven().find(|(_, counts)| counts.0 > 1) {
            return Err(format!(
                "order {order} took {repeats} repeats on an empty bus"
            ));
        }
    }
    if !world.known.open().is_empty() {
        return Err(open_still(world));
    }
    let most = world.known.driven().max_by_key(|(_, counts)| counts.1);
    match most {
        Some((order, (_, deliveries))) if deliveries > DELIVERIES => Err(format!(
            "order {order} took {deliveries} deliveries after one repeat on an empty bus"
        )),
        _ => Ok(()),
    }
}

fn open_still(world: &World) -> Broken {
    match world.known.open().first_key_value() {
        Some((order, state)) => {
            format!("order {order} is {state} for ever: nobody looks after it any more")
        }
        None => "order-svc looks after an order that is closed".to_owned(),
    }
}

/// Delivers, commits and publishes until nothing moves. Nothing is repeated meanwhile.
///
/// # Errors
/// It does not come to rest, or something that must not be.
pub fn come_to_rest(world: &mut World) -> Result<(), Broken> {
    for _ in 0..ROUNDS {
        let mut moved = false;
        for service in Service::ALL {
            let (process, air) = world.process_in_air(service);
            process.read(air, ALL);
            if process.waiting() > 0 {
                moved = true;
                process.submit(air, ALL);
                process.commit(ALL)?;
                world.after_commit(service)?;
            }
            let (process, air) = world.process_in_air(service);
            while process.has_to_publish() {
                moved = true;
                process.publish(air)?;
            }
        }
        while let Some(charge) = world.bank.next_late(&mut world.air.dice) {
            moved = true;
            world.bank.authorize(charge, &mut world.air.dice)?;
        }
        while !world.asking.is_empty() {
            moved = true;
            gateway::call(world)?;
        }
        if !moved {
            let done = world.air.bus.is_done();
            return done
                .then_some(())
                .ok_or_else(|| "something is never acknowledged".to_owned());
        }
    }
    Err(format!("messages still go round after {ROUNDS} rounds"))
}

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = Nullable<BigInt>)]
    due: Option<i64>,
}

/// When order-svc has to look after an order next, by its own clock.
fn next_due(world: &mut World) -> Result<Option<i64>, Broken> {
    let Some(conn) = world.order.conn() else {
        return Ok(None);
    };
    let next = diesel::sql_query("SELECT min(due_at) AS due FROM orders");
    let Due { due } = next.get_result(conn).map_err(|error| error.to_string())?;
    Ok(due)
}
