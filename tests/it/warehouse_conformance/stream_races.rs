//! Many handlers bring the same events at once, in the same and in other cuts: each event counts once.

use std::collections::BTreeMap;

use futures::future::join_all;
use millrace::stations::warehouse::{Remedy, StreamOutcome, StreamUnit, Warehouse};
use millrace_frames::part::Row;

use super::fixture::{Stage, day};

/// The last number of each partition.
pub const LAST: u64 = 1_000;
const RACERS: usize = 6;
const LARGEST_BATCH: u64 = 40;

/// What the events of a range count.
pub fn counts(first: u64, last: u64) -> BTreeMap<(i32, &'static str), (i64, i64, f64)> {
    let mut counts: BTreeMap<(i32, &'static str), (i64, i64, f64)> = BTreeMap::new();
    for event in first..=last {
        let key = (i32::try_from(event % 3).unwrap(), if event.is_multiple_of(2) { "UA" } else { "ua" });
        let (flights, miles, worst) = counts.entry(key).or_insert((0, 0, 0.0));
        *flights += 1;
        *miles += i64::try_from(event).unwrap();
        *worst = worst.max(f64::from(u32::try_from(event * 7 % 50).unwrap()));
    }
    counts
}

pub fn rows(counts: &BTreeMap<(i32, &'static str), (i64, i64, f64)>) -> Vec<Row> {
    counts
        .iter()
        .map(|((date, carrier), (flights, miles, worst))| day(*date, carrier, *flights, *miles, *worst))
        .collect()
}

/// Two partitions of the same events, to their end.
pub fn truth() -> Vec<Row> {
    let mut counts = counts(0, LAST);
    counts.values_mut().for_each(|(flights, miles, _)| (*flights, *miles) = (*flights * 2, *miles * 2));
    rows(&counts)
}

/// Counts a partition to its end as a handler does: looks into the ledger, counts a batch from there on, and looks again
/// where it was overtaken.
pub async fn run_to_the_end(stage: &Stage<'_>, unit: &StreamUnit, seed: u64) {
    let mut state = seed;
    loop {
        let next = stage.recorded_stream(unit).await.map(|record| record.next());
        let first = next.unwrap_or(0);
        if first > LAST {
            return;
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let last = LAST.min(first + (state >> 33) % LARGEST_BATCH);
        stage.commit_stream(&stage.events(unit, next, last, vec![rows(&counts(first, last))])).await.unwrap();
    }
}

/// That many racers computed a load against one state of the ledger: one of them counts.
pub async fn of_loads_against_one_state_one_counts(warehouses: &[&dyn Warehouse]) {
    let stage = Stage::new(warehouses[0]).await;
    let unit = stage.partition("0");
    for (round, next) in [None, Some(20), Some(40)].into_iter().enumerate() {
        let first = next.unwrap_or(0);
        let race = |racer: usize| {
            // Two of them each have the same cut.
            let last = first + 10 + u64::try_from(racer / 2).unwrap();
            let load = stage.events(&unit, next, last, vec![rows(&counts(first, last))]);
            let warehouse = warehouses[racer % warehouses.len()];
            async move { (last, warehouse.commit_stream(&load).await.unwrap()) }
        };
        let outcomes = join_all((0..RACERS).map(race)).await;
        let committed: Vec<u64> = outcomes
            .iter()
            .filter(|(_, outcome)| *outcome == StreamOutcome::Committed)
            .map(|(last, _)| *last)
            .collect();
        assert_eq!(committed.len(), 1, "round {round}: {outcomes:?}");
        assert_eq!(stage.recorded_stream(&unit).await.unwrap().applied, Some(committed[0]));
        assert_eq!(stage.rows().await, rows(&counts(0, committed[0])), "round {round}");
        // The next round begins where this one might have ended.
        let to = first + 19;
        let rest = rows(&counts(committed[0] + 1, to));
        stage.add(&unit, to, rest).await;
    }
}

pub async fn batches_of_many_handlers_count_each_event_once(warehouses: &[&dyn Warehouse]) {
    let first = Stage::new(warehouses[0]).await;
    let units = [first.partition("0"), first.partition("1")];
    let stages: Vec<Stage<'_>> = (0..RACERS).map(|racer| first.on(warehouses[racer % warehouses.len()])).collect();
    let races = stages.iter().enumerate().map(|(racer, stage)| {
        // Two of them each cut alike.
        run_to_the_end(stage, &units[racer % 2], u64::try_from(racer / 4).unwrap())
    });
    join_all(races).await;
    assert_eq!(first.rows().await, truth());
    for unit in &units {
        let record = first.recorded_stream(unit).await.unwrap();
        assert_eq!((record.applied, record.events_read), (Some(LAST), LAST + 1));
    }
    assert!(first.recount(Remedy::Report).await.is_right());
}

/// The host closes a connection, a function times out: the commit may go on by itself, or be undone, and nobody hears of
/// it. Whoever comes next finds all of the batch or nothing.
pub async fn a_caller_that_goes_away_leaves_a_batch_wholly_or_not_at_all(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    // Ever later on the way.
    for polls in 1..30 {
        let next = stage.recorded_stream(&unit).await.map(|record| record.next());
        let first = next.unwrap_or(0);
        let load = stage.events(&unit, next, first + 9, vec![rows(&counts(first, first + 9))]);
        let mut commit = Box::pin(stage.commit_stream(&load));
        for _ in 0..polls {
            if futures::poll!(&mut commit).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(commit);
    }
    run_to_the_end(&stage, &unit, 1).await;
    assert_eq!(stage.rows().await, rows(&counts(0, LAST)));
    assert_eq!(stage.recorded_stream(&unit).await.unwrap().events_read, LAST + 1);
    assert!(stage.recount(Remedy::Report).await.is_right());
}
