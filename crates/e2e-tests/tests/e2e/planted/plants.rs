//! What is planted: each as a statement that no service would run.

use saga_events::Service;
use saga_events::Service::{Inventory, Item, Notify, Order, Payment, User};

/// Something that must not be.
#[derive(Debug)]
pub struct Plant {
    /// In words.
    pub what: &'static str,
    /// In whose file; `None`: in the gateway's book.
    pub at: Option<Service>,
    /// In which table.
    pub table: &'static str,
    /// How, with USER, ITEM, `COMPLETED_ORDER`, `DECLINED_ORDER` and STRANGER for ids.
    pub sql: &'static str,
    /// The law that must find it.
    pub law: &'static str,
    /// Whom that must name.
    pub names: Named,
    /// Whether files tell it: they do not say what the bus has.
    pub in_files: bool,
}

/// Whom a violation names.
#[derive(Debug, Clone, Copy)]
pub enum Named {
    /// The buyer.
    User,
    /// What was bought.
    Item,
    /// The completed order.
    Completed,
    /// The declined order.
    Declined,
    /// A stranger that the statement made.
    Somebody,
}

macro_rules! plants {
    ($($what:literal: $at:expr, $table:ident, $sql:literal => $law:literal $names:ident;)*) => {
        &[$(Plant {
            what: $what,
            at: $at,
            table: stringify!($table),
            sql: $sql,
            law: $law,
            names: Named::$names,
            in_files: true,
        }),*, UNPUBLISHED]
    };
}

/// A row that the relay never publishes, though Redis is there.
const UNPUBLISHED: Plant = Plant {
    what: "a row that is not published",
    at: Some(Order),
    table: "outbox",
    sql: "INSERT INTO outbox SELECT seq + 1, event_id, order_id, type, causation_id, attempt, time, \
          traceparent, data FROM outbox ORDER BY seq DESC LIMIT 1",
    law: "everything-published",
    names: Named::Declined,
    in_files: false,
};

/// Everything that is planted.
pub const PLANTS: &[Plant] = plants! {
    "money minted": Some(User), users,
        "UPDATE users SET available = available + 1" => "users-money" User;
    "money burnt": Some(User), users,
        "UPDATE users SET available = available - 1" => "users-money" User;
    "money captured twice": Some(User), users,
        "UPDATE users SET available = available - 200, captured = captured + 200"
        => "users-captured" User;
    "a balance below zero": Some(User), users,
        "UPDATE users SET available = -5, captured = captured + available + 5"
        => "users-not-negative" User;
    "money held for nobody": Some(User), users,
        "UPDATE users SET available = available - 1, held = held + 1" => "users-held" User;
    "a hold left at a completed order": Some(User), holds,
        "UPDATE holds SET state = 'Reserved' WHERE order_id = COMPLETED_ORDER"
        => "order-completed" Completed;
    "a hold left at a cancelled order": Some(Item), holds,
        "UPDATE holds SET state = 'Reserved' WHERE order_id = DECLINED_ORDER"
        => "order-cancelled" Declined;
    "a hold that was captured though the payment failed": Some(Inventory), holds,
        "UPDATE holds SET state = 'Confirmed' WHERE order_id = DECLINED_ORDER"
        => "not-paid" Declined;
    "a completed order that holds nothing at item-svc": Some(Item), holds,
        "DELETE FROM holds WHERE order_id = COMPLETED_ORDER" => "order-completed" Completed;
    "another amount captured": Some(User), holds,
        "UPDATE holds SET held = held + 1 WHERE order_id = COMPLETED_ORDER"
        => "amounts-agree" Completed;
    "stock lost": Some(Item), items,
        "UPDATE items SET available = available - 1" => "items-stock" Item;
    "sold, but not bought": Some(Item), items,
        "UPDATE items SET available = available - 1, sold = sold + 1" => "items-sold" Item;
    "stock below zero": Some(Item), items,
        "UPDATE items SET available = -1, sold = sold + available + 1"
        => "items-not-negative" Item;
    "a room that is overfilled": Some(Inventory), inventories,
        "UPDATE inventories SET capacity = 0" => "inventories-room" User;
    "a stack that is missing": Some(Inventory), stacks,
        "DELETE FROM stacks" => "inventories-owned" User;
    "goods that came twice": Some(Inventory), stacks,
        "UPDATE stacks SET quantity = quantity * 2" => "inventories-owned" User;
    "a slot that nobody uses": Some(Inventory), inventories,
        "UPDATE inventories SET used = used + 1" => "inventories-used" User;
    "a payment without its order": Some(Order), orders,
        "DELETE FROM orders WHERE order_id = COMPLETED_ORDER" => "order-known" Completed;
    "captured without a payment": Some(Payment), payments,
        "DELETE FROM payments WHERE order_id = COMPLETED_ORDER" => "user-captured" Completed;
    "a completed order whose payment failed": Some(Payment), payments,
        "UPDATE payments SET state = 'Failed', reason_code = 'PAYMENT_DECLINED',
            failed_step = 'payment-svc' WHERE order_id = COMPLETED_ORDER"
        => "order-completed" Completed;
    "another amount paid": Some(Payment), payments,
        "UPDATE payments SET total_amount = total_amount + 1 WHERE order_id = COMPLETED_ORDER"
        => "amounts-agree" Completed;
    "a charge without a payment": None, charges,
        "INSERT INTO charges VALUES (STRANGER, 7, 'Approved', 'stranger', 1)"
        => "payments-charged" Somebody;
    "a charge for a declined payment": None, charges,
        "UPDATE charges SET answer = 'Approved' WHERE key = DECLINED_ORDER"
        => "payments-charged" Declined;
    "paid, but not charged": None, charges,
        "DELETE FROM charges WHERE key = COMPLETED_ORDER" => "payments-charged" Completed;
    "another amount charged": None, charges,
        "UPDATE charges SET amount = amount + 1 WHERE key = COMPLETED_ORDER"
        => "payments-charged" Completed;
    "a final order whose buyer was not told": Some(Notify), notifications,
        "DELETE FROM notifications WHERE order_id = COMPLETED_ORDER" => "buyer-told" Completed;
    "told the opposite": Some(Notify), notifications,
        "UPDATE notifications SET kind = 'Cancelled' WHERE order_id = COMPLETED_ORDER"
        => "order-completed" Completed;
    "a final state that changed": Some(Order), orders,
        "UPDATE orders SET status = 'CANCELLED', reason_code = 'OUT_OF_STOCK',
            failed_step = 'item-svc' WHERE order_id = COMPLETED_ORDER"
        => "order-cancelled" Completed;
    "cancelled without a reason": Some(Order), orders,
        "UPDATE orders SET reason_code = NULL, failed_step = NULL WHERE order_id = DECLINED_ORDER"
        => "orders-whole" Declined;
    "a total that is not price times quantity": Some(Order), orders,
        "UPDATE orders SET total_amount = total_amount + 1 WHERE order_id = COMPLETED_ORDER"
        => "orders-whole" Completed;
    "an end that was never said": Some(Order), outbox,
        "DELETE FROM outbox WHERE type = 'order.completed'" => "orders-said" Completed;
    "a capture that was never said": Some(Item), outbox,
        "DELETE FROM outbox WHERE type = 'item.deducted'" => "holds-said" Completed;
};
