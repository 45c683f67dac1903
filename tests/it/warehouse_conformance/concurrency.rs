//! Many commits at once, through several warehouses on one database, as two handlers overlap during a restart.

use futures::future::join_all;
use millrace::stations::warehouse::{Outcome, Warehouse};
use millrace_frames::part::Row;

use super::fixture::{Stage, day};

const FILES: usize = 6;
const VERSIONS: usize = 6;
/// Each message comes more than once.
const DELIVERIES: usize = 2;

/// A row that every file counts into, one that it shares with its neighbour, and one that only some versions have.
fn rows_of(file: usize, version: usize) -> Vec<Row> {
    let number = i64::try_from(file * 1_000 + version * 7 + 1).unwrap();
    let worst = f64::from(u32::try_from((version * 5) % 7).unwrap());
    let mut rows = vec![day(0, "all", number, number, worst)];
    rows.push(day(i32::try_from(file / 2).unwrap(), "pair", 1, number, worst));
    if version.is_multiple_of(2) {
        rows.push(day(i32::try_from(file).unwrap(), "some", number, None, None));
    }
    rows
}

/// Every version is landed and then announced, in a mixed-up order, several times, by whichever warehouse is free. A
/// version that was overtaken is superseded; what stays is each file's last version.
pub async fn interleaved_versions_end_in_the_right_sums(warehouses: &[&dyn Warehouse]) {
    let stage = Stage::new(warehouses[0]).await;
    let expected = Stage::new(warehouses[0]).await;
    let deliver = |turn: usize| {
        // Coprime to the number of turns: each comes once, out of order.
        let mixed = (turn * 31) % (FILES * VERSIONS * DELIVERIES);
        let (file, version) = (mixed % FILES, mixed / FILES % VERSIONS);
        let (stage, warehouse) = (&stage, warehouses[turn % warehouses.len()]);
        async move {
            let blob = stage.blob(&file.to_string());
            if stage.landing.version(&blob).is_none_or(|landed| landed.parse::<usize>().unwrap() < version) {
                stage.landing.upload(&blob, &version.to_string());
            }
            let load = stage.load(&file.to_string(), &version.to_string(), vec![rows_of(file, version)]);
            warehouse.commit_file(&load, &stage.landing).await.unwrap()
        }
    };
    let outcomes = join_all((0..FILES * VERSIONS * DELIVERIES).map(deliver)).await;
    let committed = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Committed { .. })).count();
    assert!(committed >= FILES, "{committed} commits");
    assert!(!outcomes.contains(&Outcome::Gone));

    for file in 0..FILES {
        assert_eq!(stage.recorded(&file.to_string()).await.unwrap().etag.as_str(), (VERSIONS - 1).to_string());
        expected.count(&file.to_string(), "last", rows_of(file, VERSIONS - 1)).await;
    }
    assert_eq!(stage.rows().await, expected.rows().await);
}

/// Versions that replace each other one after the other, each landed while others commit: the table is right after
/// each round, not only at the end.
pub async fn rounds_of_corrections_stay_right(warehouses: &[&dyn Warehouse]) {
    let stage = Stage::new(warehouses[0]).await;
    for version in 0..VERSIONS {
        let commits = (0..FILES).map(|file| {
            stage.landing.upload(&stage.blob(&file.to_string()), &version.to_string());
            let load = stage.load(&file.to_string(), &version.to_string(), vec![rows_of(file, version)]);
            let (stage, warehouse) = (&stage, warehouses[(file + version) % warehouses.len()]);
            async move { warehouse.commit_file(&load, &stage.landing).await.unwrap() }
        });
        for outcome in join_all(commits).await {
            assert_eq!(matches!(outcome, Outcome::Committed { displaced: Some(_) }), version > 0);
        }
        let expected = Stage::new(warehouses[0]).await;
        for file in 0..FILES {
            expected.count(&file.to_string(), "last", rows_of(file, version)).await;
        }
        assert_eq!(stage.rows().await, expected.rows().await, "version {version}");
    }
}
