//! Streams: each event counts once, whoever brings it and however often.

use millrace::names::FeedName;
use millrace::stations::Disposition;
use millrace::stations::warehouse::{
    QuarantinedEvents, RecordedGap, Remedy, StreamOutcome, StreamRecord, SummarySince, Warehouse, WarehouseError,
};
use millrace_frames::part::Row;

use super::fixture::{Stage, day, days, time, unique};
use super::stream_stage::{enqueued, gap};

pub async fn a_first_batch_is_counted(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    assert_eq!(stage.recorded_stream(&unit).await, None);
    assert_eq!(warehouse.streams(&stage.feed).await.unwrap(), []);
    let rows = vec![day(1, "AA", 2, 200, 7.5), day(1, "UA", 1, 100, None)];
    let mut load = stage.events(&unit, None, 9, vec![rows.clone()]);
    load.begins = 3;
    load.events_read = 7;
    load.events_rejected = 2;
    assert_eq!(stage.commit_stream(&load).await.unwrap(), StreamOutcome::Committed);
    assert_eq!(stage.rows().await, rows);
    let expected = StreamRecord {
        unit: unit.clone(),
        begins: 3,
        applied: Some(9),
        applied_enqueued_at: Some(enqueued(9)),
        generation: stage.generation,
        events_read: 7,
        events_rejected: 2,
        committed_at: load.committed_at,
    };
    assert_eq!(stage.recorded_stream(&unit).await.as_ref(), Some(&expected));
    assert_eq!(warehouse.streams(&stage.feed).await.unwrap(), [expected]);
}

pub async fn the_next_batch_adds_to_it(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    stage.add(&unit, 9, vec![day(1, "AA", 2, 200, 7.5), day(1, "UA", 1, 100, None)]).await;
    stage.add(&unit, 10, vec![day(1, "UA", 1, 10, -3.0), day(2, "UA", 4, 4, 4.0)]).await;
    stage.add(&unit, 99, vec![]).await;
    stage.add(&unit, 100, vec![day(1, "AA", 1, None, 8.0)]).await;
    let expected = [day(1, "AA", 3, 200, 8.0), day(1, "UA", 2, 110, -3.0), day(2, "UA", 4, 4, 4.0)];
    let least_of_aa = day(1, "AA", 2, 200, 8.0)[6].clone();
    assert_eq!(stage.rows().await[0][6], least_of_aa, "the minimum is of both");
    assert_eq!(stage.rows().await, expected);
    let record = stage.recorded_stream(&unit).await.unwrap();
    assert_eq!((record.applied, record.events_read, record.next()), (Some(100), 101, 101));
}

pub async fn a_batch_that_comes_again_is_moved_and_changes_nothing(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    let first = stage.events(&unit, None, 4, vec![vec![day(1, "UA", 5, 500, 7.5)]]);
    let second = stage.events(&unit, Some(5), 9, vec![vec![day(1, "UA", 5, 50, 8.5)]]);
    for load in [&first, &second] {
        assert_eq!(stage.commit_stream(load).await.unwrap(), StreamOutcome::Committed);
    }
    let (rows, record) = (stage.rows().await, stage.recorded_stream(&unit).await);
    let mut older_and_newer = stage.events(&unit, Some(5), 12, vec![vec![day(2, "UA", 8, 8, 8.0)]]);
    older_and_newer.gaps = vec![gap(11, 12)];
    let ahead = stage.events(&unit, Some(11), 12, vec![vec![day(2, "UA", 2, 2, 2.0)]]);
    for load in [&first, &second, &older_and_newer, &ahead] {
        assert_eq!(stage.commit_stream(load).await.unwrap(), StreamOutcome::Moved, "{load:?}");
    }
    assert_eq!((stage.rows().await, stage.recorded_stream(&unit).await), (rows, record));
    assert_eq!(warehouse.stream_gaps(&stage.feed, 10).await.unwrap(), []);
}

pub async fn a_unit_may_begin_with_nothing(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    let mut nothing = stage.events(&unit, None, 0, vec![vec![]]);
    (nothing.begins, nothing.applied, nothing.applied_enqueued_at, nothing.events_read) = (7, None, None, 0);
    assert_eq!(stage.commit_stream(&nothing).await.unwrap(), StreamOutcome::Committed);
    assert_eq!(stage.commit_stream(&nothing).await.unwrap(), StreamOutcome::Moved);
    let record = stage.recorded_stream(&unit).await.unwrap();
    assert_eq!((record.begins, record.applied, record.next()), (7, None, 7));

    let first = stage.events(&unit, Some(7), 7, vec![vec![day(1, "UA", 1, 100, 7.5)]]);
    let as_if_unknown = stage.events(&unit, None, 7, vec![vec![day(1, "UA", 1, 100, 7.5)]]);
    assert_eq!(stage.commit_stream(&as_if_unknown).await.unwrap(), StreamOutcome::Moved);
    assert_eq!(stage.commit_stream(&first).await.unwrap(), StreamOutcome::Committed);
    assert_eq!(stage.rows().await, [day(1, "UA", 1, 100, 7.5)]);
    let record = stage.recorded_stream(&unit).await.unwrap();
    assert_eq!((record.begins, record.applied), (7, Some(7)), "where it begins stays");
}

pub async fn a_batch_for_a_unit_without_a_row_is_moved(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    let load = stage.events(&unit, Some(0), 4, vec![vec![day(1, "UA", 5, 500, 7.5)]]);
    assert_eq!(stage.commit_stream(&load).await.unwrap(), StreamOutcome::Moved);
    assert_eq!((stage.rows().await, stage.recorded_stream(&unit).await), (vec![], None));
}

pub async fn units_that_share_keys_add_up(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let (zero, two, ten) = (stage.partition("0"), stage.partition("2"), stage.partition("10"));
    let mut recreated = stage.partition("0");
    recreated.incarnation = time("2026-11-20T08:00:00Z");
    let mut elsewhere = stage.partition("0");
    elsewhere.hub = "a/b".to_owned();
    let mut alike = stage.partition("0");
    (alike.namespace, alike.hub) = (format!("{}/a", alike.namespace), "b".to_owned());
    for unit in [&two, &ten, &zero, &recreated, &elsewhere, &alike] {
        stage.add(unit, 4, vec![day(1, "UA", 5, 100, 7.5)]).await;
    }
    stage.add(&recreated, 5, vec![day(1, "UA", 1, 10, 9.5)]).await;
    assert_eq!(stage.rows().await[0][..5], day(1, "UA", 31, 610, 9.5)[..5]);
    let told: Vec<_> = warehouse.streams(&stage.feed).await.unwrap().into_iter().map(|record| record.unit).collect();
    assert_eq!(told, [elsewhere, zero, two, ten, recreated.clone(), alike]);
    assert_eq!(stage.recorded_stream(&recreated).await.unwrap().applied, Some(5));
}

pub async fn feeds_on_one_hub_count_apart(warehouse: &dyn Warehouse) {
    let (one, other) = (Stage::new(warehouse).await, Stage::new(warehouse).await);
    one.add(&one.partition("0"), 4, vec![day(1, "UA", 5, 100, 7.5)]).await;
    other.add(&other.partition("0"), 9, vec![day(1, "UA", 10, 200, 8.5)]).await;
    assert_eq!(one.rows().await, [day(1, "UA", 5, 100, 7.5)]);
    assert_eq!(other.rows().await, [day(1, "UA", 10, 200, 8.5)]);
    assert_eq!(warehouse.streams(&one.feed).await.unwrap().len(), 1);
}

/// The file is replaced, retracted and gone, and the stream's counts stay.
pub async fn a_stream_and_a_file_that_share_keys_add_up(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    stage.count("1.csv", "a", vec![day(1, "UA", 1, 10, 9.0), day(3, "UA", 1, 1, 1.0)]).await;
    stage.add(&unit, 4, vec![day(1, "UA", 5, 500, 7.5), day(2, "UA", 1, 1, 1.0)]).await;
    let both = day(1, "UA", 6, 510, 9.0);
    assert_eq!(stage.rows().await[0][..5], both[..5]);
    stage.count("1.csv", "b", vec![day(1, "UA", 2, 20, 1.0)]).await;
    assert_eq!(stage.rows().await[0][..5], day(1, "UA", 7, 520, 7.5)[..5]);
    stage.add(&unit, 5, vec![day(1, "UA", 1, 1, 7.0)]).await;
    assert_eq!(stage.rows().await[0][..5], day(1, "UA", 8, 521, 7.5)[..5]);
    stage.retract("1.csv").await;
    let of_stream = vec![day(1, "UA", 6, 501, 7.5), day(2, "UA", 1, 1, 1.0)];
    assert_eq!(stage.rows().await, of_stream);
    stage.count("1.csv", "c", vec![]).await;
    assert_eq!(stage.rows().await, of_stream);
    assert!(stage.recount(Remedy::Report).await.is_right());
}

/// What is asked about files says nothing of streams.
pub async fn a_stream_is_no_file(warehouse: &dyn Warehouse) {
    let mut stage = Stage::new(warehouse).await;
    stage.add(&stage.partition("0"), 4, vec![day(1, "UA", 5, 500, 7.5)]).await;
    assert_eq!(warehouse.units(&stage.feed, None, 10).await.unwrap(), []);
    let report = warehouse.migrate(&stage.schema("second")).await.unwrap();
    assert_eq!(report.feeds_to_replay, [], "a stream is not replayed by announcing files");
    stage.migrate("second").await;
    stage.count("1.csv", "a", vec![]).await;
    assert_eq!(warehouse.units(&stage.feed, None, 10).await.unwrap().len(), 1);
    let report = warehouse.migrate(&stage.schema("third")).await.unwrap();
    assert_eq!(report.feeds_to_replay, [stage.feed.clone()]);
}

pub async fn an_older_generation_is_refused(warehouse: &dyn Warehouse) {
    let mut stage = Stage::new(warehouse).await;
    let (unit, other) = (stage.partition("0"), stage.partition("1"));
    stage.add(&unit, 4, vec![day(1, "UA", 5, 500, 7.5)]).await;
    let old_handler = stage.events(&unit, Some(6), 7, vec![vec![day(9, "UA", 1, 1, 1.0)]]);
    let elsewhere = stage.events(&other, None, 0, vec![vec![day(1, "UA", 1, 1, 1.0)]]);
    stage.migrate("second").await;
    stage.add(&unit, 5, vec![day(1, "UA", 1, 1, 1.0)]).await;
    let error = stage.commit_stream(&old_handler).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Retry);
    let WarehouseError::OlderGeneration { committed, ours, .. } = error else { panic!("{error}") };
    assert_eq!((committed, ours), (stage.generation, old_handler.generation));
    assert_eq!(stage.rows().await[0][2..4], day(1, "UA", 6, 501, 7.5)[2..4]);
    let outcome = stage.commit_stream(&elsewhere).await.unwrap();
    assert_eq!(outcome, StreamOutcome::Committed, "a partition that the newer handler has not touched");
}

pub async fn what_was_not_migrated_is_refused(warehouse: &dyn Warehouse) {
    let mut stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    let rows = || vec![vec![day(1, "UA", 5, 500, 7.5)]];
    let mut not_given = stage.events(&unit, None, 4, rows());
    not_given.generation = stage.generation + 1;
    let mut unknown_table = stage.events(&unit, None, 4, rows());
    unknown_table.parts[0].plan = days(&stage.feed, &unique("flight_days"));
    let mut unknown_feed = stage.events(&unit, None, 4, vec![]);
    unknown_feed.unit.feed = FeedName::new(unique("unheard_of")).unwrap();
    for load in [not_given, unknown_table, unknown_feed] {
        let refused = stage.commit_stream(&load).await.unwrap_err();
        assert!(matches!(refused, WarehouseError::NotMigrated { .. }), "{refused}");
    }
    let old_handler = stage.events(&unit, None, 4, rows());
    stage.plans[0].columns.truncate(3);
    stage.migrate("second").await;
    let refused = stage.commit_stream(&old_handler).await.unwrap_err();
    assert!(matches!(refused, WarehouseError::OlderGeneration { .. }), "{refused}");
    assert_eq!((stage.rows().await, stage.recorded_stream(&unit).await), (vec![], None));
}

pub async fn gaps_and_quarantine_are_written_only_with_the_commit(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let (unit, other) = (stage.partition("0"), stage.partition("1"));
    let bad = |name: &str, first, last| {
        Some(QuarantinedEvents { name: format!("clicks/{name}.ndjson"), first, last, events: last - first })
    };
    let mut first = stage.events(&unit, None, 9, vec![vec![day(1, "UA", 5, 500, 7.5)]]);
    (first.gaps, first.quarantine, first.events_rejected) = (vec![gap(0, 2), gap(5, 5)], bad("b", 3, 9), 6);
    let mut never = stage.events(&unit, Some(5), 9, vec![vec![]]);
    (never.gaps, never.quarantine) = (vec![gap(5, 9)], bad("never", 5, 9));
    let mut refused = stage.events(&unit, Some(10), 12, vec![vec![vec![]]]);
    (refused.gaps, refused.quarantine) = (vec![gap(10, 11)], bad("refused", 12, 12));
    let mut second = stage.events(&other, None, 20, vec![vec![]]);
    (second.gaps, second.quarantine) = (vec![gap(0, 19)], bad("a", 20, 20));
    second.committed_at = time("2026-11-25T09:00:00Z");

    assert_eq!(stage.commit_stream(&first).await.unwrap(), StreamOutcome::Committed);
    assert_eq!(stage.commit_stream(&never).await.unwrap(), StreamOutcome::Moved);
    assert!(stage.commit_stream(&refused).await.is_err(), "a row without values");
    assert_eq!(stage.commit_stream(&second).await.unwrap(), StreamOutcome::Committed);

    let recorded = |load: &millrace::stations::warehouse::StreamLoad, gap: usize| RecordedGap {
        unit: load.unit.clone(),
        gap: load.gaps[gap].clone(),
        recorded_at: load.committed_at,
    };
    let gaps = [recorded(&second, 0), recorded(&first, 1), recorded(&first, 0)];
    assert_eq!(warehouse.stream_gaps(&stage.feed, 10).await.unwrap(), gaps, "the newest first");
    assert_eq!(warehouse.stream_gaps(&stage.feed, 1).await.unwrap(), gaps[..1]);

    let files = [(other, second.quarantine.unwrap()), (unit, first.quarantine.unwrap())];
    assert_eq!(warehouse.stream_quarantine(&stage.feed, None, 10).await.unwrap(), files, "by name");
    let page = warehouse.stream_quarantine(&stage.feed, None, 1).await.unwrap();
    assert_eq!(page, files[..1]);
    let page = warehouse.stream_quarantine(&stage.feed, Some(&page[0].1.name), 10).await.unwrap();
    assert_eq!(page, files[1..]);
}

pub async fn a_file_of_bad_events_belongs_to_one_commit(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    let file = QuarantinedEvents { name: "clicks/0.ndjson".to_owned(), first: 0, last: 0, events: 1 };
    let mut load = stage.events(&unit, None, 0, vec![vec![]]);
    load.quarantine = Some(file.clone());
    assert_eq!(stage.commit_stream(&load).await.unwrap(), StreamOutcome::Committed);
    let mut again = stage.events(&unit, Some(1), 1, vec![vec![day(1, "UA", 1, 1, 1.0)]]);
    again.quarantine = Some(QuarantinedEvents { first: 1, last: 1, ..file });
    let error = stage.commit_stream(&again).await.unwrap_err();
    assert!(error.to_string().contains("`clicks/0.ndjson`"), "{error}");
    assert_eq!(stage.rows().await, Vec::<Row>::new());
    assert_eq!(stage.recorded_stream(&unit).await.unwrap().applied, Some(0));
}

/// Of events that are gone nobody knows a time.
pub async fn a_load_of_a_gap_alone_keeps_the_time_of_the_last_event(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    stage.add(&unit, 4, vec![day(1, "UA", 5, 500, 7.5)]).await;
    let mut gone = stage.events(&unit, Some(5), 9, vec![vec![]]);
    (gone.gaps, gone.applied_enqueued_at, gone.events_read) = (vec![gap(5, 9)], None, 0);
    assert_eq!(stage.commit_stream(&gone).await.unwrap(), StreamOutcome::Committed);
    let record = stage.recorded_stream(&unit).await.unwrap();
    assert_eq!((record.applied, record.events_read), (Some(9), 5));
    assert_eq!(record.applied_enqueued_at, Some(enqueued(4)));
}

/// If such a load were taken, one that came again could not be told from a new one.
pub async fn a_load_that_does_not_move_the_ledger_on_is_refused(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    stage.add(&unit, 4, vec![day(1, "UA", 5, 500, 7.5)]).await;
    let rows = || vec![vec![day(1, "UA", 1, 1, 1.0)]];
    let load = || stage.events(&unit, Some(5), 5, rows());
    let mut backwards = load();
    backwards.applied = Some(4);
    let mut nowhere = load();
    nowhere.applied = None;
    let mut counts_nothing_of_something = stage.events(&stage.partition("1"), None, 0, rows());
    counts_nothing_of_something.applied = None;
    let mut beyond_any_hub = load();
    beyond_any_hub.applied = Some(u64::MAX);
    let mut gap_before = load();
    gap_before.gaps = vec![gap(4, 5)];
    let mut gap_behind = load();
    gap_behind.gaps = vec![gap(5, 6)];
    let mut one_number_in_two_gaps = stage.events(&unit, Some(5), 9, rows());
    one_number_in_two_gaps.gaps = vec![gap(7, 9), gap(5, 7)];
    let mut bad_behind = load();
    bad_behind.quarantine = Some(QuarantinedEvents { name: "x".to_owned(), first: 5, last: 6, events: 1 });
    let loads = [
        backwards,
        nowhere,
        counts_nothing_of_something,
        beyond_any_hub,
        gap_before,
        gap_behind,
        one_number_in_two_gaps,
        bad_behind,
    ];
    for load in loads {
        let refused = stage.commit_stream(&load).await.unwrap_err();
        assert!(matches!(refused, WarehouseError::Data { .. }), "{load:?}: {refused}");
    }
    assert_eq!(stage.rows().await, [day(1, "UA", 5, 500, 7.5)]);
    assert_eq!(warehouse.streams(&stage.feed).await.unwrap().len(), 1);
}

pub async fn the_ledger_says_since_when_a_summary_counts(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let unit = stage.partition("0");
    let mut load = stage.events(&unit, None, 9, vec![vec![]]);
    load.begins = 3;
    stage.commit_stream(&load).await.unwrap();
    stage.add(&unit, 10, vec![day(1, "UA", 1, 1, 1.0)]).await;
    let plan = &stage.plans[0];
    let since = SummarySince {
        summary_id: plan.id.clone(),
        table: plan.table.clone(),
        since: 3,
        until: None,
        generation: stage.generation,
    };
    assert_eq!(warehouse.stream_summaries(&unit).await.unwrap(), [since]);
    assert_eq!(warehouse.stream_summaries(&stage.partition("1")).await.unwrap(), []);
}
