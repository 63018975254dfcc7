//! The simulated gateway's controls: the demo forces both of its answers, the bench sets a share.

use anyhow::Result;
use saga_events::Service;
use serde_json::{Map, Value};

use crate::client::Client;

const PATH: &str = "/gateway";

/// The gateway while a command has it.
pub struct Gateway<'a> {
    client: &'a Client,
    found: Map<String, Value>,
}

impl<'a> Gateway<'a> {
    /// Remembers how the gateway is.
    ///
    /// # Errors
    /// payment-svc does not answer.
    pub async fn take_over(client: &'a Client) -> Result<Self> {
        Ok(Self {
            client,
            found: client.get(Service::Payment, PATH).await?,
        })
    }

    /// Approves this share of the payments, 0 to 1, and every answer arrives.
    ///
    /// # Errors
    /// payment-svc does not answer.
    pub async fn approve(&self, rate: f64) -> Result<()> {
        let mut wanted = self.found.clone();
        wanted.insert("approvalRate".into(), rate.into());
        wanted.insert("outage".into(), "none".into());
        self.put(&wanted).await
    }

    /// Makes the gateway what it was.
    ///
    /// # Errors
    /// payment-svc does not answer.
    pub async fn give_back(self) -> Result<()> {
        self.put(&self.found).await
    }

    async fn put(&self, settings: &Map<String, Value>) -> Result<()> {
        let _: Value = self.client.put(Service::Payment, PATH, settings).await?;
        Ok(())
    }
}
