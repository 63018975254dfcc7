//! `GET /audit` on the running system: what it says when all is quiet, while a purchase is under way,
//! while somebody is away, and when somebody has changed a book by hand.

use e2e_tests::{Answer, PATIENCE, Sale, Stage, System, eventually};
use saga_audit::{Audit, Check, CheckState, Report};
use saga_events::{OrderId, Service};
use serde_json::json;

impl Shop {
    /// A completed and a declined purchase, one that was refused, and nothing under way.
    async fn quiet() -> Self {
        let system = System::start().await;
        let (user, item) = (system.user(1_000).await, system.item(100, 10).await);
        let sale = Sale::of(user, item);
        let completed = system.buy(sale).await.id;
        system
            .buy(Sale {
                quantity: 3,
                ..sale
            })
            .await;
        system.set_gateway(json!({"approvalRate": 0})).await;
        let declined = system.buy(sale).await.id;
        let poor = system.user(1).await;
        system.buy(Sale::of(poor, item)).await;
        system.set_gateway(json!({"approvalRate": 1})).await;
        Self {
            system,
            sale,
            completed,
            declined,
        }
    }

    async fn ask(&self, query: &str) -> (u16, Audit) {
        let answer = self
            .system
            .at(Service::Order)
            .get(&format!("/audit{query}"))
            .await;
        (answer.status, answer.json())
    }

    /// The audit once nothing is under way.
    async fn settled(&self, query: &str) -> (u16, Audit) {
        let ask = async || {
            let (status, audit) = self.ask(query).await;
            let waits = |check: &&Check| check.state == CheckState::InFlight;
            match audit.checks.iter().find(waits) {
                None if audit.quiet => Ok((status, audit)),
                waits => Err(format!("{waits:?}")),
            }
        };
        eventually("the audit is quiet", PATIENCE, ask).await
    }

    /// Changes a service's book, and finds this law violated at least.
    async fn plant(&self, service: Service, sql: &str, law: &str) -> Check {
        self.system.file(service).plant(sql);
        let (status, audit) = self.ask("").await;
        assert_eq!((status, audit.ok), (503, false), "{sql}");
        let found = audit.violations().find(|check| check.id == law);
        let ids: Vec<&str> = audit.violations().map(|check| &*check.id).collect();
        found.unwrap_or_else(|| panic!("{law}: {ids:?}")).clone()
    }
}

struct Shop {
    system: System,
    sale: Sale,
    completed: OrderId,
    declined: OrderId,
}

fn violated(audit: &Audit) -> Vec<&Check> {
    audit.violations().collect()
}

#[tokio::test]
async fn a_quiet_system_keeps_every_law() {
    let shop = Shop::quiet().await;
    for query in ["", "?all=true"] {
        let (status, audit) = shop.settled(query).await;
        assert_eq!((status, audit.ok), (200, true), "{:?}", violated(&audit));
        assert_eq!((audit.purchases, &*audit.missing), (4, &[][..]));
        assert!(
            audit
                .checks
                .iter()
                .all(|check| check.state == CheckState::Holds)
        );
    }
    for service in Service::ALL {
        let answer = shop
            .system
            .at(service)
            .get("/audit?of=self")
            .await
            .expect(200);
        let report: Report = answer.json();
        assert_eq!(report.service, service);
        assert!(!report.totals.is_empty() && !report.checks.is_empty());
        assert_eq!(
            (report.open, report.unpublished, report.pending),
            (0, 0, Some(0))
        );
        let answer = shop
            .system
            .at(service)
            .get("/audit?of=self&checks=false")
            .await
            .expect(200);
        let totals: Report = answer.json();
        assert_eq!((totals.checks, totals.totals), (vec![], report.totals));
    }
}

#[tokio::test]
async fn rows_are_compared_with_the_journal_as_far_back_as_is_asked() {
    let shop = Shop::quiet().await;
    let item = shop.system.at(Service::Item);
    let unsaid = format!(
        "DELETE FROM outbox WHERE order_id = x'{}'",
        shop.completed.uuid().simple()
    );
    shop.system.file(Service::Item).run(&unsaid);
    // An entry that no row is for.
    let orphan = "UPDATE outbox SET order_id = randomblob(16) WHERE seq = \
                  (SELECT min(seq) FROM outbox)";
    shop.system.file(Service::Item).run(orphan);
    for (query, status) in [
        ("of=self", 503),
        ("of=self&since=2020-01-01T00:00:00Z", 503),
        ("of=self&since=2200-01-01T00:00:00Z", 200),
    ] {
        let answer = item.get(&format!("/audit?{query}")).await.expect(status);
        let report: Report = answer.json();
        let broken = report.checks.iter().filter(|check| check.is_violated());
        // A row that was not said, and an entry without a row.
        let expected = if status == 503 { 2 } else { 0 };
        assert_eq!(broken.count(), expected, "{query}: {:?}", report.checks);
    }
}

#[tokio::test]
async fn a_purchase_under_way_is_no_violation_and_sums_wait() {
    let shop = Shop::quiet().await;
    let order = Stage::Authorizing.halt(&shop.system, shop.sale).await;
    let (status, audit) = shop.ask("").await;
    assert_eq!(
        (status, audit.ok, audit.quiet),
        (200, true, false),
        "{:?}",
        violated(&audit)
    );
    let state = |id: &str| {
        audit
            .checks
            .iter()
            .find(|check| check.id == id)
            .unwrap()
            .state
    };
    for sum in saga_audit::sums::SUMS {
        assert_eq!(state(sum.id), CheckState::InFlight, "{}", sum.id);
    }
    assert_eq!(state("paying"), CheckState::Holds);
    let report: Report = shop.system.at(Service::User).get("/audit").await.json();
    assert_eq!(report.open, 1);
    Stage::Authorizing.resume(&shop.system).await;
    shop.system
        .until_state(Service::Order, order, "COMPLETED")
        .await;
    assert!(shop.settled("").await.1.ok);
}

#[tokio::test]
async fn who_is_away_is_named_and_the_others_are_judged() {
    let shop = Shop::quiet().await;
    shop.settled("").await;
    shop.system.kill(Service::Item);
    let (status, audit) = shop.ask("?all=true").await;
    assert_eq!((status, audit.ok, audit.quiet), (503, false, false));
    assert_eq!(audit.missing, [Service::Item]);
    assert_eq!(audit.purchases, 4);
    assert!(violated(&audit).is_empty(), "{:?}", violated(&audit));
    let told = audit
        .checks
        .iter()
        .find(|check| check.id == "order-completed")
        .unwrap();
    assert_eq!(told.state, CheckState::Holds);
    shop.system.restart(Service::Item).await;
    assert_eq!(shop.settled("").await.0, 200);
}

#[tokio::test]
async fn what_is_planted_in_a_running_system_is_found_and_named() {
    let shop = Shop::quiet().await;
    shop.settled("").await;
    let (user, completed) = (shop.sale.user, shop.completed);

    let minted = "UPDATE users SET available = available + 1";
    let check = shop.plant(Service::User, minted, "users-money").await;
    assert!(
        check.subject.is_some() && check.difference == Some(1),
        "{check:?}"
    );
    let own = shop.system.at(Service::User).get("/audit").await;
    assert_eq!(own.status, 503, "its own audit says so, too");
    shop.system
        .file(Service::User)
        .plant("UPDATE users SET available = available - 1");

    let hex = |order: OrderId| order.to_string().replace('-', "");
    let released = format!(
        "UPDATE holds SET state = 'Released', reason_code = 'PAYMENT_DECLINED', \
         failed_step = 'payment-svc' WHERE order_id = x'{}'",
        hex(completed)
    );
    let check = shop
        .plant(Service::Item, &released, "order-completed")
        .await;
    assert_eq!(check.orders, [completed]);
    assert_eq!(check.left[0].name, "order-svc");
    assert_eq!(check.right[0].name, "item-svc");
    let back = released.replace("'Released'", "'Confirmed'");
    shop.system.file(Service::Item).plant(&back);

    let charged = format!(
        "INSERT INTO charges VALUES (x'{}', 100, 'Approved', 'sim-1', 0) \
         ON CONFLICT DO UPDATE SET answer = 'Approved'",
        hex(shop.declined)
    );
    shop.system.gateway_book().plant(&charged);
    let (_, audit) = shop.ask("").await;
    let ids: Vec<&str> = audit.violations().map(|check| &*check.id).collect();
    assert_eq!(ids, ["payments-charged", "money-charged"], "of user {user}");
    let check = audit.violations().next().unwrap();
    assert_eq!(
        (&*check.orders, check.difference),
        (&[shop.declined][..], Some(-100))
    );
}

#[tokio::test]
async fn a_sum_that_does_not_hold_names_the_orders_however_old_they_are() {
    let shop = Shop::quiet().await;
    shop.settled("").await;
    // As if it was an hour ago: nothing is new, so only the sums tell that something is wrong.
    for service in Service::ALL {
        shop.system
            .file(service)
            .plant("UPDATE outbox SET time = time - 3600000000");
    }
    assert_eq!(shop.ask("").await.1.purchases, 0);
    let forgotten = format!(
        "UPDATE notifications SET kind = 'Cancelled' WHERE order_id = x'{}'",
        shop.completed.to_string().replace('-', "")
    );
    let check = shop
        .plant(Service::Notify, &forgotten, "told-completed")
        .await;
    assert_eq!(
        (&*check.orders, check.difference),
        (&[shop.completed][..], Some(-1))
    );
}

#[tokio::test]
async fn rows_are_found_by_their_ids_and_by_when_something_was_said() {
    let shop = Shop::quiet().await;
    shop.settled("").await;
    let ids = |answer: Answer| -> Vec<OrderId> {
        let rows: Vec<saga_audit::SagaRow> = answer.expect(200).field("sagas");
        rows.into_iter().map(|row| row.order_id).collect()
    };
    let at = shop.system.at(Service::Order);
    let nobody = OrderId::new();
    let path = format!(
        "/sagas?orders={},{nobody},{}",
        shop.declined, shop.completed
    );
    assert_eq!(ids(at.get(&path).await), [shop.declined, shop.completed]);
    let all = ids(at.get("/sagas?changedSince=2020-01-01T00:00:00Z").await);
    assert_eq!(all.len(), 4);
    let two = ids(at
        .get("/sagas?changedSince=2020-01-01T00:00:00Z&limit=2")
        .await);
    assert_eq!(two, all[..2]);
    assert_eq!(
        ids(at.get("/sagas?changedSince=2200-01-01T00:00:00Z").await),
        []
    );
    for query in [
        "orders=no-uuid",
        "orders=",
        "orders=2438cbe6-17c8-5bd7-a217-1fa0a8147719&limit=2",
        "changedSince=yesterday",
        "changedSince=2020-01-01T00:00:00Z&state=PENDING",
        "changedSince=2020-01-01T00:00:00Z&limit=10001",
        "limit=1001",
    ] {
        at.get(&format!("/sagas?{query}")).await.expect(400);
    }
    for query in [
        "of=others",
        "checks=false",
        "since=2020-01-01T00:00:00Z",
        "of=self&since=yesterday",
        "of=self&all=true",
        "all=perhaps",
        "deep=1",
    ] {
        at.get(&format!("/audit?{query}")).await.expect(400);
    }
}
