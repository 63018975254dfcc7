//! Which fault strikes after how many purchases: a pure function of the seed.

use std::fmt;
use std::time::Duration;

use saga_events::{EventType, LINE, Service};

use super::dice::Dice;
use crate::Network;

/// What the gateway does for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayTrouble {
    /// Connections are refused.
    Refuse,
    /// It never answers, and does not charge.
    Never,
    /// It charges, and does not answer.
    AfterCharging,
    /// It answers later than payment-svc waits.
    Late,
}

/// Something bad. Durations say when it is undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`, and a start so much later.
    Kill(Service, Duration),
    /// `kill -9` of Redis, and a start so much later.
    KillRedis(Duration),
    /// `kill -9` of all six and Redis at once.
    KillAll,
    /// SIGTERM, which must end in order, and a start.
    Terminate(Service),
    /// SIGSTOP, SIGCONT.
    Freeze(Service, Duration),
    /// The same with Redis.
    FreezeRedis(Duration),
    /// Redis forgets everything.
    Flush,
    /// Redis is killed and starts without the last so many percent of its newest log.
    Truncate(usize),
    /// Every group of a service reads everything again.
    Rewind(Service),
    /// Redis takes no new entries.
    OutOfMemory(Duration),
    /// The network between a service and Redis.
    Network(Service, Network, Duration),
    /// The last entries of a stream are added again, in an order drawn with this.
    Duplicate(EventType, u64),
    /// An entry that is no event.
    Poison(EventType),
    /// A well-formed event of an order that nobody has.
    Impossible(EventType),
    /// The gateway.
    Gateway(GatewayTrouble, Duration),
    /// An item's price changes: no fault, but quoted prices are wrong for a while.
    Reprice(usize),
    /// An item is withdrawn.
    Withdraw(usize),
    /// A scarce item is restocked.
    Restock(usize),
    /// A poor buyer pays in.
    Deposit(usize),
}

/// A fault and its moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strike {
    /// After so many purchases were begun.
    pub at: usize,
    /// What.
    pub fault: Fault,
}

/// All strikes of a run, in the order of their moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan(pub Vec<Strike>);

/// Forged, these can be nothing but Impossible: nobody has a row of the order, and a row is needed.
const NEEDS_A_ROW: [EventType; 4] = [
    EventType::PaymentProcessed,
    EventType::ItemDeducted,
    EventType::InventoryConfirmed,
    EventType::PaymentConfirmed,
];

impl Plan {
    /// Draws faults for so many purchases, with so many `kill -9` among them, and as many of the
    /// other kinds as fit to that.
    pub fn draw(seed: u64, purchases: usize, kills: usize) -> Self {
        let dice = &mut Dice::new(seed, 1);
        let mut faults = Vec::new();
        let mut add = |count: usize, draw: fn(&mut Dice) -> Fault| {
            faults.extend((0..count).map(|_| draw(dice)));
        };
        add(kills, kill);
        let share = |of: usize, at_least: usize| (kills / of).max(at_least);
        add(share(100, 1), |_| Fault::KillAll);
        add(share(10, 4), |dice| Fault::Terminate(service(dice)));
        add(share(10, 4), |dice| {
            Fault::Freeze(service(dice), dice.millis(100, 1_500))
        });
        add(share(60, 1), |dice| {
            Fault::FreezeRedis(dice.millis(100, 1_000))
        });
        add(share(30, 5), |_| Fault::Flush);
        add(share(60, 2), |dice| Fault::Truncate(1 + dice.below(40)));
        add(share(30, 2), |dice| Fault::Rewind(service(dice)));
        add(share(60, 2), |dice| {
            Fault::OutOfMemory(dice.millis(100, 1_000))
        });
        add(share(10, 4), network);
        add(share(10, 4), |dice| {
            Fault::Duplicate(consumed(dice), dice.next())
        });
        add(share(10, 4), |dice| Fault::Poison(consumed(dice)));
        add(share(20, 2), |dice| {
            Fault::Impossible(dice.one_of(&NEEDS_A_ROW))
        });
        add(share(20, 4), gateway);
        add(share(30, 2), |dice| Fault::Reprice(dice.below(64)));
        add(share(150, 1), |dice| Fault::Withdraw(dice.below(64)));
        add(share(30, 2), |dice| Fault::Restock(dice.below(64)));
        add(share(30, 2), |dice| Fault::Deposit(dice.below(64)));
        dice.shuffle(&mut faults);
        let mut moments: Vec<usize> = faults.iter().map(|_| dice.below(purchases)).collect();
        moments.sort_unstable();
        let strike = |(at, fault)| Strike { at, fault };
        Self(moments.into_iter().zip(faults).map(strike).collect())
    }
}

fn service(dice: &mut Dice) -> Service {
    dice.one_of(&Service::ALL)
}

/// One of seven processes, each as likely as the others.
fn kill(dice: &mut Dice) -> Fault {
    let away = dice.millis(0, 300);
    match Service::ALL.get(dice.below(7)) {
        Some(service) => Fault::Kill(*service, away),
        None => Fault::KillRedis(away),
    }
}

fn network(dice: &mut Dice) -> Fault {
    let network = dice.one_of(&[
        Network::Cut,
        Network::Stalled,
        Network::HalfOpen,
        Network::Slow(Duration::from_millis(50)),
    ]);
    Fault::Network(service(dice), network, dice.millis(100, 2_000))
}

fn gateway(dice: &mut Dice) -> Fault {
    use GatewayTrouble::{AfterCharging, Late, Never, Refuse};
    let trouble = dice.one_of(&[Refuse, Never, AfterCharging, Late]);
    Fault::Gateway(trouble, dice.millis(200, 2_000))
}

/// An event type that somebody reads.
fn consumed(dice: &mut Dice) -> EventType {
    loop {
        let spec = &LINE[dice.below(LINE.len())];
        if !spec.consumers.is_empty() {
            return spec.event_type;
        }
    }
}

impl Fault {
    /// Under which name it is counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Kill(..) | Self::KillRedis(_) => "kill",
            Self::KillAll => "kill all",
            Self::Terminate(_) => "sigterm",
            Self::Freeze(..) | Self::FreezeRedis(_) => "sigstop",
            Self::Flush => "flushall",
            Self::Truncate(_) => "truncation",
            Self::Rewind(_) => "rewind",
            Self::OutOfMemory(_) => "out of memory",
            Self::Network(..) => "network",
            Self::Duplicate(..) => "duplicates",
            Self::Poison(_) => "poison",
            Self::Impossible(_) => "forgery",
            Self::Gateway(..) => "gateway",
            Self::Reprice(_) | Self::Withdraw(_) | Self::Restock(_) | Self::Deposit(_) => "trade",
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|Strike { at, fault }| writeln!(f, "{at:>7} {fault:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Plan};

    fn count(plan: &Plan, kind: &str) -> usize {
        let of_kind = plan.0.iter().filter(|strike| strike.fault.kind() == kind);
        of_kind.count()
    }

    #[test]
    fn the_same_seed_is_the_same_plan_and_another_is_not() {
        assert_eq!(Plan::draw(5, 1_000, 50), Plan::draw(5, 1_000, 50));
        assert_ne!(Plan::draw(5, 1_000, 50), Plan::draw(6, 1_000, 50));
    }

    #[test]
    fn a_plan_has_as_many_kills_as_asked_for_and_every_other_kind() {
        let plan = Plan::draw(3, 10_000, 300);
        assert_eq!(count(&plan, "kill"), 300);
        assert!(count(&plan, "flushall") >= 5 && count(&plan, "truncation") >= 2);
        for kind in [
            "kill all",
            "sigterm",
            "sigstop",
            "rewind",
            "out of memory",
            "network",
            "duplicates",
            "poison",
            "forgery",
            "gateway",
            "trade",
        ] {
            assert!(count(&plan, kind) > 0, "{kind}");
        }
        assert!(plan.0.is_sorted_by_key(|strike| strike.at));
        assert!(plan.0.iter().all(|strike| strike.at < 10_000));
        let redis = |strike: &&super::Strike| matches!(strike.fault, Fault::KillRedis(_));
        assert!(plan.0.iter().filter(redis).count() > 10);
    }
}
