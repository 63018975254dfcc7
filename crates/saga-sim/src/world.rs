//! The whole: six processes, the bank, the shop, and what is known of every order.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use inventory_svc::InventorySvc;
use item_svc::ItemSvc;
use notify_svc::NotifySvc;
use order_svc::OrderSvc;
use order_svc::config::OrderConfig;
use payment_svc::PaymentSvc;
use payment_svc::ask::{Call, Due};
use payment_svc::gateway::Charge;
use payment_svc::gateway::simulated::Simulated;
use saga_events::{OrderId, Service};
use svc_chassis::config::Services;
use svc_chassis::singleton::Fence;
use svc_chassis::testing::Answer;
use tokio::sync::mpsc::UnboundedReceiver;
use user_svc::UserSvc;

use crate::air::Air;
use crate::bank::Bank;
use crate::fault::Fault;
use crate::known::Known;
use crate::process::{Broken, Process, Runs};
use crate::shop::{self, Shop};
use crate::wrong::Wrong;

/// Everything.
pub struct World {
    /// What surrounds the services.
    pub air: Air,
    /// order-svc.
    pub order: Process<OrderSvc>,
    /// user-svc.
    pub user: Process<UserSvc>,
    /// inventory-svc.
    pub inventory: Process<InventorySvc>,
    /// item-svc.
    pub item: Process<ItemSvc>,
    /// payment-svc.
    pub payment: Process<PaymentSvc>,
    /// notify-svc.
    pub notify: Process<NotifySvc>,
    /// The bank.
    pub bank: Bank,
    /// Payments that payment-svc is asking for, in its memory.
    pub asking: Vec<Asking>,
    /// Where charges come from after a commit; payment-svc's memory.
    pub charges: Option<UnboundedReceiver<Due>>,
    /// Under which number the sweep writes.
    pub fences: Vec<Answer<Fence>>,
    /// The sweep's number.
    pub fence: Option<Fence>,
    /// Who buys what.
    pub shop: Shop,
    /// Requests to begin that were not answered yet.
    pub begun: Vec<(OrderId, Answer<()>)>,
    /// Orders that were answered 201.
    pub accepted: BTreeSet<OrderId>,
    /// What is known of every order.
    pub known: Known,
    /// What is done wrong on purpose.
    pub wrong: Option<Wrong>,
}

/// A payment that is being asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asking {
    /// What for.
    pub charge: Charge,
    /// The call that is open.
    pub call: Call,
}

impl World {
    /// The world of a seed, with its shop open and nothing bought. The gateway that ships is in the
    /// process, and is never asked: the bank is.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn open(
        folder: &Path,
        gateway: &Arc<Simulated>,
        mut air: Air,
        wrong: Option<Wrong>,
    ) -> anyhow::Result<Self> {
        let config = order_config(&mut air);
        let shop = Shop::draw(&mut air.dice);
        let approved = air.dice.pick(&[1000, 900, 900, 500]);
        let time = air.clock.clone();
        let path = |service: Service| folder.join(service.as_str());
        let gateway = gateway.clone();
        let order = move || {
            #[allow(clippy::expect_used)] // a client without a connection can always be built
            OrderSvc::new(config.clone(), nowhere()).expect("a client")
        };
        let payment = move || PaymentSvc::new(gateway.clone(), Duration::from_secs(1), 1);
        let notify = || NotifySvc::new(&notify_svc::Config { log: false });
        let clock = || time.clone();
        let mut world = Self {
            order: Process::new(path(Service::Order), clock(), wrong, order)?,
            user: Process::new(path(Service::User), clock(), wrong, || UserSvc)?,
            inventory: Process::new(path(Service::Inventory), clock(), wrong, || InventorySvc)?,
            item: Process::new(path(Service::Item), clock(), wrong, || ItemSvc)?,
            payment: Process::new(path(Service::Payment), clock(), wrong, payment)?,
            notify: Process::new(path(Service::Notify), clock(), wrong, notify)?,
            bank: Bank::new(approved),
            asking: Vec::new(),
            charges: None,
            fences: Vec::new(),
            fence: None,
            shop,
            begun: Vec::new(),
            accepted: BTreeSet::new(),
            known: Known::default(),
            wrong,
            air,
        };
        for service in Service::ALL {
            world.start(service).map_err(anyhow::Error::msg)?;
        }
        world.furnish().map_err(anyhow::Error::msg)?;
        Ok(world)
    }

    /// A service's process.
    pub fn process(&mut self, service: Service) -> &mut dyn Runs {
        match service {
            Service::Order => &mut self.order,
            Service::User => &mut self.user,
            Service::Inventory => &mut self.inventory,
            Service::Item => &mut self.item,
            Service::Payment => &mut self.payment,
            Service::Notify => &mut self.notify,
        }
    }

    /// A process and the air around it.
    pub fn process_in_air(&mut self, service: Service) -> (&mut dyn Runs, &mut Air) {
        let process: &mut dyn Runs = match service {
            Service::Order => &mut self.order,
            Service::User => &mut self.user,
            Service::Inventory => &mut self.inventory,
            Service::Item => &mut self.item,
            Service::Payment => &mut self.payment,
            Service::Notify => &mut self.notify,
        };
        (process, &mut self.air)
    }

    /// Starts a service that is down, with what it does first.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(&mut self, service: Service) -> Result<(), Broken> {
        if self.process(service).is_up() {
            return Ok(());
        }
        self.process(service).start()?;
        self.air.tell(|| format!("{service:<14}starts"));
        match service {
            Service::Payment => self.ask_again_after_start(),
            Service::Order => {
                if let Some(instance) = self.order.instance() {
                    let next = instance.ask(|tx| Fence::next(tx, "sweep"));
                    self.fences = vec![next];
                }
                Ok(())
            }
            Service::User | Service::Inventory | Service::Item | Service::Notify => Ok(()),
        }
    }

    /// Kills a service: what it had in memory is gone, and whoever waited for its answer hears nothing.
    pub fn kill(&mut self, service: Service) {
        self.process(service).kill();
        self.forget_memory(service);
    }

    /// What the simulator keeps for a service's memory is gone as well.
    pub fn forget_memory(&mut self, service: Service) {
        match service {
            Service::Payment => {
                for asking in std::mem::take(&mut self.asking) {
                    // Half of the requests were on the wire already.
                    if asking.call == Call::Authorize && self.air.dice.says(500) {
                        self.bank.delay(asking.charge);
                    }
                }
                self.charges = None;
            }
            Service::Order => self.begun.clear(),
            Service::User | Service::Inventory | Service::Item | Service::Notify => {}
        }
    }

    /// Everything that is open in payment-svc's database is asked for.
    fn ask_again_after_start(&mut self) -> Result<(), Broken> {
        if let Some(instance) = self.payment.instance() {
            self.charges = instance.service().inner().charges();
        }
        if self.wrong == Some(Wrong::ForgetCharges) {
            return Ok(());
        }
        if let Some(conn) = self.payment.conn() {
            let open = payment_svc::store::authorizing(conn).map_err(|error| error.to_string())?;
            self.asking = open.into_iter().map(|due| first_call(due.charge)).collect();
        }
        Ok(())
    }

    /// Users with money and room, items with stock.
    fn furnish(&mut self) -> Result<(), Broken> {
        let Self { air, shop, .. } = self;
        let dice = &mut air.dice;
        let room: Vec<i64> = shop.users.iter().map(|_| dice.between(0, 5)).collect();
        let money: Vec<_> = shop.users.iter().map(|_| shop::balance(dice)).collect();
        let stock: Vec<_> = shop.items.iter().map(|_| shop::stock(dice)).collect();
        if let Some(instance) = self.user.instance() {
            for (id, balance) in self.shop.users.iter().copied().zip(money) {
                let new = user_svc::store::NewUser {
                    username: "buyer".into(),
                    balance,
                };
                drop(instance.ask(move |tx| user_svc::store::create(tx, id, &new)));
            }
        }
        if let Some(instance) = self.inventory.instance() {
            for (id, slots) in self.shop.users.iter().copied().zip(room) {
                drop(instance.ask(move |tx| inventory_svc::store::set_capacity(tx, id, slots)));
            }
        }
        if let Some(instance) = self.item.instance() {
            for ((id, price), stock) in self.shop.items.iter().copied().zip(stock) {
                let new = item_svc::store::NewItem {
                    name: "thing".into(),
                    description: String::new(),
                    price,
                    stock,
                };
                drop(instance.ask(move |tx| item_svc::store::create(tx, id, &new)));
            }
        }
        for service in Service::ALL {
            self.process(service).commit(usize::MAX)?;
            self.after_commit(service)?;
        }
        Ok(())
    }

    /// What follows a commit: notes are taken, answers and charges go out.
    ///
    /// # Errors
    /// What was committed must not be.
    pub fn after_commit(&mut self, service: Service) -> Result<(), Broken> {
        self.look(service)?;
        match service {
            Service::Order => {
                for (order, mut answer) in std::mem::take(&mut self.begun) {
                    match answer.take() {
                        Some(Ok(())) => drop(self.accepted.insert(order)),
                        Some(Err(error)) => return Err(format!("a purchase was refused: {error}")),
                        None => self.begun.push((order, answer)),
                    }
                }
                for mut answer in std::mem::take(&mut self.fences) {
                    match answer.take() {
                        Some(fence) => self.fence = fence.ok(),
                        None => self.fences.push(answer),
                    }
                }
            }
            Service::Payment => {
                while let Some(due) = self.charges.as_mut().and_then(|from| from.try_recv().ok()) {
                    self.asking.push(first_call(due.charge));
                    if self.air.goes_wrong(Fault::GatewayAskedTwice) {
                        self.asking.push(first_call(due.charge));
                    }
                }
            }
            Service::User | Service::Inventory | Service::Item | Service::Notify => {}
        }
        Ok(())
    }

    /// Takes note of what a service has committed.
    ///
    /// # Errors
    /// What was committed must not be.
    pub fn look(&mut self, service: Service) -> Result<(), Broken> {
        for note in self.process(service).notes() {
            self.known.learn(&mut self.air, &self.bank, note)?;
        }
        Ok(())
    }
}

/// A payment is asked for with a charge first.
pub const fn first_call(charge: Charge) -> Asking {
    Asking {
        charge,
        call: Call::Authorize,
    }
}

/// Deadlines and repeats of any length.
fn order_config(air: &mut Air) -> OrderConfig {
    let dice = &mut air.dice;
    let first_repeat_ms = dice.pick(&[1, 20, 200, 2_000]);
    OrderConfig {
        deadline_ms: dice.pick(&[50, 500, 2_000, 10_000, 60_000, 60_000, 60_000]),
        first_repeat_ms,
        max_repeat_ms: first_repeat_ms * dice.pick(&[1, 8]),
        repeats_per_second: 500,
        sweep_ms: 200,
        max_open: 20_000,
        max_outbox: 50_000,
        price_ttl_ms: 3_000,
        conformance_ms: 0,
        lab_origin: String::new(),
    }
}

/// Nobody listens there; steps ask nobody.
fn nowhere() -> Services {
    let nowhere = || "http://127.0.0.1:9".to_owned();
    Services {
        order: nowhere(),
        user: nowhere(),
        inventory: nowhere(),
        item: nowhere(),
        payment: nowhere(),
        notify: nowhere(),
    }
}
