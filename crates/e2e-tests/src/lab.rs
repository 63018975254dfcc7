//! `sagactl lab` as a user starts it, and its calls.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use saga_events::Service;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Answer, Client, PATIENCE, Process, Signal, binary, eventually};

/// The seven processes, in the order of the picture.
pub const PARTS: [&str; 7] = [
    "order-svc",
    "user-svc",
    "inventory-svc",
    "item-svc",
    "payment-svc",
    "notify-svc",
    "redis",
];

/// A running lab. Dropping it ends it in order, with all that it has started.
#[derive(Debug)]
pub struct Lab {
    process: Process,
    /// Where its temporary folder is; the lab's own output, too.
    folder: TempDir,
    /// The page's origin.
    page: String,
    client: Client,
    token: String,
}

impl Lab {
    /// Starts one on free ports, and waits until it has said where it is.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// As [`start`](Self::start), with these words.
    pub async fn start_with(words: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let log = folder.path().join("said");
        let mut command = Self::command(folder.path(), words);
        command.args(["--ports", "0"]);
        let process = Process::start("sagactl", command, &log);
        let mut lab = Self {
            process,
            folder,
            page: String::new(),
            client: Client::new(0),
            token: String::new(),
        };
        let told = async || {
            let said = lab.said();
            let page = after(&said, "the page ").and_then(|url| url.split_once("/#/lab?token="));
            let (Some((page, token)), Some(lab)) = (page, after(&said, "the lab ")) else {
                return Err(said);
            };
            let port = lab.rsplit(':').next().unwrap().parse().unwrap();
            Ok((page.to_owned(), token.to_owned(), Client::new(port)))
        };
        let told = eventually("the lab says where it is", PATIENCE, told).await;
        (lab.page, lab.token, lab.client) = told;
        lab
    }

    /// `sagactl lab` with these words, whose temporary files go below this folder.
    pub fn command(folder: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(binary("sagactl"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", folder)
            .arg("lab")
            .args(words);
        command
    }

    /// What it has printed.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("said")).unwrap_or_default()
    }

    /// Where its temporary folder is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where its system's files are.
    pub fn files(&self) -> PathBuf {
        let said = self.said();
        let files = after(&said, "files ").unwrap_or_default();
        PathBuf::from(files.split(" (").next().unwrap())
    }

    /// The origin of the page: `http://127.0.0.1:port`.
    pub fn page(&self) -> &str {
        &self.page
    }

    /// The secret.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A client that has no token.
    pub fn stranger(&self) -> &Client {
        &self.client
    }

    /// A call with the token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, path)
            .timeout(2 * PATIENCE)
            .bearer_auth(&self.token)
    }

    /// Sends a call, with this body where there is one.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.client.send(request).await
    }

    /// `POST`.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    /// `PUT`.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    /// HEAL ALL; true: all are ready.
    pub async fn heal_all(&self) -> bool {
        let healed = self.call(Method::DELETE, "/lab/faults", None).await;
        healed.status == 204
    }

    /// How it is.
    pub async fn picture(&self) -> Value {
        self.get("/lab").await.expect(200).body
    }

    /// Waits until the picture is as it shall be. `Err`: it is not.
    pub async fn until(
        &self,
        what: &str,
        patience: Duration,
        is: impl Fn(&Value) -> bool,
    ) -> Result<Value, Value> {
        let ask = async || {
            let picture = self.picture().await;
            if is(&picture) {
                Ok(picture)
            } else {
                Err(picture)
            }
        };
        let seen = saga_local::eventually(patience, ask).await;
        seen.inspect_err(|last| eprintln!("{what}: not within {patience:?}: {last}"))
    }

    /// Where a process listens.
    pub fn port_of(picture: &Value, name: &str) -> u16 {
        let process = process_of(picture, name);
        process["port"].as_u64().unwrap().try_into().unwrap()
    }

    /// The base URLs of the services.
    pub async fn services(&self) -> impl Fn(Service) -> String + use<> {
        let picture = self.picture().await;
        move |service| {
            let port = Self::port_of(&picture, service.as_str());
            format!("http://127.0.0.1:{port}")
        }
    }

    /// Sends it a signal.
    pub fn send(&mut self, signal: Signal) {
        self.process.send(signal);
    }

    /// Waits until it has ended.
    pub async fn wait(&mut self) -> ExitStatus {
        self.process.wait(PATIENCE).await
    }
}

/// A process in a picture.
#[track_caller]
pub fn process_of<'a>(picture: &'a Value, name: &str) -> &'a Value {
    let all = picture["processes"].as_array().unwrap();
    let found = all.iter().find(|process| process["name"] == name);
    found.unwrap_or_else(|| panic!("{name} is in {picture}"))
}

/// What follows these words in a line.
fn after<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix(words));
    line.map(str::trim)
}

impl Drop for Lab {
    /// Its children would survive a `kill -9` of it.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("The lab said:\n{}", self.said());
        }
        if self.process.ended().is_none() {
            self.process.send(Signal::Term);
        }
        let deadline = Instant::now() + PATIENCE;
        while self.process.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(15));
        }
    }
}
