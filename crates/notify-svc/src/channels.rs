//! Where a letter goes. The inbox shares the database, so it is committed together with
//! `notification.sent`; every other channel delivers after the commit, never before: what a buyer
//! was told must be true.

use crate::letter::Letter;

/// A way to a buyer. A repeated `order.completed` makes no second letter.
pub trait Channel: Send + Sync + 'static {
    /// As it is spelled in answers.
    fn name(&self) -> &'static str;

    /// Delivers a letter that is committed. Runs on the event thread: it must be quick, and
    /// leave what takes longer to a task of its own.
    fn deliver(&self, letter: &Letter);
}

/// The buyer's inbox, what `GET /notifications` shows.
pub struct Inbox;

impl Channel for Inbox {
    fn name(&self) -> &'static str {
        "inbox"
    }

    /// Nothing is left to do: the committed row is the delivery.
    fn deliver(&self, _: &Letter) {}
}

/// A line in this service's log.
pub struct Log;

impl Channel for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn deliver(&self, letter: &Letter) {
        // Not to whom: whoever may know finds that by the order.
        let Letter { order_id, text, .. } = letter;
        tracing::info!(order.id = %order_id, "{text}");
    }
}
