//! The network between a service and Redis, which can fail: cut, stalled, half-open, slow.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp::ReadHalf, tcp::WriteHalf};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::{Error, Result, free_port};

/// How the network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// It carries everything at once.
    Up,
    /// It carries everything so much later.
    Slow(Duration),
    /// It carries nothing, and keeps it until it is up again.
    Stalled,
    /// Connections that are open now are dead and nobody tells: what is sent on them is swallowed,
    /// for ever. So are those made meanwhile.
    HalfOpen,
    /// Connections are broken, and new ones end at once.
    Cut,
}

/// Carries connections to a port of this machine. Dropping it ends them.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    network: watch::Sender<Network>,
}

impl Proxy {
    /// A port that leads to another one, for as long as the Tokio runtime lives within which this is
    /// called.
    ///
    /// # Errors
    /// No port is free, or there is no Tokio runtime.
    pub fn to(target: u16) -> Result<Self> {
        let port = free_port()?;
        let cannot = |why| Error::Port { port, why };
        let runtime = Handle::try_current().map_err(|none| cannot(io::Error::other(none)))?;
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let listener = TcpListener::from_std(listener).map_err(cannot)?;
        let (network, is) = watch::channel(Network::Up);
        runtime.spawn(listen(listener, target, is));
        Ok(Self { port, network })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on the network is so.
    pub fn set(&self, network: Network) {
        self.network.send_replace(network);
    }
}

async fn listen(listener: TcpListener, target: u16, mut network: watch::Receiver<Network>) {
    loop {
        tokio::select! {
            // The proxy was dropped.
            _ = gone(&mut network) => return,
            Ok((client, _)) = listener.accept() => {
                drop(tokio::spawn(carry(client, target, network.clone())));
            }
        }
    }
}

async fn gone(network: &mut watch::Receiver<Network>) {
    while network.changed().await.is_ok() {}
}

/// One connection, for as long as both ends and the network keep it.
async fn carry(mut client: TcpStream, target: u16, network: watch::Receiver<Network>) {
    let is = *network.borrow();
    if is == Network::Cut {
        return;
    }
    let mut server = None;
    if is != Network::HalfOpen {
        // Nobody there: the client hears of it as it would without a proxy.
        let Ok(mut connected) = TcpStream::connect(("127.0.0.1", target)).await else {
            return;
        };
        for stream in [&client, &connected] {
            let _ = stream.set_nodelay(true);
        }
        if !carry_until_it_fails(&mut client, &mut connected, network.clone()).await {
            return;
        }
        // Kept open: neither end may notice.
        server = Some(connected);
    }
    swallow(client, network).await;
    drop(server);
}

/// Both ways. True: the connection is half-open from now on; false: it has ended.
async fn carry_until_it_fails(
    client: &mut TcpStream,
    server: &mut TcpStream,
    network: watch::Receiver<Network>,
) -> bool {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let mut fails = network.clone();
    tokio::select! {
        () = pump(from_client, to_server, network.clone()) => false,
        () = pump(from_server, to_client, network) => false,
        is = fails.wait_for(|is| matches!(is, Network::Cut | Network::HalfOpen)) => {
            is.is_ok_and(|is| *is == Network::HalfOpen)
        }
    }
}

/// One way, chunk by chunk.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut network: watch::Receiver<Network>,
) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        let Ok(is) = network
            .wait_for(|is| *is != Network::Stalled)
            .await
            .map(|is| *is)
        else {
            return;
        };
        if let Network::Slow(delay) = is {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}

/// Until the client gives up, or the network is cut.
async fn swallow(mut client: TcpStream, mut network: watch::Receiver<Network>) {
    let mut chunk = vec![0; 64 * 1024];
    let read_all = async { while let Ok(1..) = client.read(&mut chunk).await {} };
    tokio::select! {
        () = read_all => {}
        _ = network.wait_for(|is| *is == Network::Cut) => {}
    }
}
