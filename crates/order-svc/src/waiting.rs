//! `Prefer: wait`: requests that wait until an order is final are woken by the commit that ends it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use saga_events::OrderId;
use tokio::sync::oneshot;

use crate::store::StoredOrder;

type Waiters = HashMap<OrderId, Vec<oneshot::Sender<StoredOrder>>>;

/// Who waits for which order. Cheap to clone.
#[derive(Clone, Default)]
pub struct Waiting(Arc<Mutex<Waiters>>);

/// One request's place. It leaves nothing behind when it is dropped.
pub struct Waiter {
    waiting: Waiting,
    order_id: OrderId,
    ended: oneshot::Receiver<StoredOrder>,
}

impl Waiting {
    /// Registers for an order. Do this *before* looking at its row, or the end may slip through
    /// in between.
    pub fn register(&self, order_id: OrderId) -> Waiter {
        let (wake, ended) = oneshot::channel();
        self.lock().entry(order_id).or_default().push(wake);
        Waiter {
            waiting: self.clone(),
            order_id,
            ended,
        }
    }

    /// An order is final, and that is on disk.
    pub fn wake(&self, stored: &StoredOrder) {
        let waiters = self.lock().remove(&stored.id());
        for waiter in waiters.into_iter().flatten() {
            // Whoever has given up is not waiting any more.
            let _ = waiter.send(stored.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// The final order, or `None` when it is not final after this long.
    pub async fn wait(mut self, patience: Duration) -> Option<StoredOrder> {
        tokio::time::timeout(patience, &mut self.ended)
            .await
            .ok()?
            .ok()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.ended.close();
        let mut waiters = self.waiting.lock();
        if let Some(of_order) = waiters.get_mut(&self.order_id) {
            of_order.retain(|waiter| !waiter.is_closed());
            if of_order.is_empty() {
                waiters.remove(&self.order_id);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn whoever_gives_up_leaves_nothing_behind() {
        let waiting = Waiting::default();
        let (one, other) = (OrderId::new(), OrderId::new());
        let (first, second) = (waiting.register(one), waiting.register(one));
        let third = waiting.register(other);
        drop(first);
        assert_eq!(waiting.lock()[&one].len(), 1);
        drop((second, third));
        assert!(waiting.lock().is_empty());
    }
}
