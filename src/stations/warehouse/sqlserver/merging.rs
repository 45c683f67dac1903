//! Summary rows made of parts. Everything here runs under the locks of a commit, in the temporary tables of
//! [`super::incoming`].

use tiberius::ColumnData;

use super::errors::{Fault, SqlError, failed};
use super::session::Session;
use super::table_sql::{RowSource, TableSql};
use super::values::{Fields, words};
use crate::stations::warehouse::WarehouseError;

/// Merges the rows of a source into the table of merged rows.
///
/// # Errors
/// `Data`, naming table, key and measure, where a sum does not fit.
pub async fn merge(
    session: &mut Session,
    table: &TableSql,
    source: RowSource,
    parameters: Vec<ColumnData<'_>>,
) -> Result<(), Fault> {
    collect(session, table, source, parameters).await?;
    refuse_overflow(session, table).await
}

/// The same, with sums that may not fit.
pub async fn collect(
    session: &mut Session,
    table: &TableSql,
    source: RowSource,
    parameters: Vec<ColumnData<'_>>,
) -> Result<(), Fault> {
    let empty = table.fill(include_str!("sql/empty_merged.sql"));
    let sql = format!("{empty}\n{}\n{}", table.merge(source), table.settle());
    session.run(&sql, parameters, "merging parts").await.map_err(|fault| fault.of_table(&table.shape.table))
}

pub async fn refuse_overflow(session: &mut Session, table: &TableSql) -> Result<(), Fault> {
    let operation = "looking for a sum that does not fit";
    let Some(sql) = table.find_overflow() else { return Ok(()) };
    let rows = session.rows(&sql, Vec::new(), operation).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    Err(Fault::Refused(overflow(table, &mut Fields::of(row)).map_err(failed(operation))?))
}

fn overflow(table: &TableSql, fields: &mut Fields<'_>) -> Result<WarehouseError, SqlError> {
    let number = usize::try_from(fields.count()?).unwrap_or(usize::MAX);
    let sum = table.sums().nth(number).ok_or_else(|| SqlError::NotOurs {
        found: format!("a sum of number {number}"),
        expected: "one of the table's",
    })?;
    let keys = table.shape.keys().map(|key| Ok(format!("{} = {}", key.name, words(&fields.value(key.kind)?))));
    let keys = keys.collect::<Result<Vec<_>, SqlError>>()?.join(", ");
    let reason = format!("the sum of `{}` for {keys} does not fit {}", sum.name, sum.limit());
    Ok(WarehouseError::Data { table: table.shape.table.clone(), reason })
}

/// Writes the summary's rows of a source.
pub async fn write_summary(session: &mut Session, table: &TableSql, source: RowSource) -> Result<(), Fault> {
    merge(session, table, source, Vec::new()).await?;
    session.run(&table.write_summary(), Vec::new(), "writing the summary").await
}

/// Begins a list of keys that are to be recomputed.
pub async fn empty_touched(session: &mut Session, table: &TableSql) -> Result<(), Fault> {
    let sql = table.fill(include_str!("sql/empty_touched.sql"));
    session.run(&sql, Vec::new(), "listing the keys of old parts").await
}

/// Removes a unit's parts and touches their keys.
pub async fn take_parts_out(session: &mut Session, table: &TableSql, unit: ColumnData<'static>) -> Result<(), Fault> {
    let touch = table.fill(include_str!("sql/touch_old_keys.sql"));
    let delete = table.fill(include_str!("sql/delete_parts.sql"));
    session.run(&format!("{touch}\n{delete}"), vec![unit], "taking old parts out").await
}

/// Touches the keys of the new parts.
pub async fn touch_new_keys(session: &mut Session, table: &TableSql) -> Result<(), Fault> {
    let sql = table.fill(include_str!("sql/touch_new_keys.sql"));
    session.run(&sql, Vec::new(), "listing the keys of new parts").await
}

/// Writes the rows of the touched keys anew from all parts.
pub async fn recompute_touched(session: &mut Session, table: &TableSql) -> Result<(), Fault> {
    write_summary(session, table, RowSource::Recompute).await?;
    let sql = table.fill(include_str!("sql/delete_keys_without_parts.sql"));
    session.run(&sql, Vec::new(), "deleting keys without parts").await
}
