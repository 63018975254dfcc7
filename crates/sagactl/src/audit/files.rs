//! The audit of six database files, read-only, with the services' own store functions. Nobody may
//! work on them meanwhile: six files are one state of the system only while they stand still.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use payment_svc::gateway::{self, Unknown};
use saga_audit::{Audit, Judge, LOOKS, Look, Report, Rounds, SagaRow};
use saga_events::{OrderId, Service, Timestamp};
use svc_chassis::audit::{Asked, Beyond};

use crate::exit::Unreachable;

/// Rows of each service that are judged at once.
const PAGE: i64 = 1000;
/// Laws about what the bus has: files do not tell.
const OF_THE_BUS: [&str; 2] = ["everything-published", "everything-acknowledged"];

/// Six files, and the simulated gateway's own.
pub struct Files {
    of_services: BTreeMap<Service, PathBuf>,
    gateway_book: PathBuf,
}

/// Calls a function of a service's crate, which it names by its type.
macro_rules! of {
    ($service:expr, $call:ident) => {
        match $service {
            Service::Order => $call::<order_svc::OrderSvc>,
            Service::User => $call::<user_svc::UserSvc>,
            Service::Inventory => $call::<inventory_svc::InventorySvc>,
            Service::Item => $call::<item_svc::ItemSvc>,
            Service::Payment => $call::<payment_svc::PaymentSvc>,
            Service::Notify => $call::<notify_svc::NotifySvc>,
        }
    };
}

impl Files {
    /// In a folder, or one by one in the order of the line.
    ///
    /// # Errors
    /// A file is not there.
    pub fn find(paths: &[PathBuf], gateway_book: Option<&Path>) -> Result<Self> {
        let of_services: BTreeMap<Service, PathBuf> = match paths {
            [folder] => Service::ALL
                .into_iter()
                .map(|service| (service, in_folder(folder, service)))
                .collect(),
            six if six.len() == Service::ALL.len() => {
                Service::ALL.into_iter().zip(six.iter().cloned()).collect()
            }
            some => bail!("--files takes a folder or six files, not {}", some.len()),
        };
        let gateway_book = match gateway_book {
            Some(book) => book.to_owned(),
            None => of_services[&Service::Payment].with_file_name("gateway.db"),
        };
        for path in of_services.values().chain([&gateway_book]) {
            if !path.is_file() {
                return Err(Unreachable(format!("there is no file {}", path.display())).into());
            }
        }
        Ok(Self {
            of_services,
            gateway_book,
        })
    }

    /// Reads all and judges; what was said is looked for only as long as it is kept. And says of
    /// which outboxes some rows are not known to be published.
    ///
    /// # Errors
    /// A file cannot be read, or a service works on it.
    pub async fn audit(&self, journal_kept: Duration) -> Result<(Audit, Vec<(Service, i64)>)> {
        let mut open = BTreeMap::new();
        let mut locks = Vec::new();
        for (service, path) in &self.of_services {
            locks.extend(undisturbed(*service, path)?);
            open.insert(*service, connect(path)?);
        }
        let asked = Asked::at(Timestamp::now(), true).journal_kept(journal_kept);
        let mut reports = Vec::new();
        let mut waiting = Vec::new();
        for (service, conn) in &mut open {
            let remembered = of!(service, report)(conn, &asked, None);
            let remembered = remembered.with_context(|| self.unreadable(*service))?;
            if remembered.unpublished > 0 {
                waiting.push((*service, remembered.unpublished));
            }
            // How far the relay has come is remembered lazily, so what is said to be unpublished
            // means nothing here; the rows that it is about are judged all the same.
            reports.push(Report {
                published: remembered.last_seq,
                unpublished: 0,
                ..remembered
            });
        }
        let statement = self.statement(&mut open, &asked).await;
        for report in &mut reports {
            if report.service == Service::Payment {
                report.totals.extend(statement.totals.clone());
                report.checks.extend(statement.checks.clone());
            }
        }
        let mut judge = Judge::default();
        self.look_at_all(&mut judge, &mut open)?;
        let mut audit = judge.conclude(&Rounds::new(reports));
        audit
            .checks
            .retain(|check| !OF_THE_BUS.contains(&&*check.id));
        drop(locks);
        Ok((audit, waiting))
    }

    /// All purchases that any service knows, some at a time, in the order of their ids.
    fn look_at_all(
        &self,
        judge: &mut Judge,
        open: &mut BTreeMap<Service, SqliteConnection>,
    ) -> Result<()> {
        let mut after = None;
        loop {
            let mut pages: BTreeMap<Service, Vec<SagaRow>> = BTreeMap::new();
            for (service, conn) in &mut *open {
                let rows = of!(service, sagas)(conn, after);
                let rows = rows.with_context(|| self.unreadable(*service))?;
                pages.insert(*service, rows);
            }
            // Up to where everybody's page reaches.
            let full = pages.values().filter(|rows| is_full(rows));
            let until = full
                .filter_map(|rows| rows.last())
                .map(|row| row.order_id)
                .min();
            let look = |service: Service| {
                let rows = pages.get(&service).into_iter().flatten();
                let rows = rows.filter(|row| until.is_none_or(|until| row.order_id <= until));
                Look {
                    service,
                    rows: rows.map(|row| (row.order_id, row.clone())).collect(),
                }
            };
            judge.look(&LOOKS.map(look));
            match until {
                Some(until) => after = Some(until),
                None => return Ok(()),
            }
        }
    }

    /// The payments against the gateway's book.
    async fn statement(
        &self,
        open: &mut BTreeMap<Service, SqliteConnection>,
        asked: &Asked,
    ) -> Beyond {
        use gateway::statement::{PAGE, compare};

        let Some(conn) = open.get_mut(&Service::Payment) else {
            return Beyond::default();
        };
        let conn = Mutex::new(conn);
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        let payments = |after| {
            let mut conn = conn
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let page = payment_svc::store::audit::stated(&mut conn, after, limit);
            std::future::ready(page.map_err(Into::into))
        };
        let charges = |after| {
            let page = gateway::simulated::statement(&self.gateway_book, after, PAGE);
            std::future::ready(page.map_err(|error| Unknown::Failed(format!("{error:#}"))))
        };
        compare(payments, charges, asked.checks).await
    }

    fn unreadable(&self, service: Service) -> Unreachable {
        let path = self.of_services[&service].display();
        Unreachable(format!(
            "{path} is no database of {service} as this version knows it"
        ))
    }
}

fn in_folder(folder: &Path, service: Service) -> PathBuf {
    let name = format!("{service}.db");
    let beside = folder.join(&name);
    if beside.is_file() {
        return beside;
    }
    folder.join(service.as_str()).join(name)
}

/// Keeps the service from starting meanwhile.
fn undisturbed(service: Service, path: &Path) -> Result<Option<File>> {
    let Ok(lock) = File::open(path.with_extension("lock")) else {
        // A copy: nobody works on it.
        return Ok(None);
    };
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => {
            let path = path.display();
            let why = format!("{service} works on {path}: stop it, or audit without --files");
            Err(Unreachable(why).into())
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{}", path.display()))
        }
    }
}

fn connect(path: &Path) -> Result<SqliteConnection> {
    let unreadable = || Unreachable(format!("{} cannot be read", path.display()));
    // In a URI these would mean something else.
    let text = path.to_str().filter(|text| !text.contains(['?', '#', '%']));
    let text = text.ok_or_else(unreadable)?;
    let conn = SqliteConnection::establish(&format!("file:{text}?mode=ro"));
    let mut conn = conn.with_context(unreadable)?;
    // One transaction for all that is read; a reader never writes, not even a checkpoint.
    conn.batch_execute("PRAGMA busy_timeout = 5000; PRAGMA query_only = ON; BEGIN")
        .with_context(unreadable)?;
    Ok(conn)
}

fn report<S: svc_chassis::Service>(
    conn: &mut SqliteConnection,
    asked: &Asked,
    published: Option<i64>,
) -> QueryResult<Report> {
    svc_chassis::audit::report::<S>(conn, asked, published)
}

fn sagas<S: svc_chassis::Service>(
    conn: &mut SqliteConnection,
    after: Option<OrderId>,
) -> QueryResult<Vec<SagaRow>> {
    S::sagas(conn, after, None, PAGE)
}

fn is_full(rows: &[SagaRow]) -> bool {
    i64::try_from(rows.len()).unwrap_or(i64::MAX) >= PAGE
}
