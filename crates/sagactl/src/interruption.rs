//! Ctrl-C, or a polite end from outside: what a command has taken over is given back first.

use anyhow::{Result, bail};
use tokio::signal::unix::{SignalKind, signal};

/// Waits until somebody wants this process to end.
///
/// # Errors
/// Always: the command was interrupted.
pub async fn interruption<T>() -> Result<T> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = terminate.recv() => {}
    }
    bail!("interrupted")
}
