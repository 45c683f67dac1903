//! The statements of one summary table, from the templates beside this code. Names come from a checked
//! [`TableShape`] and are quoted wherever they stand.

use millrace_frames::plan::{KeyType, MeasureType, Merge};

use super::decimals;
use crate::stations::warehouse::shape::{ColumnKind, ShapeColumn, TableShape};
use crate::stations::warehouse::template::fill;

/// Which rows a summary's rows are made of.
#[derive(Clone, Copy, Debug)]
pub enum RowSource {
    /// The new parts and the summary rows that they meet: for a unit without old parts.
    Merge,
    /// All parts of the touched keys: for a unit that is replaced.
    Recompute,
    /// The new parts and the unit's own that they meet, apart by summary: for a unit that accumulates.
    Accumulate,
    /// All parts that streams counted.
    Streams,
}

impl RowSource {
    /// What makes one row of the source's rows.
    fn groups(self) -> &'static str {
        match self {
            RowSource::Accumulate => "{keys}, \"millrace_summary_id\"",
            RowSource::Merge | RowSource::Recompute | RowSource::Streams => "{keys}",
        }
    }
}

/// What the placeholders of the templates stand for.
#[derive(Clone, Debug)]
pub struct TableSql {
    pub shape: TableShape,
    placeholders: Vec<(&'static str, String)>,
}

impl TableSql {
    pub fn new(shape: TableShape) -> Self {
        let names = |columns: &mut dyn Iterator<Item = &ShapeColumn>, before: &str| {
            columns.map(|column| format!("{before}{}", quoted(&column.name))).collect::<Vec<_>>().join(", ")
        };
        let definitions =
            |columns: &mut dyn Iterator<Item = &ShapeColumn>| columns.map(definition).collect::<Vec<_>>().join(",\n");
        let matches = shape.keys().map(|key| format!("\"stored\".{0} = \"touched\".{0}", quoted(&key.name)));
        let assignments = shape.measures().map(|measure| format!("{0} = excluded.{0}", quoted(&measure.name)));
        let assignments = assignments.collect::<Vec<_>>().join(", ");
        let on_conflict =
            if assignments.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {assignments}") };
        let table = &shape.table;
        let shape_id = shape.id();
        let placeholders = vec![
            ("table", quoted(table)),
            ("part", quoted(&format!("millrace_{table}_part"))),
            ("part_by_unit", quoted(&format!("millrace_{table}_part_by_unit"))),
            ("incoming", quoted(&format!("millrace_incoming_{shape_id}"))),
            ("touched", quoted(&format!("millrace_touched_{shape_id}"))),
            ("columns", names(&mut shape.columns.iter(), "")),
            ("parameters", vec!["?"; shape.columns.len()].join(", ")),
            ("keys", names(&mut shape.keys(), "")),
            ("definitions", definitions(&mut shape.columns.iter())),
            ("key_definitions", definitions(&mut shape.keys())),
            ("stored_columns", names(&mut shape.columns.iter(), "\"stored\".")),
            ("touched_keys", names(&mut shape.keys(), "\"touched\".")),
            ("stored_matches", matches.collect::<Vec<_>>().join(" AND ")),
            ("merged_columns", shape.columns.iter().map(merged).collect::<Vec<_>>().join(",\n")),
            ("on_conflict", on_conflict),
        ];
        TableSql { shape, placeholders }
    }

    pub fn fill(&self, template: &str) -> String {
        fill(template, &self.placeholders)
    }

    /// With placeholders that only one template has.
    pub fn fill_with(&self, template: &str, more: Vec<(&'static str, String)>) -> String {
        let placeholders: Vec<_> = self.placeholders.iter().cloned().chain(more).collect();
        fill(template, &placeholders)
    }

    /// Writes the rows of a source into the summary.
    pub fn write_summary(&self, source: RowSource) -> String {
        let placeholders = self.with_source(source, None);
        fill(include_str!("sql/write_summary.sql"), &placeholders)
    }

    /// Merges the new parts of the unit `?1` into those it has.
    pub fn accumulate_parts(&self) -> String {
        let placeholders = self.with_source(RowSource::Accumulate, None);
        fill(include_str!("sql/accumulate_parts.sql"), &placeholders)
    }

    /// Writes what streams counted into another table of this shape.
    pub fn keep_stream_counts(&self, aside: &str) -> String {
        let mut placeholders = self.with_source(RowSource::Streams, None);
        placeholders.push(("aside", quoted(aside)));
        fill(include_str!("sql/keep_stream_counts.sql"), &placeholders)
    }

    /// Whether the merge depends, in its last digits, on the order in which it was made.
    pub fn has_float_sum(&self) -> bool {
        let is_float_sum = |kind| matches!(kind, ColumnKind::Measure(MeasureType::Float64, Merge::Sum));
        self.shape.columns.iter().any(|column| is_float_sum(column.kind))
    }

    /// Finds a key whose sum does not fit.
    pub fn find_overflow(&self, source: RowSource, measure: &ShapeColumn) -> String {
        let placeholders = self.with_source(source, Some(measure));
        fill(include_str!("sql/find_overflow.sql"), &placeholders)
    }

    /// Creates the summary and its parts.
    pub fn create(&self) -> String {
        format!(
            "{}\n{}",
            self.fill(include_str!("sql/create_summary.sql")),
            self.fill(include_str!("sql/create_part.sql"))
        )
    }

    fn with_source(&self, source: RowSource, measure: Option<&ShapeColumn>) -> Vec<(&'static str, String)> {
        let template = match source {
            RowSource::Merge => include_str!("sql/source_merge.sql"),
            RowSource::Recompute => include_str!("sql/source_recompute.sql"),
            RowSource::Accumulate => include_str!("sql/source_accumulate.sql"),
            RowSource::Streams => include_str!("sql/source_streams.sql"),
        };
        let mut placeholders = self.placeholders.clone();
        placeholders.push(("source", self.fill(template)));
        placeholders.push(("groups", self.fill(source.groups())));
        if let Some(column) = measure {
            placeholders.push(("merged", merged(column)));
            placeholders.push(("overflow", overflow_type(column).to_owned()));
        }
        placeholders
    }
}

/// The only way in which a name enters a statement.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn definition(column: &ShapeColumn) -> String {
    let name = quoted(&column.name);
    let type_words = match column.kind {
        ColumnKind::Key(KeyType::Text { .. }) => "TEXT NOT NULL COLLATE BINARY".to_owned(),
        ColumnKind::Key(KeyType::Date | KeyType::Timestamp) => "TEXT NOT NULL".to_owned(),
        ColumnKind::Key(KeyType::Int64) => "INTEGER NOT NULL".to_owned(),
        ColumnKind::Key(KeyType::Bool) => format!("INTEGER NOT NULL CHECK ({name} IN (0, 1))"),
        ColumnKind::Measure(MeasureType::Int64, _) => "INTEGER".to_owned(),
        ColumnKind::Measure(MeasureType::Float64, _) => "REAL".to_owned(),
        ColumnKind::Measure(MeasureType::Decimal { .. } | MeasureType::Date | MeasureType::Timestamp, _) => {
            "TEXT".to_owned()
        }
    };
    format!("  {name} {type_words}")
}

/// A column's value over the rows of one key.
fn merged(column: &ShapeColumn) -> String {
    let measure = [("measure", quoted(&column.name))];
    let template = match column.kind {
        ColumnKind::Key(_) => "{measure}",
        ColumnKind::Measure(MeasureType::Decimal { scale, .. }, merge) => {
            &format!("{}({{measure}}, {scale})", decimals::aggregate(merge))
        }
        ColumnKind::Measure(MeasureType::Float64, Merge::Sum) => include_str!("sql/merge_sum_float64.sql"),
        ColumnKind::Measure(_, Merge::Sum) => include_str!("sql/merge_sum_int64.sql"),
        ColumnKind::Measure(_, Merge::Min) => "MIN({measure})",
        ColumnKind::Measure(_, Merge::Max) => "MAX({measure})",
    };
    fill(template, &measure)
}

/// What SQLite calls the type of a sum that does not fit: one that the column does not take.
fn overflow_type(column: &ShapeColumn) -> &'static str {
    match column.kind {
        ColumnKind::Measure(MeasureType::Decimal { .. }, _) => "'blob'",
        _ => "'text'",
    }
}

#[cfg(test)]
mod tests {
    use super::super::ledger::UPGRADES;
    use super::*;

    /// A batch of a stream is small, and comes every few seconds: its commit must not read a whole table of parts or sums.
    #[test]
    fn what_a_batch_adds_to_is_found_by_its_keys() {
        let kind = |kind| move |name: &str| ShapeColumn { name: name.to_owned(), kind };
        let shape = TableShape {
            table: "days".to_owned(),
            columns: vec![
                kind(ColumnKind::Key(KeyType::Date))("day"),
                kind(ColumnKind::Measure(MeasureType::Int64, Merge::Sum))("miles"),
                kind(ColumnKind::Key(KeyType::Text { max_utf16: 8 }))("carrier"),
            ],
        };
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        for upgrade in UPGRADES {
            connection.execute_batch(upgrade).unwrap();
        }
        let table = TableSql::new(shape);
        connection.execute_batch(&table.create()).unwrap();
        connection.execute_batch(&table.fill(include_str!("sql/create_incoming.sql"))).unwrap();
        connection.execute_batch(&table.fill(include_str!("sql/create_touched.sql"))).unwrap();
        let statements = [
            table.accumulate_parts(),
            table.write_summary(RowSource::Merge),
            table.write_summary(RowSource::Recompute),
            table.fill(include_str!("sql/delete_keys_without_parts.sql")),
        ];
        for sql in statements {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let unit_id = vec!["u"; statement.parameter_count()];
            let rows = statement.query_map(rusqlite::params_from_iter(unit_id), |row| row.get::<_, String>(3)).unwrap();
            let plan: Vec<String> = rows.collect::<Result<_, _>>().unwrap();
            // What is scanned is the batch, or what came of it.
            let scanned = plan.iter().filter_map(|step| step.strip_prefix("SCAN "));
            let of_the_batch = ["touched", "source", "(subquery-", "temp.millrace_incoming_", "temp.millrace_touched_"];
            for step in scanned {
                assert!(of_the_batch.iter().any(|name| step.starts_with(name)), "{plan:#?}");
            }
            assert!(plan.iter().any(|step| step.starts_with("SEARCH")), "{plan:#?}");
        }
    }

    #[test]
    fn a_quote_in_a_name_is_doubled() {
        assert_eq!(quoted("a\"; DROP TABLE x; --"), "\"a\"\"; DROP TABLE x; --\"");
    }
}
