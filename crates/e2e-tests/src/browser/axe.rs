//! [axe-core](https://github.com/dequelabs/axe-core): what of a page cannot be used by whoever cannot
//! see, hear or point.

use std::io::Write;

use serde_json::{Value, json};

use super::Browser;

/// The file to be run in a page, as `scripts/test` provides it.
#[derive(Debug)]
pub struct Axe(String);

impl Axe {
    /// `None`: the variable `AXE` names no file, and that was told.
    pub fn find() -> Option<Self> {
        let file = std::env::var_os("AXE").filter(|file| !file.is_empty());
        let Some(file) = file else {
            let told = "\nSKIPPED: AXE names no axe.min.js; accessibility is not tried.\n";
            // Where nobody reads, nobody needs to be told.
            let _ = std::io::stderr().write_all(told.as_bytes());
            return None;
        };
        let text = std::fs::read_to_string(&file);
        Some(Self(text.unwrap_or_else(|error| {
            panic!("AXE={}: {error}", file.display())
        })))
    }

    /// Brings it into the page that is open. By the browser itself, which no policy of the page keeps
    /// from it.
    pub async fn bring_into(&self, browser: &Browser) {
        let script = json!({"expression": self.0});
        browser.devtools("Runtime.evaluate", script).await;
    }

    /// Every violation on the page as it is: rule, element, why. One that axe cannot decide is none.
    pub async fn violations(&self, browser: &Browser) -> Vec<String> {
        let ask = json!({"expression": RUN, "awaitPromise": true, "returnByValue": true});
        let told = browser.devtools("Runtime.evaluate", ask).await;
        let found = told["result"]["value"].as_array();
        let found = found.unwrap_or_else(|| panic!("axe answers no list: {told}"));
        let text = |found: &Value| found.as_str().unwrap_or_default().to_owned();
        found.iter().map(text).collect()
    }
}

/// Best practices count: what is tried is more than the rules of WCAG 2.2 AA.
const RUN: &str =
    "axe.run(document, {resultTypes: ['violations']}).then(all => all.violations.flatMap(
    rule => rule.nodes.map(node => `${rule.id}: ${node.html}: ${node.failureSummary}`)))";
