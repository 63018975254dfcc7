//! What an item costs: read from item-svc, kept for a few seconds. The price is frozen in the order
//! and item-svc checks it again, so an old one costs a purchase its success, never anybody's money.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use saga_events::{Amount, ItemId, Service};
use serde::Deserialize;
use svc_chassis::http::Problem;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::peers::Peers;

/// The longest a buyer waits for a price.
const READ: Duration = Duration::from_secs(1);
/// A known price is used this much longer when item-svc does not answer.
const GRACE: Duration = Duration::from_millis(500);

/// The most prices at hand: some megabytes, whatever the catalogue's size.
const MOST: usize = 20_000;

/// The prices at hand. Cheap to clone.
#[derive(Clone)]
pub struct Prices {
    peers: Peers,
    time_to_live: Duration,
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    known: HashMap<ItemId, Known>,
    /// Reads under way: at most one an item, however many orders want it.
    reads: HashMap<ItemId, watch::Receiver<Option<Answer>>>,
}

struct Known {
    price: Amount,
    fresh_until: Instant,
}

impl Book {
    /// Keeps a price. A full book loses those that are no longer current first, then any: they are
    /// read again when somebody wants them.
    fn keep(&mut self, item: ItemId, price: Known, most: usize) {
        if self.known.len() >= most && !self.known.contains_key(&item) {
            let now = Instant::now();
            self.known.retain(|_, known| now < known.fresh_until);
            if self.known.len() >= most {
                self.known.clear();
            }
        }
        self.known.insert(item, price);
    }
}

/// What a read says: there is no such item, or item-svc is away.
type Answer = Result<Amount, Problem>;

impl Prices {
    /// None known yet; each is taken for current for this long.
    pub fn new(peers: Peers, time_to_live: Duration) -> Self {
        Self {
            peers,
            time_to_live,
            book: Arc::default(),
        }
    }

    /// The price of one piece.
    ///
    /// # Errors
    /// 404 for an item that does not exist; 503 with `Retry-After` when item-svc is away and the
    /// price is not known.
    pub async fn of(&self, item: ItemId) -> Result<Amount, Problem> {
        let mut read = {
            let mut book = self.lock();
            match book.known.get(&item) {
                Some(known) if Instant::now() < known.fresh_until => return Ok(known.price),
                // Just expired: good enough for this order, while the next price is being read.
                Some(known) if Instant::now() < known.fresh_until + self.time_to_live => {
                    let price = known.price;
                    self.read(&mut book, item);
                    return Ok(price);
                }
                Some(_) | None => self.read(&mut book, item),
            }
        };
        let answer = read
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|answer| answer.clone());
        answer.unwrap_or_else(|| {
            Err(Problem::unavailable(
                Service::Item.as_str(),
                "the read was dropped",
            ))
        })
    }

    /// item-svc says that the price has changed. A read under way may have begun before that: who
    /// waits for it gets its answer, but nobody after them.
    pub fn forget(&self, item: ItemId) {
        let mut book = self.lock();
        book.known.remove(&item);
        book.reads.remove(&item);
    }

    /// Joins the read of this item, or begins one. It runs on its own: a client that goes away does
    /// not take it along.
    fn read(&self, book: &mut Book, item: ItemId) -> watch::Receiver<Option<Answer>> {
        if let Some(read) = book.reads.get(&item) {
            return read.clone();
        }
        let (done, read) = watch::channel(None);
        book.reads.insert(item, read.clone());
        let (prices, this) = (self.clone(), read.clone());
        tokio::spawn(async move {
            let asked = tokio::time::timeout(READ, prices.ask(item)).await;
            let asked = asked
                .unwrap_or_else(|late| Err(Problem::unavailable(Service::Item.as_str(), late)));
            let answer = prices.note(item, &this, asked);
            // Nobody may be waiting: the read was for the next order.
            let _ = done.send(Some(answer));
        });
        read
    }

    async fn ask(&self, item: ItemId) -> Result<Option<Amount>, Problem> {
        let priced: Option<Priced> = self
            .peers
            .get(Service::Item, &format!("/items/{item}"))
            .await?;
        Ok(priced.map(|priced| priced.price))
    }

    /// Keeps what this read has brought. Where item-svc is away, a known price goes on for a moment.
    fn note(
        &self,
        item: ItemId,
        this: &watch::Receiver<Option<Answer>>,
        asked: Result<Option<Amount>, Problem>,
    ) -> Answer {
        let mut book = self.lock();
        match book.reads.get(&item) {
            Some(read) if read.same_channel(this) => book.reads.remove(&item),
            // Forgotten meanwhile: this may be the price of before.
            Some(_) | None => return asked.and_then(|price| price.ok_or_else(|| unknown(item))),
        };
        match asked {
            Ok(Some(price)) => {
                let fresh_until = Instant::now() + self.time_to_live;
                book.keep(item, Known { price, fresh_until }, MOST);
                Ok(price)
            }
            Ok(None) => {
                book.known.remove(&item);
                Err(unknown(item))
            }
            Err(away) => match book.known.get_mut(&item) {
                Some(known) => {
                    known.fresh_until = Instant::now() + GRACE;
                    Ok(known.price)
                }
                None => Err(away),
            },
        }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown(item: ItemId) -> Problem {
    Problem::not_found("ITEM_NOT_FOUND", format!("item {item}"))
}

/// What matters here of an item. A withdrawn one has a price too: refusing it is the saga's business.
#[derive(Deserialize)]
struct Priced {
    price: Amount,
}

#[cfg(test)]
mod tests {
    use svc_chassis::config::Services;

    use super::*;

    #[test]
    fn a_read_that_began_before_the_price_has_changed_is_not_kept() {
        let nowhere = || "http://127.0.0.1:1".to_owned();
        let services = Services {
            order: nowhere(),
            user: nowhere(),
            inventory: nowhere(),
            item: nowhere(),
            payment: nowhere(),
            notify: nowhere(),
        };
        let (peers, item) = (Peers::new(services).unwrap(), ItemId::new());
        let prices = Prices::new(peers, Duration::from_secs(60));
        let old = Amount::MAX;
        let (_done, slow) = watch::channel(None);
        prices.lock().reads.insert(item, slow.clone());
        prices.forget(item);
        assert_eq!(prices.note(item, &slow, Ok(Some(old))).ok(), Some(old));
        assert!(prices.lock().known.is_empty(), "nobody after it gets it");

        prices.lock().reads.insert(item, slow.clone());
        assert_eq!(prices.note(item, &slow, Ok(Some(old))).ok(), Some(old));
        assert!(prices.lock().known.contains_key(&item));
    }

    #[test]
    fn a_full_book_loses_old_prices_first_and_never_becomes_longer() {
        let (mut book, now) = (Book::default(), Instant::now());
        let price = |fresh_until| Known {
            price: Amount::MIN,
            fresh_until,
        };
        let (old, fresh) = (now, now + Duration::from_secs(60));
        let current = ItemId::new();
        book.keep(current, price(fresh), 3);
        book.keep(ItemId::new(), price(old), 3);
        book.keep(ItemId::new(), price(old), 3);
        book.keep(current, price(fresh), 3);
        assert_eq!(book.known.len(), 3, "a known price takes no other's place");
        book.keep(ItemId::new(), price(fresh), 3);
        assert_eq!(book.known.len(), 2);
        assert!(book.known.contains_key(&current));
        for _ in 0..10 {
            book.keep(ItemId::new(), price(fresh), 3);
            assert!(book.known.len() <= 3);
        }
    }
}
