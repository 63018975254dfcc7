//! What an item costs: read from item-svc, kept for a few seconds. The price is frozen in the order
//! and item-svc checks it again, so an old one costs a purchase its success, never anybody's money.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
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
/// Prices that nobody waits for are read together, once in so long: one request for many items costs
/// both services little more than one for one.
const TOGETHER: Duration = Duration::from_millis(100);
/// The most items in one request.
const A_REQUEST: usize = 100;
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
    /// Reads that are to come or under way: at most one an item, however many orders want it.
    reads: HashMap<ItemId, watch::Receiver<Option<Answer>>>,
    /// Those of them that are to come.
    to_come: Vec<Read>,
}

struct Known {
    price: Amount,
    fresh_until: Instant,
}

/// A read of one item, answered to whoever waits for it.
struct Read {
    item: ItemId,
    answer: watch::Sender<Option<Answer>>,
}

/// What a read says: there is no such item, or item-svc is away.
type Answer = Result<Amount, Problem>;

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

    /// Joins the read of this item, or adds one to those that are to come.
    fn read(&mut self, item: ItemId) -> watch::Receiver<Option<Answer>> {
        let read = self.reads.entry(item).or_insert_with(|| {
            let (answer, read) = watch::channel(None);
            self.to_come.push(Read { item, answer });
            read
        });
        read.clone()
    }
}

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
            let now = Instant::now();
            match book.known.get(&item) {
                Some(known) if now < known.fresh_until => return Ok(known.price),
                // Just expired: good enough for this order, while the next price is being read.
                Some(known) if now < known.fresh_until + self.time_to_live => {
                    let price = known.price;
                    let first = book.to_come.is_empty();
                    book.read(item);
                    if first && !book.to_come.is_empty() {
                        let prices = self.clone();
                        tokio::spawn(async move {
                            tokio::time::sleep(TOGETHER).await;
                            prices.read_all().await;
                        });
                    }
                    return Ok(price);
                }
                Some(_) | None => book.read(item),
            }
        };
        // On its own: a client that goes away does not take the read along. It begins once everything
        // that is wanted at this moment has been added.
        tokio::spawn(self.clone().read_all());
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

    /// Reads what is to come.
    async fn read_all(self) {
        let reads = std::mem::take(&mut self.lock().to_come);
        let requests = reads.chunks(A_REQUEST).map(|reads| self.request(reads));
        join_all(requests).await;
    }

    async fn request(&self, reads: &[Read]) {
        let asked = tokio::time::timeout(READ, self.ask(reads)).await;
        let asked =
            asked.unwrap_or_else(|late| Err(Problem::unavailable(Service::Item.as_str(), late)));
        for read in reads {
            let asked = asked.as_ref().map_err(Problem::clone);
            let price = asked.map(|prices| prices.get(&read.item).copied());
            // Nobody may be waiting: the read was for the next order.
            let _ = read.answer.send(Some(self.note(read, price)));
        }
    }

    /// What these cost, without those that do not exist.
    async fn ask(&self, reads: &[Read]) -> Result<HashMap<ItemId, Amount>, Problem> {
        let ids: Vec<String> = reads.iter().map(|read| read.item.to_string()).collect();
        let path = format!("/items?ids={}", ids.join(","));
        let found: Option<Catalogue> = self.peers.get(Service::Item, &path).await?;
        let items = found.map(|found| found.items).unwrap_or_default();
        Ok(items
            .into_iter()
            .map(|item| (item.id, item.price))
            .collect())
    }

    /// Keeps what this read has brought. Where item-svc is away, a known price goes on for a moment.
    fn note(&self, this: &Read, asked: Result<Option<Amount>, Problem>) -> Answer {
        let (mut book, item) = (self.lock(), this.item);
        match book.reads.get(&item) {
            Some(read) if read.same_channel(&this.answer.subscribe()) => book.reads.remove(&item),
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

#[derive(Deserialize)]
struct Catalogue {
    items: Vec<Priced>,
}

/// What matters here of an item. A withdrawn one has a price too: refusing it is the saga's business.
#[derive(Deserialize)]
struct Priced {
    id: ItemId,
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
        let begun = || {
            let mut book = prices.lock();
            book.read(item);
            book.to_come.pop().unwrap()
        };
        let slow = begun();
        prices.forget(item);
        assert_eq!(prices.note(&slow, Ok(Some(old))).ok(), Some(old));
        assert!(prices.lock().known.is_empty(), "nobody after it gets it");

        assert_eq!(prices.note(&begun(), Ok(Some(old))).ok(), Some(old));
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
