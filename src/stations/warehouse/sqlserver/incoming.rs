//! A load's parts into temporary tables, before any lock: only this session sees them, and nobody waits meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};

use millrace_frames::part::Row;
use tiberius::{ColumnData, TokenRow};

use super::errors::{Fault, SqlError, Verdict, failed};
use super::session::Session;
use super::table_sql::{TableSql, incoming_name, quoted};
use super::values::{sent, sent_as_parameter, text};
use crate::stations::warehouse::row_check::check_row;
use crate::stations::warehouse::shape::TableShape;
use crate::stations::warehouse::{SummaryPart, WarehouseError};

/// A bulk load takes three round trips, one statement one.
const FEW_ROWS: usize = 16;
/// A statement has at most 2,100 parameters.
const MOST_PARAMETERS: usize = 2_000;
/// And a table of values at most 1,000 rows.
const MOST_ROWS: usize = 1_000;

/// Whether the server takes bulk loads. One that once refused is asked no more.
#[derive(Debug, Default)]
pub struct BulkLoads {
    refused: AtomicBool,
}

impl BulkLoads {
    fn are_taken(&self) -> bool {
        !self.refused.load(Ordering::Relaxed)
    }
}

/// Makes the temporary tables and fills them.
///
/// # Errors
/// `Data`, for a row that does not fit its table, and where two have one key.
pub async fn fill(
    session: &mut Session,
    parts: &[SummaryPart],
    tables: &[TableShape],
    bulk_loads: &BulkLoads,
) -> Result<(), Fault> {
    make(session, tables).await?;
    for part in parts {
        let shape = TableShape::of(&part.plan)?;
        for row in &part.rows {
            check_row(&shape, row)?;
        }
        let filled = if part.rows.len() > FEW_ROWS && bulk_loads.are_taken() {
            load_in_bulk(session, &shape, &part.plan.id, &part.rows, bulk_loads).await
        } else {
            insert(session, &shape, &part.plan.id, &part.rows).await
        };
        filled.map_err(|fault| fault.of_table(&shape.table))?;
    }
    for shape in tables.iter().filter(|shape| parts.iter().any(|part| part.plan.table == shape.table)) {
        refuse_twins(session, shape).await?;
    }
    Ok(())
}

async fn make(session: &mut Session, tables: &[TableShape]) -> Result<(), Fault> {
    let templates = [include_str!("sql/create_incoming.sql"), include_str!("sql/create_work.sql")];
    let mut batch = String::new();
    for shape in tables {
        let table = TableSql::new(shape.clone());
        templates.iter().for_each(|template| batch.push_str(&table.fill(template)));
    }
    if batch.is_empty() {
        return Ok(());
    }
    session.batch(&batch, "creating the tables of new parts").await
}

/// Makes the tables that a merge works in; for who has no new parts.
pub async fn make_work(session: &mut Session, shape: &TableShape) -> Result<(), Fault> {
    let batch = TableSql::new(shape.clone()).fill(include_str!("sql/create_work.sql"));
    session.batch(&batch, "creating the tables of a merge").await
}

async fn load_in_bulk(
    session: &mut Session,
    shape: &TableShape,
    summary_id: &str,
    rows: &[Row],
    bulk_loads: &BulkLoads,
) -> Result<(), Fault> {
    let operation = "loading new parts";
    let table = incoming_name(shape);
    let columns = columns(shape);
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let begun = session.connection().bulk_insert_columns(&table, &columns).await;
    let mut load = begun.map_err(|error| refusal(error, bulk_loads)).map_err(failed(operation))?;
    for row in rows {
        let mut tokens = TokenRow::with_capacity(columns.len());
        tokens.push(text(summary_id));
        for (column, value) in shape.columns.iter().zip(row) {
            tokens.push(sent(column.kind, value));
        }
        load.send(tokens).await.map_err(failed(operation))?;
    }
    load.finalize().await.map_err(failed(operation))?;
    Ok(())
}

/// A server that knows no bulk load says so before the first row.
fn refusal(error: tiberius::error::Error, bulk_loads: &BulkLoads) -> SqlError {
    let error = SqlError::Tds(error);
    if error.number().is_none() || error.verdict() != Verdict::Never {
        return error;
    }
    tracing::warn!(
        error = &error as &dyn std::error::Error,
        "the warehouse takes no bulk loads: rows go by statements"
    );
    bulk_loads.refused.store(true, Ordering::Relaxed);
    SqlError::NoBulkLoad
}

async fn insert(session: &mut Session, shape: &TableShape, summary_id: &str, rows: &[Row]) -> Result<(), Fault> {
    let width = shape.columns.len();
    for rows in rows.chunks((MOST_PARAMETERS / width).clamp(1, MOST_ROWS)) {
        let values = (0..rows.len()).map(|row| {
            // The first parameter is the summary's id.
            let parameters = (0..width).map(|column| format!("@P{}", row * width + column + 2));
            format!("(@P1, {})", parameters.collect::<Vec<_>>().join(", "))
        });
        let sql = format!(
            "INSERT INTO {} ({}) VALUES {};",
            incoming_name(shape),
            columns(shape).join(", "),
            values.collect::<Vec<_>>().join(", ")
        );
        let values = rows.iter().flat_map(|row| shape.columns.iter().zip(row));
        let values = values.map(|(column, value)| sent_as_parameter(column.kind, value));
        let parameters: Vec<ColumnData<'_>> = std::iter::once(text(summary_id)).chain(values).collect();
        session.run(&sql, parameters, "inserting new parts").await?;
    }
    Ok(())
}

fn columns(shape: &TableShape) -> Vec<String> {
    let names = shape.columns.iter().map(|column| quoted(&column.name));
    std::iter::once("[millrace_summary_id]".to_owned()).chain(names).collect()
}

async fn refuse_twins(session: &mut Session, shape: &TableShape) -> Result<(), Fault> {
    let sql = TableSql::new(shape.clone()).fill(include_str!("sql/find_twins.sql"));
    if session.rows(&sql, Vec::new(), "looking at new parts").await?.is_empty() {
        return Ok(());
    }
    let reason = "a load counted two rows with one key".to_owned();
    Err(WarehouseError::Data { table: shape.table.clone(), reason }.into())
}
