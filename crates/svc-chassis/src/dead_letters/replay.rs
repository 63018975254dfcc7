//! Replaying: the event that is kept is decoded again and applied by the same step as a delivery, in
//! the one transaction that also marks the dead letter. So a replay can neither be lost nor doubled,
//! and needs no Redis. The state machines are total: an event that comes a week late finds a row
//! that answers it, or an impossible cell, and changes nothing that is final.

use diesel::prelude::*;
use saga_events::{Event, EventType, OrderId};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Act, DeadLetter, Filter, Operator, Reason, State};
use crate::error::{Error, Fault};
use crate::http::Problem;
use crate::service::Outcome;
use crate::writer::Tx;

/// How a service applies an event, whether it is delivered or replayed.
pub type Step<'a> = &'a dyn Fn(&mut Tx<'_>, &Event) -> Result<Outcome, Error>;

/// What came of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// The dead letter.
    pub id: i64,
    /// The event's type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<EventType>,
    /// The purchase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// How it ended.
    #[serde(flatten)]
    pub ending: Ending,
    /// What the service said, as far as it has been applied.
    pub said: Vec<EventType>,
    /// What became of the dead letter.
    pub state: State,
    /// Tries that failed, this one included.
    pub attempts: i64,
}

/// How a replay ended. The first three settle the dead letter; after the others it stays open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", tag = "outcome")]
pub enum Ending {
    /// The service stands in a new state with the purchase.
    Changed {
        /// The state's name.
        to: &'static str,
    },
    /// The service said its last output again.
    Repeated,
    /// A plain duplicate: somebody else has done its work.
    NothingChanged,
    /// It is still no event of this contract.
    Undecodable {
        /// Why not.
        error: String,
    },
    /// It still met a cell that cannot be reached unless something is broken.
    Impossible {
        /// Which one.
        error: String,
    },
    /// Its step still failed.
    Failed {
        /// With what.
        error: String,
    },
}

/// Up to this many dead letters are replayed by one call: they share one transaction of the writer,
/// which the purchases must not wait for.
pub const MOST: i64 = 100;

/// What came of replaying many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayedAll {
    /// Whether all this was undone.
    pub dry_run: bool,
    /// How many were applied.
    pub replayed: usize,
    /// How many stay dead letters.
    pub failed: usize,
    /// How many match that this call has not come to.
    pub remaining: i64,
    /// Where the next call goes on, while some remain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// What came of each.
    pub results: Vec<Replayed>,
}

/// Replays one open dead letter. In a dry run everything is undone after it was tried.
///
/// # Errors
/// 404 and 409 where there is none that is open; the database's, where nothing can be stored.
pub fn one(
    tx: &mut Tx<'_>,
    step: Step<'_>,
    id: i64,
    operator: &Operator,
    dry_run: bool,
) -> Result<Replayed, Error> {
    let letter = open(tx.conn(), id)?;
    tx.apart(|tx| replay(tx, step, letter, operator), |_| !dry_run)
}

/// Replays those that match and are open, oldest first, the `limit` that follow `after`. In a dry
/// run each sees what the ones before it did; then everything is undone.
///
/// # Errors
/// The database's, where nothing can be stored.
pub fn all(
    tx: &mut Tx<'_>,
    step: Step<'_>,
    (event_type, after, limit): (Option<EventType>, Option<i64>, i64),
    operator: &Operator,
    dry_run: bool,
) -> Result<ReplayedAll, Error> {
    let filter = Filter {
        state: Some(State::Open),
        event_type,
        order_id: None,
    };
    let letters = super::page(tx.conn(), filter, after, limit)?;
    let last = letters.last().map(|letter| letter.id);
    let remaining = match last {
        Some(last) => super::count_after(tx.conn(), filter, last)?,
        None => 0,
    };
    let results = tx.apart(
        |tx| {
            let replays = letters
                .into_iter()
                .map(|letter| replay(tx, step, letter, operator));
            replays.collect::<Result<Vec<_>, _>>()
        },
        |_| !dry_run,
    )?;
    let replayed = results
        .iter()
        .filter(|result| result.ending.is_applied())
        .count();
    Ok(ReplayedAll {
        dry_run,
        replayed,
        failed: results.len() - replayed,
        remaining,
        next_cursor: last.filter(|_| remaining > 0).map(|last| last.to_string()),
        results,
    })
}

/// Takes a dead letter out of what is open without applying it.
///
/// # Errors
/// 404 and 409 where there is none that is open; the database's.
pub fn discard(tx: &mut Tx<'_>, id: i64, operator: &Operator) -> Result<DeadLetter, Error> {
    let letter = open(tx.conn(), id)?;
    super::settle(tx, id, State::Discarded)?;
    super::enter(tx, id, Act::Discard, operator, "discarded")?;
    let (order, by, why) = (
        letter.order_id,
        operator.by.clone(),
        operator.reason.clone(),
    );
    tx.after_commit(move || {
        tracing::warn!(
            dead_letter.id = id,
            order.id = order.map(tracing::field::display),
            operator.by = by,
            operator.reason = why,
            "dead letter discarded: its event will not be applied"
        );
    });
    Ok(DeadLetter {
        state: State::Discarded,
        ..letter
    })
}

fn open(conn: &mut SqliteConnection, id: i64) -> Result<DeadLetter, Error> {
    let letter = super::find(conn, id)?.ok_or_else(|| not_found(id))?;
    match letter.state {
        State::Open => Ok(letter),
        State::Replayed | State::Discarded => {
            let state = letter.state.as_str();
            let detail = format!("dead letter {id} was {state} before; its trail tells by whom");
            Err(Problem::conflict("NOT_OPEN", detail).into())
        }
    }
}

/// 404: there is no such dead letter here.
pub(crate) fn not_found(id: i64) -> Problem {
    Problem::not_found("DEAD_LETTER_NOT_FOUND", format!("dead letter {id} here"))
}

/// Tries, marks the dead letter by what came of it, and enters it into the trail.
fn replay(
    tx: &mut Tx<'_>,
    step: Step<'_>,
    letter: DeadLetter,
    operator: &Operator,
) -> Result<Replayed, Error> {
    let id = letter.id;
    let decoded = super::evidence::decoded(letter.form, &letter.event);
    let (ending, said) = match &decoded {
        Ok(event) => apply(tx, step, event)?,
        Err(undecodable) => {
            let error = undecodable.why.clone();
            (Ending::Undecodable { error }, Vec::new())
        }
    };
    let mut attempts = letter.attempts;
    let state = match ending.failure() {
        None => {
            super::settle(tx, id, State::Replayed)?;
            State::Replayed
        }
        Some((reason, error)) => {
            super::failed_again(tx, id, reason, error)?;
            attempts += 1;
            State::Open
        }
    };
    super::enter(tx, id, Act::Replay, operator, &ending.to_string())?;
    let event = decoded.ok();
    log(tx, id, event.as_ref(), &ending, &said, operator);
    Ok(Replayed {
        id,
        event_type: event.as_ref().map(Event::event_type).or(letter.event_type),
        order_id: event.as_ref().map(Event::order_id).or(letter.order_id),
        ending,
        said,
        state,
        attempts,
    })
}

/// The same step as that of a delivery, undone as a whole where it fails.
fn apply(
    tx: &mut Tx<'_>,
    step: Step<'_>,
    event: &Event,
) -> Result<(Ending, Vec<EventType>), Error> {
    let mark = tx.mark();
    let tried = tx.apart(
        |tx| {
            let outcome = step(tx, event)?;
            Ok((
                outcome,
                tx.said_since(mark).iter().map(Event::event_type).collect(),
            ))
        },
        |(outcome, _)| !matches!(outcome, Outcome::Impossible(_)),
    );
    match tried {
        Ok((Outcome::Changed(to), said)) => Ok((Ending::Changed { to }, said)),
        Ok((Outcome::Repeated, said)) => Ok((Ending::Repeated, said)),
        Ok((Outcome::Duplicate, said)) => Ok((Ending::NothingChanged, said)),
        Ok((Outcome::Impossible(error), _)) => Ok((Ending::Impossible { error }, Vec::new())),
        // A database or a disk that fails is no event's fault, and nothing could be noted.
        Err(error) if error.fault() != Fault::Own => Err(error),
        Err(error) => {
            let error = error.to_string();
            Ok((Ending::Failed { error }, Vec::new()))
        }
    }
}

impl Ending {
    /// Whether the event was applied, so that the dead letter is settled.
    pub fn is_applied(&self) -> bool {
        self.failure().is_none()
    }

    fn failure(&self) -> Option<(Reason, &str)> {
        match self {
            Self::Changed { .. } | Self::Repeated | Self::NothingChanged => None,
            Self::Undecodable { error } => Some((Reason::Undecodable, error)),
            Self::Impossible { error } => Some((Reason::Impossible, error)),
            Self::Failed { error } => Some((Reason::Exhausted, error)),
        }
    }
}

/// In words, for the trail and the log.
impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Changed { to } => write!(f, "changed to {to}"),
            Self::Repeated => write!(f, "said again"),
            Self::NothingChanged => write!(f, "nothing changed"),
            Self::Undecodable { error } => write!(f, "still undecodable: {error}"),
            Self::Impossible { error } => write!(f, "still {error}"),
            Self::Failed { error } => write!(f, "still failing: {error}"),
        }
    }
}

/// One line a replay, with the fields of a delivery's, so that it shows in the order's story.
fn log(
    tx: &mut Tx<'_>,
    id: i64,
    event: Option<&Event>,
    ending: &Ending,
    said: &[EventType],
    operator: &Operator,
) {
    let (order, event_type) = (event.map(Event::order_id), event.map(Event::event_type));
    let attempt = event.map(|event| event.message.attempt);
    let says: Vec<_> = said.iter().map(|said| said.as_str()).collect();
    let (says, at) = (says.join("+"), tx.now().micros());
    let (ending, operator) = (ending.clone(), operator.clone());
    tx.after_commit(move || {
        let order = order.map(tracing::field::display);
        let event_type = event_type.map(tracing::field::display);
        let Operator { by, reason } = operator;
        if ending.is_applied() {
            tracing::info!(
                at_us = at,
                order.id = order,
                event.r#type = event_type,
                attempt,
                says,
                dead_letter.id = id,
                operator.by = by,
                operator.reason = reason,
                "{ending} (a dead letter, replayed)"
            );
        } else {
            tracing::warn!(
                at_us = at,
                order.id = order,
                event.r#type = event_type,
                attempt,
                dead_letter.id = id,
                operator.by = by,
                operator.reason = reason,
                "{ending} (a dead letter, replayed in vain: it stays)"
            );
        }
    });
}

#[cfg(test)]
mod tests;
