//! `sagactl lab`: a system of its own to be broken by hand. It is the parent of the six services, of
//! Redis and of a network between them, so it can kill, stop, pause and cut off whatever it likes; no
//! service knows of it. It listens on 127.0.0.1 only, and answers only who has its token.

mod calls;
mod faults;
mod gateway;
mod guard;
mod heal;
mod kind;
mod live;
mod model;
mod parts;
mod picture;
mod place;
mod purchases;
mod shop;
mod token;
mod traffic;
mod witness;

use std::path::PathBuf;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use anyhow::Result;
use clap::Args;
use saga_events::Service;
use saga_local::System;
use svc_chassis::http::sse::Places;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::exit::Exit;
use crate::screen::Screen;
use crate::services::Services;
use faults::Faults;
use gateway::Gateway;
use guard::Guard;
use model::Model;
use parts::Parts;
use place::Place;
use shop::Shop;
use token::Token;
use traffic::Traffic;
use witness::Witness;

/// What `sagactl lab` can be told.
#[derive(Debug, Args)]
pub struct Options {
    /// The services listen on this port and the five after it, the lab on the tenth after it. 0: on
    /// any that are free
    #[arg(long, value_name = "FIRST", default_value_t = 3000)]
    #[arg(value_parser = clap::value_parser!(u16).range(..=i64::from(u16::MAX - place::LAB)))]
    ports: u16,
    /// Where the system's files and logs go, and stay [default: a temporary folder that is removed]
    #[arg(long, value_name = "FOLDER")]
    files: Option<PathBuf>,
}

/// All that the lab's calls work on.
pub struct Lab {
    client: Client,
    parts: Arc<Parts>,
    faults: Faults,
    gateway: Gateway,
    shop: Shop,
    traffic: Traffic,
    witness: Witness,
    model: Model,
    places: Places,
    /// Counts what has changed, so that whoever watches is told at once.
    changed: watch::Sender<u64>,
    shutdown: CancellationToken,
}

/// Runs until it is interrupted.
///
/// # Errors
/// A port is taken, a program is not there or does not start; the error says what to do.
pub async fn run(screen: &mut Screen, options: &Options) -> Result<Exit> {
    let place = Place::find(options)?;
    let mut interruptions = Interruptions::listen()?;
    screen.line("Starting Redis and the six services ...")?;
    let ran = tokio::select! {
        ran = opened(screen, &place) => ran,
        () = interruptions.next() => Ok(()),
    };
    screen.line("Ending ...")?;
    tokio::select! {
        () = place.end() => {}
        // Who asks twice does not want to wait.
        () = interruptions.next() => {}
    }
    place.system.kill_all();
    ran.map(|()| Exit::Clean)
}

async fn opened(screen: &mut Screen, place: &Place) -> Result<()> {
    place.system.start().await?;
    let lab = Lab::of(&place.system).await?;
    // Whatever ends this also ends what runs beside it.
    let mut beside = JoinSet::new();
    let _closed = Closing(lab.clone());
    let (parts, faults) = (lab.clone(), lab.clone());
    beside.spawn(async move { parts.parts.keep().await });
    beside.spawn(async move { faults.faults.heal_in_time().await });
    let (gateway, traffic, witness) = (lab.clone(), lab.clone(), lab.clone());
    beside.spawn(async move { gateway.look_at_the_gateway().await });
    beside.spawn(async move { traffic::run(traffic).await });
    beside.spawn(async move { witness.follow().await });
    let page = place.system.port(Service::Order);
    let guard = Guard::new(Token::new()?, place.port()?, page);
    let server = place.serve(lab.clone(), guard.clone())?;
    let _server = Stopping(server.handle());
    for line in place.told(guard.token()) {
        screen.line(line)?;
    }
    tokio::select! {
        ended = server => Ok(ended?),
        Some(ended) = beside.join_next() => Ok(ended?),
    }
}

impl Lab {
    async fn of(system: &Arc<System>) -> Result<Arc<Self>> {
        let services = Services::at(|service| system.url(service));
        let client = Client::new(services)?;
        let changed = watch::Sender::new(0);
        let parts = Arc::new(Parts::of(system.clone(), changed.clone()));
        Ok(Arc::new(Self {
            shop: Shop::open(&client).await?,
            faults: Faults::of(parts.clone(), changed.clone()),
            gateway: Gateway::default(),
            traffic: Traffic::default(),
            witness: Witness::default(),
            model: Model::default(),
            places: Places::default(),
            shutdown: CancellationToken::new(),
            client,
            parts,
            changed,
        }))
    }

    /// Tells whoever watches.
    fn has_changed(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}

/// Starts nothing any more, and ends the streams, when it is dropped.
struct Closing(Arc<Lab>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.parts.close();
        self.0.shutdown.cancel();
    }
}

/// Stops the server when it is dropped: what it is asked by then needs no answer.
struct Stopping(ServerHandle);

impl Drop for Stopping {
    fn drop(&mut self) {
        drop(tokio::spawn(self.0.stop(false)));
    }
}

/// Ctrl-C, a polite end from outside, or the terminal that goes away: Redis would survive that.
struct Interruptions([tokio::signal::unix::Signal; 3]);

impl Interruptions {
    fn listen() -> Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
