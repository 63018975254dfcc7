//! Failpoints: the boundaries of a step, by name. A build with the feature `failpoints`, which is
//! only for tests, ends there as abruptly as by `kill -9`, so that a test can choose the moment.
//! Any other build does not contain them.

/// Names a boundary: `failpoint!("relay.after_xadd")`. Nothing at all in a normal build.
#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {};
}

/// Names a boundary: `failpoint!("relay.after_xadd")`. The process ends here if it was told to.
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        $crate::failpoint::reached($name)
    };
}

#[cfg(feature = "failpoints")]
pub use armed::reached;

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// `FAILPOINT=relay.after_xadd:3`: the process ends when it reaches that place the third time.
    const VARIABLE: &str = "FAILPOINT";

    static ARMED: OnceLock<Option<Failpoint>> = OnceLock::new();

    struct Failpoint {
        name: String,
        left: AtomicU32,
    }

    /// Aborts the process if the environment names this place and it is its turn.
    pub fn reached(name: &str) {
        if let Some(failpoint) = ARMED.get_or_init(from_environment)
            && failpoint.name == name
            && failpoint.left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            // In one piece: standard error is written as it is formatted, and the log's thread
            // writes into the same file.
            let last_words = format!("failpoint {name}: aborting");
            eprintln!("{last_words}");
            std::process::abort();
        }
    }

    fn from_environment() -> Option<Failpoint> {
        let text = std::env::var(VARIABLE).ok()?;
        let (name, turn) = text.split_once(':').unwrap_or((&text, "1"));
        let left = turn.parse().unwrap_or(1).into();
        Some(Failpoint {
            name: name.to_owned(),
            left,
        })
    }
}
