//! What was shown lately, kept for clients that come back or are slow, and passed on to all who watch.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

/// What was shown lately, and who watches. Cheap to clone.
pub struct Ring<T>(Arc<Shared<T>>);

impl<T> Clone for Ring<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

struct Shared<T> {
    /// Numbers mean something only within the life of this process.
    life: String,
    /// So many are kept.
    most: usize,
    kept: Mutex<Kept<T>>,
    live: broadcast::Sender<Shown<T>>,
    /// Somebody watches.
    wanted: Notify,
}

struct Kept<T> {
    /// The number of the next one.
    next: u64,
    last: VecDeque<Shown<T>>,
}

#[derive(Clone)]
struct Shown<T> {
    number: u64,
    what: T,
}

/// One who watches.
pub struct Watcher<T> {
    life: String,
    missed: bool,
    before: VecDeque<Shown<T>>,
    live: broadcast::Receiver<Shown<T>>,
    last: u64,
}

impl<T: Clone> Ring<T> {
    /// Keeps so many.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Shared {
            life: Uuid::now_v7().simple().to_string(),
            most,
            kept: Mutex::new(Kept {
                next: 0,
                last: VecDeque::new(),
            }),
            live: broadcast::Sender::new(most),
            wanted: Notify::new(),
        }))
    }

    /// Watches from now on, or from after what has this id: where that is not known any more, the
    /// first thing seen is that something was missed.
    pub fn watch(&self, after: Option<&str>) -> Watcher<T> {
        self.watch_from(after, |_| Vec::new())
    }

    /// As [`Ring::watch`]; who is new is greeted with these of what is kept, which come the latest
    /// first.
    pub fn watch_from(
        &self,
        after: Option<&str>,
        greeting: impl FnOnce(&mut dyn Iterator<Item = &T>) -> Vec<T>,
    ) -> Watcher<T> {
        let kept = self.lock();
        let last = kept.next.saturating_sub(1);
        let number = after.map(|after| self.number(after, &kept));
        let before = match number.flatten() {
            Some(after) => {
                let before = kept.last.iter();
                before.filter(|s| s.number > after).cloned().collect()
            }
            None => {
                let greeting = greeting(&mut kept.last.iter().rev().map(|shown| &shown.what));
                let greeting = greeting.into_iter();
                let number = last;
                greeting.map(|what| Shown { number, what }).collect()
            }
        };
        let watcher = Watcher {
            life: self.0.life.clone(),
            missed: number == Some(None),
            before,
            // Under the lock, so that nothing is shown between what was before and what is to come.
            live: self.0.live.subscribe(),
            last,
        };
        drop(kept);
        self.0.wanted.notify_one();
        watcher
    }

    /// The number in an id, where all after it is kept.
    fn number(&self, id: &str, kept: &Kept<T>) -> Option<u64> {
        let (life, number) = id.split_once('-')?;
        let number: u64 = number.parse().ok().filter(|_| life == self.0.life)?;
        let first = kept.last.front().map_or(kept.next, |shown| shown.number);
        (number < kept.next && number + 1 >= first).then_some(number)
    }

    /// Shows this to everybody who watches.
    pub fn show(&self, what: T) {
        let mut kept = self.lock();
        let shown = Shown {
            number: kept.next,
            what,
        };
        kept.next += 1;
        if kept.last.len() >= self.0.most {
            kept.last.pop_front();
        }
        kept.last.push_back(shown.clone());
        // Nobody may be there.
        let _ = self.0.live.send(shown);
    }

    /// Waits until somebody begins to watch.
    pub async fn wanted(&self) {
        self.0.wanted.notified().await;
    }

    /// Whether anybody watches.
    pub fn is_watched(&self) -> bool {
        self.0.live.receiver_count() > 0
    }

    fn lock(&self) -> MutexGuard<'_, Kept<T>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Watcher<T> {
    /// The next thing, with the id to resume after; nothing: something was missed. `None`: the process
    /// ends.
    pub async fn next(&mut self) -> Option<(String, Option<T>)> {
        if std::mem::take(&mut self.missed) {
            return Some((self.id(), None));
        }
        if let Some(shown) = self.before.pop_front() {
            return Some(self.saw(shown));
        }
        match self.live.recv().await {
            Ok(shown) => Some(self.saw(shown)),
            Err(RecvError::Lagged(_)) => Some((self.id(), None)),
            Err(RecvError::Closed) => None,
        }
    }

    fn saw(&mut self, shown: Shown<T>) -> (String, Option<T>) {
        self.last = shown.number;
        (self.id(), Some(shown.what))
    }

    fn id(&self) -> String {
        format!("{}-{}", self.life, self.last)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const KEPT: usize = 200;

    async fn seen(watcher: &mut Watcher<usize>, count: usize) -> Vec<Option<usize>> {
        let mut seen = Vec::new();
        for _ in 0..count {
            seen.push(watcher.next().await.unwrap().1);
        }
        seen
    }

    #[tokio::test]
    async fn who_comes_back_misses_nothing_that_is_kept() {
        let ring = Ring::new(KEPT);
        let mut first = ring.watch(None);
        ring.show(0);
        let (id, _) = first.next().await.unwrap();
        drop(first);
        ring.show(1);
        let mut again = ring.watch(Some(&id));
        ring.show(2);
        assert_eq!(seen(&mut again, 2).await, [Some(1), Some(2)]);
        // A new one sees only what is new.
        let mut new = ring.watch(None);
        ring.show(3);
        assert_eq!(seen(&mut new, 1).await, [Some(3)]);
    }

    #[tokio::test]
    async fn who_is_new_is_greeted_and_who_comes_back_is_not() {
        let ring = Ring::new(KEPT);
        (0..4).for_each(|number| ring.show(number));
        let greeted = |latest: &mut dyn Iterator<Item = &usize>| latest.take(1).copied().collect();
        let mut new = ring.watch_from(None, greeted);
        ring.show(4);
        let (id, what) = new.next().await.unwrap();
        assert_eq!(what, Some(3));
        let mut again = ring.watch_from(Some(&id), greeted);
        assert_eq!(seen(&mut new, 1).await, [Some(4)]);
        assert_eq!(seen(&mut again, 1).await, [Some(4)]);
    }

    #[tokio::test]
    async fn who_comes_back_too_late_or_with_nonsense_is_told() {
        let ring = Ring::new(KEPT);
        ring.show(0);
        let id = format!("{}-0", ring.0.life);
        for number in 1..=KEPT + 1 {
            ring.show(number);
        }
        let stranger = "0198-7".to_owned();
        for id in [
            id,
            stranger,
            "nonsense".to_owned(),
            format!("{}-9999999", ring.0.life),
        ] {
            let mut late = ring.watch(Some(&id));
            assert_eq!(seen(&mut late, 1).await, [None], "{id}");
        }
    }

    #[tokio::test]
    async fn who_is_too_slow_is_told_and_goes_on() {
        let ring = Ring::new(KEPT);
        let mut slow = ring.watch(None);
        (0..3 * KEPT).for_each(|number| ring.show(number));
        let seen = seen(&mut slow, KEPT).await;
        assert_eq!(seen[0], None);
        let first = seen[1].unwrap();
        let rest = seen[1..].iter().copied();
        assert!(rest.eq((first..).take(KEPT - 1).map(Some)));
    }

    #[tokio::test]
    async fn a_watcher_that_goes_is_not_waited_for() {
        let ring: Ring<usize> = Ring::new(KEPT);
        assert!(!ring.is_watched());
        let watcher = ring.watch(None);
        assert!(ring.is_watched());
        drop(watcher);
        assert!(!ring.is_watched());
    }
}
