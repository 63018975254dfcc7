//! payment-svc asks the bank: what it asks next is its own decision, what becomes of a call is thrown.

use payment_svc::ask::Call;
use payment_svc::gateway::{Authorization, Charge, Unknown};
use payment_svc::saga::Answer;
use saga_events::OrderId;
use svc_chassis::Tx;

use crate::air::short;
use crate::fault::Fault;
use crate::process::Broken;
use crate::world::{Asking, World};
use crate::wrong::Wrong;

/// A call that is open comes to an end, or a request that is late arrives.
///
/// # Errors
/// The bank is asked for what it may not be asked for.
pub fn call(world: &mut World) -> Result<(), Broken> {
    if world.air.dice.says(100)
        && let Some(charge) = world.bank.next_late(&mut world.air.dice)
    {
        world.air.tell(|| {
            format!(
                "a late request for order {} reaches the bank",
                short(charge.order_id)
            )
        });
        world.bank.authorize(charge, &mut world.air.dice)?;
        return Ok(());
    }
    if world.asking.is_empty() {
        return Ok(());
    }
    let at = world.air.dice.place(world.asking.len());
    let asking = world.asking.swap_remove(at);
    end(world, asking)
}

/// A call comes to its end: an answer, or none.
fn end(world: &mut World, asking: Asking) -> Result<(), Broken> {
    let Asking { charge, call } = asking;
    let told = reach(world, call, charge)?;
    world.air.tell(|| {
        let order = short(charge.order_id);
        format!("{:<14}{call:?} for order {order}: {told:?}", "gateway")
    });
    let told = match told {
        Err(_) if world.wrong == Some(Wrong::TimeOutIsNo) => Ok(Some(Authorization {
            answer: Answer::Declined,
            reference: "none".into(),
        })),
        told => told,
    };
    match call.then(told) {
        Ok(authorization) => settle(world, charge.order_id, authorization),
        Err((next, _)) => {
            let mut charge = charge;
            if world.wrong == Some(Wrong::NewKey) {
                let now = world.air.clock.now();
                charge.order_id = crate::shop::order_id(&mut world.air.dice, now);
            }
            world.asking.push(Asking { charge, call: next });
        }
    }
    Ok(())
}

/// What becomes of a call on its way to the bank and back.
fn reach(
    world: &mut World,
    call: Call,
    charge: Charge,
) -> Result<Result<Option<Authorization>, Unknown>, Broken> {
    let World { air, bank, .. } = world;
    if air.goes_wrong(Fault::GatewayRefused) {
        return Ok(Err(Unknown::Refused));
    }
    if air.goes_wrong(Fault::GatewayTimeOut) {
        return Ok(Err(Unknown::TimedOut));
    }
    if call == Call::Authorize && air.goes_wrong(Fault::GatewayLate) {
        bank.delay(charge);
        return Ok(Err(Unknown::TimedOut));
    }
    let answer = match call {
        Call::Authorize => Some(bank.authorize(charge, &mut air.dice)?),
        Call::LookUp => bank.look_up(charge.order_id),
    };
    if air.goes_wrong(Fault::GatewayMute) {
        return Ok(Err(Unknown::TimedOut));
    }
    Ok(Ok(answer))
}

/// The answer becomes a job of payment-svc's writer.
pub fn settle(world: &World, order: OrderId, told: Authorization) {
    tell_payment(world, order, told, None);
}

/// As [`settle`]; `cause` marks an answer that the simulator has made up.
pub fn tell_payment(
    world: &World,
    order: OrderId,
    told: Authorization,
    cause: Option<saga_events::EventId>,
) {
    let Some(instance) = world.payment.instance() else {
        return;
    };
    let (watch, column) = (world.payment.watch.clone(), told.answer.as_str());
    drop(instance.ask(move |tx| {
        let settle = |tx: &mut Tx<'_>| payment_svc::store::settle(tx, order, &told);
        watch.noting::<payment_svc::PaymentSvc, _>(tx, order, settle, |(outcome, _)| {
            Some((column, cause, outcome.clone()))
        })?;
        Ok(())
    }));
}
