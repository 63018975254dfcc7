//! A purchase is one trace: the caller's request, each step of each service, each call of the gateway
//! is a span of it, child of what caused it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use e2e_tests::{
    Answer, Builder, Collector, Exported, PATIENCE, Sale, Stage, System, Traced, eventually,
    free_port,
};
use reqwest::Method;
use saga_events::bus::stream;
use saga_events::{LINE, OrderId, Service};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A system in which nothing is said again, however slow the machine is.
fn calm(collector: &Collector) -> Builder {
    System::with()
        .exporting_to(&collector.endpoint())
        .set(Service::Order, "SAGA__ORDER__FIRST_REPEAT_MS", 50_000)
        .set(Service::Order, "SAGA__ORDER__MAX_REPEAT_MS", 50_000)
}

/// Buys as part of a trace of the caller's, and waits until that is over for everybody.
async fn buy_traced(system: &System, sale: Sale, traceparent: &str) -> Answer {
    let client = system.at(Service::Order);
    let request = client.request(Method::POST, "/orders").json(&sale.body());
    let request = request
        .header("traceparent", traceparent)
        .header("Prefer", "wait=30");
    let answer = client.send(request).await.expect(201);
    system.until_closed().await;
    system.until_read().await;
    answer
}

async fn buyer(system: &System) -> Sale {
    Sale::of(system.user(1_000).await, system.item(10, 10).await)
}

/// What all six journals have of an order.
fn journals(system: &System, order: OrderId) -> Vec<Traced> {
    let of_one = |service| system.file(service).traced(order);
    Service::ALL.into_iter().flat_map(of_one).collect()
}

/// A span for the request, for each event and each of its consumers, and for the gateway.
fn expected(journals: &[Traced], gateway: &[&str]) -> Vec<(String, String)> {
    let request = (Service::Order, "POST /orders".to_owned());
    let steps = journals.iter().flat_map(|said| {
        let consumers = said.event_type.spec().consumers.iter();
        consumers.map(|consumer| (*consumer, format!("process {}", said.event_type)))
    });
    let calls = gateway
        .iter()
        .map(|call| (Service::Payment, (*call).to_owned()));
    let all = std::iter::once(request).chain(steps).chain(calls);
    let mut all: Vec<_> = all.map(|(by, name)| (by.to_string(), name)).collect();
    all.sort();
    all
}

/// Waits until exactly these spans of the trace have come.
async fn until_exported(
    collector: &Collector,
    trace: &str,
    expected: &[(String, String)],
) -> Vec<Exported> {
    let ask = async || {
        let spans = collector.trace(trace);
        let mut titles: Vec<_> = spans.iter().map(Exported::title).collect();
        titles.sort_unstable();
        let is_all = titles.iter().copied().eq(expected
            .iter()
            .map(|(by, name)| (by.as_str(), name.as_str())));
        is_all.then_some(spans.clone()).ok_or(format!("{titles:?}"))
    };
    eventually(&format!("exported: {expected:?}"), PATIENCE, ask).await
}

/// One tree: no id twice, one root, each child of a span that is there and began before it.
fn check_tree(spans: &[Exported], caller: &str) {
    let by_id: BTreeMap<&str, &Exported> = spans.iter().map(|span| (&*span.id, span)).collect();
    assert_eq!(by_id.len(), spans.len(), "an id twice: {spans:#?}");
    for span in spans {
        assert!(span.began <= span.ended, "{span:?}");
        match by_id.get(&*span.parent) {
            Some(parent) => assert!(parent.began <= span.began, "{span:?} before {parent:?}"),
            None => assert_eq!((&*span.parent, &*span.name), (caller, "POST /orders")),
        }
    }
    let roots = spans
        .iter()
        .filter(|span| !by_id.contains_key(&*span.parent));
    assert_eq!(roots.count(), 1, "{spans:#?}");
}

/// The tree is that of the causes in the journals: an event is said in a span of the trace, and
/// whoever applies it does so in a child of that.
fn check_causes(spans: &[Exported], journals: &[Traced]) {
    for said in journals {
        let [_, trace, span, _]: [&str; 4] = said
            .traceparent
            .split('-')
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        assert!(
            spans
                .iter()
                .any(|of| (&*of.trace, &*of.id) == (trace, span)),
            "{said:?} was said in none of {spans:#?}"
        );
        let id = said.event_id.to_string();
        let applied = |of: &&Exported| of.attributes.get("messaging.message.id") == Some(&id);
        for step in spans.iter().filter(applied) {
            assert_eq!(step.parent, span, "{step:?} of {said:?}");
        }
    }
}

#[tokio::test]
async fn a_completed_purchase_is_one_trace_with_every_step_as_a_span() {
    let collector = Collector::listen(0).await;
    let system = calm(&collector).start().await;
    let sale = buyer(&system).await;
    let answer = buy_traced(&system, sale, &format!("00-{TRACE}-{CALLER}-01")).await;
    assert_eq!(answer.field::<String>("status"), "COMPLETED");
    let journals = journals(&system, answer.field("id"));
    assert_eq!(journals.len(), 11);
    let expected = expected(&journals, &["charge gateway"]);
    assert_eq!(expected.len(), 12, "{expected:?}");
    let spans = until_exported(&collector, TRACE, &expected).await;
    check_tree(&spans, CALLER);
    check_causes(&spans, &journals);
    assert!(spans.iter().all(|span| span.error.is_none()), "{spans:#?}");

    let request = spans.iter().find(|span| span.name == "POST /orders");
    let request = request.unwrap();
    assert_eq!(request.attributes["http.route"], "/orders");
    assert_eq!(request.attributes["http.response.status_code"], "201");
    assert_eq!(request.resource["service.instance.id"], "order-svc-1");
    assert!(request.resource.contains_key("service.version"));
    let step = spans
        .iter()
        .find(|span| span.name == "process item.reserved");
    let step = step.unwrap();
    assert_eq!(step.attributes["order.id"], answer.field::<String>("id"));
    assert_eq!(step.attributes["outcome"], "changed");
    let call = spans
        .iter()
        .find(|span| span.name == "charge gateway")
        .unwrap();
    assert_eq!(call.parent, step.id);
    assert_eq!(call.attributes["gateway.answer"], "Approved");

    // All of it once more: it is seen that it came, but nothing happens, and nothing is its child.
    let mut copies = Vec::new();
    for spec in LINE.iter().filter(|spec| !spec.consumers.is_empty()) {
        let key = stream(0, spec.event_type);
        let words = ["XRANGE", &key, "-", "+"];
        let entries: Vec<(String, Vec<String>)> = system.redis().ask_words(&words).await;
        copies.extend(
            entries
                .into_iter()
                .map(|(_, fields)| (spec.event_type, fields)),
        );
    }
    for (event_type, fields) in &copies {
        system.plant(*event_type, &fields[0], &fields[1]).await;
    }
    system.until_read().await;
    let ask = async || match collector.trace(TRACE) {
        spans if spans.len() == expected.len() + copies.len() => Ok(spans),
        spans => Err(format!("{} spans", spans.len())),
    };
    let spans = eventually("the copies are exported", PATIENCE, ask).await;
    check_tree(&spans, CALLER);
    let again = spans.iter().filter(|span| {
        let outcome = span.attributes.get("outcome");
        outcome.is_some_and(|outcome| outcome == "duplicate")
    });
    assert_eq!(again.count(), copies.len());
}

#[tokio::test]
async fn a_purchase_that_is_undone_is_one_trace_there_and_back() {
    let collector = Collector::listen(0).await;
    let system = calm(&collector)
        .set(Service::Payment, "SAGA__GATEWAY__APPROVAL_RATE", "0.0")
        .start()
        .await;
    let sale = buyer(&system).await;
    let answer = buy_traced(&system, sale, &format!("00-{TRACE}-{CALLER}-01")).await;
    assert_eq!(answer.field::<String>("status"), "CANCELLED");
    let journals = journals(&system, answer.field("id"));
    let expected = expected(&journals, &["charge gateway"]);
    let spans = until_exported(&collector, TRACE, &expected).await;
    check_tree(&spans, CALLER);
    check_causes(&spans, &journals);
}

#[tokio::test]
async fn what_is_said_again_and_what_failed_is_in_the_trace_too() {
    let collector = Collector::listen(0).await;
    let system = System::with()
        .exporting_to(&collector.endpoint())
        .repeating_quickly()
        .start()
        .await;
    let sale = buyer(&system).await;
    let order = Stage::Authorizing.halt(&system, sale).await;
    let trace = journals(&system, order)[0].traceparent[3..35].to_owned();
    let until = async |service: Service, name: &str| {
        let ask = async || {
            let spans = collector.trace(&trace);
            let found = spans
                .into_iter()
                .find(|span| span.title() == (service.as_str(), name));
            found.ok_or("it is not")
        };
        eventually(&format!("{name:?} is exported"), PATIENCE, ask).await
    };
    let charge = until(Service::Payment, "charge gateway").await;
    let why = "the gateway did not answer in time";
    assert_eq!(charge.error.as_deref(), Some(why));
    until(Service::Order, "send order.created").await;
    system.cancel(order).await.expect(202);
    until(Service::Order, "send order.cancel.requested").await;

    Stage::Authorizing.resume(&system).await;
    system.ended(order).await;
    system.until_closed().await;
    system.until_read().await;
    // All that was said, the repeats included, was said in a span that is there.
    let ask = async || {
        let (spans, journals) = (collector.trace(&trace), journals(&system, order));
        let is_there = |said: &Traced| spans.iter().any(|of| of.id == said.traceparent[36..52]);
        let missing: Vec<_> = journals.iter().filter(|said| !is_there(said)).collect();
        match missing.is_empty()
            && spans
                .iter()
                .all(|of| of.parent.is_empty() || spans.iter().any(|parent| parent.id == of.parent))
        {
            true => Ok(spans.clone()),
            false => Err(format!("{missing:?}")),
        }
    };
    let spans = eventually("all is exported", PATIENCE, ask).await;
    check_tree(&spans, "");
}

#[tokio::test]
async fn a_trace_that_nobody_keeps_is_not_exported() {
    let collector = Collector::listen(0).await;
    let system = calm(&collector)
        .set_for_all("OTEL_TRACES_SAMPLER", "parentbased_always_off")
        .start()
        .await;
    let sale = buyer(&system).await;
    let answer = buy_traced(&system, sale, &format!("00-{TRACE}-{CALLER}-00")).await;
    assert_eq!(answer.field::<String>("status"), "COMPLETED");
    assert_eq!(journals(&system, answer.field("id")).len(), 11);
    // Begun here, where none is kept.
    assert!(system.buy(sale).await.is_completed());
    // A caller's that is kept comes after them all.
    let other = TRACE.replace('4', "5");
    let answer = buy_traced(&system, sale, &format!("00-{other}-{CALLER}-01")).await;
    let expected = expected(&journals(&system, answer.field("id")), &["charge gateway"]);
    until_exported(&collector, &other, &expected).await;
    assert_eq!(collector.len(), expected.len());
}

#[tokio::test]
async fn a_collector_that_is_away_disturbs_nobody_and_is_found_again() {
    const AWAY: &str = "does not take spans";
    const BACK: &str = "takes spans again";
    let port = free_port();
    let system = System::with()
        .exporting_to(&format!("http://127.0.0.1:{port}"))
        .start()
        .await;
    let sale = buyer(&system).await;
    for _ in 0..3 {
        assert!(system.buy(sale).await.is_completed());
    }
    for service in Service::ALL {
        system.until_logged(service, AWAY).await;
    }
    assert!(system.buy(sale).await.is_completed());
    // Nor does anybody wait for it at the end.
    let began = Instant::now();
    assert!(system.terminate(Service::Notify).await.success());
    assert!(began.elapsed() < Duration::from_secs(10));
    system.restart(Service::Notify).await;

    let collector = Collector::listen(port).await;
    let ask = async || {
        let bought = system.buy(sale).await;
        let spans = collector.len();
        (spans > 0 && bought.is_completed())
            .then_some(())
            .ok_or("no span came")
    };
    eventually("spans are taken again", PATIENCE, ask).await;
    system.until_logged(Service::Order, BACK).await;
    let log = system.log(Service::Order);
    let lines = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!((lines(AWAY), lines(BACK)), (1, 1), "{log}");
}

#[tokio::test]
async fn binaries_that_cannot_export_say_so_and_run() {
    let system = System::with()
        .set_for_all("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        .start()
        .await;
    let sale = buyer(&system).await;
    assert!(system.buy(sale).await.is_completed());
    for service in Service::ALL {
        let log = system.log(service);
        let said = log.lines().filter(|line| line.contains("svc-chassis/otel"));
        assert_eq!(said.count(), 1, "{log}");
    }
}
