//! Recounts: a table that only commits and retractions wrote is what its parts say. What a recount finds where somebody else
//! wrote is tested for each database on its own, as each is tampered with in its own words.

use millrace::stations::warehouse::{Remedy, TableCheck, Warehouse, WarehouseError};
use millrace_frames::part::Value;
use millrace_frames::plan::{AggregateCall, KeyType, MeasureType};

use super::fixture::{Stage, day, key, meaning, measure, plan, unique};

impl Stage<'_> {
    /// The recount of the first plan's table. Other cases may share the database.
    pub async fn recount(&self, remedy: Remedy) -> TableCheck {
        let checks = self.warehouse.verify(&self.schema("first"), remedy, 100).await.unwrap();
        checks.into_iter().find(|check| check.table == self.plans[0].table).unwrap()
    }
}

pub async fn tables_that_only_commits_wrote_are_right(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    stage.count("1.csv", "a", vec![day(1, "AA", 5, None, 9.0), day(1, "UA", 1, 100, None)]).await;
    stage.count("2.csv", "a", vec![day(1, "UA", 10, 1_000, 1.0)]).await;
    stage.count("1.csv", "b", vec![day(2, "AA", 5, None, None)]).await;
    stage.count("3.csv", "a", vec![day(1, "UA", 10, 1_000, 1.0)]).await;
    stage.retract("3.csv").await;
    let check = stage.recount(Remedy::Report).await;
    assert!(check.is_right(), "{check:?}");
    assert_eq!((check.rows, check.keys, check.measures.len()), (2, vec!["day".to_owned(), "carrier".to_owned()], 5));

    // Sums of floats depend on the order in which they were made, and the recount has another one.
    let floats = Stage::with(warehouse, |feed| {
        let columns =
            vec![key("k", KeyType::Int64), measure("total", AggregateCall::Sum("x".to_owned()), MeasureType::Float64)];
        vec![plan(feed, &unique("floats"), columns)]
    })
    .await;
    let numbers = [1e16, 1.0, -1e16, 0.1, 3e-7, -1.1, 1e9, -1e9];
    for (file, number) in numbers.into_iter().enumerate() {
        floats.count(&file.to_string(), "a", vec![vec![Value::Int64(1), Value::Float64(number)]]).await;
    }
    let check = floats.recount(Remedy::Report).await;
    assert!(check.is_right(), "{check:?}");
}

pub async fn a_recount_before_migrate_says_so(warehouse: &dyn Warehouse) {
    let stage = Stage::new(warehouse).await;
    let mut schema = stage.schema("first");
    schema.meanings.push(meaning(&stage.feed, "first"));
    schema.summaries.push(plan(&stage.feed, &unique("unmade"), vec![key("k", KeyType::Int64)]));
    let refused = warehouse.verify(&schema, Remedy::Report, 1).await.unwrap_err();
    assert!(matches!(refused, WarehouseError::NotMigrated { .. }), "{refused}");
}
