//! The lab's own list of orders that were answered 201, and what became of each. It takes no service's
//! word for how many there are: an order that it knows and order-svc does not is lost.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use saga_audit::SagaRow;
use saga_events::{OrderId, Service};
use serde::{Deserialize, Serialize};

use super::Lab;

/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(250);
/// The most that order-svc is asked about at once.
const AT_ONCE: usize = 500;
/// Final ones that are asked about again in each round.
const AGAIN: usize = 100;
/// Final ones that are asked about again at all, the newest; older ones are counted as what they
/// were. An hour and more at full traffic.
const KEPT: usize = 200_000;
/// Lost ones that are named.
const NAMED: usize = 10;

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Completed,
    Cancelled,
}

impl End {
    fn of(row: &SagaRow) -> Option<Self> {
        match row.state.as_str() {
            "COMPLETED" => Some(Self::Completed),
            "CANCELLED" => Some(Self::Cancelled),
            _ => None,
        }
    }
}

/// How it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Count {
    answered: u64,
    completed: u64,
    cancelled: u64,
    open: u64,
    /// Gone, or final and then something else.
    lost: u64,
    /// Some of them.
    lost_orders: Vec<OrderId>,
}

/// The list.
#[derive(Default)]
pub struct Witness(Mutex<Book>);

#[derive(Default)]
struct Book {
    count: Count,
    open: BTreeSet<OrderId>,
    /// In the order in which they are asked about again.
    ended: VecDeque<(OrderId, End)>,
}

#[derive(Deserialize)]
struct Sagas {
    sagas: Vec<SagaRow>,
}

impl Witness {
    /// This order was answered 201.
    pub fn has_seen(&self, order: OrderId) {
        let mut book = self.book();
        if book.open.insert(order) {
            book.count.answered += 1;
            book.count.open += 1;
        }
    }

    /// How it stands.
    pub fn count(&self) -> Count {
        self.book().count.clone()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Those that are to be asked about next, among the ended ones.
    fn next_ended(&mut self) -> Vec<(OrderId, End)> {
        let count = AGAIN.min(self.ended.len());
        self.ended.drain(..count).collect()
    }

    /// What order-svc says of an open one.
    fn note_open(&mut self, order: OrderId, row: Option<&SagaRow>) {
        let end = row.map(End::of);
        if end == Some(None) || !self.open.remove(&order) {
            return;
        }
        self.count.open -= 1;
        match end.flatten() {
            None => self.note_lost(order),
            Some(end) => {
                *self.counted(end) += 1;
                self.keep(order, end);
            }
        }
    }

    /// What order-svc says of one that had ended like this.
    fn note_ended(&mut self, (order, end): (OrderId, End), row: Option<&SagaRow>) {
        if row.and_then(End::of) == Some(end) {
            self.keep(order, end);
        } else {
            *self.counted(end) -= 1;
            self.note_lost(order);
        }
    }

    fn note_lost(&mut self, order: OrderId) {
        self.count.lost += 1;
        if self.count.lost_orders.len() < NAMED {
            self.count.lost_orders.push(order);
        }
    }

    fn keep(&mut self, order: OrderId, end: End) {
        self.ended.push_back((order, end));
        if self.ended.len() > KEPT {
            self.ended.pop_front();
        }
    }

    fn counted(&mut self, end: End) -> &mut u64 {
        match end {
            End::Completed => &mut self.count.completed,
            End::Cancelled => &mut self.count.cancelled,
        }
    }
}

impl Lab {
    /// Asks order-svc about them, for ever.
    pub async fn follow(&self) {
        loop {
            tokio::time::sleep(PAUSE).await;
            // Who is away is asked in the next round.
            let _ = self.one_round().await;
        }
    }

    async fn one_round(&self) -> Result<()> {
        let open: Vec<OrderId> = self.witness.book().open.iter().copied().collect();
        for orders in open.chunks(AT_ONCE) {
            let rows = self.rows_of(orders).await?;
            let mut book = self.witness.book();
            for order in orders {
                book.note_open(*order, row_of(&rows, *order));
            }
        }
        let ended = self.witness.book().next_ended();
        let orders: Vec<OrderId> = ended.iter().map(|(order, _)| *order).collect();
        let asked = self.rows_of(&orders).await;
        let mut book = self.witness.book();
        match asked {
            Ok(rows) => ended
                .into_iter()
                .for_each(|ended| book.note_ended(ended, row_of(&rows, ended.0))),
            Err(_) => ended
                .into_iter()
                .for_each(|(order, end)| book.keep(order, end)),
        }
        Ok(())
    }

    async fn rows_of(&self, orders: &[OrderId]) -> Result<Vec<SagaRow>> {
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<String> = orders.iter().map(OrderId::to_string).collect();
        let path = format!("/sagas?orders={}", ids.join(","));
        let Sagas { mut sagas } = self.client.get(Service::Order, &path).await?;
        sagas.sort_unstable_by_key(|row| row.order_id);
        Ok(sagas)
    }
}

fn row_of(rows: &[SagaRow], order: OrderId) -> Option<&SagaRow> {
    let found = rows.binary_search_by_key(&order, |row| row.order_id);
    found.ok().map(|at| &rows[at])
}

#[cfg(test)]
mod tests {
    use saga_events::Timestamp;

    use super::*;

    fn row(order: OrderId, state: &str) -> SagaRow {
        SagaRow {
            order_id: order,
            state: state.to_owned(),
            amount: 0,
            quantity: None,
            updated_at: Timestamp::now(),
        }
    }

    fn counts(witness: &Witness) -> [u64; 5] {
        let Count {
            answered,
            completed,
            cancelled,
            open,
            lost,
            ..
        } = witness.count();
        assert_eq!(answered, completed + cancelled + open + lost);
        [answered, completed, cancelled, open, lost]
    }

    #[test]
    fn an_order_is_open_then_final_and_lost_once_order_svc_says_otherwise() {
        let (witness, orders) = (Witness::default(), [(); 3].map(|()| OrderId::new()));
        orders.iter().for_each(|order| witness.has_seen(*order));
        let [one, two, three] = orders;
        witness.has_seen(one);
        assert_eq!(counts(&witness), [3, 0, 0, 3, 0]);
        witness.book().note_open(one, Some(&row(one, "PENDING")));
        witness.book().note_open(one, Some(&row(one, "COMPLETED")));
        witness.book().note_open(two, Some(&row(two, "CANCELLED")));
        witness.book().note_open(three, None);
        assert_eq!(counts(&witness), [3, 1, 1, 0, 1]);
        assert_eq!(witness.count().lost_orders, [three]);

        let ended = witness.book().next_ended();
        assert_eq!(ended, [(one, End::Completed), (two, End::Cancelled)]);
        witness
            .book()
            .note_ended(ended[0], Some(&row(one, "COMPLETED")));
        witness
            .book()
            .note_ended(ended[1], Some(&row(two, "COMPLETED")));
        assert_eq!(counts(&witness), [3, 1, 0, 0, 2]);
        witness
            .book()
            .note_ended(ended[0], Some(&row(one, "PENDING")));
        assert_eq!(counts(&witness), [3, 0, 0, 0, 3]);
    }
}
