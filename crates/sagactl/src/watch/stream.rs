//! Reads Server-Sent Events, and goes on after them when the connection is lost.

use std::time::Duration;

use anyhow::Result;
use reqwest::Response;
use saga_events::Service;

use crate::client::Client;

/// A sign of life comes every 15 s; without one for so long the connection is dead.
const SILENCE: Duration = Duration::from_secs(40);
/// From one try to connect again to the next.
const AGAIN: Duration = Duration::from_secs(1);

/// One event of the stream.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What to go on after.
    pub id: Option<String>,
    /// What it says.
    pub data: String,
}

/// A stream of order-svc.
pub struct Stream<'a> {
    client: &'a Client,
    path: String,
    answer: Option<Response>,
    read: Vec<u8>,
    last: Option<String>,
}

impl<'a> Stream<'a> {
    /// Opens it.
    ///
    /// # Errors
    /// order-svc does not answer, or there is no such stream.
    pub async fn open(client: &'a Client, path: String) -> Result<Self> {
        let answer = client.stream(Service::Order, &path, None).await?;
        Ok(Self {
            client,
            path,
            answer,
            read: Vec::new(),
            last: None,
        })
    }

    /// The next event; none once the stream has ended.
    ///
    /// # Errors
    /// order-svc does not know the stream any more.
    pub async fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some(frame) = first_frame(&mut self.read) {
                self.last = frame.id.clone().or(self.last.take());
                return Ok(Some(frame));
            }
            let Some(answer) = &mut self.answer else {
                return Ok(None);
            };
            match tokio::time::timeout(SILENCE, answer.chunk()).await {
                Ok(Ok(Some(bytes))) => self.read.extend_from_slice(&bytes),
                // The end of an answer is not the end of the stream: the service may have ended.
                Ok(Ok(None) | Err(_)) | Err(_) => self.connect_again().await,
            }
        }
    }

    async fn connect_again(&mut self) {
        self.read.clear();
        loop {
            tokio::time::sleep(AGAIN).await;
            let last = self.last.as_deref();
            // Whoever watches wants to go on watching.
            if let Ok(answer) = self.client.stream(Service::Order, &self.path, last).await {
                self.answer = answer;
                return;
            }
        }
    }
}

/// Takes the first whole frame with data out of what was read; signs of life have none.
fn first_frame(read: &mut Vec<u8>) -> Option<Frame> {
    loop {
        let end = read.windows(2).position(|pair| pair == b"\n\n")?;
        let bytes: Vec<u8> = read.drain(..end + 2).collect();
        let mut frame = Frame::default();
        for line in String::from_utf8_lossy(&bytes).lines() {
            if let Some(id) = line.strip_prefix("id: ") {
                frame.id = Some(id.to_owned());
            } else if let Some(data) = line.strip_prefix("data: ") {
                frame.data.push_str(data);
            }
        }
        if !frame.data.is_empty() {
            return Some(frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_however_they_are_cut() {
        let whole = b"retry: 2000\n\nid: 1\nevent: a\ndata: {}\n\n: alive\n\nid: 2\ndata: x\n\n";
        for cut in 0..whole.len() {
            let (mut read, mut frames) = (Vec::new(), Vec::new());
            for part in [&whole[..cut], &whole[cut..]] {
                read.extend_from_slice(part);
                frames.extend(std::iter::from_fn(|| first_frame(&mut read)));
            }
            let ids: Vec<_> = frames.iter().map(|frame| frame.id.as_deref()).collect();
            assert_eq!(ids, [Some("1"), Some("2")], "{cut}");
            assert!(read.is_empty());
        }
    }
}
