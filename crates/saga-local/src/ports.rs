//! Ports for programs that are started here.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use saga_events::Service;

use crate::{Error, Result};

/// Below what operating systems give to outgoing connections: the port of a service that is down
/// for a moment must not be taken by somebody's client.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port of 127.0.0.1 that nobody listens on. Processes that ask at the same time begin at
/// different ones.
///
/// # Errors
/// All of them are taken.
pub fn free_port() -> Result<u16> {
    let base = std::process::id().wrapping_mul(97) % u32::from(COUNT);
    for _ in 0..COUNT {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from((base + step) % u32::from(COUNT)).unwrap_or(0);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::NoPort {
        first: FIRST,
        last: FIRST + (COUNT - 1),
    })
}

/// The port that somebody has chosen for a service.
///
/// # Errors
/// It is taken.
pub(crate) fn chosen_port(service: Service, port: u16) -> Result<u16> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => Ok(port),
        Err(why) => Err(Error::Taken { service, port, why }),
    }
}
