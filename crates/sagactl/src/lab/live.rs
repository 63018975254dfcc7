//! The picture again and again: twice a second, and at once after each change.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use svc_chassis::http::Problem;
use svc_chassis::http::sse::{self, Frame};

use super::Lab;

const PAUSE: Duration = Duration::from_millis(500);

/// Answers with a stream of pictures.
///
/// # Errors
/// 503: all places are taken.
pub fn stream(lab: Arc<Lab>) -> Result<HttpResponse, Problem> {
    let (place, shutdown) = (lab.places.take()?, lab.shutdown.clone());
    Ok(sse::answer_until(shutdown, place, |sink| async move {
        let mut changed = lab.changed.subscribe();
        for id in 1_u64.. {
            let frame = Frame {
                id: id.to_string(),
                event: "lab",
                data: serde_json::to_string(&lab.picture()).unwrap_or_default(),
            };
            sink.send(&frame).await?;
            tokio::select! {
                _ = changed.changed() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
        Ok(())
    }))
}
