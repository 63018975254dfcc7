//! The whole check of six tables: no harm, every law, and every purchase ends.

use std::fmt;

use crate::cells::{Cells, Rigour};
use crate::explore::{beginning, explore};
use crate::recovery::{Meanwhile, Recovery};
use crate::table::Table;
use crate::trace::{Step, tell};

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
        for (at, step) in (1..).zip(&self.steps) {
            writeln!(f, "{at:>3} {step}")?;
        }
        Ok(())
    }
}

/// Checks these tables. `repeats`: how often order-svc may find that there is no news before the
/// bus is emptied.
///
/// # Errors
/// The first [`Flaw`] on a shortest way; of recovery, one of those nearest to the beginning.
pub fn prove(table: &dyn Table, repeats: u32) -> Result<Proof, Flaw> {
    let mut cells = Cells::new(table, Rigour::Laws);
    let found = explore(&mut cells, Rigour::Laws, repeats);
    if let Some((because, path)) = found.harm {
        return Err(Flaw { because, steps: tell(&mut cells, &path, None) });
    }
    let reached = cells.reached().count();

    let (desks, created) = beginning(&mut cells);
    let begun = Recovery::new(&mut cells, Rigour::Laws, Meanwhile::Cancels).deliver(desks, &[created]);
    if let Some(because) = begun.flaw() {
        let because = format!("while nothing is lost: {because}");
        return Err(Flaw { because, steps: vec![] });
    }

    let mut most = [0; 2];
    for (most, meanwhile) in most.iter_mut().zip([Meanwhile::Calm, Meanwhile::Cancels]) {
        let mut recovery = Recovery::new(&mut cells, Rigour::Laws, meanwhile);
        let mut flaw = None;
        for (desks, configuration) in &found.places {
            let settled = recovery.repeat(*desks);
            *most = (*most).max(settled.deliveries);
            flaw = settled.flaw().map(|because| (because, *configuration));
            if flaw.is_some() {
                break;
            }
        }
        if let Some((because, configuration)) = flaw {
            let because = format!("after one repeat on an empty bus: {because}");
            let path = found.path_to(configuration);
            return Err(Flaw { because, steps: tell(&mut cells, &path, Some(path.len())) });
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
