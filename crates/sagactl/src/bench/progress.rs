//! What a person sees while it runs: a line that moves, on standard error and on a terminal only.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The line is drawn at most so often: drawing costs CPU time, too.
const DRAWS_PER_SECOND: u8 = 4;

/// A line that moves.
pub struct Progress(ProgressBar);

impl Progress {
    /// A line for something of this length.
    pub fn new(what: &str, length: u64) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
        let bar = ProgressBar::with_draw_target(Some(length), target);
        let style = ProgressStyle::with_template("{prefix:12} {wide_bar} {msg:>24}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_prefix(what.to_owned());
        Self(bar)
    }

    /// A line for something that takes this long.
    pub fn lasting(what: &str, time: Duration) -> Self {
        Self::new(what, u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    /// A line for something of which nobody knows how long it takes.
    pub fn waiting(what: &str) -> Self {
        let line = Self::new(what, 0);
        if let Ok(style) = ProgressStyle::with_template("{prefix:12} {spinner} {elapsed}") {
            line.0.set_style(style);
        }
        line.0.enable_steady_tick(Duration::from_millis(250));
        line
    }

    /// One more of it is done.
    pub fn one_more(&self) {
        self.0.inc(1);
    }

    /// So much of it is done.
    pub fn at(&self, position: u64, message: impl Into<String>) {
        self.0.set_position(position);
        self.0.set_message(message.into());
    }

    /// So much of the time has passed.
    pub fn after(&self, time: Duration, message: impl Into<String>) {
        self.at(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), message);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // A line that stayed would stand above the table.
        self.0.finish_and_clear();
    }
}
