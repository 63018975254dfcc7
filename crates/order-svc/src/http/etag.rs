//! `ETag` and `If-None-Match`: what the caller has already is not sent again.

use actix_web::http::header::{HeaderMap, IF_NONE_MATCH};

/// Whether the caller has what this tag names.
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .any(|value| {
            value
                .split(',')
                .map(str::trim)
                .any(|known| known == "*" || known.trim_start_matches("W/") == tag)
        })
}
