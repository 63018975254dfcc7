//! Trims the streams that this service publishes, several times a second while it publishes.

use std::time::Duration;

use futures_util::future::join_all;
use saga_events::EventType;
use saga_events::bus::Bus;

use crate::chassis::Chassis;
use crate::failpoint;
use crate::metrics::Streams;
use crate::singleton::Singleton;

/// A stream that has been quiet is looked at this often: its readers may have caught up.
const QUIET: Duration = Duration::from_secs(5);

pub(crate) async fn run(service: saga_events::Service, chassis: Chassis) -> anyhow::Result<()> {
    let Chassis {
        bus,
        writer,
        published,
        shutdown,
        metrics,
        ..
    } = chassis;
    let every = Duration::from_millis(bus.config().trim_ms);
    let quiet_turns = (QUIET.as_millis() / every.as_millis().max(1)).max(1);
    let mut claim = Singleton::new(&bus, &format!("trim:{service}"), Duration::from_secs(15));
    let (mut trimmed_at, mut turn) = (-1, 0_u128);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(every) => turn += 1,
        }
        let now = published.seq();
        if now == trimmed_at && !turn.is_multiple_of(quiet_turns) {
            continue;
        }
        if claim
            .is_mine(&writer)
            .await
            .is_ok_and(|fence| fence.is_some())
        {
            trimmed_at = now;
            // Beside each other: their commands reach Redis together.
            let all = service.publishes();
            join_all(all.map(|event_type| trim(&bus, event_type, &metrics.streams))).await;
        }
    }
    claim.release().await;
    Ok(())
}

async fn trim(bus: &Bus, event_type: EventType, streams: &Streams) {
    let trimmed = bus.trim(event_type).await;
    failpoint!("trimmer.mid");
    if let Ok(trimmed) = &trimmed {
        streams.trimmed(event_type, *trimmed);
    }
    match trimmed {
        Ok(trimmed) if trimmed.lost > 0 => tracing::error!(
            event.r#type = %event_type, lost = trimmed.lost, left = trimmed.length,
            "unread events were cut from a full stream: is a consumer down? the repeat heals it"
        ),
        Ok(_) => {}
        Err(error) => tracing::debug!(%error, event.r#type = %event_type, "not trimmed this time"),
    }
}
