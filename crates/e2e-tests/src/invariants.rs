//! The invariants of the protocol, asserted over the books of a quiet system.

use std::collections::BTreeMap;

use saga_events::{ItemId, OrderId, Service, UserId};

use crate::Books;
use crate::model::{Notification, Order};

const PARTICIPANTS: [Service; 3] = [Service::User, Service::Inventory, Service::Item];

impl Books {
    /// What is not over yet: open orders, held things, buyers who were not told.
    pub fn under_way(&self) -> Vec<String> {
        let mut open = Vec::new();
        let told = self.told();
        for order in self.orders.values() {
            if !order.is_final() {
                open.push(format!("order {} is {}", order.id, order.status));
            } else if !told.contains_key(&order.id) {
                open.push(format!("the buyer of order {} was not told", order.id));
            }
        }
        for (service, states) in &self.states {
            for (order, state) in states {
                if matches!(state.as_str(), "Reserved" | "Authorizing") {
                    open.push(format!("{service} is {state} in order {order}"));
                }
            }
        }
        open
    }

    /// Everything that the books of a quiet system contradict each other in.
    pub fn violations(&self) -> Vec<String> {
        let mut found = Violations::default();
        self.check_money(&mut found);
        self.check_stock(&mut found);
        self.check_room(&mut found);
        let told = self.told();
        for order in self.orders.values() {
            let told = told.get(&order.id).map_or(&[][..], Vec::as_slice);
            self.check_order(order, told, &mut found);
        }
        for (service, states) in &self.states {
            for order in states
                .keys()
                .filter(|order| !self.orders.contains_key(order))
            {
                found.push(format!("{service} knows order {order}, order-svc does not"));
            }
        }
        found.0
    }

    /// Deposits = available + captured, per user; captured = paid = totals of completed orders.
    fn check_money(&self, found: &mut Violations) {
        found.equal("users", self.ledger.deposits.len(), self.accounts.len());
        let mut captured_by_all = 0;
        for account in self.accounts.values() {
            let captured = self.captured(account.id);
            captured_by_all += captured;
            let deposits = self.ledger.deposits.get(&account.id).copied().unwrap_or(0);
            let user = account.id;
            found.equal(
                format!("money of user {user}"),
                deposits,
                account.balance + captured,
            );
            found.equal(format!("held money of user {user}"), 0, account.held);
            found.at_least_0(format!("balance of user {user}"), account.balance);
        }
        let paid = self
            .payments
            .values()
            .filter(|payment| payment.state == "Processed");
        let paid: i64 = paid.map(|payment| payment.amount).sum();
        let completed: i64 = self.completed().map(|order| order.total_amount).sum();
        self.check_charges(found);
        found.equal("captured money against payments", captured_by_all, paid);
        found.equal(
            "captured money against completed orders",
            captured_by_all,
            completed,
        );
    }

    /// The bank has charged exactly what payment-svc calls processed.
    fn check_charges(&self, found: &mut Violations) {
        let processed = self
            .payments
            .values()
            .filter(|payment| payment.state == "Processed");
        let processed = processed
            .map(|payment| (payment.order_id, payment.amount))
            .collect();
        found.equal("charges against payments", &self.charges, &processed);
    }

    fn captured(&self, user: UserId) -> i64 {
        let confirmed = self.holds[&user]
            .iter()
            .filter(|hold| hold.state == "Confirmed");
        confirmed.map(|hold| hold.amount).sum()
    }

    /// Supplied = available + sold, per item; sold = quantities of completed orders.
    fn check_stock(&self, found: &mut Violations) {
        found.equal("items", self.ledger.supplies.len(), self.items.len());
        for item in self.items.values() {
            let supplied = self.ledger.supplies.get(&item.id).copied().unwrap_or(0);
            found.equal(
                format!("stock of item {}", item.id),
                supplied,
                item.stock + item.sold,
            );
            found.equal(format!("held stock of item {}", item.id), 0, item.held);
            found.at_least_0(format!("stock of item {}", item.id), item.stock);
            let bought = self.completed().filter(|order| order.item_id == item.id);
            let bought: i64 = bought.map(|order| order.quantity).sum();
            found.equal(format!("sold of item {}", item.id), item.sold, bought);
        }
    }

    /// A slot an item, no more than there are; owned = quantities of completed orders.
    fn check_room(&self, found: &mut Violations) {
        for inventory in self.inventories.values() {
            let user = inventory.user_id;
            let stacks = i64::try_from(inventory.items.len()).unwrap_or(i64::MAX);
            found.equal(format!("used slots of user {user}"), inventory.used, stacks);
            found.equal(format!("held slots of user {user}"), 0, inventory.held);
            found.at_least_0(
                format!("free slots of user {user}"),
                inventory.capacity - inventory.used,
            );
            for stack in &inventory.items {
                let bought = self.bought(user, stack.item_id);
                let what = format!("item {} of user {user}", stack.item_id);
                found.equal(what, stack.quantity, bought);
            }
            let owned: i64 = inventory.items.iter().map(|stack| stack.quantity).sum();
            let bought: i64 = self
                .completed()
                .filter(|o| o.user_id == user)
                .map(|o| o.quantity)
                .sum();
            found.equal(format!("all that user {user} owns"), owned, bought);
        }
    }

    fn bought(&self, user: UserId, item: ItemId) -> i64 {
        let orders = self
            .completed()
            .filter(|o| o.user_id == user && o.item_id == item);
        orders.map(|order| order.quantity).sum()
    }

    /// A final order has settled everywhere, and its buyer was told once.
    fn check_order(&self, order: &Order, told: &[&Notification], found: &mut Violations) {
        let id = order.id;
        let allowed: [&[&str]; 2] = match order.is_completed() {
            true => [&["Confirmed"], &["Processed"]],
            false => [&["–", "Refused", "Released"], &["–", "Failed"]],
        };
        let places = PARTICIPANTS.map(|service| (service, allowed[0]));
        for (service, allowed) in places.into_iter().chain([(Service::Payment, allowed[1])]) {
            let state = self.state(service, id);
            if !allowed.contains(&state) {
                found.push(format!(
                    "order {id} is {}, {service} is {state}",
                    order.status
                ));
            }
        }
        let explained =
            order.reason_code.is_some() && order.failed_step.is_some() && order.reason.is_some();
        if explained == order.is_completed() {
            found.push(format!(
                "order {id} is {} with reason {:?}",
                order.status, order.reason_code
            ));
        }
        found.equal(format!("notifications of order {id}"), 1, told.len());
        for told in told {
            let says_completed = told.kind.to_lowercase().contains("completed");
            found.equal(
                format!("order {id} told as {}", told.kind),
                order.is_completed(),
                says_completed,
            );
            found.equal(format!("buyer of order {id}"), order.user_id, told.user_id);
        }
    }

    /// What each order's buyer was told.
    fn told(&self) -> BTreeMap<OrderId, Vec<&Notification>> {
        let mut told: BTreeMap<OrderId, Vec<&Notification>> = BTreeMap::new();
        for notification in &self.notifications {
            told.entry(notification.order_id)
                .or_default()
                .push(notification);
        }
        told
    }

    fn state(&self, service: Service, order: OrderId) -> &str {
        self.states[&service]
            .get(&order)
            .map_or("–", String::as_str)
    }
}

#[derive(Default)]
struct Violations(Vec<String>);

impl Violations {
    fn push(&mut self, what: String) {
        self.0.push(what);
    }

    fn equal<T: PartialEq + std::fmt::Debug>(
        &mut self,
        what: impl Into<String>,
        left: T,
        right: T,
    ) {
        if left != right {
            self.push(format!("{}: {left:?} is not {right:?}", what.into()));
        }
    }

    fn at_least_0(&mut self, what: String, number: i64) {
        if number < 0 {
            self.push(format!("{what}: {number} is below zero"));
        }
    }
}
