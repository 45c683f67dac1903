//! Brings a database to a schema, in one transaction, and says what it did. Running it again changes nothing.

use std::collections::BTreeSet;

use chrono::Utc;
use tiberius::Row;

use super::SqlServerWarehouse;
use super::errors::{Fault, SqlError, failed};
use super::incoming::make_work;
use super::ledger::{UPGRADES, known_version, latest_generation, schema_version, stored_shapes};
use super::locks::{LockMode, begin, commit, lock_schema};
use super::merging::merge;
use super::retry::Retries;
use super::session::Session;
use super::table_sql::{RowSource, TableSql, summary_name};
use super::values::{Fields, number, optional_text, text, text_of, time};
use crate::names::FeedName;
use crate::stations::warehouse::shape::TableShape;
use crate::stations::warehouse::{MigrationReport, Schema, WarehouseError};

/// A new table belongs to nobody but its owner.
const RIGHTS_ON_NEW_TABLES: &str =
    "the app needs rights on the new tables: `millrace migrate --print` ends with what to run";

impl SqlServerWarehouse {
    pub(super) async fn bring_to(&self, schema: &Schema) -> Result<MigrationReport, WarehouseError> {
        let mut retries = Retries::new(&self.policy);
        // Of a run whose COMMIT was not answered. If it happened, the next run finds nothing to do.
        let mut unanswered: Option<MigrationReport> = None;
        loop {
            match self.attempt_migration(schema).await {
                Ok((report, Ok(()))) if report.changes.is_empty() => return Ok(unanswered.unwrap_or(report)),
                Ok((report, Ok(()))) => return Ok(report),
                Ok((report, Err(fault))) => {
                    unanswered = Some(report);
                    retries.after(fault).await?;
                }
                Err(fault) => retries.after(fault).await?,
            }
        }
    }

    /// The report, and how COMMIT ended.
    async fn attempt_migration(&self, schema: &Schema) -> Result<(MigrationReport, Result<(), Fault>), Fault> {
        let wanted = TableShape::of_all(&schema.summaries)?;
        let mut lease = self.connections.lease().await?;
        let session = lease.session();
        begin(session).await?;
        lock_schema(session, LockMode::Exclusive).await?;
        let mut changes = Vec::new();
        upgrade_fixed_tables(session, &mut changes).await?;
        let tables_before = changes.len();
        let feeds_that_lost_parts = make_summaries(session, &wanted, &mut changes).await?;
        if changes.len() > tables_before {
            changes.push(RIGHTS_ON_NEW_TABLES.to_owned());
        }
        give_generations(session, schema, feeds_that_lost_parts, &mut changes).await?;
        let feeds_to_replay = feeds_to_replay(session, schema).await?;
        let report = MigrationReport { changes, feeds_to_replay };
        let committed = commit(session).await;
        if committed.is_ok() {
            lease.give_back();
        }
        Ok((report, committed))
    }
}

/// What `migrate` would run on an empty database, and what the app needs afterwards. What it would refuse stands in it as a
/// comment.
pub fn schema_sql(schema: &Schema) -> String {
    let mut batches = vec![include_str!("sql/create_schema.sql").to_owned()];
    batches.extend(UPGRADES.iter().map(|upgrade| (*upgrade).to_owned()));
    let mut rights = include_str!("sql/rights.sql").to_owned();
    match TableShape::of_all(&schema.summaries) {
        Ok(shapes) => {
            for table in shapes.into_iter().map(TableSql::new) {
                batches.push(table.create());
                rights.push_str(&table.fill(include_str!("sql/grant_summary.sql")));
            }
        }
        Err(refused) => batches.push(refused.to_string().lines().map(|line| format!("-- refused: {line}\n")).collect()),
    }
    batches.push(rights);
    batches.iter().map(|batch| batch.trim_end()).collect::<Vec<_>>().join("\nGO\n\n")
}

async fn upgrade_fixed_tables(session: &mut Session, changes: &mut Vec<String>) -> Result<(), Fault> {
    let operation = "upgrading the ledger's tables";
    let found = schema_version(session).await?;
    if found == known_version() {
        return Ok(());
    }
    if session.number(include_str!("sql/has_schema.sql"), Vec::new(), operation).await? == 0 {
        session.batch(include_str!("sql/create_schema.sql"), operation).await?;
    }
    for (version, upgrade) in (1_i64..).zip(UPGRADES).skip_while(|(version, _)| *version <= found) {
        session.batch(upgrade, operation).await?;
        changes.push(format!("ledger: upgraded to schema version {version}"));
    }
    let row = vec![number(known_version()), time(Utc::now())];
    session.run(include_str!("sql/write_version.sql"), row, operation).await
}

/// Creates missing summary tables and makes changed ones anew. Returns the feeds whose parts went with the old ones.
async fn make_summaries(
    session: &mut Session,
    wanted: &[TableShape],
    changes: &mut Vec<String>,
) -> Result<BTreeSet<String>, Fault> {
    let known = stored_shapes(session).await?;
    let mut feeds_that_lost_parts = BTreeSet::new();
    for shape in wanted {
        let table = &shape.table;
        let before = known.iter().find(|known| known.table.eq_ignore_ascii_case(table));
        match before {
            Some(before) if before.table == *table && before.agrees_with(shape) => continue,
            Some(before) => {
                let kept = keep_stream_counts(session, before).await?;
                changes.push(recreated(session, before, kept.as_deref()).await?);
                feeds_that_lost_parts.extend(drop_summary(session, before).await?);
            }
            None => changes.push(format!("table `{table}`: created")),
        }
        create_summary(session, shape).await?;
    }
    Ok(feeds_that_lost_parts)
}

/// What a person is told of a table that is made anew.
async fn recreated(session: &mut Session, before: &TableShape, kept_streams: Option<&str>) -> Result<String, Fault> {
    let begin = format!("table `{}` has new columns: recreated", before.table);
    let of_files = "counts come back as its files are replayed";
    let Some(aside) = kept_streams else { return Ok(format!("{begin}, {of_files}")) };
    let of_streams = format!(
        "what streams counted stays in table `{aside}`, which is yours now, and the new table counts their next events"
    );
    if has_parts_of(session, before, UnitKind::File).await? {
        return Ok(format!("{begin}, {of_files}; {of_streams}"));
    }
    Ok(format!("{begin}; {of_streams}"))
}

/// What streams counted into a table cannot be counted again: it is written into a table aside, `<table>_before_<n>`, that
/// nothing reads or writes from then on. What files counted is not in it, since it comes back: both tables together have
/// each event and each row once. Returns the table's name; `None`: no stream counted into it.
///
/// A new summary of this name counts streams from their next event on, and the ledger forgets the old one.
async fn keep_stream_counts(session: &mut Session, before: &TableShape) -> Result<Option<String>, Fault> {
    let operation = "keeping what streams counted";
    let forget = include_str!("sql/delete_stream_summaries_of_table.sql");
    session.run(forget, vec![text(&before.table)], operation).await?;
    if !has_parts_of(session, before, UnitKind::Stream).await? {
        return Ok(None);
    }
    let aside = free_name(session, &before.table).await?;
    let kept = TableSql::new(TableShape { table: aside.clone(), columns: before.columns.clone() });
    session.batch(&kept.create_summary_alone(), operation).await?;
    let table = TableSql::new(before.clone());
    make_work(session, before).await?;
    merge(session, &table, RowSource::Streams, Vec::new()).await?;
    session.run(&table.write_aside(&aside), Vec::new(), operation).await?;
    Ok(Some(aside))
}

/// `<table>_before_<n>`, with the first number that is free.
async fn free_name(session: &mut Session, table: &str) -> Result<String, Fault> {
    let mut number = 1;
    loop {
        let name = format!("{table}_before_{number}");
        if !is_taken(session, &name).await? {
            return Ok(name);
        }
        number += 1;
    }
}

async fn is_taken(session: &mut Session, table: &str) -> Result<bool, Fault> {
    let name = vec![text_of(summary_name(table))];
    Ok(session.number(include_str!("sql/has_object.sql"), name, "looking for a free name").await? != 0)
}

#[derive(Clone, Copy)]
enum UnitKind {
    File,
    Stream,
}

async fn has_parts_of(session: &mut Session, shape: &TableShape, kind: UnitKind) -> Result<bool, Fault> {
    let word = match kind {
        UnitKind::File => "file",
        UnitKind::Stream => "stream",
    };
    let sql = TableSql::new(shape.clone()).fill(include_str!("sql/has_parts_of_kind.sql"));
    Ok(session.number(&sql, vec![text(word)], "looking for what counted into a table").await? != 0)
}

async fn drop_summary(session: &mut Session, shape: &TableShape) -> Result<Vec<String>, Fault> {
    let operation = "dropping a summary table";
    let table = TableSql::new(shape.clone());
    let sql = table.fill(include_str!("sql/read_feeds_with_parts.sql"));
    let rows = session.rows(&sql, Vec::new(), operation).await?;
    let feeds = rows.iter().map(|row: &Row| Fields::of(row).text()).collect::<Result<Vec<String>, SqlError>>();
    let feeds = feeds.map_err(failed(operation))?;
    session.batch(&table.fill(include_str!("sql/drop_summary.sql")), operation).await?;
    session.run(include_str!("sql/delete_columns.sql"), vec![text(&shape.table)], operation).await?;
    Ok(feeds)
}

async fn create_summary(session: &mut Session, shape: &TableShape) -> Result<(), Fault> {
    let operation = "creating a summary table";
    if is_taken(session, &shape.table).await? {
        let reason =
            "the database has something of this name that millrace did not make: rename one of them".to_owned();
        return Err(WarehouseError::Data { table: shape.table.clone(), reason }.into());
    }
    session.batch(&TableSql::new(shape.clone()).create(), operation).await?;
    for (position, column) in (0_i64..).zip(&shape.columns) {
        let words = vec![
            text(&shape.table),
            number(position),
            text(&column.name),
            text_of(column.kind.type_word()),
            optional_text(column.kind.merge_word()),
        ];
        session.run(include_str!("sql/insert_column.sql"), words, operation).await?;
    }
    Ok(())
}

/// Gives the next generation to each feed with a new meaning, and to each feed whose parts were lost, so that its units
/// count as not loaded even where its own fingerprint stayed the same.
async fn give_generations(
    session: &mut Session,
    schema: &Schema,
    mut feeds_that_lost_parts: BTreeSet<String>,
    changes: &mut Vec<String>,
) -> Result<(), Fault> {
    for meaning in &schema.meanings {
        let lost_parts = feeds_that_lost_parts.remove(meaning.feed.as_str());
        let fingerprint = meaning.fingerprint.as_str();
        match latest_generation(session, meaning.feed.as_str()).await? {
            Some((_, latest)) if latest == fingerprint && !lost_parts => {}
            latest => {
                let next = latest.map_or(1, |(generation, _)| generation + 1);
                insert_generation(session, meaning.feed.as_str(), next, fingerprint).await?;
                changes.push(format!("feed `{}`: generation {next}", meaning.feed));
            }
        }
    }
    for feed in feeds_that_lost_parts {
        if let Some((generation, fingerprint)) = latest_generation(session, &feed).await? {
            insert_generation(session, &feed, generation + 1, &fingerprint).await?;
            changes.push(format!("feed `{feed}`: generation {}", generation + 1));
        }
    }
    Ok(())
}

async fn insert_generation(session: &mut Session, feed: &str, generation: i64, fingerprint: &str) -> Result<(), Fault> {
    let row = vec![text(feed), number(generation), text(fingerprint), time(Utc::now())];
    session.run(include_str!("sql/insert_generation.sql"), row, "writing a generation").await
}

async fn feeds_to_replay(session: &mut Session, schema: &Schema) -> Result<Vec<FeedName>, Fault> {
    let mut feeds = Vec::new();
    for meaning in &schema.meanings {
        let Some((latest, _)) = latest_generation(session, meaning.feed.as_str()).await? else { continue };
        let key = vec![text(meaning.feed.as_str()), number(latest)];
        if session.number(include_str!("sql/has_older_units.sql"), key, "looking for units to replay").await? != 0 {
            feeds.push(meaning.feed.clone());
        }
    }
    Ok(feeds)
}

#[cfg(test)]
mod tests {
    use millrace_frames::plan::{AggregateCall, KeyType, MeasureType, SummaryColumn, SummaryPlan, SummaryRole};

    use super::*;

    #[test]
    fn the_printed_schema_ends_with_the_least_rights_of_the_app() {
        let key = SummaryRole::Key { expression: "day".to_owned(), key_type: KeyType::Date };
        let measure = SummaryRole::Measure { call: AggregateCall::CountRows, measure_type: MeasureType::Int64 };
        let columns = [("day", key), ("flights", measure)]
            .map(|(name, role)| SummaryColumn { name: name.to_owned(), role })
            .to_vec();
        let plan = SummaryPlan {
            id: "1".to_owned(),
            table: "flight_days".to_owned(),
            feed: "flights".to_owned(),
            columns,
            filter: None,
        };
        let sql = schema_sql(&Schema { meanings: Vec::new(), summaries: vec![plan] });
        assert!(sql.starts_with("CREATE SCHEMA [millrace];\nGO\n"), "{sql}");
        assert!(sql.contains("CREATE TABLE [dbo].[flight_days] (") && sql.contains("[millrace].[flight_days_part]"));
        let rights = sql.rsplit("GO\n").next().unwrap();
        assert!(rights.contains("TYPE = E") && rights.contains("ON SCHEMA::[millrace] TO [<app>]"), "{rights}");
        assert!(
            rights.ends_with("-- GRANT SELECT, INSERT, UPDATE, DELETE ON [dbo].[flight_days] TO [<app>];"),
            "{rights}"
        );
        assert!(rights.lines().all(|line| line.is_empty() || line.starts_with("--")), "it is for people: {rights}");
        assert!(!rights.contains("ALTER ROLE"), "{rights}");
    }
}
