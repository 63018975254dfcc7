//! What the browser logged while it showed the page, and whom it asked.

use serde_json::Value;

use super::Browser;

/// What a test may do to a page that the browser logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// Nothing: whatever is logged is a fault.
    Nothing,
    /// Requests that were not answered, or with an error: somebody was away. Everything else is a
    /// fault.
    Refusals,
}

impl Browser {
    /// Holds what was logged and asked for since the last time to what is allowed.
    pub async fn assert_clean(&self, allowed: Allowed) {
        let logged = self.log("browser").await;
        let mut found: Vec<String> = logged
            .iter()
            .filter(|entry| !is_allowed(entry, allowed))
            .map(|entry| format!("logged: {entry}"))
            .collect();
        let asked = self.requests().await;
        let foreign = asked.iter().filter(|url| !self.is_ours(url));
        found.extend(foreign.map(|url| format!("asked: {url}")));
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    /// The addresses of all that was asked for since the last time.
    async fn requests(&self) -> Vec<String> {
        let told = self.log("performance").await;
        let url = |entry: &Value| {
            let told: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let (name, what) = (&told["message"]["method"], &told["message"]["params"]);
            let asks = name == "Network.requestWillBeSent";
            let url = asks.then(|| what["request"]["url"].as_str())??;
            Some(url.to_owned())
        };
        told.iter().filter_map(url).collect()
    }

    /// Whether it is the page's origin, one it may ask, or no address on a network at all: an empty tab
    /// of the browser's own is made of such.
    fn is_ours(&self, url: &str) -> bool {
        let of = |origin: &String| {
            let rest = url.strip_prefix(origin.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.origins.iter().any(of)
            || ["data:", "about:", "chrome:"]
                .iter()
                .any(|own| url.starts_with(own))
    }
}

/// The console's own words, and what the browser says about a request, are told apart by their source.
fn is_allowed(entry: &Value, allowed: Allowed) -> bool {
    let is_minor = ["DEBUG", "INFO"]
        .iter()
        .any(|level| entry["level"] == *level);
    let is_refusal = entry["source"] == "network" && entry["level"] == "SEVERE";
    // The console is for faults: the page says nothing there while all is well.
    let is_word = entry["source"] == "console-api";
    (is_minor && !is_word) || (is_refusal && allowed == Allowed::Refusals)
}
