#![doc = include_str!("../README.md")]

use item_svc::ItemSvc;
use item_svc::store::{self, NewItem};
use saga_events::bus::{Delivery, Entry, Raw};
use saga_events::{
    Amount, Event, EventType, ItemId, Message, OrderId, Payload, Purchase, Quantity, Timestamp,
    TraceParent, Units, UserId,
};
use svc_chassis::Service;
use svc_chassis::database::Database;
use svc_chassis::testing::Instance;
use tempfile::TempDir;

const PRICE: i64 = 100;

/// item-svc without threads and bus, on a file of its own, with this many items.
pub struct Shop {
    instance: Instance<ItemSvc>,
    items: Vec<ItemId>,
    sold: usize,
    _removed: TempDir,
}

impl Shop {
    /// With stock for every purchase to come.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn with_items(count: usize) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let url = format!("sqlite:{}", folder.path().join("item.db").display());
        let database = Database::from_url(&url).map_err(anyhow::Error::msg)?;
        let conn = database.open(&ItemSvc::migrations())?;
        let mut instance = Instance::open(conn, ItemSvc, Timestamp::now)?;
        let items: Vec<_> = (0..count).map(|_| ItemId::new()).collect();
        let new = NewItem {
            name: "sword".to_owned(),
            description: String::new(),
            price: Amount::new(PRICE)?,
            stock: Units::new(1 << 40)?,
        };
        for item in items.clone() {
            let new = new.clone();
            drop(instance.ask(move |tx| store::create(tx, item, &new)));
        }
        instance.commit(count)?;
        Ok(Self {
            instance,
            items,
            sold: 0,
            _removed: folder,
        })
    }

    /// `inventory.reserved` of so many new orders, as they are read from the bus.
    ///
    /// # Errors
    /// None in practice.
    pub fn orders(&mut self, count: usize) -> anyhow::Result<Vec<Delivery>> {
        (0..count)
            .map(|_| {
                // Far apart, as orders of many users are.
                self.sold += 7919;
                let event = reserved(self.items[self.sold % self.items.len()])?;
                Ok(Delivery {
                    entry: Entry::new(0, format!("1700000000000-{}", self.sold)),
                    raw: Raw::Event(event.encode()?),
                    event: Ok(event),
                })
            })
            .collect()
    }

    /// Applies and commits all of them in one batch. Answers how many events were said.
    ///
    /// # Errors
    /// The database's.
    pub fn batch(&mut self, deliveries: Vec<Delivery>) -> anyhow::Result<usize> {
        let count = deliveries.len();
        for delivery in deliveries {
            self.instance.deliver("inventory.reserved", delivery);
        }
        self.instance.commit(count)?;
        Ok(self
            .instance
            .committed()
            .map_or(0, |batch| batch.events.len()))
    }
}

/// `inventory.reserved` of a new order, with everything that an envelope can have.
///
/// # Errors
/// None in practice.
pub fn reserved(item_id: ItemId) -> anyhow::Result<Event> {
    let order_id = OrderId::new();
    let purchase = Purchase {
        order_id,
        user_id: UserId::new(),
        item_id,
        quantity: Quantity::new(1)?,
        unit_price: Amount::new(PRICE)?,
        total_amount: Amount::new(PRICE)?,
        deadline: Timestamp::now(),
    };
    let message = Message {
        event_type: EventType::InventoryReserved,
        attempt: 0,
        payload: Payload::Purchase(purchase),
    };
    let cause = saga_events::EventId::of(order_id, EventType::UserValidated);
    let trace = TraceParent::default();
    Ok(Event::new(
        message,
        Some(cause),
        Some(trace),
        Timestamp::now(),
    ))
}
