//! By which names this service may be called. A page of another site can have its name point to this
//! machine (DNS rebinding) and is then no stranger to the browser; but the name that it calls is its own.

use std::collections::BTreeSet;
use std::net::IpAddr;

use saga_events::Service;

use crate::config::Settings;

/// The names of this system, beside addresses and `localhost`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts(BTreeSet<String>);

impl Hosts {
    /// As configured: the hosts of `services.*`, and `http.names`.
    pub fn of(settings: &Settings) -> Self {
        let services = Service::ALL.into_iter().filter_map(|service| {
            let url = settings.services.url(service);
            let (_, rest) = url.split_once("://")?;
            Some(host(rest.split(['/', '?', '#']).next()?))
        });
        let names = settings.http.names().map(str::to_owned);
        let all = services.chain(names).map(|name| name.to_ascii_lowercase());
        Self(all.collect())
    }

    /// Whether the `Host` of a request names this system: an address cannot be made to point here, and
    /// `localhost` points nowhere else.
    pub fn know(&self, header: &str) -> bool {
        let host = host(header).to_ascii_lowercase();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        address.parse::<IpAddr>().is_ok()
            || host == "localhost"
            || host.ends_with(".localhost")
            || self.0.contains(&host)
    }
}

/// A host without its port.
fn host(text: &str) -> String {
    let end = match text.find(']') {
        Some(bracket) => bracket + 1,
        None => text.find(':').unwrap_or(text.len()),
    };
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_configured_names_are_known_and_nothing_else() {
        let hosts = Hosts(["order-svc".to_owned(), "shop.example".to_owned()].into());
        for known in [
            "127.0.0.1:3000",
            "10.1.2.3",
            "[::1]:3000",
            "[::1]",
            "localhost",
            "localhost:3000",
            "LOCALHOST:3000",
            "shop.localhost:3000",
            "order-svc:3000",
            "Shop.Example",
        ] {
            assert!(hosts.know(known), "{known}");
        }
        for foreign in [
            "",
            "evil.example",
            "evil.example:3000",
            "127.0.0.1.evil.example:3000",
            "localhost.evil.example",
            "xlocalhost",
            "shop.example.evil",
            "[evil]:3000",
            "1.2.3",
        ] {
            assert!(!hosts.know(foreign), "{foreign}");
        }
    }
}
