//! The whole check of six tables: no harm, every law, and every purchase ends.

use std::fmt;

use crate::cells::{Cells, Rigour};
use crate::explore::{Explored, beginning, explore};
use crate::recovery::{Meanwhile, Recovery};
use crate::table::Table;
use crate::trace::{self, Step};

/// What was looked at, and found to be good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// Six rows and the set of messages that were ever said.
    pub configurations: usize,
    /// Ways from one configuration to another.
    pub transitions: usize,
    /// What six databases can look like together.
    pub databases: usize,
    /// Rows and inputs that met in some service.
    pub cells: usize,
    /// The most deliveries between the beginning and a closed order, while nothing is lost.
    pub deliveries: usize,
    /// The most deliveries between one repeat on an empty bus and a closed order.
    pub deliveries_after_a_loss: usize,
    /// The same where the deadline may pass, or the buyer cancel, at any moment meanwhile.
    pub deliveries_after_a_loss_and_a_cancel: usize,
}

/// What was found to be bad, and a way there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// A sentence.
    pub because: String,
    /// The way there.
    pub steps: Vec<Step>,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.because)?;
        trace::list(&self.steps, f)
    }
}

/// Checks these tables. `repeats`: how often order-svc may find that there is no news before the
/// bus is emptied.
///
/// # Errors
/// A [`Flaw`]: of harm and laws a nearest one on a shortest way; of recovery, the way to a nearest
/// configuration from which the order does not end.
pub fn prove(table: &dyn Table, repeats: u32) -> Result<Proof, Flaw> {
    let (mut cells, found) = explored(table, repeats)?;
    let reached = cells.reached();

    let (desks, created) = beginning(&mut cells);
    let mut recovery = Recovery::new(&mut cells, Rigour::Laws, Meanwhile::Cancels);
    let begun = recovery.deliver(desks, &[created]);
    if let Some(because) = begun.flaw() {
        return Err(Flaw {
            because: format!("while nothing is lost: {because}"),
            steps: vec![],
        });
    }

    let mut most = [0; 2];
    for (most, meanwhile) in most.iter_mut().zip([Meanwhile::Calm, Meanwhile::Cancels]) {
        let mut recovery = Recovery::new(&mut cells, Rigour::Laws, meanwhile);
        let mut stuck = None;
        for (desks, configuration) in &found.places {
            let settled = recovery.repeat(*desks);
            *most = (*most).max(settled.deliveries);
            stuck = settled.flaw().map(|because| (because, *configuration));
            if stuck.is_some() {
                break;
            }
        }
        if let Some((because, configuration)) = stuck {
            return Err(unrecovered(&mut cells, &found, &because, configuration));
        }
    }
    Ok(Proof {
        configurations: found.configurations().count(),
        transitions: found.transitions,
        databases: found.places.len(),
        cells: reached,
        deliveries: begun.deliveries,
        deliveries_after_a_loss: most[0],
        deliveries_after_a_loss_and_a_cancel: most[1],
    })
}

/// Checks that one repeat ends every order even if nothing was lost: while it travels, all that was
/// said before may still come, late, in any order, any number of times. Answers with the most
/// deliveries that this takes, those of stray messages included.
///
/// # Errors
/// A [`Flaw`], as [`prove`].
pub fn prove_among_strays(table: &dyn Table, repeats: u32) -> Result<usize, Flaw> {
    let (mut cells, found) = explored(table, repeats)?;
    let mut recovery = Recovery::new(&mut cells, Rigour::Laws, Meanwhile::Calm);
    let mut most = 0;
    for (configuration, (desks, bus)) in found.configurations().enumerate() {
        let settled = recovery.repeat_among_strays(desks, bus);
        most = most.max(settled.deliveries);
        if let Some(because) = settled.flaw() {
            return Err(unrecovered(&mut cells, &found, &because, configuration));
        }
    }
    Ok(most)
}

pub(crate) fn explored(table: &dyn Table, repeats: u32) -> Result<(Cells<'_>, Explored), Flaw> {
    let mut cells = Cells::new(table, Rigour::Laws);
    let mut found = explore(&mut cells, Rigour::Laws, repeats);
    match found.wrong.take() {
        None => Ok((cells, found)),
        Some((because, path)) => Err(Flaw {
            because,
            steps: trace::tell(&mut cells, &path, None),
        }),
    }
}

fn unrecovered(
    cells: &mut Cells<'_>,
    found: &Explored,
    because: &str,
    configuration: usize,
) -> Flaw {
    let path = found.path_to(configuration);
    let steps = trace::tell(cells, &path, Some(path.len()));
    Flaw {
        because: format!("after one repeat on an empty bus: {because}"),
        steps,
    }
}
