//! One purchase and everything that can happen to it: six databases and what the environment may
//! do to them. The rows are the services' own types, used as they are.

use std::ops::AddAssign;

use notify_svc::saga::Notification;
use order_svc::saga::Order;
use payment_svc::saga::{Answer, Payment, State as PaymentState};
use saga_events::{
    Amount, ItemId, Message, OrderId, Purchase, Quantity, ReasonCode, Service, Timestamp, UserId,
};
use svc_chassis::participant::Hold;
use uuid::Uuid;

/// The one purchase of the model. Its numbers all differ, so that none passes for another.
pub fn purchase() -> Purchase {
    Purchase {
        order_id: OrderId::from_uuid(Uuid::from_u128(1)),
        user_id: UserId::from_uuid(Uuid::from_u128(2)),
        item_id: ItemId::from_uuid(Uuid::from_u128(3)),
        quantity: const { quantity(3) },
        unit_price: const { amount(7) },
        total_amount: const { amount(21) },
        deadline: Timestamp::from_micros(60_000_000),
    }
}

/// A service's row for the purchase.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// order-svc's.
    Order(Order),
    /// user-svc's, inventory-svc's or item-svc's.
    Hold(Hold),
    /// payment-svc's.
    Payment(Payment),
    /// notify-svc's.
    Notification(Notification),
}

impl Row {
    /// The state's name, as the service spells it.
    pub const fn state(&self) -> &'static str {
        match self {
            Self::Order(order) => order.status.as_str(),
            Self::Hold(hold) => hold.state.as_str(),
            Self::Payment(payment) => payment.state.as_str(),
            Self::Notification(notification) => notification.kind.as_str(),
        }
    }
}

/// What a participant's effects add up to, relative to where its book stood before the purchase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ledger {
    /// What is free: the balance, free slots, stock.
    pub free: i64,
    /// What is held for the purchase: money, slots, stock.
    pub held: i64,
    /// What the purchase has captured: money spent, pieces owned, pieces sold.
    pub kept: i64,
}

impl AddAssign for Ledger {
    fn add_assign(&mut self, change: Self) {
        self.free += change.free;
        self.held += change.held;
        self.kept += change.kept;
    }
}

/// What the bank on the other side of the gateway has in its book under this order's key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gateway {
    /// It was never asked.
    #[default]
    Idle,
    /// It was asked and has not decided.
    Asked,
    /// It has decided, once and for ever: the same key gets the same answer.
    Decided(Answer),
}

/// A service's database, as far as it concerns the purchase. An effect lies in it beside the row,
/// because both are written in one transaction; the bank's book lies beside payment-svc's row.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Desk {
    /// The row.
    pub row: Option<Row>,
    /// A participant's effects so far.
    pub ledger: Ledger,
    /// payment-svc's gateway.
    pub gateway: Gateway,
}

impl Desk {
    /// The state's name, `–` where there is no row.
    pub fn state(&self) -> &'static str {
        self.row.as_ref().map_or("–", Row::state)
    }
}

/// The desks of the six services, in the order of [`Service::ALL`].
pub type Desks<'a> = [&'a Desk; 6];

/// What a service can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input {
    /// A message of the bus.
    Message(Message),
    /// order-svc: the deadline passed, or the buyer asked.
    Cancel(ReasonCode),
    /// order-svc: nobody said anything for a while.
    NoNews,
    /// payment-svc: what came of asking the gateway.
    Gateway(Heard),
    /// A participant: its hold is old. No shipped table has such an input.
    HoldIsOld,
}

/// What payment-svc hears when it asks the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Heard {
    /// The answer.
    Answer(Answer),
    /// Nothing.
    TimeOut {
        /// Whether the bank has charged the buyer all the same.
        charged: bool,
    },
}

/// How a participant finds its book when a message makes it look. The environment chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Luck {
    /// All is there that the purchase needs.
    Plenty,
    /// inventory-svc: so it is, and the buyer owns some of the item already.
    Owned,
    /// It is such that it has to refuse for this reason.
    Short(ReasonCode),
    /// The process dies in the middle of the step.
    Crash,
}

/// How each service may find its book.
pub(crate) const fn lucks(service: Service) -> &'static [Luck] {
    use Luck::{Crash, Owned, Plenty, Short};
    use ReasonCode as Code;
    match service {
        Service::User => &[
            Plenty,
            Short(Code::UserNotFound),
            Short(Code::UserInactive),
            Short(Code::InsufficientBalance),
            Crash,
        ],
        Service::Inventory => &[Plenty, Owned, Short(Code::InventoryFull), Crash],
        Service::Item => &[
            Plenty,
            Short(Code::ItemNotFound),
            Short(Code::ItemWithdrawn),
            Short(Code::OutOfStock),
            Short(Code::PriceChanged),
            Crash,
        ],
        Service::Order | Service::Payment | Service::Notify => &[Plenty, Crash],
    }
}

/// What can happen at a desk without a message: anything, at any moment.
pub(crate) fn happenings(service: Service, desk: &Desk) -> Vec<Input> {
    match service {
        Service::Order => vec![
            Input::Cancel(ReasonCode::DeadlineExceeded),
            Input::Cancel(ReasonCode::CancelledByUser),
            Input::NoNews,
        ],
        Service::User | Service::Inventory | Service::Item => vec![Input::HoldIsOld],
        Service::Payment => gateway_may_say(desk)
            .into_iter()
            .map(Input::Gateway)
            .collect(),
        Service::Notify => vec![],
    }
}

/// The gateway is asked when the row is committed, and again after every restart, for as long as
/// it takes; what it has decided it may say any number of times.
fn gateway_may_say(desk: &Desk) -> Vec<Heard> {
    use Heard::{Answer as Says, TimeOut};
    let authorizing = match &desk.row {
        Some(Row::Payment(payment)) => payment.state == PaymentState::Authorizing,
        _ => false,
    };
    match desk.gateway {
        Gateway::Idle if !authorizing => vec![],
        Gateway::Idle | Gateway::Asked => vec![
            Says(Answer::Approved),
            Says(Answer::Declined),
            TimeOut { charged: true },
            TimeOut { charged: false },
        ],
        Gateway::Decided(Answer::Approved) => {
            vec![Says(Answer::Approved), TimeOut { charged: true }]
        }
        Gateway::Decided(Answer::Declined) => {
            vec![Says(Answer::Declined), TimeOut { charged: false }]
        }
    }
}

/// The bank's book after that.
pub(crate) const fn gateway_after(gateway: Gateway, heard: Heard) -> Gateway {
    match heard {
        Heard::Answer(answer) => Gateway::Decided(answer),
        Heard::TimeOut { charged: true } => Gateway::Decided(Answer::Approved),
        Heard::TimeOut { charged: false } => gateway,
    }
}

const fn amount(value: i64) -> Amount {
    match Amount::new(value) {
        Ok(amount) => amount,
        Err(_) => Amount::MIN,
    }
}

const fn quantity(value: i64) -> Quantity {
    match Quantity::new(value) {
        Ok(quantity) => quantity,
        Err(_) => Quantity::MIN,
    }
}
