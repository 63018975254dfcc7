//! The six shipped transition functions, composed: one signature over all of them, so that a
//! wrapper can break any of them without touching a service.

use inventory_svc::saga::{InventorySaga, Shelf};
use item_svc::saga::{Item, ItemSaga};
use order_svc::saga as order;
use payment_svc::saga as payment;
use saga_events::{Amount, EventType, Message, Purchase, ReasonCode, Service};
use svc_chassis::Impossible;
use svc_chassis::participant::{self, Hold, Participant, State};
use user_svc::saga::{Account, UserSaga};

use crate::world::{Heard, Input, Ledger, Luck, Row};

/// What a step leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The row, changed or not.
    pub row: Option<Row>,
    /// What is said.
    pub says: Vec<Message>,
    /// What it does to a participant's book.
    pub effect: Ledger,
    /// Whether the gateway is asked.
    pub asks: bool,
}

impl Done {
    /// Nothing happens.
    pub fn nothing(row: Option<&Row>) -> Self {
        Self {
            row: row.cloned(),
            says: vec![],
            effect: Ledger::default(),
            asks: false,
        }
    }
}

/// Six state tables, each total.
pub trait Table {
    /// What this service does with an input, given its row and how it finds its book.
    ///
    /// # Errors
    /// [`Impossible`] cells.
    fn step(
        &self,
        service: Service,
        row: Option<&Row>,
        input: &Input,
        luck: Luck,
    ) -> Result<Done, Impossible>;

    /// Whether this service reads this event: what the contract says, unless something is broken.
    fn hears(&self, service: Service, event_type: EventType) -> bool {
        event_type.spec().consumers.contains(&service)
    }
}

/// The functions that the six services run.
#[derive(Debug, Clone, Copy)]
pub struct Shipped;

impl Table for Shipped {
    fn step(
        &self,
        service: Service,
        row: Option<&Row>,
        input: &Input,
        luck: Luck,
    ) -> Result<Done, Impossible> {
        if luck == Luck::Crash {
            // Nothing is committed, and what is not committed is not acknowledged.
            return Ok(Done::nothing(row));
        }
        match service {
            Service::Order => order_step(row, input),
            Service::User => hold_step::<UserSaga>(row, input, account(luck).as_ref()),
            Service::Inventory => hold_step::<InventorySaga>(row, input, Some(&shelf(row, luck))),
            Service::Item => hold_step::<ItemSaga>(row, input, item(luck).as_ref()),
            Service::Payment => payment_step(row, input),
            Service::Notify => notify_step(row, input),
        }
    }
}

fn order_step(row: Option<&Row>, input: &Input) -> Result<Done, Impossible> {
    let before = match row {
        Some(Row::Order(order)) => Some(order),
        _ => None,
    };
    let input = match input {
        Input::Message(message) => order::Input::Message(message),
        Input::Cancel(reason_code) => order::Input::Cancel(*reason_code),
        Input::NoNews => order::Input::NoNews,
        Input::Gateway(_) | Input::HoldIsOld => return Ok(Done::nothing(row)),
    };
    let order::Step { order, says } = order::step(before, input)?;
    let row = order.map(Row::Order).or_else(|| row.cloned());
    Ok(Done {
        row,
        says: says.into_iter().collect(),
        effect: Ledger::default(),
        asks: false,
    })
}

fn hold_step<P>(
    row: Option<&Row>,
    input: &Input,
    book: Option<&P::Book>,
) -> Result<Done, Impossible>
where
    P: Participant<Change: Into<Ledger>>,
{
    let before = match row {
        Some(Row::Hold(hold)) => Some(hold),
        _ => None,
    };
    let Input::Message(message) = input else {
        return Ok(Done::nothing(row));
    };
    let participant::Step { hold, change, says } = participant::step::<P>(before, message, book)?;
    let row = hold.map(Row::Hold).or_else(|| row.cloned());
    let effect = change.map_or_else(Ledger::default, Into::into);
    Ok(Done {
        row,
        says,
        effect,
        asks: false,
    })
}

fn payment_step(row: Option<&Row>, input: &Input) -> Result<Done, Impossible> {
    let before = match row {
        Some(Row::Payment(payment)) => Some(payment),
        _ => None,
    };
    let input = match input {
        Input::Message(message) => payment::Input::Message(message),
        Input::Gateway(Heard::Answer(answer)) => payment::Input::Gateway(*answer),
        // A time-out is neither yes nor no: it is no input of the table.
        Input::Gateway(Heard::TimeOut { .. })
        | Input::Cancel(_)
        | Input::NoNews
        | Input::HoldIsOld => return Ok(Done::nothing(row)),
    };
    let payment::Step {
        payment,
        says,
        ask_gateway,
    } = payment::step(before, input)?;
    let row = payment.map(Row::Payment).or_else(|| row.cloned());
    Ok(Done {
        row,
        says,
        effect: Ledger::default(),
        asks: ask_gateway,
    })
}

fn notify_step(row: Option<&Row>, input: &Input) -> Result<Done, Impossible> {
    let before = match row {
        Some(Row::Notification(notification)) => Some(notification),
        _ => None,
    };
    let Input::Message(message) = input else {
        return Ok(Done::nothing(row));
    };
    let notify_svc::saga::Step { notification, says } = notify_svc::saga::step(before, message)?;
    let row = notification.map(Row::Notification).or_else(|| row.cloned());
    Ok(Done {
        row,
        says,
        effect: Ledger::default(),
        asks: false,
    })
}

fn account(luck: Luck) -> Option<Account> {
    let Purchase { total_amount, .. } = crate::world::purchase();
    let rich = Account {
        active: true,
        available: total_amount.get(),
        held: 0,
        captured: 0,
    };
    match luck {
        Luck::Short(ReasonCode::UserNotFound) => None,
        Luck::Short(ReasonCode::UserInactive) => Some(Account {
            active: false,
            ..rich
        }),
        Luck::Short(_) => Some(Account {
            available: rich.available - 1,
            ..rich
        }),
        Luck::Plenty | Luck::Owned | Luck::Crash => Some(rich),
    }
}

fn shelf(row: Option<&Row>, luck: Luck) -> Shelf {
    let empty = Shelf {
        capacity: 1,
        used: 0,
        held: 0,
        owned: 0,
    };
    let owned = Shelf {
        used: 1,
        owned: 1,
        ..empty
    };
    match (row, luck) {
        // It was reserved without a slot, so there was a stack; a stack is never taken away.
        (
            Some(Row::Hold(Hold {
                state: State::Reserved,
                held: 0,
                ..
            })),
            _,
        ) => owned,
        (_, Luck::Owned) => owned,
        (_, Luck::Short(_)) => Shelf { used: 1, ..empty },
        (_, Luck::Plenty | Luck::Crash) => empty,
    }
}

fn item(luck: Luck) -> Option<Item> {
    let Purchase {
        quantity,
        unit_price,
        ..
    } = crate::world::purchase();
    let available = quantity.get();
    let plenty = Item {
        price: unit_price,
        available,
        held: 0,
        sold: 0,
        withdrawn: false,
    };
    match luck {
        Luck::Short(ReasonCode::ItemNotFound) => None,
        Luck::Short(ReasonCode::ItemWithdrawn) => Some(Item {
            withdrawn: true,
            ..plenty
        }),
        Luck::Short(ReasonCode::PriceChanged) => Some(Item {
            price: Amount::MAX,
            ..plenty
        }),
        Luck::Short(_) => Some(Item {
            available: available - 1,
            ..plenty
        }),
        Luck::Plenty | Luck::Owned | Luck::Crash => Some(plenty),
    }
}

impl From<user_svc::saga::Change> for Ledger {
    fn from(change: user_svc::saga::Change) -> Self {
        Self {
            free: change.available,
            held: change.held,
            kept: change.captured,
        }
    }
}

impl From<inventory_svc::saga::Change> for Ledger {
    fn from(change: inventory_svc::saga::Change) -> Self {
        Self {
            free: -change.used - change.held,
            held: change.held,
            kept: change.owned,
        }
    }
}

impl From<item_svc::saga::Change> for Ledger {
    fn from(change: item_svc::saga::Change) -> Self {
        Self {
            free: change.available,
            held: change.held,
            kept: change.sold,
        }
    }
}
