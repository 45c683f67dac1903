//! What holds for SQL Server alone: how it looks to others, several warehouses on one database, sessions that end.

use futures::future::join_all;
use millrace::stations::Disposition;
use millrace::stations::warehouse::sqlserver::SqlServerWarehouse;
use millrace::stations::warehouse::sqlserver::location::SqlServerLocation;
use millrace::stations::warehouse::{Remedy, Schema, Warehouse, WarehouseError};
use millrace_frames::part::Value;
use millrace_frames::plan::{AggregateCall, KeyType, MeasureType, SummaryColumn};

use super::concurrency::{interleaved_versions_end_in_the_right_sums, rounds_of_corrections_stay_right};
use super::fixture::{Stage, day, days, key, meaning, measure, plan, unique};
use super::sqlserver::{Raw, empty, empty_of_microsoft};
use super::stream_races::{batches_of_many_handlers_count_each_event_once, of_loads_against_one_state_one_counts};

#[tokio::test(flavor = "multi_thread")]
async fn several_warehouses_share_one_database() {
    let Some((_guard, location)) = empty().await else { return };
    let warehouses: Vec<SqlServerWarehouse> =
        (0..3).map(|_| SqlServerWarehouse::new(location.clone()).unwrap()).collect();
    let warehouses: Vec<&dyn Warehouse> = warehouses.iter().map(|warehouse| warehouse as &dyn Warehouse).collect();
    interleaved_versions_end_in_the_right_sums(&warehouses).await;
    rounds_of_corrections_stay_right(&warehouses).await;
    interleaved_versions_end_in_the_right_sums(&warehouses[..1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_handlers_count_a_stream_once() {
    let Some((_guard, location)) = empty().await else { return };
    let warehouses: Vec<SqlServerWarehouse> =
        (0..3).map(|_| SqlServerWarehouse::new(location.clone()).unwrap()).collect();
    let warehouses: Vec<&dyn Warehouse> = warehouses.iter().map(|warehouse| warehouse as &dyn Warehouse).collect();
    of_loads_against_one_state_one_counts(&warehouses).await;
    batches_of_many_handlers_count_each_event_once(&warehouses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_may_migrate_one_database_at_once() {
    let Some((_guard, location)) = empty().await else { return };
    let feed = millrace::names::FeedName::new("flights").unwrap();
    let schema = Schema { meanings: vec![meaning(&feed, "first")], summaries: vec![days(&feed, "flight_days")] };
    let warehouses: Vec<SqlServerWarehouse> =
        (0..6).map(|_| SqlServerWarehouse::new(location.clone()).unwrap()).collect();
    let reports = join_all(warehouses.iter().map(|warehouse| warehouse.migrate(&schema))).await;
    let changed = reports.into_iter().filter(|report| !report.as_ref().unwrap().changes.is_empty()).count();
    assert_eq!(changed, 1);
}

/// Loads of few rows go as statements.
#[tokio::test]
async fn a_load_of_few_rows_is_read_back_as_it_was_counted() {
    let Some((_guard, location)) = empty().await else { return };
    rows_are_read_back(location, 10, decimals()).await;
}

/// Loads of many rows go in bulk.
#[tokio::test]
async fn a_load_of_many_rows_is_read_back_as_it_was_counted() {
    let Some((_guard, location)) = empty().await else { return };
    rows_are_read_back(location, 3_000, Vec::new()).await;
}

#[tokio::test]
async fn a_load_of_many_decimals_is_read_back_as_it_was_counted() {
    let Some((_guard, location)) = empty_of_microsoft().await else { return };
    rows_are_read_back(location, 3_000, decimals()).await;
}

/// A column, and the units of its value in a row.
type DecimalColumn = (SummaryColumn, u8, fn(i128) -> i128);

fn decimals() -> Vec<DecimalColumn> {
    let sum = |name, scale| {
        let measure_type = MeasureType::Decimal { precision: 38, scale };
        measure(name, AggregateCall::Sum("x".to_owned()), measure_type)
    };
    vec![
        (sum("paid", 2), 2, |number| number - 7),
        (sum("large", 2), 2, |number| 10_i128.pow(38) - number),
        (sum("tiny", 38), 38, |number| -(10_i128.pow(37)) - number),
        (sum("even", 19), 19, |number| number * 10_i128.pow(19)),
    ]
}

async fn rows_are_read_back(location: SqlServerLocation, count: i64, decimals: Vec<DecimalColumn>) {
    let warehouse = SqlServerWarehouse::new(location).unwrap();
    let stage = Stage::with(&warehouse, |feed| {
        let call = || AggregateCall::Min("x".to_owned());
        let mut columns = vec![
            measure("first_day", call(), MeasureType::Date),
            key("number", KeyType::Int64),
            key("at", KeyType::Timestamp),
            key("name", KeyType::Text { max_utf16: 20 }),
            key("late", KeyType::Bool),
            key("day", KeyType::Date),
            measure("last", AggregateCall::Max("x".to_owned()), MeasureType::Timestamp),
            measure("total", AggregateCall::Sum("x".to_owned()), MeasureType::Int64),
            measure("mean", AggregateCall::Sum("x".to_owned()), MeasureType::Float64),
        ];
        columns.extend(decimals.iter().map(|(column, _, _)| column.clone()));
        vec![plan(feed, &unique("wide"), columns)]
    })
    .await;
    let row = |number: i64| {
        let small = i32::try_from(number).unwrap();
        // Microseconds that a float would not hold.
        let at = 1_357_034_400_000_000 + number * 7_000_003;
        let or_null = |value| if number % 5 == 0 { Value::Null } else { value };
        let mut row = vec![
            or_null(Value::Date(small - 700)),
            Value::Int64(number),
            Value::Timestamp(at),
            Value::Text(format!("Größe {number} 🛫")),
            Value::Bool(number % 2 == 0),
            Value::Date(small - 719_162),
            or_null(Value::Timestamp(-at)),
            or_null(Value::Int64(i64::MAX - number)),
            or_null(Value::Float64(0.1 * f64::from(small))),
        ];
        let decimals =
            decimals.iter().map(|(_, scale, units)| Value::Decimal { units: units(number.into()), scale: *scale });
        row.extend(decimals.map(or_null));
        row
    };
    let rows: Vec<_> = (1..=count).map(row).collect();
    stage.count("1.csv", "a", rows.clone()).await;
    assert_eq!(stage.rows().await, rows);
    assert!(stage.recount(Remedy::Report).await.is_right());
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let Some((_guard, location)) = empty().await else { return };
    let warehouse = SqlServerWarehouse::new(location.clone()).unwrap();
    let stage = Stage::new(&warehouse).await;
    let mut raw = Raw::connect(&location).await;
    raw.run("INSERT INTO [millrace].[schema_version] VALUES (99, '2030-01-01')").await;
    stage.landing.upload(&stage.blob("1.csv"), "a");
    for refusal in [
        warehouse.migrate(&stage.schema("first")).await.unwrap_err(),
        warehouse.units(&stage.feed, None, 1).await.unwrap_err(),
        stage.commit(&stage.load("1.csv", "a", vec![vec![]])).await.unwrap_err(),
    ] {
        assert!(matches!(refusal, WarehouseError::NewerSchema { found: 99, .. }), "{refusal}");
        assert_eq!(refusal.disposition(), Disposition::Retry);
    }
}

#[tokio::test]
async fn a_table_that_is_not_ours_is_left_alone() {
    let Some((_guard, location)) = empty().await else { return };
    let mut raw = Raw::connect(&location).await;
    raw.run("CREATE TABLE [dbo].[Flight_Days] (x nvarchar(9)); INSERT INTO [dbo].[Flight_Days] VALUES ('1')").await;
    let warehouse = SqlServerWarehouse::new(location).unwrap();
    let feed = millrace::names::FeedName::new("flights").unwrap();
    let schema = Schema { meanings: vec![meaning(&feed, "first")], summaries: vec![days(&feed, "flight_days")] };
    assert!(matches!(warehouse.migrate(&schema).await, Err(WarehouseError::Data { .. })));
    assert_eq!(raw.texts("SELECT x FROM [dbo].[Flight_Days]").await, ["1"]);
}

#[tokio::test]
async fn what_somebody_else_wrote_is_found_and_mended() {
    let Some((_guard, location)) = empty().await else { return };
    let warehouse = SqlServerWarehouse::new(location.clone()).unwrap();
    let stage = Stage::new(&warehouse).await;
    let rows = vec![day(1, "AA", 2, 200, 7.5), day(1, "UA", 1, None, None), day(2, "DL", 3, 300, 1.0)];
    stage.count("1.csv", "a", rows.clone()).await;
    let table = stage.plans[0].table.clone();
    let mut raw = Raw::connect(&location).await;
    raw.run(&format!("UPDATE [dbo].[{table}] SET [miles] = 7 WHERE [carrier] = 'UA'")).await;
    raw.run(&format!("DELETE FROM [dbo].[{table}] WHERE [carrier] = 'DL'")).await;
    raw.run(&format!("INSERT INTO [dbo].[{table}] ([day], [carrier], [flights]) VALUES ('2020-01-01', 'XX', 9)")).await;
    raw.run(&format!(
        "INSERT INTO [millrace].[{table}_part] ([millrace_unit_id], [millrace_summary_id], [day], [carrier], [flights]) \
         VALUES (0x01, 'orphan', '1970-01-02', 'AA', 40)"
    ))
    .await;
    let found = stage.recount(Remedy::Repair).await;
    assert_eq!((found.differing, found.parts_without_unit, found.rows), (4, 1, 3));
    let keys: Vec<Value> = found.differences.iter().map(|difference| difference.key[1].clone()).collect();
    assert_eq!(keys, ["AA", "UA", "DL", "XX"].map(|carrier| Value::Text(carrier.to_owned())));
    assert_eq!(found.differences[1].has.as_ref().unwrap()[1], Value::Int64(7));
    assert_eq!(found.differences[1].should.as_ref().unwrap()[1], Value::Null);
    assert_eq!((found.differences[2].has.clone(), found.differences[3].should.clone()), (None, None));
    assert!(stage.recount(Remedy::Report).await.is_right());
    assert_eq!(stage.rows().await, rows);
}

#[tokio::test]
async fn a_recount_tells_of_what_no_column_holds_and_mends_nothing() {
    let Some((_guard, location)) = empty().await else { return };
    let warehouse = SqlServerWarehouse::new(location.clone()).unwrap();
    let sums = [
        (MeasureType::Int64, Value::Int64(i64::MAX)),
        (MeasureType::Float64, Value::Float64(f64::MAX)),
        (MeasureType::Decimal { precision: 38, scale: 2 }, Value::Decimal { units: 10_i128.pow(38) - 1, scale: 2 }),
    ];
    for (measure_type, most) in sums {
        let stage = Stage::with(&warehouse, |feed| {
            let columns =
                vec![key("k", KeyType::Int64), measure("total", AggregateCall::Sum("x".to_owned()), measure_type)];
            vec![plan(feed, &unique("totals"), columns)]
        })
        .await;
        stage.count("1.csv", "a", vec![vec![Value::Int64(1), most.clone()]]).await;
        let part = format!("[millrace].[{}_part]", stage.plans[0].table);
        let mut raw = Raw::connect(&location).await;
        raw.run(&format!(
            "INSERT INTO {part} ([millrace_unit_id], [millrace_summary_id], [k], [total]) SELECT [millrace_unit_id], \
             'again', [k], [total] FROM {part}"
        ))
        .await;
        let check = stage.recount(Remedy::Report).await;
        let should = check.differences[0].should.clone().unwrap();
        assert_eq!((check.differing, should), (1, vec![Value::Text("too much to add up".to_owned())]));
        let refused = warehouse.verify(&stage.schema("first"), Remedy::Repair, 1).await.unwrap_err();
        assert!(
            matches!(&refused, WarehouseError::Data { reason, .. } if reason.contains("`total` for k = 1")),
            "{refused}"
        );
        assert_eq!(stage.rows().await, [vec![Value::Int64(1), most]]);
        raw.run(&format!("DELETE FROM {part} WHERE [millrace_summary_id] = 'again'")).await;
    }
}
