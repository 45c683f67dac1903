//! What holds for SQLite alone: when its file is touched, how it looks in a shell, several connections to one file.

use std::path::Path;

use futures::future::join_all;
use millrace::stations::Disposition;
use millrace::stations::warehouse::sqlite::SqliteWarehouse;
use millrace::stations::warehouse::{Outcome, StreamOutcome, Warehouse, WarehouseError};
use rusqlite::Connection;
use tempfile::TempDir;

use super::concurrency::{interleaved_versions_end_in_the_right_sums, rounds_of_corrections_stay_right};
use super::fixture::{Stage, day, days, meaning};

/// A warehouse whose file is not there yet.
pub fn fresh() -> (TempDir, SqliteWarehouse) {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = SqliteWarehouse::new(folder.path().join("warehouse.db"));
    (folder, warehouse)
}

pub async fn fresh_for_a_case() -> Option<(TempDir, SqliteWarehouse)> {
    Some(fresh())
}

pub fn file(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("warehouse.db")
}

pub fn texts(path: &Path, sql: &str) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn only_migrate_makes_the_file() {
    let (folder, warehouse) = fresh();
    let feed = millrace::names::FeedName::new("flights").unwrap();
    assert!(warehouse.generation(&meaning(&feed, "first")).await.is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    Stage::new(&warehouse).await;
    assert!(file(&folder).exists());
    assert_eq!(texts(&file(&folder), "PRAGMA journal_mode"), ["wal"]);
}

#[tokio::test]
async fn tables_can_be_read_in_a_shell() {
    let (folder, warehouse) = fresh();
    let stage = Stage::new(&warehouse).await;
    stage.count("1.csv", "a", vec![day(15_706, "UA", 1, 100, 7.5)]).await;
    stage.count("1.csv", "b", vec![day(15_706, "UA", 1, 100, 7.5)]).await;
    let table = &stage.plans[0].table;
    assert_eq!(texts(&file(&folder), &format!("SELECT day FROM {table}")), ["2013-01-01"]);
    assert_eq!(texts(&file(&folder), &format!("SELECT fares FROM {table}")), ["115.00"]);
    assert_eq!(texts(&file(&folder), &format!("SELECT day FROM millrace_{table}_part")), ["2013-01-01"]);
    assert_eq!(texts(&file(&folder), "SELECT committed_at FROM millrace_unit"), ["2013-01-01T10:00:00.123456Z"]);
    let history = "SELECT etag || '<' || coalesce(displaced_etag, '') FROM millrace_load_history ORDER BY entry";
    assert_eq!(texts(&file(&folder), history), ["a<", "b<a"]);

    stage.add(&stage.partition("0"), 41, vec![]).await;
    stage.add(&stage.partition("0"), 42, vec![]).await;
    let streams = "SELECT blob || ' ' || etag FROM millrace_unit WHERE kind = 'stream'";
    let name = "stream:ns.servicebus.windows.net/clicks/2026-11-01T08:00:00.000001Z/0 42";
    assert_eq!(texts(&file(&folder), streams), [name]);
    assert_eq!(texts(&file(&folder), history).len(), 2, "a batch leaves no line");
}

#[tokio::test]
async fn the_printed_schema_is_the_one_that_migrate_makes() {
    let (folder, warehouse) = fresh();
    let stage = Stage::new(&warehouse).await;
    let printed = folder.path().join("printed.db");
    Connection::open(&printed).unwrap().execute_batch(&warehouse.schema_sql(&stage.schema("first"))).unwrap();
    let schema = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
    assert_eq!(texts(&printed, schema), texts(&file(&folder), schema));
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused_with_words() {
    let (folder, warehouse) = fresh();
    let stage = Stage::new(&warehouse).await;
    let newer = "INSERT INTO millrace_schema_version VALUES (99, '2030-01-01T00:00:00.000000Z')";
    Connection::open(file(&folder)).unwrap().execute_batch(newer).unwrap();
    stage.landing.upload(&stage.blob("1.csv"), "a");
    let refusals = [
        warehouse.migrate(&stage.schema("first")).await.unwrap_err(),
        warehouse.units(&stage.feed, None, 1).await.unwrap_err(),
        stage.commit(&stage.load("1.csv", "a", vec![vec![]])).await.unwrap_err(),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, WarehouseError::NewerSchema { found: 99, .. }), "{refusal}");
        assert_eq!(refusal.disposition(), Disposition::Retry);
    }
}

/// The columns of the ledger's tables.
fn ledger_columns(path: &Path) -> Vec<String> {
    let columns = "SELECT t.name || '.' || c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
                   WHERE t.name IN ('millrace_unit', 'millrace_load_history') ORDER BY t.name, c.cid";
    texts(path, columns)
}

/// What version 3 of the ledger added, taken out.
const BACK_TO_2: &str = "DROP TABLE millrace_stream_gap; DROP TABLE millrace_stream_summary;
                         DROP TABLE millrace_stream_quarantine; DROP TABLE millrace_stream;
                         UPDATE millrace_schema_version SET version = 2;";

#[tokio::test]
async fn a_database_of_version_1_is_upgraded_and_keeps_what_it_counted() {
    let (folder, warehouse) = fresh();
    let stage = Stage::new(&warehouse).await;
    let rows = vec![day(1, "UA", 1, 100, 7.5)];
    stage.count("1.csv", "a", rows.clone()).await;
    let counted = stage.recorded("1.csv").await;
    let back_to_1 = "ALTER TABLE millrace_unit DROP COLUMN curated;
                     ALTER TABLE millrace_unit DROP COLUMN retracted_at;
                     ALTER TABLE millrace_load_history DROP COLUMN curated;
                     UPDATE millrace_schema_version SET version = 1";
    Connection::open(file(&folder)).unwrap().execute_batch(&format!("{BACK_TO_2} {back_to_1}")).unwrap();
    let first = folder.path().join("first.db");
    let schema_1 = include_str!("../../../src/stations/warehouse/sqlite/sql/schema_1.sql");
    Connection::open(&first).unwrap().execute_batch(schema_1).unwrap();
    assert_eq!(ledger_columns(&file(&folder)), ledger_columns(&first));

    let warehouse = SqliteWarehouse::new(file(&folder));
    let mut correction = stage.load("1.csv", "b", vec![vec![day(1, "UA", 2, 200, 8.5)]]);
    correction.record.curated = Some("flights/1.csv/b.1.parquet".to_owned());
    stage.landing.upload(&stage.blob("1.csv"), "b");
    let early = warehouse.commit_file(&correction, &stage.landing).await.unwrap_err();
    assert!(matches!(early, WarehouseError::NotMigrated { .. }), "{early}");

    let report = warehouse.migrate(&stage.schema("first")).await.unwrap();
    let upgrades = ["ledger: upgraded to schema version 2", "ledger: upgraded to schema version 3"];
    assert_eq!(report.changes, upgrades);
    assert!(report.feeds_to_replay.is_empty());
    assert_eq!(warehouse.unit(&correction.record.unit).await.unwrap(), counted);
    assert_eq!(warehouse.summary(&stage.plans[0]).await.unwrap().rows, rows);

    let outcome = warehouse.commit_file(&correction, &stage.landing).await.unwrap();
    assert_eq!(outcome, Outcome::Committed { displaced: counted });
    assert_eq!(warehouse.summary(&stage.plans[0]).await.unwrap().rows, [day(1, "UA", 2, 200, 8.5)]);
    assert_eq!(warehouse.unit(&correction.record.unit).await.unwrap(), Some(correction.record));
    let history = "SELECT coalesce(curated, '-') FROM millrace_load_history ORDER BY entry";
    assert_eq!(texts(&file(&folder), history), ["-", "flights/1.csv/b.1.parquet"]);
    assert!(warehouse.migrate(&stage.schema("first")).await.unwrap().changes.is_empty());
}

#[tokio::test]
async fn a_database_of_version_2_is_upgraded_and_counts_streams() {
    let (folder, warehouse) = fresh();
    let stage = Stage::new(&warehouse).await;
    stage.count("1.csv", "a", vec![day(1, "UA", 1, 100, 7.5)]).await;
    let counted = stage.recorded("1.csv").await;
    Connection::open(file(&folder)).unwrap().execute_batch(BACK_TO_2).unwrap();
    let second = folder.path().join("second.db");
    let schema_1 = include_str!("../../../src/stations/warehouse/sqlite/sql/schema_1.sql");
    let schema_2 = include_str!("../../../src/stations/warehouse/sqlite/sql/schema_2.sql");
    Connection::open(&second).unwrap().execute_batch(&format!("{schema_1} {schema_2}")).unwrap();
    let ledger =
        "SELECT sql FROM sqlite_schema WHERE name LIKE 'millrace%' AND name NOT LIKE '%_part%' AND sql IS NOT NULL
                  ORDER BY name";
    assert_eq!(texts(&file(&folder), ledger), texts(&second, ledger));

    let warehouse = SqliteWarehouse::new(file(&folder));
    let load = stage.events(&stage.partition("0"), None, 4, vec![vec![day(1, "UA", 5, 500, 7.5)]]);
    let early = warehouse.commit_stream(&load).await.unwrap_err();
    assert!(matches!(early, WarehouseError::NotMigrated { .. }), "{early}");

    let report = warehouse.migrate(&stage.schema("first")).await.unwrap();
    assert_eq!(report.changes, ["ledger: upgraded to schema version 3"]);
    assert_eq!(warehouse.unit(&stage.unit("1.csv")).await.unwrap(), counted);
    assert_eq!(warehouse.commit_stream(&load).await.unwrap(), StreamOutcome::Committed);
    assert_eq!(warehouse.summary(&stage.plans[0]).await.unwrap().rows, [day(1, "UA", 6, 600, 7.5)]);
    assert!(warehouse.migrate(&stage.schema("first")).await.unwrap().changes.is_empty());
}

#[tokio::test]
async fn a_table_that_is_not_ours_is_left_alone() {
    let (folder, warehouse) = fresh();
    Connection::open(file(&folder))
        .unwrap()
        .execute_batch("CREATE TABLE Flight_Days (x); INSERT INTO Flight_Days VALUES ('1')")
        .unwrap();
    let feed = millrace::names::FeedName::new("flights").unwrap();
    let plans = vec![days(&feed, "flight_days")];
    let schema = millrace::stations::warehouse::Schema { meanings: vec![meaning(&feed, "first")], summaries: plans };
    assert!(matches!(warehouse.migrate(&schema).await, Err(WarehouseError::Data { .. })));
    assert_eq!(texts(&file(&folder), "SELECT x FROM flight_days"), ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_warehouses_share_one_file() {
    let (folder, one) = fresh();
    let others = [SqliteWarehouse::new(file(&folder)), SqliteWarehouse::new(file(&folder))];
    let warehouses: Vec<&dyn Warehouse> = vec![&one, &others[0], &others[1]];
    interleaved_versions_end_in_the_right_sums(&warehouses).await;
    rounds_of_corrections_stay_right(&warehouses).await;
    interleaved_versions_end_in_the_right_sums(&warehouses[..1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_may_migrate_one_file_at_once() {
    let (folder, first) = fresh();
    let stage_schema = {
        let feed = millrace::names::FeedName::new("flights").unwrap();
        let summaries = vec![days(&feed, "flight_days")];
        millrace::stations::warehouse::Schema { meanings: vec![meaning(&feed, "first")], summaries }
    };
    let mut warehouses: Vec<SqliteWarehouse> = (0..7).map(|_| SqliteWarehouse::new(file(&folder))).collect();
    warehouses.push(first);
    let reports = join_all(warehouses.iter().map(|warehouse| warehouse.migrate(&stage_schema))).await;
    let changed = reports.into_iter().filter(|report| !report.as_ref().unwrap().changes.is_empty()).count();
    assert_eq!(changed, 1);
}
