//! Many purchases, and what the processes take meanwhile: a test with small numbers, a long run
//! (`scripts/soak`) with large ones.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use saga_events::{ItemId, Service, UserId};

use crate::{Resources, Sale, System, eventually, together};

const CALLERS: usize = 48;
const ITEMS: usize = 8;
const PRICE: i64 = 10;
const PLENTY: i64 = 1_000_000_000;
/// How often the processes are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long all that was accepted may take to end.
const UNTIL_QUIET: Duration = Duration::from_secs(120);

const OPEN: &str = "SELECT count(*) AS number FROM orders WHERE told = 0";
const COMPLETED: &str = "SELECT count(*) AS number FROM orders WHERE status = 'COMPLETED'";

/// A system under load, the load, and the most that the processes took so far.
#[derive(Debug)]
pub struct Soak {
    system: System,
    users: Vec<UserId>,
    items: Vec<ItemId>,
    accepted: AtomicUsize,
    peak: Mutex<Resources>,
}

impl Soak {
    /// Fills a system with buyers and items: a buyer for each caller.
    pub async fn of(system: System) -> Self {
        let mut users = Vec::new();
        for _ in 0..CALLERS {
            users.push(system.user(PLENTY).await);
        }
        let mut items = Vec::new();
        for _ in 0..ITEMS {
            items.push(system.item(PRICE, PLENTY).await);
        }
        Self {
            system,
            users,
            items,
            accepted: AtomicUsize::new(0),
            peak: Mutex::default(),
        }
    }

    /// The system.
    pub fn system(&self) -> &System {
        &self.system
    }

    /// How many orders were accepted so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// The most that each process took so far.
    pub fn peak(&self) -> Resources {
        self.peak.lock().unwrap().clone()
    }

    /// Buys until so many orders were accepted in all, or this moment: each caller waits for the end
    /// of its purchase before the next.
    pub async fn buy(&self, until: usize, end: Option<Instant>) {
        let goes_on = || self.accepted() < until && end.is_none_or(|end| Instant::now() < end);
        let caller = async |caller: usize| {
            let mut turn = caller;
            while goes_on() {
                self.post(self.sale(caller, turn), "wait=30").await;
                turn += 1;
            }
        };
        self.watched(together((0..CALLERS).map(caller))).await;
    }

    /// Takes Redis away and goes on ordering until no more is accepted; then Redis comes back, and
    /// all ends. Answers how many orders were accepted meanwhile.
    pub async fn without_redis(&self) -> usize {
        let before = self.accepted();
        self.system.redis().kill();
        let full = AtomicBool::new(false);
        let caller = async |caller: usize| {
            let mut turn = caller;
            while !full.load(Ordering::Relaxed) {
                if self.post(self.sale(caller, turn), "").await == 503 {
                    full.store(true, Ordering::Relaxed);
                }
                turn += 1;
            }
        };
        self.watched(together((0..CALLERS).map(caller))).await;
        let meanwhile = self.accepted() - before;
        self.system.redis().start().await;
        self.watched(self.quiet()).await;
        meanwhile
    }

    /// Waits until every order is closed, then holds the sums of all services to each other.
    pub async fn quiet(&self) {
        let orders = self.system.file(Service::Order);
        let closed = async || match orders.number(OPEN) {
            0 => Ok(()),
            open => Err(open),
        };
        eventually("all orders are closed", UNTIL_QUIET, closed).await;
        let (mut paid, mut sold) = (0, 0);
        for user in &self.users {
            let account = self.system.account(*user).await;
            assert_eq!(account.held, 0, "user {user}");
            paid += PLENTY - account.balance;
        }
        for item in &self.items {
            let item = self.system.stock(*item).await;
            assert_eq!((item.held, item.stock + item.sold), (0, PLENTY));
            sold += item.sold;
        }
        assert_eq!((paid, sold), (self.completed() * PRICE, self.completed()));
    }

    /// How many orders have completed.
    pub fn completed(&self) -> i64 {
        self.system.file(Service::Order).number(COMPLETED)
    }

    /// Waits until the streams are as short as they are to be when nothing is under way.
    pub async fn streams_are_short(&self) {
        let short = async || match self.system.stream_lengths().await {
            (0, unread) if unread <= 1_000 => Ok(()),
            lengths => Err(format!("{lengths:?}")),
        };
        eventually("the streams are trimmed", UNTIL_QUIET, short).await;
    }

    fn sale(&self, caller: usize, turn: usize) -> Sale {
        Sale::of(self.users[caller], self.items[turn % ITEMS])
    }

    async fn post(&self, sale: Sale, prefer: &str) -> u16 {
        let client = self.system.at(Service::Order);
        let request = client.request(Method::POST, "/orders").json(&sale.body());
        let answer = client.try_send(request.header("Prefer", prefer)).await;
        let answer = answer.unwrap_or_else(|error| panic!("order-svc is away: {error}"));
        match answer.status {
            201 => drop(self.accepted.fetch_add(1, Ordering::Relaxed)),
            503 => assert!(!answer.header("retry-after").is_empty()),
            _ => drop(answer.clone().expect(201)),
        }
        answer.status
    }

    /// Looks at the processes while something runs.
    async fn watched<T>(&self, work: impl Future<Output = T>) -> T {
        let watch = async {
            loop {
                let now = Resources::now(&self.system).await;
                self.peak.lock().unwrap().raise(&now);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            done = work => done,
            () = watch => unreachable!("it watches for ever"),
        }
    }
}
