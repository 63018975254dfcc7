//! Where lines go.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// Lines wait for the next tick, or until so many bytes wait.
const FLUSH_BYTES: usize = 32 * 1024;

/// Standard output, many lines a write: at thousands of events a second a write a line is what
/// costs.
#[derive(Clone, Default)]
pub(super) struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    /// Writes what waits.
    pub fn write_out(&self) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.is_empty() {
            // A closed pipe is nobody's error: there is nowhere left to say so.
            let _ = io::stdout().lock().write_all(&waiting);
            waiting.clear();
        }
    }
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

impl Write for &Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend_from_slice(bytes);
        let full = waiting.len() >= FLUSH_BYTES;
        drop(waiting);
        if full {
            self.write_out();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_out();
        Ok(())
    }
}
