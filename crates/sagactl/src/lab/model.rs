//! What if a safeguard were missing? The shipped transition functions with some taken away, checked on
//! a thread of its own, and remembered: the answer never changes.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use saga_model::{Report, Shortcut, what_if};
use serde::Serialize;
use svc_chassis::http::Problem;
use tokio::sync::Semaphore;

/// Answers that are remembered. There are 131,072, of a few hundred bytes; nobody asks for all.
const REMEMBERED: usize = 10_000;

type Without = BTreeSet<Shortcut>;

/// Asks the model.
pub struct Model {
    /// One at a time: some take a second of a whole processor, which the system needs, too.
    turn: Semaphore,
    known: Mutex<HashMap<Without, Arc<Report>>>,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            turn: Semaphore::new(1),
            known: Mutex::default(),
        }
    }
}

/// A safeguard that can be taken away.
#[derive(Serialize)]
pub struct Known {
    name: &'static str,
    /// What is done instead, in one sentence.
    about: &'static str,
}

/// All of them.
pub fn shortcuts() -> Vec<Known> {
    let known = |shortcut: &Shortcut| Known {
        name: shortcut.as_str(),
        about: shortcut.sentence(),
    };
    Shortcut::ALL.iter().map(known).collect()
}

/// Reads `a,b`.
///
/// # Errors
/// 422 that names what is none.
pub fn without(text: &str) -> Result<Without, Problem> {
    let names = text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let known = names.map(|name| {
        let unknown = |why| format!("{why}; GET /model/shortcuts names them");
        name.parse()
            .map_err(|why| Problem::invalid("without", unknown(why)))
    });
    known.collect()
}

impl Model {
    /// What comes of it.
    ///
    /// # Errors
    /// The model panicked.
    pub async fn what_if(&self, without: Without) -> Result<Arc<Report>, Problem> {
        if let Some(report) = self.remembered(&without) {
            return Ok(report);
        }
        let _turn = self.turn.acquire().await;
        // Whoever had the turn before may have asked the same.
        if let Some(report) = self.remembered(&without) {
            return Ok(report);
        }
        let asked: Vec<Shortcut> = without.iter().copied().collect();
        let told = tokio::task::spawn_blocking(move || what_if(&asked)).await;
        let report = Arc::new(told.map_err(|why| Problem::unavailable("the model", why))?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < REMEMBERED {
            known.insert(without, report.clone());
        }
        Ok(report)
    }

    fn remembered(&self, without: &Without) -> Option<Arc<Report>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(without).cloned()
    }
}
