//! A service's life: lock the file, open it, start the parts, serve, drain.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, ResponseError, web};
use anyhow::Context;
use saga_events::Timestamp;
use saga_events::bus::Bus;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::chassis::Chassis;
use crate::config::Settings;
use crate::consumer::EventLoop;
use crate::database::Database;
use crate::event_thread::EventThread;
use crate::http::sse::Places;
use crate::http::{Hosts, Problem, Routes, edge, resource, shared_routes};
use crate::metrics::{Looks, Metrics, Scrape};
use crate::relay::{Published, Relay};
use crate::retention;
use crate::service::Service;
use crate::traces::{self, Traces};
use crate::trimmer;
use crate::writer::{Health, Writer};

/// Runs a service until SIGTERM or SIGINT.
///
/// # Errors
/// What kept it from starting, or which essential part ended.
pub(crate) async fn run<S: Service>(
    settings: Settings,
    own: S::Config,
    traces: &traces::Environment,
) -> anyhow::Result<()> {
    let address = (settings.http.host.clone(), settings.http.port);
    let listener = TcpListener::bind(&address)
        .with_context(|| format!("http.port: cannot listen on {}:{}", address.0, address.1))?;
    let shutdown = CancellationToken::new();
    cancel_on_signal(shutdown.clone())?;
    let database = Database::from_url(&settings.database.url).map_err(anyhow::Error::msg)?;
    let _lock = match database.try_lock()? {
        Some(lock) => lock,
        None => match stand_by(&database, &listener, &shutdown).await? {
            Some(lock) => lock,
            None => return Ok(()),
        },
    };
    let traces = Traces::start(traces, S::ME, &settings.instance).context("traces")?;
    let ended = serve::<S>(settings, own, traces.clone(), &database, listener, shutdown).await;
    traces.close().await;
    ended
}

async fn serve<S: Service>(
    settings: Settings,
    own: S::Config,
    traces: Traces,
    database: &Database,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let conn = database.open(&S::migrations())?;
    let readers = database.readers(settings.database.readers)?;
    let thread = EventThread::start().context("the event thread")?;
    let event_bus = thread.bus(&settings.bus, S::ME).context("bus.url")?;
    let bus = Bus::open(&settings.bus, S::ME).context("bus.url")?;
    let published = Published::default();
    let (to_relay, batches) = mpsc::unbounded_channel();
    let (to_health, health) = watch::channel(Health::Good);
    let batch_cap = settings.database.batch;
    let (writer, writer_ended) = Writer::start(&thread, conn, batch_cap, to_relay, to_health)?;
    let settings = Arc::new(settings);
    let chassis = Chassis {
        writer: writer.clone(),
        readers: readers.clone(),
        bus,
        published: published.clone(),
        settings: settings.clone(),
        shutdown: shutdown.clone(),
        metrics: Metrics::new(S::ME),
        traces,
        places: Places::default(),
        since: Timestamp::now(),
        hosts: Arc::new(Hosts::of(&settings)),
        health,
    };
    let service = Arc::new(S::open(&chassis, own)?);

    let mut parts: JoinSet<(&'static str, anyhow::Result<()>)> = JoinSet::new();
    let stop = shutdown.clone();
    let relay = Relay {
        bus: event_bus.clone(),
        readers,
        writer: writer.clone(),
        batches,
        published: published.clone(),
        patience: Duration::from_secs(1),
    };
    let relay = thread.spawn(relay.run());
    let consumer = EventLoop {
        service: service.clone(),
        bus: event_bus.clone(),
        writer: writer.clone(),
        instance: settings.instance.clone(),
        limits: settings.consumer.clone(),
        metrics: chassis.metrics.steps.clone(),
        traces: chassis.traces.clone(),
        shutdown: stop.clone(),
    };
    let consume = async move { ("consumer", consumer.run().await) };
    parts.spawn_on(consume, thread.handle());
    // Its questions notice a connection that is half-open before the relay has something to publish.
    let trim = trimmer::run(
        S::ME,
        Chassis {
            bus: event_bus,
            ..chassis.clone()
        },
    );
    parts.spawn(async move { ("trimmer", trim.await) });
    let prune = retention::run::<S>(chassis.clone());
    parts.spawn(async move { ("retention", prune.await) });
    for task in service.tasks(&chassis) {
        let run = async move { (task.name, task.run.await) };
        if task.with_events {
            parts.spawn_on(run, thread.handle());
        } else {
            parts.spawn(run);
        }
    }
    let probe = chassis.clone();
    parts.spawn(async move { ("storage probe", probe.heal_storage().await) });
    parts.spawn(async move {
        (
            "writer",
            writer_ended
                .await
                .unwrap_or_else(|_| Err(anyhow::anyhow!("it panicked"))),
        )
    });
    let looks = Arc::new(Looks::new(service.clone(), chassis.clone()));
    let scrape = Scrape::new(&*service, chassis.clone(), looks.clone(), database.path());
    let server = http_server::<S>(&chassis, &service, looks, scrape, listener)?;
    let http = server.handle();
    parts.spawn(async move { ("http", server.await.map_err(Into::into)) });
    tracing::info!(
        http.port = settings.http.port, database = %database.path().display(),
        version = env!("CARGO_PKG_VERSION"), "started"
    );

    let ended = supervise(&mut parts, &stop).await;
    shutdown.cancel();
    drain(
        http,
        &writer,
        parts,
        relay,
        Duration::from_millis(settings.http.drain_ms),
    )
    .await;
    // Where a part failed it may have been the file, and nothing more is written to that one.
    if ended.is_ok()
        && let Err(error) = database.remember_published(chassis.published.seq())
    {
        tracing::warn!(
            error = format!("{error:#}"),
            "the next start publishes a few rows twice"
        );
    }
    tracing::info!("ended");
    ended
}

/// Waits for shutdown, or for the first essential part that ends before it: the service must not
/// live on with a dead consumer.
async fn supervise(
    parts: &mut JoinSet<(&'static str, anyhow::Result<()>)>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        ended = parts.join_next() => match ended {
            Some(Ok((name, Err(error)))) => Err(error.context(format!("the {name} failed"))),
            Some(Ok((name, Ok(())))) if !shutdown.is_cancelled() => anyhow::bail!("the {name} ended"),
            Some(Err(error)) => Err(error).context("a part panicked"),
            Some(Ok(_)) | None => Ok(()),
        },
    }
}

/// Readiness is off and nothing new is read; requests in hand finish, the writer commits what
/// waits, the relay publishes what was committed.
async fn drain(
    http: ServerHandle,
    writer: &Writer,
    mut parts: JoinSet<(&'static str, anyhow::Result<()>)>,
    relay: tokio::task::JoinHandle<anyhow::Result<()>>,
    patience: Duration,
) {
    // Requests in hand need the writer, so HTTP ends first.
    if tokio::time::timeout(patience, http.stop(true))
        .await
        .is_err()
    {
        tracing::warn!("requests in hand took too long and were dropped");
        http.stop(false).await;
    }
    writer.close();
    while let Some(part) = parts.join_next().await {
        if let Ok((name, Err(error))) = part {
            tracing::error!(error = format!("{error:#}"), "the {name} failed at the end");
        }
    }
    match relay.await {
        Ok(Err(error)) => {
            tracing::error!(error = format!("{error:#}"), "the relay failed at the end")
        }
        Err(error) => tracing::error!(%error, "the relay panicked"),
        Ok(Ok(())) => {}
    }
}

fn http_server<S: Service>(
    chassis: &Chassis,
    service: &Arc<S>,
    looks: Arc<Looks<S>>,
    scrape: Scrape<S>,
    listener: TcpListener,
) -> anyhow::Result<actix_web::dev::Server> {
    let settings = chassis.settings.clone();
    let (looks, scrape) = (web::Data::from(looks), web::Data::new(scrape));
    let chassis = web::Data::new(chassis.clone());
    let service = web::Data::from(service.clone());
    let app = move || {
        App::new()
            .app_data(chassis.clone())
            .app_data(service.clone())
            .app_data(looks.clone())
            .app_data(scrape.clone())
            .configure(|app| {
                let mut routes = Routes::new(app);
                S::routes(&mut routes);
                shared_routes::<S>(&mut routes);
            })
            .wrap(from_fn(edge))
    };
    let server = HttpServer::new(app)
        .workers(settings.http.workers)
        .client_request_timeout(Duration::from_secs(5))
        // Whoever hangs up while a stream or a wait is silent would keep its place until something
        // is written.
        .h1_allow_half_closed(false)
        .shutdown_timeout(settings.http.drain_ms / 1000 + 1)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

/// Another instance works on the file: be alive but not ready until it ends. `None`: shut down
/// before it did.
async fn stand_by(
    database: &Database,
    listener: &TcpListener,
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<std::fs::File>> {
    tracing::info!(
        database = %database.path().display(),
        "another instance works on this file; standing by until it ends"
    );
    let app = || {
        let away =
            || async { Problem::unavailable("this instance", "standing by").error_response() };
        let live = || async {
            actix_web::HttpResponse::Ok().json(serde_json::json!({"status": "standing by"}))
        };
        App::new()
            .configure(|app| {
                resource("/health/live")
                    .get(live)
                    .register(&mut Routes::new(app))
            })
            .default_service(web::to(away))
            .wrap(from_fn(edge))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .disable_signals()
        .listen(listener.try_clone()?)?
        .run();
    let handle = server.handle();
    let server = tokio::spawn(server);
    let lock = loop {
        tokio::select! {
            () = shutdown.cancelled() => break None,
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
        if let Some(lock) = database.try_lock()? {
            break Some(lock);
        }
    };
    handle.stop(true).await;
    let _ = server.await;
    if lock.is_some() {
        tracing::info!("the other instance has ended; taking over");
    }
    Ok(lock)
}

fn cancel_on_signal(shutdown: CancellationToken) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("asked to end: draining");
        shutdown.cancel();
    });
    Ok(())
}
