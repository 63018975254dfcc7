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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use saga_events::{
        Cancelled, EventType, ItemId, Quantity, Reason, ReasonCode, Service, Settled, Timestamp,
    };
    use uuid::Uuid;

    use super::*;

    fn purchase() -> Purchase {
        Purchase {
            order_id: OrderId::from_uuid(Uuid::from_u128(1)),
            user_id: UserId::from_uuid(Uuid::from_u128(2)),
            item_id: ItemId::from_uuid(Uuid::from_u128(3)),
            quantity: Quantity::new(3).unwrap(),
            unit_price: Amount::new(10_000).unwrap(),
            total_amount: Amount::new(30_000).unwrap(),
            deadline: Timestamp::from_micros(1),
        }
    }

    fn letter(event_type: EventType, payload: Payload) -> Option<Letter> {
        Letter::of(&Message {
            event_type,
            attempt: 0,
            payload,
        })
    }

    #[test]
    fn a_completed_purchase_is_told_in_plain_words() {
        let letter = letter(EventType::OrderCompleted, Payload::Purchase(purchase())).unwrap();
        assert_eq!(letter.user_id, purchase().user_id);
        assert_eq!(letter.amount, purchase().total_amount);
        assert_eq!(
            letter.text,
            "Your order 00000000-0000-0000-0000-000000000001 (3 × item \
             00000000-0000-0000-0000-000000000003 for 30000) is complete. Paid; it is in your \
             inventory."
        );
    }

    #[test]
    fn a_cancelled_purchase_is_told_with_its_reason() {
        for reason_code in ReasonCode::ALL {
            let reason = Reason {
                reason_code: *reason_code,
                failed_step: Service::Item,
            };
            let payload = Payload::Cancelled(Cancelled {
                purchase: purchase(),
                reason,
            });
            let letter = letter(EventType::OrderCancelled, payload).unwrap();
            let end = format!(
                "was cancelled. {} Nothing was paid.",
                reason_code.sentence()
            );
            assert!(letter.text.ends_with(&end), "{}", letter.text);
        }
    }

    #[test]
    fn what_ends_no_purchase_makes_no_letter() {
        let payload = Payload::Settled(Settled {
            order_id: purchase().order_id,
        });
        assert_eq!(letter(EventType::PaymentConfirmed, payload), None);
    }
}
