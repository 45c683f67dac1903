//! A changed summary counts a stream from where it changed, and what was counted until then stays.

use millrace::stations::warehouse::{MigrationReport, Remedy, SummarySince, Warehouse, WarehouseError};
use millrace_frames::part::{Row, Value};
use millrace_frames::plan::{AggregateCall, KeyType, MeasureType};

use super::fixture::{Stage, day, days, key, meaning, measure, plan, unique};

/// Since when, until when and in which generation, of each entry of a plan.
async fn entries(stage: &Stage<'_>, summary_id: &str) -> Vec<(u64, Option<u64>, i64)> {
    let entries: Vec<SummarySince> = stage.warehouse.stream_summaries(&stage.partition("0")).await.unwrap();
    let of_plan = entries.into_iter().filter(|entry| entry.summary_id == summary_id);
    of_plan.map(|entry| (entry.since, entry.until, entry.generation)).collect()
}

pub async fn a_changed_summary_counts_on_from_where_it_changed(warehouse: &dyn Warehouse) {
    let mut stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    stage.add(&unit, 4, vec![day(1, "UA", 5, 500, 7.5)]).await;
    let (before, first) = (stage.plans[0].id.clone(), stage.generation);
    stage.plans[0].id = unique("changed");
    stage.migrate("second").await;
    stage.add(&unit, 6, vec![day(1, "UA", 2, 20, 9.5)]).await;
    assert_eq!(stage.rows().await, [day(1, "UA", 7, 520, 9.5)]);
    assert_eq!(entries(&stage, &before).await, [(0, Some(4), first)]);
    assert_eq!(entries(&stage, &stage.plans[0].id).await, [(5, None, first + 1)]);
    assert!(stage.recount(Remedy::Report).await.is_right());
}

pub async fn a_summary_that_comes_back_has_a_second_entry(warehouse: &dyn Warehouse) {
    let mut stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    stage.add(&unit, 4, vec![day(1, "UA", 5, 500, 7.5)]).await;
    let (returning, first) = (stage.plans[0].clone(), stage.generation);
    stage.plans[0].id = unique("meanwhile");
    stage.migrate("second").await;
    stage.add(&unit, 9, vec![day(1, "UA", 5, 50, 7.5)]).await;
    let meanwhile = std::mem::replace(&mut stage.plans[0], returning.clone());
    stage.migrate("first").await;
    stage.add(&unit, 10, vec![day(1, "UA", 1, 1, 7.5)]).await;
    stage.add(&unit, 11, vec![]).await;
    assert_eq!(entries(&stage, &returning.id).await, [(0, Some(4), first), (10, None, first + 2)]);
    assert_eq!(entries(&stage, &meanwhile.id).await, [(5, Some(9), first + 1)]);
    assert_eq!(stage.rows().await, [day(1, "UA", 11, 551, 7.5)]);
}

pub async fn a_summary_that_never_counted_a_number_leaves_no_entry(warehouse: &dyn Warehouse) {
    let mut stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    let mut nothing = stage.events(&unit, None, 0, vec![vec![]]);
    (nothing.begins, nothing.applied, nothing.applied_enqueued_at, nothing.events_read) = (7, None, None, 0);
    stage.commit_stream(&nothing).await.unwrap();
    let before = stage.plans[0].id.clone();
    assert_eq!(entries(&stage, &before).await.len(), 1);
    stage.plans[0].id = unique("changed");
    stage.migrate("second").await;
    stage.add(&unit, 7, vec![]).await;
    assert_eq!(entries(&stage, &before).await, []);
    assert_eq!(entries(&stage, &stage.plans[0].id).await, [(7, None, stage.generation)]);
}

/// Of a file a replay takes the counts out; a stream is not replayed, and what it counted stays.
pub async fn a_summary_that_is_taken_out_leaves_what_streams_counted(warehouse: &dyn Warehouse) {
    let mut stage =
        Stage::with(warehouse, |feed| vec![days(feed, &unique("flight_days")), days(feed, &unique("other_days"))])
            .await;
    let unit = stage.partition("0");
    let rows = |flights| vec![day(1, "UA", flights, 10, 1.0)];
    stage.add_parts(&unit, 4, vec![rows(5), rows(5)]).await;
    stage.landing.upload(&stage.blob("1.csv"), "a");
    stage.commit(&stage.load("1.csv", "a", vec![rows(1), rows(1)])).await.unwrap();
    let (gone, first) = (stage.plans.pop().unwrap(), stage.generation);
    stage.migrate("second").await;
    stage.add(&unit, 5, rows(1)).await;
    stage.count("1.csv", "a", rows(1)).await;
    assert_eq!(warehouse.summary(&gone).await.unwrap().rows, rows(5));
    assert_eq!(stage.rows().await[0][2], Value::Int64(7));
    assert_eq!(entries(&stage, &gone.id).await, [(0, Some(4), first)]);

    // With another table it is as if it were new there.
    stage.plans.push(days(&stage.feed, &unique("other_days")));
    stage.migrate("third").await;
    stage.add_parts(&unit, 6, vec![vec![], rows(9)]).await;
    assert_eq!(stage.rows_of(1).await, rows(9));
    assert_eq!(entries(&stage, &stage.plans[1].id).await, [(6, None, first + 2)]);
}

fn line_of(report: &MigrationReport, table: &str) -> String {
    let about: Vec<&String> = report.changes.iter().filter(|line| line.contains(&format!("`{table}`"))).collect();
    assert_eq!(about.len(), 1, "{report:?}");
    about[0].clone()
}

fn narrow(flights: i64) -> Vec<Row> {
    vec![day(1, "UA", flights, None, None)[..3].to_vec()]
}

pub async fn a_recreated_table_counts_streams_from_then_on(warehouse: &dyn Warehouse) {
    let mut stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    stage.add(&unit, 4, vec![day(1, "UA", 5, 500, 7.5)]).await;
    let table = stage.plans[0].table.clone();
    stage.plans[0].columns.truncate(3);
    let report = warehouse.migrate(&stage.schema("second")).await.unwrap();
    let told = format!(
        "table `{table}` has new columns: recreated; what streams counted stays in table `{table}_before_1`, which is \
         yours now, and the new table counts their next events"
    );
    assert_eq!(line_of(&report, &table), told);
    assert_eq!(report.feeds_to_replay, []);
    stage.migrate("second").await;
    assert_eq!(stage.rows().await, Vec::<Row>::new());
    assert_eq!(warehouse.stream_summaries(&unit).await.unwrap(), [], "nothing counts into the new one yet");

    stage.add(&unit, 5, narrow(1)).await;
    stage.add(&unit, 7, narrow(2)).await;
    assert_eq!(stage.rows().await, narrow(3));
    assert_eq!(entries(&stage, &stage.plans[0].id).await, [(5, None, stage.generation)]);
    assert_eq!(stage.recorded_stream(&unit).await.unwrap().applied, Some(7));

    // Nobody says of the table aside that it is a summary.
    let mut aside = days(&stage.feed, &format!("{table}_before_1"));
    assert!(matches!(warehouse.summary(&aside).await, Err(WarehouseError::NotMigrated { .. })));
    let checks = warehouse.verify(&stage.schema("second"), Remedy::Report, 10).await.unwrap();
    assert!(checks.iter().all(|check| check.is_right() && check.table != aside.table), "{checks:?}");

    // It is not overwritten, neither by a second one nor by a summary of its name.
    stage.plans[0] = days(&stage.feed, &table);
    let report = warehouse.migrate(&stage.schema("third")).await.unwrap();
    assert!(line_of(&report, &table).contains("_before_2`"), "{report:?}");
    std::mem::swap(&mut aside, &mut stage.plans[0]);
    let refused = warehouse.migrate(&stage.schema("fourth")).await.unwrap_err();
    assert!(matches!(refused, WarehouseError::Data { .. }), "{refused}");
}

pub async fn a_recreated_table_of_files_and_streams_tells_of_both(warehouse: &dyn Warehouse) {
    let mut stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    stage.add(&unit, 4, vec![day(1, "UA", 5, 500, 7.5)]).await;
    stage.count("1.csv", "a", vec![day(1, "UA", 3, 30, 8.5)]).await;
    let table = stage.plans[0].table.clone();
    stage.plans[0].columns.truncate(3);
    let report = warehouse.migrate(&stage.schema("second")).await.unwrap();
    let line = line_of(&report, &table);
    assert!(line.contains("counts come back as its files are replayed; what streams counted stays"), "{line}");
    assert_eq!(report.feeds_to_replay, [stage.feed.clone()]);
    stage.migrate("second").await;
    stage.count("1.csv", "a", narrow(3)).await;
    stage.add(&unit, 5, narrow(1)).await;
    assert_eq!(stage.rows().await, narrow(4));
}

pub async fn a_table_lost_to_another_feed_is_kept_aside_too(warehouse: &dyn Warehouse) {
    let loser = Stage::new(warehouse).await;
    let unit = loser.partition("0");
    loser.add(&unit, 4, vec![day(1, "UA", 5, 500, 7.5)]).await;
    let table = loser.plans[0].table.clone();
    let mut winner = Stage::new(warehouse).await;
    winner.plans[0] = days(&winner.feed, &table);
    winner.plans[0].columns.truncate(3);
    let report = warehouse.migrate(&winner.schema("second")).await.unwrap();
    assert!(line_of(&report, &table).contains("_before_1`"), "{report:?}");
    assert_eq!(warehouse.stream_summaries(&unit).await.unwrap(), []);
    let next = warehouse.generation(&meaning(&loser.feed, "first")).await.unwrap();
    assert_eq!(next, loser.generation + 1, "what the feed counts has changed");
}

/// What files counted against it is not in the table aside: there the sum of the streams alone must fit.
pub async fn a_sum_of_streams_alone_that_does_not_fit_is_refused(warehouse: &dyn Warehouse) {
    let mut stage = Stage::with(warehouse, |feed| {
        let columns =
            vec![key("k", KeyType::Int64), measure("total", AggregateCall::Sum("x".to_owned()), MeasureType::Int64)];
        vec![plan(feed, &unique("totals"), columns)]
    })
    .await;
    let row = |total| vec![vec![Value::Int64(1), Value::Int64(total)]];
    stage.add(&stage.partition("0"), 0, row(i64::MAX)).await;
    stage.count("1.csv", "a", row(-5)).await;
    stage.add(&stage.partition("1"), 0, row(5)).await;
    let before = stage.rows().await;
    let wide = stage.plans[0].clone();
    stage.plans[0].columns.truncate(1);
    let refused = warehouse.migrate(&stage.schema("second")).await.unwrap_err();
    assert!(refused.to_string().contains("the sum of `total` for k = 1 does not fit 64 bits"), "{refused}");
    stage.plans[0] = wide;
    assert_eq!(stage.rows().await, before);
}
