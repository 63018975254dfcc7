//! What can go wrong, how often it does in a run, and how often it did.

use std::ops::{AddAssign, Index};

use crate::dice::Dice;

macro_rules! faults {
    ($($variant:ident $name:literal $max:literal $what:literal)*) => {
        /// What can go wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault {
            $(#[doc = $what] $variant,)*
        }

        impl Fault {
            /// All of them.
            pub const ALL: [Self; [$($max),*].len()] = [$(Self::$variant),*];

            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What happens, in one sentence.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $what,)* }
            }

            /// The most times in a thousand occasions.
            const fn most(self) -> u16 {
                match self { $(Self::$variant => $max,)* }
            }
        }
    };
}

faults! {
    CrashBeforeCommit "crash-before-commit" 80 "A service is killed after its steps ran and before they are committed."
    CrashAfterCommit "crash-after-commit" 80 "A service is killed after the commit and before anything is published or answered."
    CrashAfterPublish "crash-after-publish" 80 "A service is killed after it has published and before it has acknowledged or remembered that."
    CrashIdle "crash-idle" 1000 "A service is killed at any other moment, with what it has in hand."
    OtherInstance "other-instance" 1000 "Another instance takes over, under another name: what the dead one had read is claimed."
    Claim "claim" 1000 "A second consumer of a service claims what the first one is working on."
    LostMessage "lost-message" 300 "A message is lost."
    DoubledMessage "doubled-message" 300 "A message is on the bus twice."
    PublishRefused "publish-refused" 200 "Redis takes acknowledgements and refuses events."
    PublishUnknown "publish-unknown" 200 "The connection breaks after Redis has taken the events: nobody knows."
    Flush "flush" 200 "Everything on the bus is gone, groups too."
    TailLost "tail-lost" 400 "Redis restarts without its last events and acknowledgements."
    Rewind "rewind" 1000 "The position of a group is set back: it reads everything again."
    GroupLost "group-lost" 500 "A group is gone with its pending entries, and is made again at the beginning."
    Trim "trim" 500 "A stream is cut, whoever has not read it yet."
    OldEvent "old-event" 1000 "An event from any time comes again."
    StepFails "step-fails" 60 "A step fails technically, once or until its event is a dead letter."
    Poison "poison" 600 "Something that is no event is on a stream."
    Stray "stray" 1000 "An event comes that cannot be, or the gateway contradicts itself."
    ClockJump "clock-jump" 400 "The clock of a service jumps by up to an hour, either way."
    StaleSweep "stale-sweep" 600 "A sweep whose claim has passed to another one wakes up and goes on."
    BuyerCancels "buyer-cancels" 300 "A buyer cancels an order."
    GatewayRefused "gateway-refused" 300 "The gateway refuses the connection."
    GatewayTimeOut "gateway-time-out" 300 "A request to the gateway is lost."
    GatewayAskedTwice "gateway-asked-twice" 300 "payment-svc asks for a payment twice at the same time, as it may after a start."
    GatewayMute "gateway-mute" 300 "The gateway charges, or declines, and its answer is lost."
    GatewayLate "gateway-late" 300 "A request reaches the gateway when its caller has long given up."
}

/// How often what goes wrong in a run, in thousandths of its occasions. Every seed has weather of its
/// own: where everything goes wrong at once, much is never reached.
#[derive(Debug, Clone)]
pub struct Weather([u16; Fault::ALL.len()]);

impl Weather {
    /// The weather of a run: about half of the faults, rare or often.
    pub fn draw(dice: &mut Dice) -> Self {
        // One run in eight is a fine day.
        let fine = dice.below(8) == 0;
        Self(Fault::ALL.map(|fault| {
            let most = u64::from(fault.most());
            let often = match dice.below(6) {
                0 => most,
                1 => most / 3,
                2 => most / 10,
                _ => 0,
            };
            if fine {
                0
            } else {
                u16::try_from(often).unwrap_or(0)
            }
        }))
    }

    /// Nothing goes wrong any more.
    pub const fn calm() -> Self {
        Self([0; Fault::ALL.len()])
    }

    /// How often this goes wrong.
    pub const fn of(&self, fault: Fault) -> u16 {
        self.0[fault as usize]
    }
}

/// How often what went wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts([u64; Fault::ALL.len()]);

impl Counts {
    /// It went wrong once more.
    pub const fn count(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl Index<Fault> for Counts {
    type Output = u64;

    fn index(&self, fault: Fault) -> &u64 {
        &self.0[fault as usize]
    }
}

impl AddAssign<&Self> for Counts {
    fn add_assign(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }
}
