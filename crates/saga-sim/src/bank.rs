//! The bank on the other side of the gateway: a book of its own, which no crash of payment-svc
//! touches.

use std::collections::BTreeMap;

use payment_svc::gateway::{Authorization, Charge};
use payment_svc::saga::Answer;
use saga_events::{Amount, OrderId};

use crate::dice::Dice;

/// A bank. The same key gets the same answer for ever, and is charged once.
#[derive(Debug, Default)]
pub struct Bank {
    book: BTreeMap<OrderId, Line>,
    /// Requests whose caller has given up, and that arrive all the same.
    on_the_way: Vec<Charge>,
    approved_per_mille: u16,
}

/// What the bank has answered to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Yes or no.
    pub answer: Answer,
    /// How much was asked for.
    pub amount: Amount,
}

impl Bank {
    /// A bank that approves so many new keys in a thousand.
    pub fn new(approved_per_mille: u16) -> Self {
        Self {
            approved_per_mille,
            ..Self::default()
        }
    }

    /// Answers to a request, and decides where the key is new. A request that asks for another amount
    /// under the same key is an error of the caller.
    pub fn authorize(&mut self, charge: Charge, dice: &mut Dice) -> Result<Authorization, String> {
        let Charge { order_id, amount } = charge;
        let approves = dice.says(self.approved_per_mille);
        let line = self.book.entry(order_id).or_insert_with(|| {
            let answer = if approves {
                Answer::Approved
            } else {
                Answer::Declined
            };
            Line { answer, amount }
        });
        if line.amount != amount {
            let first = line.amount;
            return Err(format!(
                "the gateway was asked for {first} and then for {amount} under the key {order_id}"
            ));
        }
        Ok(told(order_id, *line))
    }

    /// What was answered to this key.
    pub fn look_up(&self, order_id: OrderId) -> Option<Authorization> {
        self.line(order_id).map(|line| told(order_id, line))
    }

    /// What is in the book under this key.
    pub fn line(&self, order_id: OrderId) -> Option<Line> {
        self.book.get(&order_id).copied()
    }

    /// The whole book.
    pub fn book(&self) -> &BTreeMap<OrderId, Line> {
        &self.book
    }

    /// A request is on its way though its caller has given up.
    pub fn delay(&mut self, charge: Charge) {
        self.on_the_way.push(charge);
    }

    /// One of the requests on their way, which arrives now.
    pub fn next_late(&mut self, dice: &mut Dice) -> Option<Charge> {
        let at = dice.place(self.on_the_way.len());
        (!self.on_the_way.is_empty()).then(|| self.on_the_way.swap_remove(at))
    }
}

fn told(order_id: OrderId, line: Line) -> Authorization {
    Authorization {
        answer: line.answer,
        reference: format!("bank-{order_id}"),
    }
}
