//! The seven processes: how each is, and that each runs again once nothing keeps it down.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use saga_local::{Part, Result, Signal, System};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::sleep;

/// How often it is looked how they are.
const LOOK: Duration = Duration::from_millis(50);
/// Who ends without being told to is started again after so long: one that cannot start shall not
/// take all the machine's time.
const AGAIN: Duration = Duration::from_secs(1);
/// Who was asked to end and takes longer is stuck; services drain for 8 s at most.
const DRAINED: Duration = Duration::from_secs(15);

/// How a process is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// It was ready, and nothing was done to it since.
    #[default]
    Running,
    /// It was started, and is not ready yet.
    Starting,
    /// It is gone, by a fault or by itself.
    Killed,
    /// It was asked to end.
    Stopped,
    /// It keeps its connections and answers nobody.
    Paused,
}

impl State {
    /// Whether there may be one.
    pub const fn has_a_process(self) -> bool {
        match self {
            Self::Running | Self::Starting | Self::Paused => true,
            Self::Killed | Self::Stopped => false,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Starting => "starting",
            Self::Killed => "killed",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
        })
    }
}

/// The seven processes of a system.
pub struct Parts {
    system: Arc<System>,
    lives: Mutex<Lives>,
    changed: watch::Sender<u64>,
}

struct Lives {
    of: BTreeMap<Part, Life>,
    /// The lab ends: nothing is started any more.
    closed: bool,
}

#[derive(Default)]
struct Life {
    state: State,
    /// When it is to be started.
    start_at: Option<Instant>,
    /// When it was asked to end: until it has, it cannot be started.
    ending_since: Option<Instant>,
    /// Somebody asks it whether it is ready.
    is_asked: bool,
}

impl Parts {
    /// Those of a system that is ready.
    pub fn of(system: Arc<System>, changed: watch::Sender<u64>) -> Self {
        let lives = Lives {
            of: Part::ALL.map(|part| (part, Life::default())).into(),
            closed: false,
        };
        Self {
            system,
            lives: Mutex::new(lives),
            changed,
        }
    }

    /// The system that they are.
    pub fn system(&self) -> &System {
        &self.system
    }

    /// How a process is.
    pub fn state(&self, part: Part) -> State {
        self.lives()
            .of
            .get(&part)
            .map_or(State::Killed, |life| life.state)
    }

    /// Starts nothing from now on.
    pub fn close(&self) {
        self.lives().closed = true;
    }

    /// `kill -9`. It stays away until it is [started](Self::start).
    pub fn kill(&self, part: Part) {
        self.change(part, |life| {
            self.system.kill_part(part);
            life.is(State::Killed);
        });
    }

    /// SIGTERM. It stays away until it is [started](Self::start).
    ///
    /// # Errors
    /// It does not run.
    pub fn stop(&self, part: Part) -> Result<()> {
        self.change(part, |life| {
            self.system.signal_part(part, Signal::Term)?;
            life.is(State::Stopped);
            life.ending_since = Some(Instant::now());
            Ok(())
        })
    }

    /// SIGSTOP.
    ///
    /// # Errors
    /// It does not run.
    pub fn pause(&self, part: Part) -> Result<()> {
        self.change(part, |life| {
            self.system.signal_part(part, Signal::Stop)?;
            life.is(State::Paused);
            Ok(())
        })
    }

    /// Lets a paused one go on. One that was killed meanwhile is started.
    pub fn go_on(&self, part: Part) {
        self.change(part, |life| {
            let goes_on = self.system.signal_part(part, Signal::Cont);
            // Until it has answered: it may have been starting when it was paused.
            life.is(State::Starting);
            if goes_on.is_err() {
                life.is(State::Killed);
                life.start_at = Some(Instant::now());
            }
        });
    }

    /// Starts one that was killed or stopped.
    pub fn start(&self, part: Part) {
        self.change(part, |life| life.start_at = Some(Instant::now()));
    }

    fn change<T>(&self, part: Part, how: impl FnOnce(&mut Life) -> T) -> T {
        let mut lives = self.lives();
        let changed = how(lives.of.entry(part).or_default());
        drop(lives);
        self.changed.send_modify(|count| *count += 1);
        changed
    }

    fn lives(&self) -> MutexGuard<'_, Lives> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps them running, for ever.
    pub async fn keep(self: &Arc<Self>) {
        loop {
            for part in Part::ALL {
                self.look_at(part);
            }
            sleep(LOOK).await;
        }
    }

    fn look_at(self: &Arc<Self>, part: Part) {
        let mut lives = self.lives();
        let closed = lives.closed;
        let Some(life) = lives.of.get_mut(&part).filter(|_| !closed) else {
            return;
        };
        let before = life.state;
        let ended = self.system.part_ended(part).ok().flatten();
        if matches!(life.state, State::Running | State::Starting)
            && let Some(status) = ended
        {
            let log = self.system.part_log(part);
            eprintln!(
                "{part} ended by itself with {status}, see {}",
                log.display()
            );
            // What is left of it is reaped, and its place is free.
            self.system.kill_part(part);
            life.is(State::Killed);
            life.start_at = Some(Instant::now() + AGAIN);
        }
        let is_ending = |since: Instant| ended.is_none() && since.elapsed() < DRAINED;
        let is_due = life.start_at.is_some_and(|at| at <= Instant::now());
        if is_due && !life.ending_since.is_some_and(is_ending) {
            life.is(State::Starting);
            if let Err(error) = self.system.launch_part(part) {
                eprintln!("{error}");
                life.is(State::Killed);
                life.start_at = Some(Instant::now() + AGAIN);
            }
        }
        if life.state == State::Starting && !life.is_asked {
            life.is_asked = true;
            let (parts, pid) = (self.clone(), self.system.part_pid(part));
            tokio::spawn(async move { parts.ask(part, pid).await });
        }
        let has_changed = life.state != before;
        drop(lives);
        if has_changed {
            self.changed.send_modify(|count| *count += 1);
        }
    }

    /// Beside all else: who is paused or loads much data answers late.
    async fn ask(&self, part: Part, pid: Option<u32>) {
        let is_ready = self.system.part_is_ready(part).await;
        let is_the_same = pid.is_some() && pid == self.system.part_pid(part);
        let mut lives = self.lives();
        let Some(life) = lives.of.get_mut(&part) else {
            return;
        };
        life.is_asked = false;
        if is_ready && is_the_same && life.state == State::Starting {
            life.state = State::Running;
            drop(lives);
            self.changed.send_modify(|count| *count += 1);
        }
    }
}

impl Life {
    /// From now on it is so, and nothing else is planned.
    fn is(&mut self, state: State) {
        self.state = state;
        self.start_at = None;
        self.ending_since = None;
    }
}
