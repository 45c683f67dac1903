//! Somebody writes into the SQLite file: `verify` finds it, and mends it.

use millrace::stations::warehouse::{Difference, Remedy, TableCheck};
use millrace_frames::part::Value;
use rusqlite::Connection;
use tempfile::TempDir;

use super::fixture::{Stage, day};
use super::sqlite::{file, fresh};

fn tamper(folder: &TempDir, sql: &str) {
    let connection = Connection::open(file(folder)).unwrap();
    // As in sqlite3's shell, where foreign keys are off.
    connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
}

fn key(days: i32, carrier: &str) -> Vec<Value> {
    vec![Value::Date(days), Value::Text(carrier.to_owned())]
}

fn measures(row: Vec<Value>) -> Vec<Value> {
    row[2..].to_vec()
}

/// A right table of four rows.
async fn counted(stage: &Stage<'_>) {
    stage.count("1.csv", "a", vec![day(1, "AA", 5, 500, 9.0), day(1, "UA", 1, 100, 7.5)]).await;
    stage
        .count("2.csv", "a", vec![day(1, "UA", 10, 1_000, 1.0), day(2, "DL", 3, 30, None), day(3, "UA", 1, 1, 1.0)])
        .await;
    assert!(stage.recount(Remedy::Report).await.is_right());
}

#[tokio::test]
async fn every_row_that_is_not_what_its_parts_say_is_found_and_mended() {
    let (folder, warehouse) = fresh();
    let stage = Stage::new(&warehouse).await;
    counted(&stage).await;
    let right = stage.rows().await;
    let table = &stage.plans[0].table;
    tamper(
        &folder,
        &format!(
            "UPDATE {table} SET fares = '575.01' WHERE carrier = 'AA'; UPDATE {table} SET worst = NULL WHERE day = '1970-01-04';
             DELETE FROM {table} WHERE carrier = 'DL';
             INSERT INTO {table} (day, carrier, flights, miles) VALUES ('1999-01-01', 'ZZ', 1, 2);"
        ),
    );
    let check = stage.recount(Remedy::Report).await;
    let mut differences = check.differences.clone();
    differences.sort_by_key(|difference| format!("{:?}", difference.key));
    let mut dearer = measures(day(1, "AA", 5, 500, 9.0));
    dearer[3] = Value::Decimal { units: 57_501, scale: 2 };
    let mut forgetful = measures(day(3, "UA", 1, 1, 1.0));
    forgetful[2] = Value::Null;
    let stray = [Value::Int64(1), Value::Int64(2), Value::Null, Value::Null, Value::Null];
    let expected = [
        Difference { key: key(1, "AA"), has: Some(dearer), should: Some(measures(day(1, "AA", 5, 500, 9.0))) },
        Difference { key: key(10_592, "ZZ"), has: Some(stray.to_vec()), should: None },
        Difference { key: key(2, "DL"), has: None, should: Some(measures(day(2, "DL", 3, 30, None))) },
        Difference { key: key(3, "UA"), has: Some(forgetful), should: Some(measures(day(3, "UA", 1, 1, 1.0))) },
    ];
    assert_eq!(differences, expected);
    assert_eq!((check.differing, check.parts_without_unit, check.parts_of_retracted), (4, 0, 0));

    assert_eq!(stage.recount(Remedy::Repair).await.differing, 4, "a repair says what it found");
    assert_eq!(stage.rows().await, right);
    assert!(stage.recount(Remedy::Report).await.is_right());
}

#[tokio::test]
async fn parts_that_belong_to_nothing_are_found_and_removed() {
    let (folder, warehouse) = fresh();
    let stage = Stage::new(&warehouse).await;
    counted(&stage).await;
    stage.retract("2.csv").await;
    let right = stage.rows().await;
    let table = &stage.plans[0].table;
    let retracted = stage.unit("2.csv").id();
    let stray = "f".repeat(64);
    tamper(
        &folder,
        &format!(
            "INSERT INTO millrace_{table}_part (millrace_unit_id, millrace_summary_id, day, carrier, flights, miles, worst)
             VALUES ('{stray}', 's', '1970-01-02', 'UA', 7, 7, 7.0), ('{stray}', 's', '1970-01-09', 'XX', 7, 7, 7.0),
                    ('{retracted}', 's', '1970-01-02', 'UA', 5, 5, 5.0);"
        ),
    );
    let check = stage.recount(Remedy::Report).await;
    assert_eq!((check.parts_without_unit, check.parts_of_retracted, check.differing), (2, 1, 2));
    stage.recount(Remedy::Repair).await;
    assert_eq!(stage.rows().await, right);
    let after = stage.recount(Remedy::Report).await;
    assert!(after.is_right(), "{after:?}");
}

#[tokio::test]
async fn what_no_column_should_hold_is_shown_and_not_stumbled_over() {
    let (folder, warehouse) = fresh();
    let stage = Stage::new(&warehouse).await;
    counted(&stage).await;
    let table = &stage.plans[0].table;
    tamper(&folder, &format!("INSERT INTO {table} (day, carrier) VALUES ('the day after', 'ZZ');"));
    let check = stage.recount(Remedy::Report).await;
    assert_eq!(check.differences[0].key[0], Value::Text("`the day after`".to_owned()));
    stage.recount(Remedy::Repair).await;
    assert!(stage.recount(Remedy::Report).await.is_right());
}

#[tokio::test]
async fn a_bounded_number_of_differences_is_listed_and_all_are_counted() {
    let (folder, warehouse) = fresh();
    let stage = Stage::new(&warehouse).await;
    stage.count("1.csv", "a", (0..50).map(|number| day(number, "UA", 1, 100, 7.5)).collect()).await;
    tamper(&folder, &format!("UPDATE {} SET miles = 0", stage.plans[0].table));
    let checks: Vec<TableCheck> = stage.warehouse.verify(&stage.schema("first"), Remedy::Report, 3).await.unwrap();
    assert_eq!((checks[0].differing, checks[0].differences.len()), (50, 3));
    assert_eq!(checks[0].differences[0].key, key(0, "UA"), "in the order of the keys");
}
