//! What happened in a run, as far as it must be remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use saga_events::OrderId;
use tokio::sync::watch;

/// What happened in a run.
#[derive(Debug, Default)]
pub struct Record {
    /// Purchases that were begun.
    pub begun: watch::Sender<usize>,
    audits: AtomicUsize,
    faults: Mutex<BTreeMap<&'static str, usize>>,
    promised: Mutex<BTreeSet<OrderId>>,
    forged: Mutex<BTreeSet<OrderId>>,
    violations: Mutex<Vec<String>>,
}

impl Record {
    /// A fault of this kind has struck.
    pub fn struck(&self, kind: &'static str) {
        *self.faults.lock().unwrap().entry(kind).or_default() += 1;
    }

    /// How many faults of each kind have struck.
    pub fn faults(&self) -> BTreeMap<&'static str, usize> {
        self.faults.lock().unwrap().clone()
    }

    /// The system was audited.
    pub fn audited(&self) {
        self.audits.fetch_add(1, Ordering::Relaxed);
    }

    /// How many times the system was audited while faults struck.
    pub fn audits(&self) -> usize {
        self.audits.load(Ordering::Relaxed)
    }

    /// An order was answered with 201.
    pub fn promised(&self, order: OrderId) {
        self.promised.lock().unwrap().insert(order);
    }

    /// Every order that was answered with 201.
    pub fn promises(&self) -> BTreeSet<OrderId> {
        self.promised.lock().unwrap().clone()
    }

    /// An event of this order was forged; nobody has the order.
    pub fn forged(&self, order: OrderId) {
        self.forged.lock().unwrap().insert(order);
    }

    /// Whether an event of this order was forged.
    pub fn is_forged(&self, order: OrderId) -> bool {
        self.forged.lock().unwrap().contains(&order)
    }

    /// Something that must not be.
    pub fn violation(&self, what: impl Into<String>) {
        self.violations.lock().unwrap().push(what.into());
    }

    /// All that must not be.
    pub fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }

    /// One line on how far it is.
    pub fn progress(&self) -> String {
        let faults = self.faults();
        let count = |kind| faults.get(kind).copied().unwrap_or(0);
        format!(
            "{} purchases begun, {} taken, {} strikes ({} kills, {} flushes, {} truncations), {} violations",
            *self.begun.borrow(),
            self.promised.lock().unwrap().len(),
            faults.values().sum::<usize>(),
            count("kill"),
            count("flushall"),
            count("truncation"),
            self.violations.lock().unwrap().len(),
        )
    }
}
