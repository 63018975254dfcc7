//! Waiting for a state (asked again and again up to a deadline, never slept for), and doing many
//! things at once.

use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

/// How long a test waits for what must come. Long enough for a loaded machine; nothing that works
/// needs a tenth of it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until the answer is `Ok`, and returns that. At the deadline the test fails with what it
/// waited for and the last reason why not.
pub async fn eventually<T, E: Display>(
    what: &str,
    patience: Duration,
    ask: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    saga_local::eventually(patience, ask)
        .await
        .unwrap_or_else(|why| panic!("{what}: not within {patience:?}, because: {why}"))
}

/// Runs futures at the same time and collects what they return, in their order.
pub async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures
        .into_iter()
        .map(|future| (Box::pin(future), None))
        .collect();
    poll_fn(|context| {
        let mut all_done = true;
        for (future, output) in running.iter_mut().filter(|(_, output)| output.is_none()) {
            match future.as_mut().poll(context) {
                Poll::Ready(value) => *output = Some(value),
                Poll::Pending => all_done = false,
            }
        }
        if all_done {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    running
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}
