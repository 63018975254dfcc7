//! What only the browser itself can pretend or tell.

use std::path::Path;

use fantoccini::wd::WebDriverCompatibleCommand;
use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::Browser;

/// How high the window is, in CSS pixels.
const HEIGHT: u32 = 900;
/// A picture that is taller is cut off.
const TALLEST: u32 = 6_000;

/// How a person's screen and settings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// How wide the window is, in CSS pixels.
    pub width: u32,
    /// The system is dark.
    pub dark: bool,
    /// Whoever looks asked for less motion.
    pub still: bool,
    /// The system's few colours, and no others.
    pub forced_colors: bool,
}

impl Look {
    /// A window of this width, otherwise as by default.
    pub const fn wide(width: u32) -> Self {
        Self {
            width,
            dark: false,
            still: false,
            forced_colors: false,
        }
    }
}

/// How somebody sees colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// All of them.
    All,
    /// None.
    Grey,
    /// Red and green are one.
    Deuteranopia,
}

impl Sight {
    const fn as_str(self) -> &'static str {
        match self {
            Self::All => "none",
            Self::Grey => "achromatopsia",
            Self::Deuteranopia => "deuteranopia",
        }
    }
}

/// What a page takes, after whatever is not needed any more was thrown away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taken {
    /// Nodes of its documents, those that only a script still holds included.
    pub nodes: f64,
    /// Bytes of its scripts' heap.
    pub heap: f64,
}

/// A command of the DevTools protocol, or a log.
#[derive(Debug)]
struct Command {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Command {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> ParsedUrl {
        base.join(&format!("session/{}/{}", session.unwrap_or(""), self.path))
    }

    fn method_and_body(&self, _url: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

type ParsedUrl = Result<Url, <Url as std::str::FromStr>::Err>;

impl Browser {
    /// Sends a command of the [DevTools protocol](https://chromedevtools.github.io/devtools-protocol/)
    /// to the tab in front.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        let path = "goog/cdp/execute";
        self.command(command, path, body).await
    }

    /// What was logged of this kind since it was last asked.
    pub(super) async fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.command(kind, "se/log", json!({"type": kind})).await;
        log.as_array().cloned().unwrap_or_default()
    }

    async fn command(&self, what: &str, path: &'static str, body: Value) -> Value {
        let done = self.client.issue_cmd(Command { path, body }).await;
        done.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Looks at the page so, from now on.
    pub async fn look(&self, look: Look) {
        self.resize(look.width, HEIGHT).await;
        let feature = |name: &str, value: &str| json!({"name": name, "value": value});
        let either = |is: bool, yes: &'static str, no: &'static str| if is { yes } else { no };
        let media = json!({"features": [
            feature("prefers-color-scheme", either(look.dark, "dark", "light")),
            feature("prefers-reduced-motion", either(look.still, "reduce", "no-preference")),
            feature("forced-colors", either(look.forced_colors, "active", "none")),
        ]});
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    async fn resize(&self, width: u32, height: u32) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
    }

    /// A picture of the whole page, as somebody sees it who sees colours so.
    pub async fn picture(&self, sight: Sight, file: &Path) {
        let see = async |kind: &str| {
            let kind = json!({"type": kind});
            self.devtools("Emulation.setEmulatedVisionDeficiency", kind)
                .await;
        };
        see(sight.as_str()).await;
        let size = "return [innerWidth, document.documentElement.scrollHeight]";
        let [width, height]: [u32; 2] = self.run(size, &[]).await;
        self.resize(width, height.min(TALLEST)).await;
        let picture = self.client.screenshot().await.unwrap();
        self.resize(width, HEIGHT).await;
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, picture).unwrap();
        see("none").await;
    }

    /// What the tab in front takes.
    pub async fn taken(&self) -> Taken {
        self.devtools("HeapProfiler.collectGarbage", json!({}))
            .await;
        self.devtools("Performance.enable", json!({})).await;
        let metrics = self.devtools("Performance.getMetrics", json!({})).await;
        let metric = |name: &str| {
            let mut all = metrics["metrics"].as_array().unwrap().iter();
            let of_name = all.find(|metric| metric["name"] == name);
            of_name.and_then(|metric| metric["value"].as_f64()).unwrap()
        };
        Taken {
            nodes: metric("Nodes"),
            heap: metric("JSHeapUsedSize"),
        }
    }
}
