//! Everything that is said, for whoever watches all purchases: `GET /events`. Nothing is read from
//! Redis while nobody watches.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use saga_events::Event;
use saga_events::bus::Tap;
use svc_chassis::Chassis;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;
use uuid::Uuid;

/// What was said lately, kept for clients that come back or are slow.
const KEPT: usize = 2_000;
/// From one try to reach Redis to the next.
const AGAIN: Duration = Duration::from_secs(1);
/// So long the tap stays open for a client that comes back.
const LINGER: Duration = Duration::from_secs(30);
/// How often it is seen whether anybody watches still.
const LOOK: Duration = Duration::from_secs(1);

/// What was said lately, and who watches. Cheap to clone.
#[derive(Clone)]
pub struct Watched(Arc<Shared>);

struct Shared {
    /// Numbers mean something only within the life of this process.
    life: String,
    kept: Mutex<Kept>,
    live: broadcast::Sender<Seen>,
    /// Somebody watches.
    wanted: Notify,
}

#[derive(Default)]
struct Kept {
    /// The number of the next one.
    next: u64,
    last: VecDeque<Seen>,
}

/// Something that a watcher sees.
#[derive(Debug, Clone)]
pub struct Seen {
    number: u64,
    /// What was said; none: something was said that is not known here.
    pub event: Option<Arc<Event>>,
}

/// One who watches.
pub struct Watcher {
    life: String,
    missed: bool,
    before: VecDeque<Seen>,
    live: broadcast::Receiver<Seen>,
    last: u64,
}

impl Default for Watched {
    fn default() -> Self {
        Self(Arc::new(Shared {
            life: Uuid::now_v7().simple().to_string(),
            kept: Mutex::default(),
            live: broadcast::Sender::new(KEPT),
            wanted: Notify::new(),
        }))
    }
}

impl Watched {
    /// Watches from now on, or from after what has this id: where that is not known any more, the
    /// first thing seen is that something was missed.
    pub fn watch(&self, after: Option<&str>) -> Watcher {
        let kept = self.lock();
        let number = after.map(|after| self.number(after, &kept));
        let before = kept.last.iter();
        let before =
            before.filter(|seen| number.flatten().is_some_and(|after| seen.number > after));
        let watcher = Watcher {
            life: self.0.life.clone(),
            missed: number == Some(None),
            before: before.cloned().collect(),
            // Under the lock, so that nothing is said between what was before and what is to come.
            live: self.0.live.subscribe(),
            last: kept.next.saturating_sub(1),
        };
        drop(kept);
        self.0.wanted.notify_one();
        watcher
    }

    /// The number in an id, where all after it is kept.
    fn number(&self, id: &str, kept: &Kept) -> Option<u64> {
        let (life, number) = id.split_once('-')?;
        let number: u64 = number.parse().ok().filter(|_| life == self.0.life)?;
        let first = kept.last.front().map_or(kept.next, |seen| seen.number);
        (number < kept.next && number + 1 >= first).then_some(number)
    }

    /// Shows this to everybody who watches.
    fn show(&self, event: Option<Event>) {
        let mut kept = self.lock();
        let seen = Seen {
            number: kept.next,
            event: event.map(Arc::new),
        };
        kept.next += 1;
        if kept.last.len() >= KEPT {
            kept.last.pop_front();
        }
        kept.last.push_back(seen.clone());
        // Nobody may be there.
        let _ = self.0.live.send(seen);
    }

    /// Listens to Redis while somebody watches, until shutdown.
    ///
    /// # Errors
    /// None: what cannot be heard now is tried again.
    pub async fn listen(self, chassis: Chassis) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = self.0.wanted.notified() => {}
                () = chassis.shutdown.cancelled() => return Ok(()),
            }
            let mut heard_before = false;
            while self.is_watched() && !chassis.shutdown.is_cancelled() {
                if let Ok(tap) = chassis.bus.tap().await {
                    if heard_before {
                        self.show(None);
                    }
                    heard_before = true;
                    self.hear(tap, &chassis).await;
                } else {
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// Until the tap is closed, or nobody has watched for a while.
    async fn hear(&self, mut tap: Tap, chassis: &Chassis) {
        let mut watched_at = Instant::now();
        loop {
            tokio::select! {
                event = tap.next() => match event {
                    Some(event) => self.show(Some(event)),
                    None => return,
                },
                () = tokio::time::sleep(LOOK) => {}
                () = chassis.shutdown.cancelled() => return,
            }
            if self.is_watched() {
                watched_at = Instant::now();
            } else if watched_at.elapsed() > LINGER {
                return;
            }
        }
    }

    fn is_watched(&self) -> bool {
        self.0.live.receiver_count() > 0
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher {
    /// The next thing, with the id to resume after. `None`: the process ends.
    pub async fn next(&mut self) -> Option<(String, Option<Arc<Event>>)> {
        if std::mem::take(&mut self.missed) {
            return Some((self.id(), None));
        }
        if let Some(seen) = self.before.pop_front() {
            return Some(self.saw(seen));
        }
        match self.live.recv().await {
            Ok(seen) => Some(self.saw(seen)),
            Err(RecvError::Lagged(_)) => Some((self.id(), None)),
            Err(RecvError::Closed) => None,
        }
    }

    fn saw(&mut self, seen: Seen) -> (String, Option<Arc<Event>>) {
        self.last = seen.number;
        (self.id(), seen.event)
    }

    fn id(&self) -> String {
        format!("{}-{}", self.life, self.last)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use saga_events::{EventType, Message, OrderId, Payload, Settled, Timestamp};

    use super::*;

    fn said(number: i64) -> Event {
        let payload = Payload::Settled(Settled {
            order_id: OrderId::new(),
        });
        let message = Message {
            event_type: EventType::ItemDeducted,
            attempt: 0,
            payload,
        };
        Event::new(message, None, None, Timestamp::from_micros(number))
    }

    async fn times(watcher: &mut Watcher, count: usize) -> Vec<Option<i64>> {
        let mut times = Vec::new();
        for _ in 0..count {
            let (_, event) = watcher.next().await.unwrap();
            times.push(event.map(|event| event.time.micros()));
        }
        times
    }

    #[tokio::test]
    async fn who_comes_back_misses_nothing_that_is_kept() {
        let watched = Watched::default();
        let mut first = watched.watch(None);
        watched.show(Some(said(0)));
        let (id, _) = first.next().await.unwrap();
        drop(first);
        watched.show(Some(said(1)));
        let mut again = watched.watch(Some(&id));
        watched.show(Some(said(2)));
        assert_eq!(times(&mut again, 2).await, [Some(1), Some(2)]);
        // A new one sees only what is new.
        let mut new = watched.watch(None);
        watched.show(Some(said(3)));
        assert_eq!(times(&mut new, 1).await, [Some(3)]);
    }

    #[tokio::test]
    async fn who_comes_back_too_late_or_with_nonsense_is_told() {
        let watched = Watched::default();
        watched.show(Some(said(0)));
        let id = format!("{}-0", watched.0.life);
        for number in 1..=i64::try_from(KEPT).unwrap() + 1 {
            watched.show(Some(said(number)));
        }
        let stranger = "0198-7".to_owned();
        for id in [
            id,
            stranger,
            "nonsense".to_owned(),
            format!("{}-9999999", watched.0.life),
        ] {
            let mut late = watched.watch(Some(&id));
            assert_eq!(times(&mut late, 1).await, [None], "{id}");
        }
    }

    #[tokio::test]
    async fn who_is_too_slow_is_told_and_goes_on() {
        let watched = Watched::default();
        let mut slow = watched.watch(None);
        let count = 3 * i64::try_from(KEPT).unwrap();
        for number in 0..count {
            watched.show(Some(said(number)));
        }
        let seen = times(&mut slow, KEPT).await;
        assert_eq!(seen[0], None);
        let first = seen[1].unwrap();
        assert!(
            seen[1..]
                .iter()
                .copied()
                .eq((first..).take(KEPT - 1).map(Some))
        );
    }

    #[tokio::test]
    async fn a_watcher_that_goes_is_not_waited_for() {
        let watched = Watched::default();
        assert!(!watched.is_watched());
        let watcher = watched.watch(None);
        assert!(watched.is_watched());
        drop(watcher);
        assert!(!watched.is_watched());
    }
}
