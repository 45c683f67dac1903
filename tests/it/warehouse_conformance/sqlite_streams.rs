//! Streams in SQLite alone: several processes on one file, what is kept of a table that is made anew, and a stream's rows
//! that somebody else wrote into.

use std::process::{Command, Stdio};

use millrace::names::FeedName;
use millrace::stations::warehouse::sqlite::SqliteWarehouse;
use millrace::stations::warehouse::{Remedy, Warehouse};
use rusqlite::Connection;

use super::fixture::{Stage, day, days};
use super::sqlite::{file, fresh, texts};
use super::stream_races::{
    LAST, batches_of_many_handlers_count_each_event_once, of_loads_against_one_state_one_counts, run_to_the_end, truth,
};
use crate::support::{Running, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn several_warehouses_on_one_file_count_each_event_once() {
    let (folder, one) = fresh();
    let others = [SqliteWarehouse::new(file(&folder)), SqliteWarehouse::new(file(&folder))];
    let warehouses: Vec<&dyn Warehouse> = vec![&one, &others[0], &others[1]];
    of_loads_against_one_state_one_counts(&warehouses).await;
    batches_of_many_handlers_count_each_event_once(&warehouses).await;
    of_loads_against_one_state_one_counts(&warehouses[..1]).await;
    batches_of_many_handlers_count_each_event_once(&warehouses[..1]).await;
}

/// Where another process of this test finds the database that it counts into.
const RACE_FILE: &str = "MILLRACE_TEST_RACE_FILE";
const RACE_SEED: &str = "MILLRACE_TEST_RACE_SEED";

/// A stage that every process makes alike.
async fn race_stage(warehouse: &dyn Warehouse) -> Stage<'_> {
    let feed = FeedName::new("clicks").unwrap();
    let mut plan = days(&feed, "click_days");
    plan.id = "the same in every process".to_owned();
    let mut stage = Stage { warehouse, landing: Default::default(), feed, plans: vec![plan], generation: 0 };
    stage.migrate("first").await;
    stage
}

/// One process is killed on its way, as the host does; the others come to the end.
#[tokio::test(flavor = "multi_thread")]
async fn several_processes_count_each_event_once() {
    if let Some(path) = std::env::var_os(RACE_FILE) {
        let warehouse = SqliteWarehouse::new(std::path::PathBuf::from(path));
        let stage = race_stage(&warehouse).await;
        let seed = std::env::var(RACE_SEED).unwrap().parse().unwrap();
        for partition in ["0", "1"] {
            run_to_the_end(&stage, &stage.partition(partition), seed).await;
        }
        return;
    }
    let (folder, warehouse) = fresh();
    let stage = race_stage(&warehouse).await;
    let racer = |seed: u64| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "warehouse_conformance::sqlite_streams::several_processes_count_each_event_once"]);
        // What goes wrong there is said on its stderr.
        command.arg("--nocapture").stdout(Stdio::null());
        Running(command.env(RACE_FILE, file(&folder)).env(RACE_SEED, seed.to_string()).spawn().unwrap())
    };
    let (mut killed, mut others) = (racer(1), [racer(1), racer(2)]);
    while stage.recorded_stream(&stage.partition("0")).await.is_none_or(|record| record.next() < LAST / 4) {
        assert!(others[0].0.try_wait().unwrap().is_none_or(|status| status.success()), "a racer failed");
        tokio::task::yield_now().await;
    }
    killed.0.kill().unwrap();
    for other in &mut others {
        let ended = wait_for("a racer's end", || other.0.try_wait().unwrap());
        assert!(ended.success());
    }
    assert_eq!(stage.rows().await, truth());
    for partition in ["0", "1"] {
        let record = stage.recorded_stream(&stage.partition(partition)).await.unwrap();
        assert_eq!((record.applied, record.events_read), (Some(LAST), LAST + 1));
    }
    assert!(stage.recount(Remedy::Report).await.is_right());
}

/// Together with what the files count again into the new table, each event and each row is there once.
#[tokio::test]
async fn the_table_aside_has_what_streams_counted_and_nothing_of_files() {
    let (folder, warehouse) = fresh();
    let mut stage = Stage::new(&warehouse).await;
    for partition in ["0", "1"] {
        stage.add(&stage.partition(partition), 4, vec![day(1, "UA", 5, 500, 7.5)]).await;
        stage.add(&stage.partition(partition), 5, vec![day(1, "UA", 1, 1, 3.0)]).await;
    }
    stage.count("1.csv", "a", vec![day(1, "UA", 3, 30, 99.0), day(2, "UA", 3, 30, 99.0)]).await;
    let table = stage.plans[0].table.clone();
    stage.plans[0].columns.truncate(3);
    stage.migrate("second").await;
    let aside =
        format!("SELECT concat_ws(' ', day, carrier, flights, miles, worst, fares, earliest) FROM {table}_before_1");
    let counted = "1970-01-02 UA 12 1002 7.5 1152.30 -7.5";
    assert_eq!(texts(&file(&folder), &aside), [counted]);
    let left = format!("SELECT name FROM sqlite_schema WHERE name LIKE 'millrace_{table}_before%'");
    assert_eq!(texts(&file(&folder), &left), Vec::<String>::new(), "its parts went with the old table");

    let (narrow, unit) = (vec![day(1, "UA", 3, None, None)[..3].to_vec()], stage.partition("0"));
    stage.count("1.csv", "a", narrow.clone()).await;
    stage.add(&unit, 6, narrow).await;
    assert_eq!(texts(&file(&folder), &aside), [counted], "nobody writes to it");
    Connection::open(file(&folder)).unwrap().execute_batch(&format!("DROP TABLE {table}_before_1")).unwrap();
    stage.add(&unit, 7, vec![]).await;
    let checks = warehouse.verify(&stage.schema("second"), Remedy::Report, 10).await.unwrap();
    assert!(checks.iter().all(|check| check.is_right()), "whoever owns it may drop it: {checks:?}");
}

#[tokio::test]
async fn a_view_on_a_table_that_is_made_anew_is_not_bent_to_the_table_aside() {
    let (folder, warehouse) = fresh();
    let mut stage = Stage::new(&warehouse).await;
    stage.add(&stage.partition("0"), 4, vec![day(1, "UA", 5, 500, 7.5)]).await;
    let table = stage.plans[0].table.clone();
    let view = format!("CREATE VIEW busy AS SELECT carrier || ' ' || flights AS busy FROM {table}");
    Connection::open(file(&folder)).unwrap().execute_batch(&view).unwrap();
    stage.plans[0].columns.truncate(3);
    stage.migrate("second").await;
    stage.add(&stage.partition("0"), 5, vec![day(1, "AA", 1, None, None)[..3].to_vec()]).await;
    assert_eq!(texts(&file(&folder), "SELECT busy FROM busy"), ["AA 1"]);
}

#[tokio::test]
async fn a_row_of_a_stream_that_was_tampered_with_is_found_and_mended() {
    let (folder, warehouse) = fresh();
    let stage = Stage::new(&warehouse).await;
    let unit = stage.partition("0");
    stage.add(&unit, 4, vec![day(1, "UA", 5, 500, 7.5), day(2, "UA", 1, 1, 1.0)]).await;
    stage.add(&unit, 5, vec![day(1, "UA", 1, 50, 8.5)]).await;
    let right = stage.rows().await;
    assert!(stage.recount(Remedy::Report).await.is_right());
    let table = &stage.plans[0].table;
    let tamper = format!(
        "PRAGMA foreign_keys = OFF;
         UPDATE {table} SET miles = 7 WHERE day = '1970-01-02';
         INSERT INTO millrace_{table}_part (millrace_unit_id, millrace_summary_id, day, carrier, flights)
         SELECT '{}', 's', day, carrier, 9 FROM {table};",
        "f".repeat(64)
    );
    Connection::open(file(&folder)).unwrap().execute_batch(&tamper).unwrap();
    let check = stage.recount(Remedy::Repair).await;
    assert_eq!((check.differing, check.parts_without_unit, check.parts_of_retracted), (2, 2, 0));
    assert_eq!(stage.rows().await, right);
    assert!(stage.recount(Remedy::Report).await.is_right());
    stage.add(&unit, 6, vec![day(1, "UA", 1, 50, 8.5)]).await;
    assert_eq!(stage.rows().await[0], day(1, "UA", 7, 600, 8.5));
    assert!(stage.recount(Remedy::Report).await.is_right());
}

#[tokio::test]
async fn a_ledger_that_says_what_no_hub_says_is_an_error_with_words() {
    let (folder, warehouse) = fresh();
    let stage = Stage::new(&warehouse).await;
    let unit = stage.partition("0");
    stage.add(&unit, 4, vec![]).await;
    Connection::open(file(&folder)).unwrap().execute_batch("UPDATE millrace_stream SET applied = -1").unwrap();
    let error = warehouse.stream(&unit).await.unwrap_err();
    let told = format!("{error}: {}", std::error::Error::source(&error).unwrap());
    assert!(told.contains("holds -1, which is not a number of an event"), "{told}");
}
