//! `sagactl lab` with a system of its own, and a browser that shows its page.

use std::process::Command;
use std::time::{Duration, Instant};

use e2e_tests::{Allowed, Browser, Client, PATIENCE, Process, binary, eventually};
use saga_local::Signal;
use serde_json::Value;
use tempfile::TempDir;

/// How long the lab may take to end all that it has started.
const UNTIL_ENDED: Duration = Duration::from_secs(30);

/// A lab that runs. Dropping it ends it in order: a lab that is killed leaves its services behind.
pub struct Lab {
    process: Process,
    folder: TempDir,
    /// Its page, with the token: what it prints.
    link: String,
}

impl Lab {
    async fn start() -> Self {
        let folder = TempDir::with_prefix("lab-").unwrap();
        let log = folder.path().join("lab.log");
        let mut command = Command::new(binary("sagactl"));
        command
            .args(["lab", "--ports", "0"])
            .env("TMPDIR", folder.path());
        let process = Process::start("sagactl lab", command, &log);
        let printed = async || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let link = text
                .split_whitespace()
                .find(|word| word.contains("#/lab?token="));
            link.map(str::to_owned).ok_or(text)
        };
        let link = eventually("the lab prints its address", PATIENCE, printed).await;
        Self {
            process,
            folder,
            link,
        }
    }

    fn page(&self) -> &str {
        self.link.split("/#").next().unwrap()
    }

    fn end(&mut self) {
        if self.process.ended().is_some() {
            return;
        }
        self.process.send(Signal::Term);
        let deadline = Instant::now() + UNTIL_ENDED;
        while self.process.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("lab.log"));
            eprintln!("sagactl lab: {}", log.unwrap_or_default());
        }
    }
}

/// The lab and a browser on its page.
pub struct LabScene {
    pub browser: Browser,
    /// order-svc of the lab's system.
    pub order_svc: Client,
    lab: Lab,
}

impl LabScene {
    /// `None`: there is no browser.
    pub async fn start() -> Option<Self> {
        let lab = Lab::start().await;
        let port = lab.page().rsplit(':').next().unwrap().parse().unwrap();
        let order_svc = Client::new(port);
        let origin: String = order_svc
            .get("/system")
            .await
            .expect(200)
            .field("labOrigin");
        let browser = Browser::start(&[lab.page(), &origin]).await?;
        Some(Self {
            browser,
            order_svc,
            lab,
        })
    }

    /// Opens the address that the lab printed, and waits until the lab is there.
    pub async fn enter(&self) {
        let path = self.lab.link.strip_prefix(self.lab.page()).unwrap();
        self.browser.open(path).await;
        self.browser
            .see("main[data-screen=lab][data-state=ready]")
            .await;
        self.browser.see("#witness[data-lost='0']").await;
    }

    /// What the witness says: answered, completed, cancelled, open, lost.
    pub async fn witness(&self) -> [u64; 5] {
        let script = "return (document.querySelector('#witness .sum')?.innerText ?? '')
            .match(/\\d[\\d,]*/g)?.filter(number => number !== '201')
            .map(number => Number(number.replaceAll(',', ''))) ?? []";
        let numbers: Vec<u64> = self.browser.run(script, &[]).await;
        numbers
            .try_into()
            .unwrap_or_else(|numbers| panic!("the witness says {numbers:?}"))
    }

    /// The end of a test: a lab is there to break things, so requests were refused.
    pub async fn finish(self) {
        let Self {
            browser, mut lab, ..
        } = self;
        browser.finish(Allowed::Refusals).await;
        lab.end();
        let ended = lab.process.ended();
        assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    }

    /// What order-svc knows of the whole system.
    pub async fn system(&self) -> Value {
        self.order_svc.get("/system").await.expect(200).body
    }
}
