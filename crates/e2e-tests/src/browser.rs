//! A real browser without a window, driven through chromedriver. Each is a new one, with an empty
//! profile, and reaches nothing but this machine.
//!
//! [`page`] is what a person does and sees, [`devtools`] what only the browser itself can tell or
//! pretend, [`traffic`] what it logged and asked for, [`axe`] what those could not use who cannot
//! see, hear or point.

mod axe;
mod devtools;
mod page;
mod traffic;

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

pub use axe::Axe;
pub use devtools::{Look, Sight, Taken};
pub use page::{Keystroke, Tab};
pub use traffic::Allowed;

use crate::{PATIENCE, Process, eventually, free_port, has};

/// A browser takes what two cores have: with `cargo test`, too, they take turns.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// How long its processes may take to be gone.
const UNTIL_GONE: Duration = Duration::from_secs(10);

/// A browser. Dropping it ends it and its driver, and removes its profile.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    pid: String,
    driver: Process,
    profile: TempDir,
    /// The page's own origin, and who else it may ask.
    origins: Vec<String>,
    _turn: Turn,
}

/// Held as long as the browser is there.
#[derive(Debug)]
struct Turn {
    _held: MutexGuard<'static, ()>,
}

impl Turn {
    fn wait_for() -> Self {
        let held = ONE_AT_A_TIME.lock();
        // A test that failed before has let go of its browser all the same.
        let _held = held.unwrap_or_else(PoisonError::into_inner);
        Self { _held }
    }
}

impl Browser {
    /// A browser that may ask these origins and nobody else; the first is the page's. `None`: there
    /// is no browser on this machine, and that was told.
    pub async fn start(origins: &[&str]) -> Option<Self> {
        let untried = "the page is not tried";
        if !has("chromedriver", untried) || !has("chromium", untried) {
            return None;
        }
        let turn = Turn::wait_for();
        let profile = TempDir::with_prefix("browser-").unwrap();
        let port = free_port();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}"));
        // Its own temporary files, too.
        command.env("TMPDIR", profile.path());
        let log = profile.path().join("chromedriver.log");
        let driver = Process::start("chromedriver", command, &log);
        let client = connect(port, wishes(&profile)).await;
        let told = client
            .capabilities()
            .and_then(|all| all.get("goog:processID"));
        let pid = told.unwrap_or_else(|| panic!("chromedriver names no process"));
        Some(Self {
            pid: pid.to_string(),
            client,
            driver,
            profile,
            origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
            _turn: turn,
        })
    }

    /// The end of every test: nothing was logged that should not be, and nobody else was asked.
    pub async fn finish(mut self, allowed: Allowed) {
        self.assert_clean(allowed).await;
        let ended = self.client.clone().close().await;
        ended.unwrap_or_else(|error| panic!("the browser does not close: {error}"));
        assert!(
            self.driver.ended().is_none(),
            "chromedriver ended by itself"
        );
    }

    /// Whether a process of this browser is there: each names the profile, or is a child of one that
    /// does and ends with it.
    fn is_there(&self) -> bool {
        let profile = self.profile.path().as_os_str().as_encoded_bytes();
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut lines =
            processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        lines.any(|line| line.windows(profile.len()).any(|part| part == profile))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A driver that is killed leaves its browser behind. Its id is nobody else's while it is there.
        let deadline = Instant::now() + UNTIL_GONE;
        while self.is_there() && Instant::now() < deadline {
            let kill = Command::new("kill")
                .args(["-s", "KILL", &self.pid])
                .output();
            drop(kill);
            std::thread::sleep(Duration::from_millis(20));
        }
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.profile.path().join("chromedriver.log"));
            eprintln!("chromedriver: {}", log.unwrap_or_default());
        } else {
            assert!(!self.is_there(), "the browser is still there");
        }
    }
}

/// A session, as soon as the driver listens.
async fn connect(port: u16, wishes: Value) -> Client {
    let address = format!("http://127.0.0.1:{port}");
    let wishes = wishes.as_object().cloned().unwrap_or_default();
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(wishes);
    let ask = async || builder.connect(&address).await;
    eventually("chromedriver begins a session", PATIENCE, ask).await
}

/// Nothing of what a browser does for its maker, and no name but this machine's is known.
fn wishes(profile: &TempDir) -> Value {
    let mut arguments = vec![
        "--headless=new".to_owned(),
        "--window-size=1280,900".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--disable-gpu".to_owned(),
        "--lang=en".to_owned(),
        "--no-first-run".to_owned(),
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost".to_owned(),
        format!(
            "--user-data-dir={}",
            profile.path().join("profile").display()
        ),
    ];
    // Chromium refuses to sandbox what root starts. Everybody else gets the sandbox.
    let user = Command::new("id").arg("-u").output();
    if user.is_ok_and(|user| user.stdout.trim_ascii() == b"0") {
        arguments.push("--no-sandbox".to_owned());
    }
    json!({
        "goog:chromeOptions": {
            "args": arguments,
            "perfLoggingPrefs": {"enableNetwork": true, "enablePage": false},
        },
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        // Dialogs of the browser's own are nobody's to answer: the page has none.
        "unhandledPromptBehavior": "dismiss and notify",
    })
}
