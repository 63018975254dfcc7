//! Who buys what: the requests of purchase after purchase, and what an answer means.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use saga_events::{ItemId, UserId};
use uuid::Uuid;

use super::wire::{self, Connection};

/// The headers of a call that is answered when the purchase is final, or after the longest time that
/// order-svc grants. Seconds.
const WAIT: &str = "prefer: wait=30\r\n";
/// A purchase that is not final by then is given up: its deadline is a minute.
const PATIENCE: Duration = Duration::from_secs(120);
/// The namespace of the ids that the bench makes up: the same at every run, so that a system that is
/// driven again gets no new users.
const NAMESPACE: Uuid = Uuid::from_u128(0x5a6a_0bec_0000_4000_8000_0000_0000_0001);

/// How a purchase ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Bought.
    Completed,
    /// The gateway declined, as it is set to: given back.
    Declined,
    /// Anything else. There is room, money and stock for all, so this is a fault.
    Unexpected(String),
}

/// How many users and items there are, and where they buy.
#[derive(Debug)]
pub struct Buyers {
    order_svc: SocketAddr,
    users: u64,
    items: u64,
    bought: AtomicU64,
    /// A purchase's request, but for who buys what.
    template: Vec<u8>,
    user_at: usize,
    item_at: usize,
}

impl Buyers {
    /// So many users of so many items.
    pub fn new(order_svc: SocketAddr, users: u64, items: u64) -> Self {
        let nobody = Uuid::nil();
        let body = format!(r#"{{"userId":"{nobody}","itemId":"{nobody}","quantity":1}}"#);
        let template = wire::request("POST", "/orders", WAIT, &body);
        let behind = |key: &[u8]| wire::find(&template, key).map_or(0, |at| at + key.len());
        let (user_at, item_at) = (behind(br#""userId":""#), behind(br#""itemId":""#));
        Self {
            order_svc,
            users,
            items,
            bought: AtomicU64::new(0),
            template,
            user_at,
            item_at,
        }
    }

    /// The id of a user.
    pub fn user(number: u64) -> UserId {
        UserId::from_uuid(Uuid::new_v5(
            &NAMESPACE,
            format!("user {number}").as_bytes(),
        ))
    }

    /// The id of an item.
    pub fn item(number: u64) -> ItemId {
        ItemId::from_uuid(Uuid::new_v5(
            &NAMESPACE,
            format!("item {number}").as_bytes(),
        ))
    }

    /// Connects to where they buy.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn connect(&self) -> io::Result<Connection> {
        Connection::open(self.order_svc).await
    }

    /// The next purchase's request, in place of the one before.
    pub fn next(&self, request: &mut Vec<u8>) {
        if request.is_empty() {
            request.extend_from_slice(&self.template);
        }
        let number = self.bought.fetch_add(1, Ordering::Relaxed);
        let (user, item) = (scatter(2 * number), scatter(2 * number + 1));
        let user = Self::user(user % self.users).uuid();
        let item = Self::item(item % self.items).uuid();
        for (at, id) in [(self.user_at, user), (self.item_at, item)] {
            id.hyphenated()
                .encode_lower(&mut request[at..at + uuid::fmt::Hyphenated::LENGTH]);
        }
    }

    /// Buys, and waits until the purchase has ended.
    ///
    /// # Errors
    /// The connection broke: nobody knows what became of the purchase.
    pub async fn buy(&self, connection: &mut Connection, request: &[u8]) -> io::Result<End> {
        let begun = Instant::now();
        let mut answer = connection.ask(request).await?;
        let wanted = 201;
        if answer.status != wanted {
            return Ok(turned_away(answer.status, answer.body));
        }
        loop {
            let status = wire::text_of(answer.body, "status").unwrap_or("?");
            match status {
                "COMPLETED" => return Ok(End::Completed),
                "CANCELLED" => {
                    let reason = wire::text_of(answer.body, "reasonCode").unwrap_or("?");
                    return Ok(match reason {
                        "PAYMENT_DECLINED" => End::Declined,
                        other => End::Unexpected(format!("CANCELLED for {other}")),
                    });
                }
                open if begun.elapsed() > PATIENCE => {
                    let seconds = PATIENCE.as_secs();
                    return Ok(End::Unexpected(format!("{open} after {seconds} s")));
                }
                _ => {}
            }
            let id = wire::text_of(answer.body, "id").unwrap_or("?");
            let look = wire::request("GET", &format!("/orders/{id}"), WAIT, "");
            answer = connection.ask(&look).await?;
            if answer.status != 200 {
                return Ok(turned_away(answer.status, answer.body));
            }
        }
    }
}

fn turned_away(status: u16, body: &[u8]) -> End {
    let code = wire::text_of(body, "code").unwrap_or("without a code");
    End::Unexpected(format!("{status} {code}"))
}

/// `SplitMix64`: numbers without a pattern, the same at every run.
const fn scatter(number: u64) -> u64 {
    let bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn requests_differ_in_user_and_item_only() {
        let buyers = Buyers::new("127.0.0.1:1".parse().unwrap(), 20, 5);
        let users: BTreeSet<String> = (0..20).map(|n| Buyers::user(n).to_string()).collect();
        let (mut request, mut seen) = (Vec::new(), BTreeSet::new());
        for _ in 0..1000 {
            buyers.next(&mut request);
            let (user, item) = (
                wire::text_of(&request, "userId").unwrap(),
                wire::text_of(&request, "itemId").unwrap(),
            );
            assert!(users.contains(user));
            seen.insert((user.to_owned(), item.to_owned()));
            assert_eq!(request.len(), buyers.template.len());
            assert!(request.starts_with(b"POST /orders HTTP/1.1\r\n"));
        }
        assert_eq!(seen.len(), 100, "every user buys every item");
    }

    #[test]
    fn what_is_turned_away_is_told_by_its_code() {
        let problem = br#"{"status":503,"code":"OVERLOADED"}"#;
        let told = End::Unexpected("503 OVERLOADED".to_owned());
        assert_eq!(turned_away(503, problem), told);
    }
}
