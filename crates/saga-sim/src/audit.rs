//! The audit that ships, asked of the simulated services: while purchases run it must not cry wolf, and
//! when all is quiet it must find that everything holds.

use saga_audit::{Audit, Judge, LOOKS, Look, Report, Rounds};
use saga_events::Service;
use svc_chassis::audit::{Asked, report};

use crate::chaos::something_happens;
use crate::process::{Broken, Process, Runs};
use crate::watched::Stage;
use crate::world::World;

/// So much happens between two looks of a live audit.
const MEANWHILE: usize = 5;

/// Audits while purchases run and services are killed.
///
/// # Errors
/// The audit says that something is violated, or something that must not be happens meanwhile.
pub fn audit_live(world: &mut World, purchases_left: &mut u32) -> Result<(), Broken> {
    let mut rounds = Rounds::new(reports(world, true)?);
    let mut judge = Judge::default();
    let mut looks = Vec::new();
    for service in LOOKS {
        for _ in 0..world.air.dice.place(MEANWHILE) {
            something_happens(world, purchases_left)?;
        }
        match look(world, service)? {
            Some(look) => looks.push(look),
            None => judge.miss(service),
        }
    }
    judge.look(&looks);
    rounds.add(reports(world, false)?);
    no_violation(&judge.conclude(&rounds))
}

/// Audits a world in which nothing is under way.
///
/// # Errors
/// The audit says that something is violated, or that it is not quiet.
pub fn audit_quiet(world: &mut World) -> Result<(), Broken> {
    let rounds = Rounds::new(reports(world, true)?);
    let mut looks = Vec::new();
    for service in LOOKS {
        looks.extend(look(world, service)?);
    }
    let mut judge = Judge::default();
    judge.look(&looks);
    let audit = judge.conclude(&rounds);
    no_violation(&audit)?;
    if audit.quiet && audit.ok {
        Ok(())
    } else {
        Err("the audit does not find it quiet".to_owned())
    }
}

fn no_violation(audit: &Audit) -> Result<(), Broken> {
    match audit.violations().next() {
        None => Ok(()),
        Some(check) => Err(format!("the audit finds {check:?}")),
    }
}

fn reports(world: &mut World, checks: bool) -> Result<Vec<Report>, Broken> {
    let all = [
        report_of(&mut world.order, checks)?,
        report_of(&mut world.user, checks)?,
        report_of(&mut world.inventory, checks)?,
        report_of(&mut world.item, checks)?,
        report_of(&mut world.payment, checks)?,
        report_of(&mut world.notify, checks)?,
    ];
    Ok(all.into_iter().flatten().collect())
}

/// What a service says about itself; nothing where it is down.
fn report_of<S: Stage>(process: &mut Process<S>, checks: bool) -> Result<Option<Report>, Broken> {
    let (now, published) = (process.now(), process.published());
    let Some(conn) = process.conn() else {
        return Ok(None);
    };
    let report = report::<S>(conn, &Asked::at(now, checks), Some(published));
    report
        .map(Some)
        .map_err(|error| format!("{}: {error}", S::ME))
}

/// Where this service stands with all purchases.
fn look(world: &mut World, service: Service) -> Result<Option<Look>, Broken> {
    match service {
        Service::Order => look_at(&mut world.order),
        Service::User => look_at(&mut world.user),
        Service::Inventory => look_at(&mut world.inventory),
        Service::Item => look_at(&mut world.item),
        Service::Payment => look_at(&mut world.payment),
        Service::Notify => look_at(&mut world.notify),
    }
}

/// Where a service stands with all purchases; nothing where it is down.
fn look_at<S: Stage>(process: &mut Process<S>) -> Result<Option<Look>, Broken> {
    let Some(conn) = process.conn() else {
        return Ok(None);
    };
    let rows =
        S::sagas(conn, None, None, i64::MAX).map_err(|error| format!("{}: {error}", S::ME))?;
    let rows = rows.into_iter().map(|row| (row.order_id, row));
    Ok(Some(Look {
        service: S::ME,
        rows: rows.collect(),
    }))
}
