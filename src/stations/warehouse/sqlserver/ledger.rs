//! The ledger's rows: units, generations, history, and how each summary table was made.

use millrace_frames::plan::SummaryPlan;
use tiberius::Row;

use super::errors::{Fault, SqlError, failed};
use super::session::Session;
use super::values::{Fields, bytes, number, optional_number, optional_text, optional_time, text, time, unit_id};
use crate::names::{BlobName, ETag, FeedName, Sha256};
use crate::stations::warehouse::shape::{ColumnKind, ShapeColumn, TableShape};
use crate::stations::warehouse::{
    Displaced, FeedMeaning, FileUnit, HistoryEntry, LedgerEvent, UnitRecord, WarehouseError,
};

/// The upgrades of the fixed tables, oldest first; the number of the last is the version that this program knows.
pub const UPGRADES: [&str; 1] = [include_str!("sql/schema_1.sql")];

/// Bytes of a name that an index holds beside a feed's.
const LONGEST_ORDER: usize = 1_500;

pub fn known_version() -> i64 {
    i64::try_from(UPGRADES.len()).expect("there are fewer upgrades than an i64 counts")
}

/// The version of the fixed tables; 0 for a database without them.
///
/// # Errors
/// `NewerSchema`, for a version that this program does not know.
pub async fn schema_version(session: &mut Session) -> Result<i64, Fault> {
    let sql = include_str!("sql/read_version.sql");
    let found = session.number(sql, Vec::new(), "reading the schema version").await?;
    if found > known_version() {
        return Err(WarehouseError::NewerSchema { found, known: known_version() }.into());
    }
    Ok(found)
}

/// # Errors
/// `NotMigrated` where the fixed tables are missing or older than this program; `NewerSchema`.
pub async fn require_schema(session: &mut Session, feed: &FeedName) -> Result<(), Fault> {
    if schema_version(session).await? < known_version() {
        return Err(WarehouseError::NotMigrated { feed: feed.clone() }.into());
    }
    Ok(())
}

/// What names are ordered by: their bytes.
///
/// # Errors
/// `Data`, for a name that no index holds.
pub fn order_of<'a>(name: &'a str, table: &str) -> Result<&'a [u8], WarehouseError> {
    if name.len() > LONGEST_ORDER {
        return Err(WarehouseError::Data {
            table: format!("millrace.{table}"),
            reason: format!(
                "a name has {} bytes, and the ledger's index holds {LONGEST_ORDER}: give the file a shorter name",
                name.len()
            ),
        });
    }
    Ok(name.as_bytes())
}

pub async fn read_unit(session: &mut Session, unit: &FileUnit) -> Result<Option<UnitRecord>, Fault> {
    let operation = "reading the ledger";
    let rows = session.rows(include_str!("sql/read_unit.sql"), vec![unit_id(&unit.id())], operation).await?;
    rows.first().map(unit_record).transpose().map_err(failed(operation))
}

pub async fn read_units(
    session: &mut Session,
    feed: &FeedName,
    after: Option<&BlobName>,
    limit: usize,
) -> Result<Vec<UnitRecord>, Fault> {
    let operation = "listing the ledger";
    let after = after.map_or("", BlobName::as_str);
    let page = vec![text(feed.as_str()), bytes(after.as_bytes()), number(row_limit(limit))];
    let rows = session.rows(include_str!("sql/read_units.sql"), page, operation).await?;
    rows.iter().map(unit_record).collect::<Result<_, _>>().map_err(failed(operation))
}

/// Writes the unit's new row.
pub async fn write_unit(session: &mut Session, record: &UnitRecord) -> Result<(), Fault> {
    let blob = record.unit.blob.as_str();
    let row = vec![
        unit_id(&record.unit.id()),
        text(record.unit.feed.as_str()),
        text(blob),
        bytes(order_of(blob, "unit")?),
        text(record.etag.as_str()),
        number(record.generation),
        text(&record.load_id),
        number(record.size_bytes),
        optional_text(record.sha256.as_ref().map(Sha256::as_str)),
        number(record.rows_read),
        number(record.rows_rejected),
        optional_text(record.quarantine.as_deref()),
        optional_text(record.curated.as_deref()),
        time(record.committed_at),
        optional_time(record.retracted_at),
    ];
    let written = session.run(include_str!("sql/upsert_unit.sql"), row, "writing the ledger").await;
    written.map_err(|fault| fault.of_table("millrace.unit"))
}

pub async fn delete_unit(session: &mut Session, unit: &FileUnit) -> Result<(), Fault> {
    session.run(include_str!("sql/delete_unit.sql"), vec![unit_id(&unit.id())], "writing the ledger").await
}

/// Writes a line of the history.
pub async fn write_history(session: &mut Session, unit: &FileUnit, entry: &HistoryEntry) -> Result<(), Fault> {
    let displaced = entry.displaced.as_ref();
    let row = vec![
        unit_id(&unit.id()),
        text(unit.feed.as_str()),
        text(unit.blob.as_str()),
        text(entry.etag.as_str()),
        number(entry.generation),
        text(&entry.load_id),
        text(entry.event.word()),
        number(entry.rows_read),
        number(entry.rows_rejected),
        optional_text(entry.curated.as_deref()),
        time(entry.at),
        optional_text(displaced.map(|old| old.etag.as_str())),
        optional_number(displaced.map(|old| old.generation)),
        optional_text(displaced.map(|old| old.load_id.as_str())),
    ];
    let written = session.run(include_str!("sql/insert_history.sql"), row, "writing the history").await;
    written.map_err(|fault| fault.of_table("millrace.load_history"))
}

/// What happened to a unit, the newest first.
pub async fn read_history(session: &mut Session, unit: &FileUnit, limit: usize) -> Result<Vec<HistoryEntry>, Fault> {
    let operation = "reading the history";
    let page = vec![unit_id(&unit.id()), number(row_limit(limit))];
    let rows = session.rows(include_str!("sql/read_history.sql"), page, operation).await?;
    rows.iter().map(history_entry).collect::<Result<_, _>>().map_err(failed(operation))
}

/// The latest generation of a meaning.
pub async fn generation_of(session: &mut Session, meaning: &FeedMeaning) -> Result<Option<i64>, Fault> {
    let operation = "reading the generation";
    let key = vec![text(meaning.feed.as_str()), text(meaning.fingerprint.as_str())];
    let rows = session.rows(include_str!("sql/read_generation.sql"), key, operation).await?;
    let latest = rows.first().map(|row| Fields::of(row).optional_number()).transpose();
    Ok(latest.map_err(failed(operation))?.flatten())
}

/// The latest generation of a feed, and the fingerprint that has it.
pub async fn latest_generation(session: &mut Session, feed: &str) -> Result<Option<(i64, String)>, Fault> {
    let operation = "reading the latest generation";
    let rows = session.rows(include_str!("sql/read_latest_generation.sql"), vec![text(feed)], operation).await?;
    let latest = rows.first().map(|row| {
        let mut fields = Fields::of(row);
        Ok::<_, SqlError>((fields.number()?, fields.text()?))
    });
    latest.transpose().map_err(failed(operation))
}

/// How every summary table was made, ordered by the bytes of their names.
pub async fn stored_shapes(session: &mut Session) -> Result<Vec<TableShape>, Fault> {
    let operation = "reading the summaries' columns";
    let rows = session.rows(include_str!("sql/read_columns.sql"), Vec::new(), operation).await?;
    let mut shapes: Vec<TableShape> = Vec::new();
    for row in &rows {
        let (table, column) = shape_column(row).map_err(failed(operation))?;
        match shapes.last_mut() {
            Some(last) if last.table == table => last.columns.push(column),
            _ => shapes.push(TableShape { table, columns: vec![column] }),
        }
    }
    shapes.sort_by(|one, other| one.table.cmp(&other.table));
    Ok(shapes)
}

/// The shape that the database has for a plan.
///
/// # Errors
/// `NotMigrated` where there is none, or one that disagrees with the plan.
pub async fn require_shape(session: &mut Session, plan: &SummaryPlan, feed: &FeedName) -> Result<(), Fault> {
    let wanted = TableShape::of(plan)?;
    let known = stored_shapes(session).await?;
    if known.iter().any(|shape| shape.table == wanted.table && shape.agrees_with(&wanted)) {
        return Ok(());
    }
    Err(WarehouseError::NotMigrated { feed: feed.clone() }.into())
}

pub fn row_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn shape_column(row: &Row) -> Result<(String, ShapeColumn), SqlError> {
    let mut fields = Fields::of(row);
    let (table, name) = (fields.text()?, fields.text()?);
    let (type_word, merge_word) = (fields.text()?, fields.optional_text()?);
    let kind = ColumnKind::from_words(&type_word, merge_word.as_deref()).ok_or_else(|| SqlError::NotOurs {
        found: format!("type `{type_word}` of column `{name}`"),
        expected: "a column's type",
    })?;
    Ok((table, ShapeColumn { name, kind }))
}

fn unit_record(row: &Row) -> Result<UnitRecord, SqlError> {
    let mut fields = Fields::of(row);
    let unit = FileUnit { feed: fields.named(FeedName::new)?, blob: fields.named(BlobName::new)? };
    Ok(UnitRecord {
        unit,
        etag: fields.named(ETag::new)?,
        generation: fields.number()?,
        load_id: fields.text()?,
        size_bytes: fields.number()?,
        sha256: sha256(fields.optional_text()?)?,
        rows_read: fields.number()?,
        rows_rejected: fields.number()?,
        quarantine: fields.optional_text()?,
        curated: fields.optional_text()?,
        committed_at: fields.time()?,
        retracted_at: fields.optional_time()?,
    })
}

fn sha256(digits: Option<String>) -> Result<Option<Sha256>, SqlError> {
    let named = digits.map(Sha256::new).transpose();
    named.map_err(|error| SqlError::NotOurs { found: error.to_string(), expected: "a name of ours" })
}

fn history_entry(row: &Row) -> Result<HistoryEntry, SqlError> {
    let mut fields = Fields::of(row);
    let word = fields.text()?;
    let event = LedgerEvent::from_word(&word)
        .ok_or_else(|| SqlError::NotOurs { found: format!("outcome `{word}`"), expected: "an outcome" })?;
    let mut entry = HistoryEntry {
        event,
        etag: fields.named(ETag::new)?,
        generation: fields.number()?,
        load_id: fields.text()?,
        rows_read: fields.number()?,
        rows_rejected: fields.number()?,
        curated: fields.optional_text()?,
        at: fields.time()?,
        displaced: None,
    };
    if let Some(etag) = fields.optional_text()? {
        let etag = ETag::new(etag)
            .map_err(|error| SqlError::NotOurs { found: error.to_string(), expected: "a name of ours" })?;
        entry.displaced = Some(Displaced { etag, generation: fields.number()?, load_id: fields.text()? });
    }
    Ok(entry)
}
