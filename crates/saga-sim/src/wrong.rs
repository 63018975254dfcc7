//! Services broken on purpose, so that tests can tell whether the simulator would notice.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use saga_events::{Event, Payload, PayloadKind, Phase};
use saga_model::world::Row;
use svc_chassis::participant::State;
use svc_chassis::{Error, Outcome, Tx};

use crate::watched::Stage;

macro_rules! wrongs {
    ($($variant:ident $name:literal $what:literal)*) => {
        /// Something that is done wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Wrong {
            $(#[doc = $what] $variant,)*
        }

        impl Wrong {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What is done, in one sentence.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $what,)* }
            }
        }
    };
}

wrongs! {
    DropRepeats "drop-repeats" "Participants drop a repeat that changes nothing, unanswered."
    RefusalsNotStored "refusals-not-stored" "A participant that refuses says so, and writes no row."
    NoTombstone "no-tombstone" "A participant that has nothing to undo passes the undo on, and writes no row."
    IgnoreEarlyUndo "ignore-early-undo" "A participant that has nothing to undo ignores the undo."
    ForgetFinished "forget-finished" "A participant deletes its row once it has given back."
    EffectPerMessage "effect-per-message" "user-svc takes the amount for every order.created, a duplicate's too."
    WriteBack "write-back" "A compensation writes back the stock that was there before, whatever was sold since."
    NoRepeats "no-repeats" "order-svc never repeats."
    AcknowledgeFirst "acknowledge-first" "A consumer acknowledges before the commit, and order-svc does not repeat."
    PublishFirst "publish-first" "A service publishes before it commits."
    CancelByItself "cancel-by-itself" "order-svc cancels by itself when the deadline passes, without asking the pivot."
    TimeOutIsNo "time-out-is-no" "payment-svc takes a gateway that does not answer for a decline."
    NewKey "new-key" "payment-svc asks again under a new key."
    ForgetCharges "forget-charges" "payment-svc does not ask again for open payments after a start."
}

impl Wrong {
    /// The step of a service that does this wrong.
    ///
    /// # Errors
    /// The step's own.
    pub(crate) fn step<S: Stage>(
        self,
        tx: &mut Tx<'_>,
        event: &Event,
        right: impl FnOnce(&mut Tx<'_>) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        let state = match S::row(tx.conn(), event.order_id())? {
            None => None,
            Some(Row::Hold(hold)) => Some(hold.state),
            Some(Row::Order(_) | Row::Payment(_) | Row::Notification(_)) => return right(tx),
        };
        let is_participant = matches!(
            S::ME,
            saga_events::Service::User
                | saga_events::Service::Inventory
                | saga_events::Service::Item
        );
        if !is_participant {
            return right(tx);
        }
        let spec = event.event_type().spec();
        let undoes = spec.payload == PayloadKind::Failure;
        match self {
            Self::DropRepeats if changes_nothing(state, spec.payload) => Ok(Outcome::Duplicate),
            Self::IgnoreEarlyUndo if undoes && state.is_none() => Ok(Outcome::Duplicate),
            Self::RefusalsNotStored if state.is_none() && !undoes => {
                let outcome = right(tx)?;
                forget(tx, event, State::Refused)?;
                Ok(outcome)
            }
            Self::NoTombstone if undoes && state.is_none() => {
                let outcome = right(tx)?;
                forget(tx, event, State::Released)?;
                Ok(outcome)
            }
            Self::ForgetFinished if undoes => {
                let outcome = right(tx)?;
                forget(tx, event, State::Released)?;
                Ok(outcome)
            }
            Self::EffectPerMessage
                if spec.phase == Phase::Begin && state == Some(State::Reserved) =>
            {
                if let Payload::Purchase(purchase) = event.message.payload {
                    let (amount, user) = (purchase.total_amount, purchase.user_id.uuid().simple());
                    // As far as there is money to take.
                    let take = format!(
                        "UPDATE users SET available = available - {amount}, held = held + {amount} \
                         WHERE id = x'{user}' AND available >= {amount}"
                    );
                    tx.conn().batch_execute(&take)?;
                }
                right(tx)
            }
            Self::WriteBack if undoes && S::ME == saga_events::Service::Item => {
                let outcome = right(tx)?;
                if matches!(outcome, Outcome::Changed(_)) && state == Some(State::Reserved) {
                    tx.conn().batch_execute(
                        "UPDATE items SET available = (SELECT sum(quantity) FROM restocks WHERE item_id = items.id)",
                    )?;
                }
                Ok(outcome)
            }
            _ => right(tx),
        }
    }
}

/// Whether an input of this kind leaves a row in this state as it is.
const fn changes_nothing(state: Option<State>, kind: PayloadKind) -> bool {
    match (state, kind) {
        (None | Some(State::Reserved), PayloadKind::Failure | PayloadKind::Settled)
        | (None, PayloadKind::Purchase | PayloadKind::Cancelled) => false,
        (Some(_), _) => true,
    }
}

fn forget(tx: &mut Tx<'_>, event: &Event, state: State) -> QueryResult<()> {
    let order = event.order_id().uuid().simple();
    let state = state.as_str();
    tx.conn().batch_execute(&format!(
        "DELETE FROM holds WHERE order_id = x'{order}' AND state = '{state}'"
    ))
}
