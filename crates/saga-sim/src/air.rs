//! What surrounds the services: chance, weather, bus and clock, and the record of what happened.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use saga_events::{Event, Timestamp};

use crate::bus::Bus;
use crate::dice::{Dice, mix};
use crate::fault::{Counts, Fault, Weather};

/// When every run begins: 2026-01-01.
const BEGINNING: i64 = 1_767_225_600_000_000;
/// So many lines of a story are kept.
const LINES: usize = 120;

/// What surrounds the services.
pub struct Air {
    /// All chance.
    pub dice: Dice,
    /// How often what goes wrong at present.
    pub weather: Weather,
    /// How often what went wrong.
    pub faults: Counts,
    /// The bus.
    pub bus: Bus,
    /// All that was ever published: the stream and the entry.
    pub history: Vec<(String, Rc<[u8]>)>,
    /// The right time.
    pub clock: Clock,
    digest: u64,
    story: Option<VecDeque<String>>,
}

/// A clock that many hands share.
#[derive(Debug, Clone)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    /// The time.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros())
    }

    /// The time, or what a service's clock is fast by, in microseconds.
    pub fn micros(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// A clock that shows this.
    pub fn at(micros: i64) -> Self {
        Self(Arc::new(AtomicI64::new(micros)))
    }

    /// Sets it to this.
    pub fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::Relaxed);
    }
}

impl Air {
    /// The air of a seed's run. A story is told only where somebody asks for it: it takes time.
    pub fn of(seed: u64, tell: bool) -> Self {
        let mut dice = Dice::new(seed);
        let weather = Weather::draw(&mut dice);
        let partitions = if dice.below(4) == 0 { 3 } else { 1 };
        Self {
            dice,
            weather,
            faults: Counts::default(),
            bus: Bus::new(partitions),
            history: Vec::new(),
            clock: Clock::at(BEGINNING),
            digest: seed,
            story: tell.then(VecDeque::new),
        }
    }

    /// Time passes.
    pub fn pass(&self, time: Duration) {
        self.clock.set(self.clock.now().plus(time).micros());
    }

    /// Whether this goes wrong now; if so it is counted.
    pub fn goes_wrong(&mut self, fault: Fault) -> bool {
        let wrong = self.dice.says(self.weather.of(fault));
        if wrong {
            self.happened(fault);
        }
        wrong
    }

    /// It went wrong.
    pub fn happened(&mut self, fault: Fault) {
        self.faults.count(fault);
        self.note(fault as u64);
    }

    /// Puts events on the bus, as the bus is today: some are lost, some are doubled.
    pub fn publish(&mut self, events: &[Event]) -> Result<(), String> {
        for event in events {
            let bytes: Rc<[u8]> = event.encode().map_err(|error| error.to_string())?.into();
            self.note_bytes(&bytes);
            let stream = self.bus.stream_of(event.order_id(), event);
            let lost = self.goes_wrong(Fault::LostMessage);
            let times = match (lost, self.goes_wrong(Fault::DoubledMessage)) {
                (true, _) => 0,
                (false, true) => 2,
                (false, false) => 1,
            };
            self.tell(|| {
                let (kind, attempt) = (event.event_type(), event.message.attempt);
                let order = short(event.order_id());
                match times {
                    0 => format!("              {kind} #{attempt} of {order} is lost"),
                    1 => format!("              {kind} #{attempt} of {order} is on the bus"),
                    _ => format!("              {kind} #{attempt} of {order} is on the bus twice"),
                }
            });
            for _ in 0..times {
                self.bus.add(&stream, bytes.clone());
            }
            self.history.push((stream, bytes));
        }
        Ok(())
    }

    /// The bus' own chance.
    pub fn on_bus(&mut self, happens: impl FnOnce(&mut Bus, &mut Dice)) {
        happens(&mut self.bus, &mut self.dice);
    }

    /// Adds something to what is compared between two runs of a seed.
    pub const fn note(&mut self, what: u64) {
        self.digest = mix(self.digest.rotate_left(23) ^ what);
    }

    /// Adds a text or an envelope to it.
    pub fn note_bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.note(u64::from_le_bytes(word));
        }
    }

    /// What everything that happened comes to: two runs of a seed have the same.
    pub const fn digest(&self) -> u64 {
        self.digest
    }

    /// Adds a line to the story, where one is told.
    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            if story.len() == LINES {
                story.pop_front();
            }
            let since = self.clock.micros() - BEGINNING;
            story.push_back(format!("{:>12.3} ms  {}", since as f64 / 1000.0, line()));
        }
    }

    /// The last lines of the story.
    pub fn story(&self) -> Vec<String> {
        self.story.iter().flatten().cloned().collect()
    }
}

/// Enough of an id to tell orders of one run apart.
pub fn short(id: impl ToString) -> String {
    let text = id.to_string();
    text[text.len() - 6..].to_owned()
}
