//! Migrations: a changed meaning is a replay that replaces, never adds.

use millrace::names::{BlobName, FeedName};
use millrace::stations::Disposition;
use millrace::stations::warehouse::{FileUnit, MigrationReport, Outcome, Schema, Warehouse, WarehouseError};
use millrace_frames::part::{Row, Value};
use millrace_frames::plan::{AggregateCall, KeyType, MeasureType};

use super::fixture::{Stage, day, days, key, meaning, measure, plan, unique};

/// The one case that needs a database of its own, never migrated.
pub async fn before_migrate_every_call_says_so(warehouse: &dyn Warehouse) {
    let feed = FeedName::new(unique("flights")).unwrap();
    let stage = Stage {
        warehouse,
        landing: Default::default(),
        plans: vec![days(&feed, &unique("flight_days"))],
        feed: feed.clone(),
        generation: 1,
    };
    let unit = FileUnit { feed: feed.clone(), blob: BlobName::new("1.csv").unwrap() };
    let answers = [
        warehouse.generation(&meaning(&feed, "first")).await.unwrap_err(),
        warehouse.unit(&unit).await.unwrap_err(),
        warehouse.units(&feed, None, 1).await.unwrap_err(),
        warehouse.summary(&stage.plans[0]).await.unwrap_err(),
        stage.commit(&stage.load("1.csv", "a", vec![vec![]])).await.unwrap_err(),
        warehouse.stream(&stage.partition("0")).await.unwrap_err(),
        warehouse.streams(&feed).await.unwrap_err(),
        stage.commit_stream(&stage.events(&stage.partition("0"), None, 0, vec![vec![]])).await.unwrap_err(),
        warehouse.stream_gaps(&feed, 1).await.unwrap_err(),
        warehouse.stream_summaries(&stage.partition("0")).await.unwrap_err(),
        warehouse.stream_quarantine(&feed, None, 1).await.unwrap_err(),
    ];
    for answer in answers {
        assert_eq!(answer.disposition(), Disposition::Retry);
        assert!(answer.to_string().contains("run `millrace migrate`"), "{answer}");
    }
}

pub async fn migrating_again_changes_nothing(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let rows = vec![day(1, "UA", 1, 100, 7.5)];
    stage.count("1.csv", "a", rows.clone()).await;
    for _ in 0..2 {
        assert_eq!(warehouse.migrate(&stage.schema("first")).await.unwrap(), MigrationReport::default());
    }
    assert_eq!(warehouse.generation(&meaning(&stage.feed, "first")).await.unwrap(), stage.generation);
    assert_eq!(stage.rows().await, rows);
}

pub async fn a_new_meaning_is_the_next_generation_and_a_replay_replaces(warehouse: &dyn Warehouse) {
    let mut stage = Stage::new(warehouse).await;
    stage.count("1.csv", "a", vec![day(1, "UA", 1, 100, 7.5)]).await;
    stage.count("2.csv", "a", vec![day(1, "UA", 2, 200, 8.5)]).await;
    let first = stage.generation;
    stage.plans[0].id = "another summary".to_owned();
    let report = warehouse.migrate(&stage.schema("second")).await.unwrap();
    assert_eq!(report.feeds_to_replay, [stage.feed.clone()]);
    assert!(report.changes.iter().any(|line| line.contains(stage.feed.as_str())), "{:?}", report.changes);
    stage.migrate("second").await;
    assert_eq!(stage.generation, first + 1);
    assert_eq!(stage.rows().await, [day(1, "UA", 3, 300, 8.5)]);

    let outcome = stage.count("1.csv", "a", vec![day(1, "UA", 5, 500, 1.0)]).await;
    assert!(matches!(outcome, Outcome::Committed { displaced: Some(_) }));
    assert_eq!(stage.rows().await, [day(1, "UA", 7, 700, 8.5)]);
    stage.count("2.csv", "a", vec![day(1, "UA", 6, 600, 2.0)]).await;
    assert_eq!(stage.rows().await, [day(1, "UA", 11, 1_100, 2.0)]);
    assert_eq!(warehouse.migrate(&stage.schema("second")).await.unwrap(), MigrationReport::default());
}

pub async fn an_older_generation_is_refused_where_a_newer_one_counted(warehouse: &dyn Warehouse) {
    let mut stage = Stage::new(warehouse).await;
    stage.landing.upload(&stage.blob("1.csv"), "a");
    let old_handler = stage.load("1.csv", "a", vec![vec![day(1, "UA", 9, 900, 9.0)]]);
    stage.migrate("second").await;
    let rows = vec![day(1, "UA", 1, 100, 7.5)];
    stage.count("1.csv", "a", rows.clone()).await;
    let error = stage.commit(&old_handler).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Retry);
    let WarehouseError::OlderGeneration { committed, ours, .. } = error else { panic!("{error}") };
    assert_eq!((committed, ours), (stage.generation, old_handler.record.generation));
    assert_eq!(stage.rows().await, rows);
}

pub async fn a_meaning_that_comes_back_gets_a_new_number(warehouse: &dyn Warehouse) {
    let mut stage = Stage::new(warehouse).await;
    let first = stage.generation;
    stage.migrate("second").await;
    assert_eq!(stage.generation, first + 1);
    assert_eq!(warehouse.generation(&meaning(&stage.feed, "first")).await.unwrap(), first);
    stage.migrate("first").await;
    assert_eq!(stage.generation, first + 2);
    assert_eq!(warehouse.generation(&meaning(&stage.feed, "second")).await.unwrap(), first + 1);
}

pub async fn an_unknown_meaning_is_not_migrated(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let error = warehouse.generation(&meaning(&stage.feed, "unheard of")).await.unwrap_err();
    assert!(matches!(error, WarehouseError::NotMigrated { feed } if feed == stage.feed));
    let unknown_table = days(&stage.feed, &unique("flight_days"));
    assert!(matches!(warehouse.summary(&unknown_table).await, Err(WarehouseError::NotMigrated { .. })));
}

pub async fn a_changed_shape_is_made_anew_and_filled_by_the_replay(warehouse: &dyn Warehouse) {
    let mut stage = Stage::new(warehouse).await;
    for file in ["1.csv", "2.csv"] {
        stage.count(file, "a", vec![day(1, "UA", 1, 100, 7.5)]).await;
    }
    stage.plans[0].columns.truncate(3);
    let report = warehouse.migrate(&stage.schema("second")).await.unwrap();
    let table = &stage.plans[0].table;
    let line = format!("table `{table}` has new columns: recreated, counts come back as its files are replayed");
    assert!(report.changes.contains(&line), "{:?}", report.changes);
    assert_eq!(report.feeds_to_replay, [stage.feed.clone()]);
    stage.migrate("second").await;
    assert_eq!(stage.rows().await, Vec::<Row>::new());

    let narrow = |flights| vec![day(1, "UA", flights, None, None)[..3].to_vec()];
    for (file, total) in [("1.csv", 2), ("2.csv", 4)] {
        stage.count(file, "a", narrow(2)).await;
        assert_eq!(stage.rows().await, narrow(total));
    }
    stage.count("2.csv", "b", narrow(1)).await;
    assert_eq!(stage.rows().await, narrow(3));
}

pub async fn a_shape_lost_to_another_feed_is_replayed_too(warehouse: &dyn Warehouse) {
    let loser = Stage::new(warehouse).await;
    loser.count("1.csv", "a", vec![day(1, "UA", 1, 100, 7.5)]).await;
    let table = loser.plans[0].table.clone();
    Stage::with(warehouse, |feed| {
        let mut narrow = days(feed, &table);
        narrow.columns.truncate(3);
        vec![narrow]
    })
    .await;
    let schema = Schema { meanings: vec![meaning(&loser.feed, "first")], summaries: vec![] };
    let report = warehouse.migrate(&schema).await.unwrap();
    assert_eq!(report.feeds_to_replay, std::slice::from_ref(&loser.feed));
    assert_eq!(warehouse.generation(&schema.meanings[0]).await.unwrap(), loser.generation + 1);
}

pub async fn an_old_handler_does_not_write_into_a_changed_shape(warehouse: &dyn Warehouse) {
    let mut stage = Stage::new(warehouse).await;
    stage.landing.upload(&stage.blob("1.csv"), "a");
    let old_handler = stage.load("1.csv", "a", vec![vec![day(1, "UA", 9, 900, 9.0)]]);
    stage.plans[0].columns.truncate(3);
    stage.migrate("second").await;
    assert!(matches!(stage.commit(&old_handler).await, Err(WarehouseError::OlderGeneration { .. })));
    assert_eq!((stage.rows().await, stage.recorded("1.csv").await), (vec![], None));
}

pub async fn a_summary_that_moved_leaves_its_old_table(warehouse: &dyn Warehouse) {
    let mut stage = Stage::new(warehouse).await;
    for file in ["1.csv", "2.csv"] {
        stage.count(file, "a", vec![day(1, "UA", 1, 100, 7.5)]).await;
    }
    let left = stage.plans[0].clone();
    stage.plans[0] = days(&stage.feed, &unique("flight_days"));
    stage.migrate("second").await;
    stage.count("1.csv", "a", vec![day(1, "UA", 1, 100, 7.5)]).await;
    assert_eq!(stage.rows().await, [day(1, "UA", 1, 100, 7.5)]);
    assert_eq!(warehouse.summary(&left).await.unwrap().rows, [day(1, "UA", 1, 100, 7.5)]);
    stage.count("2.csv", "a", vec![]).await;
    assert_eq!(warehouse.summary(&left).await.unwrap().rows, Vec::<Row>::new());
}

pub async fn names_that_could_leave_their_quotes_are_refused(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let rows = vec![day(1, "UA", 1, 100, 7.5)];
    stage.count("1.csv", "a", rows.clone()).await;
    let injection = format!("x\" (y); DROP TABLE \"{}\"; --", stage.plans[0].table);
    let in_table = days(&stage.feed, &injection);
    let mut in_column = days(&stage.feed, &unique("flight_days"));
    in_column.columns[2].name = injection;
    for plan in [in_table, in_column] {
        let schema = Schema { meanings: vec![], summaries: vec![plan.clone()] };
        assert!(matches!(warehouse.migrate(&schema).await, Err(WarehouseError::Data { .. })));
        assert!(matches!(
            warehouse.summary(&plan).await,
            Err(WarehouseError::Data { .. } | WarehouseError::NotMigrated { .. })
        ));
        assert!(warehouse.schema_sql(&schema).contains("-- refused: table `"));
    }
    let mut in_summary_id = stage.load("2.csv", "a", vec![rows.clone()]);
    in_summary_id.parts[0].plan.id = "'); DROP TABLE millrace_unit; --".to_owned();
    stage.landing.upload(&stage.blob("2.csv"), "a");
    stage.commit(&in_summary_id).await.unwrap();
    assert_eq!(stage.rows().await, [day(1, "UA", 2, 200, 7.5)]);
}

pub async fn odd_but_harmless_names_are_kept(warehouse: &dyn Warehouse) {
    let stage = Stage::with(warehouse, |feed| {
        let columns = vec![
            key("select", KeyType::Int64),
            key("Größe in m", KeyType::Int64),
            key("unit_id", KeyType::Int64),
            measure("COUNT(*)", AggregateCall::CountRows, MeasureType::Int64),
        ];
        vec![plan(feed, &unique("group by"), columns)]
    })
    .await;
    let row = |flights| vec![Value::Int64(1), Value::Int64(2), Value::Int64(3), Value::Int64(flights)];
    stage.count("1.csv", "a", vec![row(1)]).await;
    stage.count("2.csv", "a", vec![row(1)]).await;
    stage.count("2.csv", "b", vec![row(5)]).await;
    assert_eq!(stage.rows().await, [row(6)]);
    let summary = warehouse.summary(&stage.plans[0]).await.unwrap();
    assert_eq!(summary.columns, ["select", "Größe in m", "unit_id", "COUNT(*)"]);
    assert!(warehouse.schema_sql(&stage.schema("first")).contains("Größe in m"));
}
