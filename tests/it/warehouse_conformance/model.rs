//! Random histories against a plain model: after every step each summary equals the merge, over every unit, of its
//! parts.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use millrace::stations::warehouse::{Outcome, Remedy, StreamOutcome, Warehouse};
use millrace_frames::part::{Row, Value};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::fixture::{Stage, day, days, unique};

const HISTORIES: usize = 32;

#[derive(Clone, Debug)]
enum Step {
    /// Lands a version and counts it.
    Count { file: usize, version: usize, parts: [Vec<Row>; 3] },
    /// Counts a version that may not be the landed one.
    Stale { file: usize, version: usize, parts: [Vec<Row>; 3] },
    /// Deletes a file, as retention does.
    Delete { file: usize },
    /// Takes a file's counts back.
    Retract { file: usize },
    /// Lets a retracted file count again.
    Restore { file: usize },
    /// Counts the next events of a stream.
    Stream { partition: usize, events: u64, parts: [Vec<Row>; 3] },
    /// Counts them as somebody does who looked into the ledger so many events ago, or too far ahead.
    StaleStream { partition: usize, behind: u64, parts: [Vec<Row>; 3] },
    /// Changes the feed's meaning; its units keep their parts until they are replaced.
    Migrate,
}

/// What the ledger and the landing container ought to hold.
#[derive(Default)]
struct Model {
    landed: BTreeMap<usize, usize>,
    /// Version, generation, parts.
    counted: BTreeMap<usize, (usize, i64, [Vec<Row>; 3])>,
    /// Files whose version in `counted` is retracted: it has no parts there.
    retracted: BTreeSet<usize>,
    /// The number that is due next, and all that was counted until then.
    streams: BTreeMap<usize, (u64, [Vec<Row>; 3])>,
}

impl Model {
    fn count(&mut self, file: usize, version: usize, generation: i64, parts: &[Vec<Row>; 3]) -> &'static str {
        let ledger = self.counted.get(&file).map(|(version, generation, _)| (*version, *generation));
        if self.retracted.contains(&file) && ledger.is_some_and(|(counted, _)| counted == version) {
            return "retracted";
        }
        if ledger == Some((version, generation)) {
            return "already applied";
        }
        match (self.landed.get(&file), ledger) {
            (Some(landed), _) if *landed == version => {
                self.counted.insert(file, (version, generation, parts.clone()));
                self.retracted.remove(&file);
                "committed"
            }
            (None, Some((counted, _))) if counted == version => "already applied",
            (None, None) => "gone",
            _ => "superseded",
        }
    }

    fn retract(&mut self, file: usize) {
        if let Some((_, _, parts)) = self.counted.get_mut(&file) {
            *parts = Default::default();
            self.retracted.insert(file);
        }
    }

    fn restore(&mut self, file: usize) {
        if self.retracted.remove(&file) {
            self.counted.remove(&file);
        }
    }

    fn stream(&mut self, partition: usize, events: u64, parts: &[Vec<Row>; 3]) {
        let (next, counted) = self.streams.entry(partition).or_default();
        *next += events;
        for (counted, new) in counted.iter_mut().zip(parts) {
            counted.extend_from_slice(new);
        }
    }

    /// The merge of the parts that count into a table.
    fn summary(&self, parts_of_table: &[usize]) -> Vec<Row> {
        let mut merged: BTreeMap<(i32, String), Row> = BTreeMap::new();
        let of_files = self.counted.values().map(|(_, _, parts)| parts);
        let units = of_files.chain(self.streams.values().map(|(_, parts)| parts));
        for row in units.flat_map(|parts| parts_of_table.iter().flat_map(|part| &parts[*part])) {
            let [Value::Date(days), Value::Text(carrier), ..] = row.as_slice() else { unreachable!("a row of days") };
            let total = merged.entry((*days, carrier.clone()));
            total.and_modify(|total| add(total, row)).or_insert_with(|| row.clone());
        }
        merged.into_values().collect()
    }
}

/// `flights`, `miles` and `fares` by sum, `worst` by max, `earliest` by min, nulls ignored.
fn add(total: &mut Row, row: &Row) {
    for (position, value) in row.iter().enumerate().skip(2) {
        total[position] = match (&total[position], value) {
            (known, Value::Null) => known.clone(),
            (Value::Null, new) => new.clone(),
            (Value::Int64(known), Value::Int64(new)) => Value::Int64(known + new),
            (Value::Float64(known), Value::Float64(new)) => Value::Float64(known.max(*new)),
            (Value::Decimal { units: known, scale: 2 }, Value::Decimal { units: new, .. }) => {
                Value::Decimal { units: known + new, scale: 2 }
            }
            (Value::Decimal { units: known, scale }, Value::Decimal { units: new, .. }) => {
                Value::Decimal { units: *known.min(new), scale: *scale }
            }
            other => unreachable!("a row of days holds no {other:?}"),
        };
    }
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let measures = (0..100_i64, prop::option::of(-1_000..1_000_i64), prop::option::of(-50..50_i32));
    let carriers = prop::sample::select(vec!["UA", "ua", "AA"]);
    prop::collection::btree_map((0..2_i32, carriers), measures, 0..5).prop_map(|rows| {
        let rows = rows
            .into_iter()
            .map(|((days, carrier), (flights, miles, worst))| day(days, carrier, flights, miles, worst.map(f64::from)));
        rows.collect()
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let counted = || (0..3_usize, 0..3_usize, [rows(), rows(), rows()]);
    let step = prop_oneof![
        6 => counted().prop_map(|(file, version, parts)| Step::Count { file, version, parts }),
        2 => counted().prop_map(|(file, version, parts)| Step::Stale { file, version, parts }),
        4 => (0..2_usize, 1..5_u64, [rows(), rows(), rows()])
            .prop_map(|(partition, events, parts)| Step::Stream { partition, events, parts }),
        1 => (0..2_usize, 0..5_u64, [rows(), rows(), rows()])
            .prop_map(|(partition, behind, parts)| Step::StaleStream { partition, behind, parts }),
        1 => (0..3_usize).prop_map(|file| Step::Delete { file }),
        2 => (0..3_usize).prop_map(|file| Step::Retract { file }),
        1 => (0..3_usize).prop_map(|file| Step::Restore { file }),
        1 => Just(Step::Migrate),
    ];
    prop::collection::vec(step, 1..20)
}

/// The seed is fixed: a failure is the same everywhere, and the history is in the message.
pub async fn random_histories_equal_the_merge_of_their_parts(warehouse: &dyn Warehouse) {
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), seed);
    for _ in 0..HISTORIES {
        let history = steps().new_tree(&mut runner).unwrap().current();
        follow(warehouse, &history).await;
    }
}

/// The first two summaries share a table, the third has its own.
async fn follow(warehouse: &dyn Warehouse, history: &[Step]) {
    let mut stage = Stage::with(warehouse, |feed| {
        let (shared, own) = (unique("shared"), unique("own"));
        vec![days(feed, &shared), days(feed, &shared), days(feed, &own)]
    })
    .await;
    let mut model = Model::default();
    for (position, step) in history.iter().enumerate() {
        let context = || format!("after step {position} of {history:#?}");
        match step {
            Step::Count { file, version, parts } => {
                stage.landing.upload(&stage.blob(&file.to_string()), &version.to_string());
                model.landed.insert(*file, *version);
                count(&stage, &mut model, *file, *version, parts).await;
            }
            Step::Stale { file, version, parts } => count(&stage, &mut model, *file, *version, parts).await,
            Step::Delete { file } => {
                stage.landing.delete(&stage.blob(&file.to_string()));
                model.landed.remove(file);
            }
            Step::Retract { file } => {
                model.retract(*file);
                if stage.recorded(&file.to_string()).await.is_some() {
                    stage.retract(&file.to_string()).await;
                }
            }
            Step::Restore { file } => {
                model.restore(*file);
                stage.warehouse.restore(&stage.unit(&file.to_string()), DateTime::UNIX_EPOCH).await.unwrap();
            }
            Step::Stream { partition, events, parts } => {
                let unit = stage.partition(&partition.to_string());
                let next = model.streams.get(partition).map(|(next, _)| *next);
                stage.add_parts(&unit, next.unwrap_or(0) + events - 1, parts.to_vec()).await;
                model.stream(*partition, *events, parts);
                assert_eq!(stage.recorded_stream(&unit).await.unwrap().next(), model.streams[partition].0);
            }
            Step::StaleStream { partition, behind, parts } => {
                let next = model.streams.get(partition).map(|(next, _)| *next);
                // 0 is a first load, which is stale as soon as there was one, and 1 is too far ahead.
                let stale = match (behind, next) {
                    (0, None) => Some(0),
                    (0, Some(_)) => None,
                    (1, next) => Some(next.unwrap_or(0) + 1),
                    (behind, next) => Some(next.unwrap_or(1).saturating_sub(*behind)),
                };
                if stale != next {
                    let unit = stage.partition(&partition.to_string());
                    let load = stage.events(&unit, stale, stale.unwrap_or(0) + 9, parts.to_vec());
                    assert_eq!(stage.commit_stream(&load).await.unwrap(), StreamOutcome::Moved, "{}", context());
                }
            }
            Step::Migrate => stage.migrate(&format!("at step {position}")).await,
        }
        assert_eq!(stage.rows_of(0).await, model.summary(&[0, 1]), "{}", context());
        assert_eq!(stage.rows_of(2).await, model.summary(&[2]), "{}", context());
    }
    for check in warehouse.verify(&stage.schema("the last"), Remedy::Report, 10).await.unwrap() {
        assert!(check.is_right(), "{check:?} after {history:#?}");
    }
}

async fn count(stage: &Stage<'_>, model: &mut Model, file: usize, version: usize, parts: &[Vec<Row>; 3]) {
    let load = stage.load(&file.to_string(), &version.to_string(), parts.to_vec());
    let outcome = match stage.commit(&load).await.unwrap() {
        Outcome::Committed { .. } => "committed",
        Outcome::AlreadyApplied => "already applied",
        Outcome::Retracted => "retracted",
        Outcome::Superseded => "superseded",
        Outcome::Gone => "gone",
    };
    assert_eq!(outcome, model.count(file, version, stage.generation, parts));
}
