//! Recounts summary tables from their parts, in the database, and mends what differs.

use millrace_frames::part::Value;
use tiberius::Row;

use super::SqlServerWarehouse;
use super::errors::{Fault, SqlError, failed};
use super::incoming::make_work;
use super::ledger::{require_schema, require_shape, stored_shapes};
use super::locks::{LockMode, begin, commit, lock_schema, lock_summary, roll_back};
use super::merging::{collect, refuse_overflow};
use super::retry::Retries;
use super::session::Session;
use super::table_sql::{RowSource, TableSql};
use super::values::Fields;
use crate::names::FeedName;
use crate::stations::warehouse::shape::{ShapeColumn, TableShape};
use crate::stations::warehouse::{Difference, Remedy, Schema, TableCheck, WarehouseError};

impl SqlServerWarehouse {
    /// Every table that the database has, by name; each is looked at in a transaction of its own.
    pub(super) async fn recount(
        &self,
        schema: &Schema,
        remedy: Remedy,
        limit: usize,
    ) -> Result<Vec<TableCheck>, WarehouseError> {
        let shapes = retrying!(self, lease => shapes_to_recount(lease.session(), schema))?;
        let mut checks = Vec::with_capacity(shapes.len());
        for shape in shapes {
            let mut retries = Retries::new(&self.policy);
            let check = loop {
                match self.recount_table(&shape, remedy, limit).await {
                    Ok(check) => break check,
                    Err(fault) => retries.after(fault).await?,
                }
            };
            checks.push(check);
        }
        Ok(checks)
    }

    /// The lock is what makes its statements see one state: readers share it.
    async fn recount_table(&self, shape: &TableShape, remedy: Remedy, limit: usize) -> Result<TableCheck, Fault> {
        let table = TableSql::new(shape.clone());
        let mut lease = self.connections.lease().await?;
        let session = lease.session();
        make_work(session, shape).await?;
        begin(session).await?;
        lock_schema(session, LockMode::Shared).await?;
        let mode = match remedy {
            Remedy::Report => LockMode::Shared,
            Remedy::Repair => LockMode::Exclusive,
        };
        lock_summary(session, &shape.table, mode).await?;
        let check = compare(session, &table, limit).await?;
        if remedy == Remedy::Repair && !check.is_right() {
            repair(session, &table).await?;
            commit(session).await?;
        } else {
            roll_back(session).await?;
        }
        lease.give_back();
        Ok(check)
    }
}

async fn shapes_to_recount(session: &mut Session, schema: &Schema) -> Result<Vec<TableShape>, Fault> {
    for meaning in &schema.meanings {
        require_schema(session, &meaning.feed).await?;
    }
    for plan in &schema.summaries {
        let feed = FeedName::new(plan.feed.clone())
            .map_err(|error| WarehouseError::Data { table: plan.table.clone(), reason: error.to_string() })?;
        require_shape(session, plan, &feed).await?;
    }
    stored_shapes(session).await
}

async fn compare(session: &mut Session, table: &TableSql, limit: usize) -> Result<TableCheck, Fault> {
    let operation = "recounting a summary";
    let names = |columns: &mut dyn Iterator<Item = &ShapeColumn>| columns.map(|column| column.name.clone()).collect();
    let rows = session.number(&table.fill(include_str!("sql/count_rows.sql")), Vec::new(), operation).await?;
    let orphans = session.rows(&table.fill(include_str!("sql/count_orphans.sql")), Vec::new(), operation).await?;
    let orphans = orphans.first().map(|row| {
        let mut fields = Fields::of(row);
        Ok::<_, SqlError>((fields.count()?, fields.count()?))
    });
    let (parts_without_unit, parts_of_retracted) = orphans.transpose().map_err(failed(operation))?.unwrap_or_default();
    let mut check = TableCheck {
        table: table.shape.table.clone(),
        keys: names(&mut table.shape.keys()),
        measures: names(&mut table.shape.measures()),
        rows: rows.unsigned_abs(),
        differing: 0,
        differences: Vec::new(),
        parts_without_unit,
        parts_of_retracted,
    };
    collect(session, table, RowSource::All, Vec::new()).await?;
    session
        .for_each_row(&table.find_differences(), operation, |row| {
            check.differing += 1;
            if check.differences.len() < limit {
                check.differences.push(difference(&row, &table.shape)?);
            }
            Ok(())
        })
        .await?;
    Ok(check)
}

/// Under the lock. What differs after the orphans are gone is counted anew, so that one pass mends both.
async fn repair(session: &mut Session, table: &TableSql) -> Result<(), Fault> {
    let delete = table.fill(include_str!("sql/delete_orphans.sql"));
    session.run(&delete, Vec::new(), "deleting orphans").await?;
    collect(session, table, RowSource::All, Vec::new()).await?;
    refuse_overflow(session, table).await?;
    session.run(&table.mend(), Vec::new(), "writing the summary").await
}

fn difference(row: &Row, shape: &TableShape) -> Result<Difference, SqlError> {
    let mut fields = Fields::of(row);
    let mut values = |columns: &mut dyn Iterator<Item = &ShapeColumn>| {
        columns.map(|column| fields.value(column.kind)).collect::<Result<Vec<Value>, _>>()
    };
    let key = values(&mut shape.keys())?;
    let has = present(&mut fields, shape)?;
    let mut should = present(&mut fields, shape)?;
    for position in 0..shape.measures().count() {
        let is_too_much = fields.number()? != 0;
        if let Some(should) = should.as_mut().filter(|_| is_too_much) {
            should[position] = Value::Text("too much to add up".to_owned());
        }
    }
    Ok(Difference { key, has, should })
}

/// A flag, and the measures that are true if it is set.
fn present(fields: &mut Fields<'_>, shape: &TableShape) -> Result<Option<Vec<Value>>, SqlError> {
    let is_there = fields.number()? != 0;
    let values = shape.measures().map(|column| fields.value(column.kind)).collect::<Result<Vec<Value>, _>>()?;
    Ok(is_there.then_some(values))
}
