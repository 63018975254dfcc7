//! HTTP/1.1 on one connection, one request at a time: just what the driver needs. A client with
//! pools, redirects and header maps costs as much as the services that it measures, on the same
//! cores; here a request is bytes that were made before, and an answer is a status and a body.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use anyhow::{Context, Result};
use tokio::net::TcpStream;

/// Nothing that is asked for here is longer: an order, a user, an error.
const LONGEST: usize = 1 << 20;
/// Read at once: an order and its headers take a quarter of it.
const CHUNK: usize = 4096;

/// Where `http://host:port` is.
///
/// # Errors
/// It is no such URL, or nobody knows the host.
pub fn address_of(url: &str) -> Result<SocketAddr> {
    let authority = url.strip_prefix("http://").map(|rest| {
        let end = rest.find('/').unwrap_or(rest.len());
        &rest[..end]
    });
    let authority = authority.with_context(|| format!("{url} does not begin with http://"))?;
    let with_port = if authority.contains(':') {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let mut found = with_port
        .to_socket_addrs()
        .with_context(|| format!("{url} cannot be resolved"))?;
    found
        .next()
        .with_context(|| format!("{url} has no address"))
}

/// A request as it goes over the wire.
pub fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

/// A connection that is kept.
pub struct Connection {
    stream: TcpStream,
    /// What was read of the answer, from its first byte.
    read: Vec<u8>,
}

/// What was answered, as long as the connection is not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

/// Where the parts of an answer are.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    body: usize,
    end: usize,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            read: Vec::with_capacity(CHUNK),
        })
    }

    /// Sends a request and waits for its answer. After an error the connection is of no use.
    ///
    /// # Errors
    /// The connection broke, or what came is no answer of a known length.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.send(request).await?;
        self.read.clear();
        let head = loop {
            self.receive().await?;
            match head(&self.read)? {
                Some(head) if self.read.len() >= head.end => break head,
                _ => {}
            }
        };
        Ok(Answer {
            status: head.status,
            body: &self.read[head.body..head.end],
        })
    }

    async fn send(&self, mut request: &[u8]) -> io::Result<()> {
        while !request.is_empty() {
            match self.stream.try_write(request) {
                Ok(sent) => request = &request[sent..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stream.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn receive(&mut self) -> io::Result<()> {
        let mut chunk = [0; CHUNK];
        loop {
            self.stream.readable().await?;
            match self.stream.try_read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    self.read.extend_from_slice(&chunk[..read]);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The head of an answer; `None` while it is not all there.
fn head(read: &[u8]) -> io::Result<Option<Head>> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let Some(end) = find(read, b"\r\n\r\n") else {
        return if read.len() > LONGEST {
            Err(wrong("an answer without an end"))
        } else {
            Ok(None)
        };
    };
    let text = std::str::from_utf8(&read[..end]).map_err(|_| wrong("headers that are no text"))?;
    let status = text
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    let status = status.and_then(|digits| digits.parse().ok());
    let length = text.lines().skip(1).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    let body = end + 4;
    match (status, length) {
        (Some(status), Some(length)) if length <= LONGEST => Ok(Some(Head {
            status,
            body,
            end: body + length,
        })),
        (Some(_), _) => Err(wrong("an answer of unknown or too great a length")),
        (None, _) => Err(wrong("no answer of HTTP/1.1")),
    }
}

/// Where the needle begins.
pub fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len())
        .position(|window| window == needle)
}

/// The text behind `"key":"` in flat JSON that a service of ours wrote, without reading the rest.
pub fn text_of<'a>(json: &'a [u8], key: &str) -> Option<&'a str> {
    let opening = format!("\"{key}\":\"");
    let begin = find(json, opening.as_bytes())? + opening.len();
    let length = json[begin..].iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&json[begin..begin + length]).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_all_there() {
        let answer = b"HTTP/1.1 201 Created\r\nlocation: /x\r\nContent-Length: 2\r\n\r\n{}";
        for cut in 0..answer.len() - 2 {
            assert_eq!(head(&answer[..cut]).unwrap(), None, "{cut}");
        }
        let whole = head(answer).unwrap().unwrap();
        assert_eq!(
            (whole.status, &answer[whole.body..whole.end]),
            (201, &b"{}"[..])
        );
    }

    #[test]
    fn what_is_no_answer_of_known_length_is_an_error() {
        for text in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
            "SSH-2.0\r\n\r\n",
        ] {
            assert!(head(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_text_is_found_by_its_key() {
        let json = br#"{"id":"a","status":"PENDING","n":1}"#;
        assert_eq!(text_of(json, "status"), Some("PENDING"));
        assert_eq!(text_of(json, "n"), None);
        assert_eq!(text_of(br#"{"id":"a"#, "id"), None);
    }

    #[test]
    fn an_address_is_host_and_port() {
        let address = address_of("http://127.0.0.1:3000").unwrap();
        assert_eq!(address.to_string(), "127.0.0.1:3000");
        assert_eq!(address_of("http://127.0.0.1/x").unwrap().port(), 80);
        assert!(address_of("https://127.0.0.1:3000").is_err());
    }

    #[tokio::test]
    async fn a_connection_is_used_again_and_its_end_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for body in ["one", "second"] {
                let mut request = [0; 256];
                assert!(stream.read(&mut request).unwrap() > 0);
                // In two pieces, the first of which ends within the headers.
                let length = body.len();
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-").unwrap();
                write!(stream, "length: {length}\r\n\r\n{body}").unwrap();
            }
        });
        let mut connection = Connection::open(address).await.unwrap();
        let ask = request("GET", "/", "", "");
        let body = b"one".as_slice();
        assert_eq!(
            connection.ask(&ask).await.unwrap(),
            Answer { status: 200, body }
        );
        assert_eq!(connection.ask(&ask).await.unwrap().body, b"second");
        server.join().unwrap();
        assert!(connection.ask(&ask).await.is_err());
    }
}
