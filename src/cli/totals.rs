//! What a run came to: files, rows, and the summary tables.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use indicatif::HumanCount;
use millrace_frames::part::{Row, Value as SummaryValue};
use millrace_frames::plan::SummaryPlan;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::context::Context;
use super::values::{as_json, cell};
use crate::records::dead_letters;
use crate::stations::warehouse::{SummaryRows, WarehouseError};

/// Rows of each table that a person is shown.
const ROWS_SHOWN: usize = 8;

/// Units that are read from the ledger at a time.
const PAGE: usize = 1_000;

/// What a run came to.
#[derive(Clone, Debug, Serialize)]
pub struct Totals {
    pub files: FileTotals,
    pub rows: RowTotals,
    pub seconds: f64,
    /// Table by table, in the order of pipeline.toml.
    #[serde(serialize_with = "as_json_tables")]
    pub summaries: Vec<(String, SummaryRows)>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct FileTotals {
    /// Landed since the run began.
    pub pulled: usize,
    /// Committed since the run began.
    pub loaded: usize,
    /// In landing before the run began, and still the same.
    pub unchanged: usize,
    /// All that there are.
    pub dead_lettered: usize,
}

/// Of the files and the events that were committed since the run began.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RowTotals {
    /// Every data row, bad ones included.
    pub read: i64,
    pub rejected: i64,
}

/// What there was before a run: streams accumulate, so that only the difference tells what a run did.
pub struct Before {
    began: DateTime<Utc>,
    events: RowTotals,
}

impl Before {
    pub async fn run(context: &Context) -> anyhow::Result<Self> {
        Ok(Before { began: Utc::now(), events: events_of(context).await? })
    }
}

/// Events that were ever counted.
async fn events_of(context: &Context) -> anyhow::Result<RowTotals> {
    let mut events = RowTotals::default();
    for feed in context.pipeline.feeds.iter().filter(|feed| feed.stream.is_some()) {
        let records = match context.stations.warehouse.streams(&feed.name).await {
            Err(WarehouseError::NotMigrated { .. }) => return Ok(RowTotals::default()),
            records => records?,
        };
        for record in records {
            events.read += record.events_read as i64;
            events.rejected += record.events_rejected as i64;
        }
    }
    Ok(events)
}

/// Adds up what happened since, from storage and the ledger: what a killed handler did counts too.
pub async fn totals(context: &Context, before: Before, took: Duration) -> anyhow::Result<Totals> {
    let Before { began, events: events_before } = before;
    let events = events_of(context).await?;
    let containers = &context.stations.containers;
    let mut files =
        FileTotals { dead_lettered: dead_letters::count(&containers.state).await?, ..FileTotals::default() };
    let mut rows =
        RowTotals { read: events.read - events_before.read, rejected: events.rejected - events_before.rejected };
    for feed in &context.pipeline.feeds {
        let mut landed = containers.landing.list(&format!("{}/", feed.name), None);
        while let Some(blob) = landed.try_next().await? {
            if blob.last_modified >= began {
                files.pulled += 1;
            } else {
                files.unchanged += 1;
            }
        }
        let mut after = None;
        loop {
            let units = context.stations.warehouse.units(&feed.name, after.as_ref(), PAGE).await?;
            for unit in units.iter().filter(|unit| unit.committed_at >= began && unit.retracted_at.is_none()) {
                files.loaded += 1;
                rows.read += unit.rows_read;
                rows.rejected += unit.rows_rejected;
            }
            match units.last() {
                Some(last) if units.len() == PAGE => after = Some(last.unit.blob.clone()),
                _ => break,
            }
        }
    }
    let mut summaries = Vec::new();
    for plan in tables(context) {
        let table = context.stations.warehouse.summary(plan).await?;
        summaries.push((plan.table.clone(), table));
    }
    Ok(Totals { files, rows, seconds: took.as_secs_f64(), summaries })
}

/// One plan for each table: several summaries may write one.
fn tables(context: &Context) -> Vec<&SummaryPlan> {
    let mut plans: Vec<&SummaryPlan> = Vec::new();
    for plan in &context.pipeline.summaries {
        if plans.iter().all(|known| known.table != plan.table) {
            plans.push(plan);
        }
    }
    plans
}

fn as_json_tables<S: Serializer>(tables: &[(String, SummaryRows)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(tables.iter().map(|(name, table)| (name, as_objects(table))))
}

fn as_objects(table: &SummaryRows) -> Value {
    let object = |row: &Vec<SummaryValue>| -> Value {
        table.columns.iter().cloned().zip(row.iter().map(as_json)).collect::<Map<String, Value>>().into()
    };
    table.rows.iter().map(object).collect()
}

impl Totals {
    /// For a terminal: the first rows of each table, then the totals.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (table, SummaryRows { columns, rows }) in &self.summaries {
            text.push_str(&format!("\n{table}: {} rows\n", HumanCount(rows.len() as u64)));
            text.push_str(&table_text(columns, &rows[..rows.len().min(ROWS_SHOWN)]));
            if rows.len() > ROWS_SHOWN {
                text.push_str(&format!("  … and {} more\n", HumanCount((rows.len() - ROWS_SHOWN) as u64)));
            }
        }
        let Totals { files, rows, seconds, .. } = self;
        text.push_str(&format!(
            "\n{} pulled, {} loaded, {} unchanged, {} dead; {} rows read, {} rejected; {seconds:.1} s\n",
            if files.pulled == 1 { "1 file".to_owned() } else { format!("{} files", files.pulled) },
            files.loaded,
            files.unchanged,
            files.dead_lettered,
            HumanCount(rows.read.unsigned_abs()),
            HumanCount(rows.rejected.unsigned_abs()),
        ));
        text
    }
}

/// Columns as wide as they must be, numbers to the right.
fn table_text(header: &[String], rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let body: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let width = |column: usize| {
        body.iter().map(|row| row[column].chars().count()).chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let holds_numbers = |column: usize| rows.iter().any(|row| is_number(&row[column]));
    let is_right: Vec<bool> = (0..header.len()).map(holds_numbers).collect();
    let line = |row: &[String]| {
        let padded: Vec<String> = row
            .iter()
            .zip(&widths)
            .zip(&is_right)
            .map(|((cell, &width), &right)| if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") })
            .collect();
        format!("  {}\n", padded.join("  ").trim_end())
    };
    std::iter::once(line(header)).chain(body.iter().map(|row| line(row))).collect()
}

fn is_number(value: &SummaryValue) -> bool {
    matches!(value, SummaryValue::Int64(_) | SummaryValue::Float64(_) | SummaryValue::Decimal { .. })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn totals() -> Totals {
        let row = |carrier: &str, units: i128| {
            vec![SummaryValue::Text(carrier.to_owned()), SummaryValue::Decimal { units, scale: 2 }, SummaryValue::Null]
        };
        let table = SummaryRows {
            columns: ["carrier", "paid", "worst"].map(str::to_owned).to_vec(),
            rows: vec![row("AA", 1_234_567_890_123_456_789_012), row("UA", -5)],
        };
        let summaries = vec![("days".to_owned(), table)];
        Totals { files: FileTotals::default(), rows: RowTotals::default(), seconds: 1.0, summaries }
    }

    #[test]
    fn a_decimal_is_a_json_string_with_every_digit() {
        let json = serde_json::to_value(totals()).unwrap();
        let rows = json!([
            { "carrier": "AA", "paid": "12345678901234567890.12", "worst": null },
            { "carrier": "UA", "paid": "-0.05", "worst": null },
        ]);
        assert_eq!(json["summaries"], json!({ "days": rows }));
    }

    #[test]
    fn numbers_stand_to_the_right() {
        let text = totals().to_text();
        let expected = "\ndays: 2 rows\n  carrier                     paid  worst\n  \
                        AA       12345678901234567890.12  null\n  UA                         -0.05  null\n";
        assert!(text.starts_with(expected), "{text}");
    }
}
