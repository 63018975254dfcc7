//! A system, and a browser that shows its page.

use e2e_tests::{Allowed, Browser, PATIENCE, Sale, System, eventually};
use reqwest::{Method, Response};
use saga_events::Service;

/// A system and a browser that asks nobody but its order-svc.
pub struct Scene {
    /// Gone first: its streams are closed before the system is.
    pub browser: Browser,
    pub system: System,
    /// Something to buy, and somebody who can pay for it.
    pub sale: Sale,
}

impl Scene {
    /// Of a system as it is delivered. `None`: there is no browser.
    pub async fn start() -> Option<Self> {
        Self::of(System::start().await).await
    }

    /// `None`: there is no browser.
    pub async fn of(system: System) -> Option<Self> {
        let browser = Browser::start(&[system.at(Service::Order).base()]).await?;
        let sale = Sale::of(
            system.user(1_000_000_000).await,
            system.item(10, 100_000_000).await,
        );
        Some(Self {
            browser,
            system,
            sale,
        })
    }

    /// Opens a screen by its link, and waits until it shows something.
    pub async fn show(&self, link: &str) {
        self.browser.open(&format!("/{link}")).await;
        self.browser
            .see("main:is([data-state=ready], [data-state=empty])")
            .await;
    }

    /// The end of a test in which nobody was away.
    pub async fn finish(self) {
        self.browser.finish(Allowed::Nothing).await;
    }

    /// The end of a test in which somebody was: the browser logs every request that is refused.
    pub async fn finish_despite_refusals(self) {
        self.browser.finish(Allowed::Refusals).await;
    }
}

/// Streams of order-svc's that the test holds. There are 64 for everybody.
#[derive(Debug, Default)]
pub struct Places(Vec<Response>);

impl Places {
    /// Waits until the test holds all but so many, and no more can be had.
    pub async fn take_all_but(system: &System, others: usize) -> Self {
        let client = system.at(Service::Order);
        let mut taken = Self::default();
        let take = async || {
            loop {
                let asked = client.request(Method::GET, "/live").timeout(PATIENCE);
                let answer = asked.send().await.unwrap();
                match answer.status().as_u16() {
                    200 => taken.0.push(answer),
                    503 if taken.0.len() + others == 64 => return Ok(()),
                    503 => return Err(format!("{} of 64 can be had", taken.0.len())),
                    status => panic!("a stream was answered with {status}"),
                }
                assert!(taken.0.len() <= 64, "there are 64 places");
            }
        };
        eventually(&format!("{others} streams are others'"), PATIENCE, take).await;
        taken
    }
}
