//! Waiting for a state: asked for again and again up to a deadline, never slept for.

use std::time::{Duration, Instant};

/// Short for who waits; long enough not to keep from working what is waited for.
const PAUSE: Duration = Duration::from_millis(15);

/// The moment up to which something is asked for. The waits of this crate are loops around it rather
/// than calls of [`eventually`], whose future cannot be proven `Send`.
#[derive(Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(patience: Duration) -> Self {
        Self(Instant::now() + patience)
    }

    /// Waits a moment before the next question. False: that was the last.
    pub(crate) async fn allows_another(&self) -> bool {
        let allows = Instant::now() < self.0;
        if allows {
            tokio::time::sleep(PAUSE).await;
        }
        allows
    }
}

/// Asks until the answer is `Ok`, and returns that.
///
/// # Errors
/// The last answer, where no other has come by the deadline.
pub async fn eventually<T, E>(
    patience: Duration,
    mut ask: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, E> {
    let deadline = Deadline::after(patience);
    loop {
        let answer = ask().await;
        if answer.is_ok() || !deadline.allows_another().await {
            return answer;
        }
    }
}
