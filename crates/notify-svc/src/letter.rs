//! What a buyer reads. Pure: the message in, plain words out.

use saga_events::{Amount, Message, OrderId, Payload, Purchase, UserId};

/// What is delivered to a buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The purchase's id.
    pub order_id: OrderId,
    /// The buyer.
    pub user_id: UserId,
    /// The purchase's total, in the currency's minor unit.
    pub amount: Amount,
    /// How the purchase ended, in plain words.
    pub text: String,
}

impl Letter {
    /// The letter that this message makes; `None` for one that ends no purchase.
    pub fn of(message: &Message) -> Option<Self> {
        match message.payload {
            Payload::Purchase(purchase) => {
                let end = "is complete. Paid; it is in your inventory.";
                Some(Self::about(&purchase, end))
            }
            Payload::Cancelled(cancelled) => {
                let why = cancelled.reason.reason_code.sentence();
                let end = format!("was cancelled. {why} Nothing was paid.");
                Some(Self::about(&cancelled.purchase, &end))
            }
            Payload::Settled(_) | Payload::Failure(_) => None,
        }
    }

    fn about(purchase: &Purchase, end: &str) -> Self {
        let Purchase {
            order_id,
            user_id,
            item_id,
            quantity,
            total_amount,
            ..
        } = *purchase;
        let text =
            format!("Your order {order_id} ({quantity} × item {item_id} for {total_amount}) {end}");
        Self {
            order_id,
            user_id,
            amount: total_amount,
            text,
        }
    }
}
