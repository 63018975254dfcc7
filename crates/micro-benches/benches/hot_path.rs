//! See the crate's README.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use item_svc::saga::{Item, ItemSaga};
use micro_benches::{Shop, reserved};
use saga_events::{Amount, Event, ItemId};
use svc_chassis::participant::step;

fn envelope(criterion: &mut Criterion) {
    let event = reserved(ItemId::new()).unwrap();
    let json = event.encode().unwrap();
    let mut group = criterion.benchmark_group("envelope");
    group.throughput(Throughput::Bytes(json.len() as u64));
    group.bench_function("encode", |bench| {
        bench.iter(|| black_box(&event).encode().unwrap());
    });
    group.bench_function("decode", |bench| {
        bench.iter(|| Event::decode(black_box(&json)).unwrap());
    });
    group.finish();
}

fn steps(criterion: &mut Criterion) {
    let event = reserved(ItemId::new()).unwrap();
    let book = Item {
        price: Amount::new(100).unwrap(),
        available: 10,
        held: 0,
        sold: 0,
        withdrawn: false,
    };
    criterion.bench_function("step/reserve", |bench| {
        bench.iter(|| step::<ItemSaga>(None, black_box(&event.message), Some(black_box(&book))));
    });
}

fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch");
    for size in [1, 8, 64, 512] {
        let mut shop = Shop::with_items(500).unwrap();
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(size.to_string(), |bench| {
            let shop = std::cell::RefCell::new(&mut shop);
            bench.iter_batched(
                || shop.borrow_mut().orders(size).unwrap(),
                |orders| assert_eq!(shop.borrow_mut().batch(orders).unwrap(), size),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(hot_path, envelope, steps, batches);
criterion_main!(hot_path);
