//! `Prefer: wait=N`. Source: RFC 7240.

use std::time::Duration;

use actix_web::http::header::HeaderMap;
use utoipa::IntoParams;

/// Nobody is kept longer than this, whatever was asked for.
const LONGEST_S: u64 = 30;

/// The header, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)] // it is read by hand
pub struct PreferHeader {
    /// `wait=N`: answer when the purchase has ended, or after N seconds, 30 at most.
    #[param(rename = "Prefer", nullable = false, example = "wait=5")]
    prefer: Option<String>,
}

/// How long the caller would wait for a final order. A preference that cannot be read is ignored,
/// as the standard wants it.
pub fn wait_preference(headers: &HeaderMap) -> Option<Duration> {
    let preferences = headers
        .get_all("Prefer")
        .filter_map(|value| value.to_str().ok());
    let mut parts = preferences.flat_map(|value| value.split(','));
    parts.find_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("wait") {
            return None;
        }
        let seconds: u64 = value.trim().trim_matches('"').parse().ok()?;
        Some(Duration::from_secs(seconds.min(LONGEST_S)))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn wait_is_found_among_other_preferences_and_bounded() {
        for (header, seconds) in [
            ("wait=5", Some(5)),
            ("respond-async, wait=10", Some(10)),
            ("Wait = \"7\"; foo=bar", Some(7)),
            ("wait=0", Some(0)),
            ("wait=3600", Some(30)),
            ("wait=-1", None),
            ("wait=soon", None),
            ("wait", None),
            ("return=minimal", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(
                HeaderName::from_static("prefer"),
                HeaderValue::from_str(header).unwrap(),
            );
            assert_eq!(
                wait_preference(&headers),
                seconds.map(Duration::from_secs),
                "{header:?}"
            );
        }
        assert_eq!(wait_preference(&HeaderMap::new()), None);
    }
}
