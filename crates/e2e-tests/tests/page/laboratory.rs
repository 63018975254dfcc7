//! `sagactl lab` with a system of its own, and a browser that shows its page.

use e2e_tests::{Allowed, Browser, Client, Lab, Signal};
use serde_json::Value;

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
        let origin = lab.stranger().base();
        let browser = Browser::start(&[lab.page(), origin]).await?;
        Some(Self {
            browser,
            order_svc: Client::new(port),
            lab,
        })
    }

    /// Opens the address that the lab printed, and waits until the lab is there.
    pub async fn enter(&self) {
        let Self { browser, lab, .. } = self;
        browser.open(&format!("/#/lab?token={}", lab.token())).await;
        browser.see("main[data-screen=lab][data-state=ready]").await;
        browser.see("#witness[data-lost='0']").await;
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
        lab.send(Signal::Term);
        let ended = lab.wait().await;
        assert!(ended.success(), "{ended}");
    }

    /// What order-svc knows of the whole system.
    pub async fn system(&self) -> Value {
        self.order_svc.get("/system").await.expect(200).body
    }
}
