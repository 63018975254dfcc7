//! Server-Sent Events, read frame by frame.

use std::time::Duration;

use e2e_tests::{PATIENCE, System};
use reqwest::{Method, Response};
use saga_events::Service;
use serde_json::Value;

/// A stream that is read frame by frame.
pub struct Stream {
    answer: Response,
    read: String,
}

#[derive(Debug)]
pub struct Frame {
    pub id: String,
    pub event: String,
    pub data: Value,
}

impl Stream {
    pub async fn open(system: &System, path: &str, after: Option<&str>) -> Self {
        Self::of(path, Self::ask(system, path, after).await)
    }

    pub fn of(path: &str, answer: Response) -> Self {
        assert_eq!(answer.status(), 200, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/event-stream");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-accel-buffering"), "no");
        Self {
            answer,
            read: String::new(),
        }
    }

    pub async fn ask(system: &System, path: &str, after: Option<&str>) -> Response {
        Self::ask_of(Service::Order, system, path, after).await
    }

    pub async fn ask_of(
        service: Service,
        system: &System,
        path: &str,
        after: Option<&str>,
    ) -> Response {
        let mut request = system.at(service).request(Method::GET, path);
        if let Some(after) = after {
            request = request.header("Last-Event-ID", after);
        }
        request
            .timeout(Duration::from_secs(120))
            .send()
            .await
            .unwrap()
    }

    /// The next frame; none at the end.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            while let Some((frame, rest)) = self.read.split_once("\n\n") {
                let field = |name: &str| {
                    let mut lines = frame.lines();
                    lines.find_map(|line| Some(line.strip_prefix(name)?.to_owned()))
                };
                let found = field("id: ").map(|id| Frame {
                    id,
                    event: field("event: ").unwrap(),
                    data: serde_json::from_str(&field("data: ").unwrap()).unwrap(),
                });
                self.read = rest.to_owned();
                if found.is_some() {
                    return found;
                }
            }
            let bytes = tokio::time::timeout(PATIENCE, self.answer.chunk()).await;
            let bytes = bytes.expect("something comes, or the end").ok()??;
            self.read.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    pub async fn take(&mut self, count: usize) -> Vec<Frame> {
        let mut frames = Vec::new();
        while frames.len() < count {
            frames.push(self.next().await.expect("another frame"));
        }
        frames
    }

    /// All that comes until the end.
    pub async fn rest(mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }
}
