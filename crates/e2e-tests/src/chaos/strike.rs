//! Doing a fault to the system, and undoing it when its time is over.

use std::time::Duration;

use reqwest::Method;
use saga_events::{OrderId, Service};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::dice::Dice;
use super::plan::{Fault, GatewayTrouble};
use super::scene::{APPROVAL_RATE, Scene};
use crate::{Network, Signal, settled};

/// How long a service may take to end after SIGTERM.
const DRAINED: Duration = Duration::from_secs(10);

impl Scene {
    /// Lets a fault strike, and undoes it.
    pub async fn strike(&self, fault: &Fault) {
        match *fault {
            Fault::Kill(service, away) => self.kill(service, away).await,
            Fault::KillRedis(away) => {
                let _right = self.redis().await;
                self.system.redis().kill();
                sleep(away).await;
                self.system.redis().start().await;
            }
            Fault::KillAll => self.kill_all().await,
            Fault::Terminate(service) => self.terminate(service).await,
            Fault::Freeze(service, time) => {
                let _right = self.process(service).await;
                self.system.freeze(service);
                sleep(time).await;
                self.system.thaw(service);
            }
            Fault::FreezeRedis(time) => {
                let _right = self.redis().await;
                self.system.redis().send(Signal::Stop);
                sleep(time).await;
                self.system.redis().send(Signal::Cont);
            }
            Fault::Flush => {
                let _right = self.redis().await;
                self.system.redis().flush().await;
            }
            Fault::Truncate(percent) => {
                let _right = self.redis().await;
                self.system.redis().kill();
                self.system.redis().truncate(percent as u64);
                self.system.redis().start().await;
            }
            Fault::Rewind(service) => {
                let _right = self.redis().await;
                self.system.redis().rewind(service).await;
            }
            Fault::OutOfMemory(time) => {
                let _right = self.redis().await;
                self.system.redis().be_full(true).await;
                sleep(time).await;
                self.system.redis().be_full(false).await;
            }
            Fault::Network(service, network, time) => {
                let _right = self.network(service).await;
                self.system.set_network(service, network);
                sleep(time).await;
                self.system.set_network(service, Network::Up);
            }
            Fault::Duplicate(event_type, order) => {
                let _right = self.redis().await;
                let mut dice = Dice::new(order, 0);
                let shuffled = |entries: &mut Vec<_>| dice.shuffle(entries);
                self.system.redis().say_again(event_type, shuffled).await;
            }
            Fault::Poison(event_type) => {
                let _right = self.redis().await;
                self.system.plant(event_type, "event", POISON).await;
            }
            Fault::Impossible(event_type) => {
                let order = OrderId::new();
                self.record.forged(order);
                let _right = self.redis().await;
                self.system.forge(settled(event_type, order, 0)).await;
            }
            Fault::Gateway(trouble, time) => self.trouble_gateway(trouble, time).await,
            Fault::Reprice(number) => self.reprice(number).await,
            Fault::Withdraw(number) => {
                let item = self.market.doomed[number % self.market.doomed.len()];
                let path = format!("/items/{item}/withdraw");
                self.until_answered(Service::Item, Method::POST, &path, None)
                    .await;
            }
            Fault::Restock(number) => {
                let item = self.market.scarce[number % self.market.scarce.len()];
                let (path, body) = (format!("/items/{item}/restock"), json!({"quantity": 5}));
                self.until_answered(Service::Item, Method::POST, &path, Some(body))
                    .await;
                self.system.note_supply(item, 5);
            }
            Fault::Deposit(number) => {
                let user = self.market.poor[number % self.market.poor.len()];
                let (path, body) = (format!("/users/{user}/deposits"), json!({"amount": 300}));
                self.until_answered(Service::User, Method::POST, &path, Some(body))
                    .await;
                self.system.note_deposit(user, 300);
            }
        }
    }

    async fn kill(&self, service: Service, away: Duration) {
        let _right = self.process(service).await;
        self.system.kill(service);
        sleep(away).await;
        self.start(service).await;
    }

    /// All rights in one order, so that two of these do not wait for each other.
    async fn kill_all(&self) {
        let mut rights = Vec::new();
        for service in Service::ALL {
            rights.push(self.process(service).await);
        }
        rights.push(self.redis().await);
        self.system.kill_all();
        self.system.redis().start().await;
        crate::together(Service::ALL.map(|service| self.start(service))).await;
    }

    async fn terminate(&self, service: Service) {
        let _right = self.process(service).await;
        let began = Instant::now();
        let status = self.system.terminate(service).await;
        if !status.success() || began.elapsed() > DRAINED {
            let took = began.elapsed();
            let what = format!("{service} ended after SIGTERM with {status}, {took:?} later");
            self.record.violation(what);
        }
        self.start(service).await;
    }

    async fn trouble_gateway(&self, trouble: GatewayTrouble, time: Duration) {
        let (outage, latency_ms) = match trouble {
            GatewayTrouble::Refuse => ("refuse", 0),
            GatewayTrouble::Never => ("timeout", 0),
            GatewayTrouble::AfterCharging => ("timeoutAfterCharge", 0),
            GatewayTrouble::Late => ("none", 600),
        };
        self.set_gateway(outage, latency_ms).await;
        // payment-svc may be killed meanwhile, and the gateway is well again then.
        sleep(time).await;
        self.set_gateway("none", 0).await;
    }

    async fn set_gateway(&self, outage: &str, latency_ms: u64) {
        let body = json!({
            "kind": "simulated", "approvalRate": APPROVAL_RATE, "seed": 1, "outage": outage,
            "latencyMinMs": latency_ms / 6, "latencyMaxMs": latency_ms
        });
        self.until_answered(Service::Payment, Method::PUT, "/gateway", Some(body))
            .await;
    }

    async fn reprice(&self, number: usize) {
        let item = self.market.any_item(number);
        let path = format!("/items/{item}");
        let body = json!({"price": 10 + number});
        self.until_answered(Service::Item, Method::PATCH, &path, Some(body))
            .await;
    }

    /// Asks with one key until it is answered with success.
    async fn until_answered(
        &self,
        service: Service,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) {
        let client = self.system.at(service);
        let key = uuid::Uuid::now_v7().to_string();
        let mut over = self.over.subscribe();
        while !*over.borrow_and_update() {
            let mut request = client
                .request(method.clone(), path)
                .header("Idempotency-Key", &key);
            if let Some(body) = &body {
                request = request.json(body);
            }
            match client.try_send(request).await {
                Ok(answer) if (200..300).contains(&answer.status) => return,
                Ok(answer) if ![409, 503].contains(&answer.status) => {
                    let what = format!("{path} was answered {} {}", answer.status, answer.body);
                    return self.record.violation(what);
                }
                _ => sleep(Duration::from_millis(50)).await,
            }
        }
        self.record.violation(format!("{path} was never answered"));
    }
}

/// No event of any contract. Whoever keeps it as a dead letter keeps this text.
pub const POISON: &str = "{\"poison\":";
