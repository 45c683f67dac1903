//! The statements of one summary table, from the templates beside this code. Names come from a checked
//! [`TableShape`] and are quoted wherever they stand.

use millrace_frames::plan::{KeyType, MeasureType};

use super::merged_columns::MergedColumn;
use crate::stations::warehouse::shape::{ColumnKind, ShapeColumn, TableShape};
use crate::stations::warehouse::template::fill;

/// The collation of all that is compared: by code units, which tells upper from lower case. Trailing blanks compare equal
/// here too; no key has any.
const COLLATION: &str = "COLLATE Latin1_General_100_BIN2";
/// Bytes of a clustered index's key.
const CLUSTERED_LIMIT: usize = 900;
/// Bytes of any index's key.
const INDEX_LIMIT: usize = 1_700;
/// What the unit and the summary add to a part's key: 32 bytes of hash, and 40 characters.
const PART_KEY_BYTES: usize = 32 + 2 * 40;

/// Which rows a summary's rows are made of.
#[derive(Clone, Copy, Debug)]
pub enum RowSource {
    /// The new parts and the summary rows that they meet: for a unit without old parts.
    Merge,
    /// All parts of the touched keys: for a unit that is replaced.
    Recompute,
    /// The new parts and those of the unit `@P1` that they meet, apart by summary: for a unit that accumulates.
    Accumulate,
    /// All parts that streams counted.
    Streams,
    /// All parts: for a recount.
    All,
}

/// What the placeholders of the templates stand for.
#[derive(Clone, Debug)]
pub struct TableSql {
    pub shape: TableShape,
    /// How the measures are merged, in the shape's order.
    pub merged: Vec<MergedColumn>,
    placeholders: Vec<(&'static str, String)>,
}

impl TableSql {
    pub fn new(shape: TableShape) -> Self {
        let list = |items: Vec<String>| items.join(", ");
        let names =
            |before: &str| shape.columns.iter().map(|column| format!("{before}{}", quoted(&column.name))).collect();
        let keys = |before: &str| shape.keys().map(|key| format!("{before}{}", quoted(&key.name))).collect();
        let matches = |one: &str, other: &str| {
            let equal = shape.keys().map(|key| format!("{one}.{0} = {other}.{0}", quoted(&key.name)));
            equal.collect::<Vec<_>>().join(" AND ")
        };
        let merged: Vec<MergedColumn> = shape.columns.iter().filter_map(MergedColumn::of).collect();
        let table = &shape.table;
        let shape_id = shape.id();
        let placeholders = vec![
            ("table", summary_name(table)),
            ("target", summary_name(table)),
            ("part", format!("[millrace].{}", quoted(&format!("{table}_part")))),
            ("incoming", incoming_name(&shape)),
            ("touched", format!("#millrace_touched_{shape_id}")),
            ("merged", format!("#millrace_merged_{shape_id}")),
            ("columns", list(names(""))),
            ("keys", list(keys(""))),
            ("stored_columns", list(names("[stored]."))),
            ("stored_keys", list(keys("[stored]."))),
            ("stored_matches", matches("[stored]", "[touched]")),
            ("merged_matches", matches("[stored]", "[merged]")),
            ("part_matches", matches("[part]", "[touched]")),
            ("definitions", shape.columns.iter().map(definition).collect::<Vec<_>>().join(",\n")),
            ("key_definitions", shape.keys().map(definition).collect::<Vec<_>>().join(",\n")),
            ("merged_definitions", merged_definitions(&shape, &merged)),
            ("summary_clustering", clustering(key_bytes(&shape)).to_owned()),
            ("merged_columns", list(merged_columns(&shape, &merged))),
            ("assignments", assignments(&merged, "[merged]")),
        ];
        TableSql { shape, merged, placeholders }
    }

    pub fn fill(&self, template: &str) -> String {
        fill(template, &self.placeholders)
    }

    /// With placeholders that only one template has, which win.
    pub fn fill_with(&self, template: &str, more: Vec<(&'static str, String)>) -> String {
        let placeholders: Vec<_> = more.into_iter().chain(self.placeholders.iter().cloned()).collect();
        fill(template, &placeholders)
    }

    /// Creates the summary and its parts.
    pub fn create(&self) -> String {
        let part_index = match key_bytes(&self.shape) + PART_KEY_BYTES {
            bytes if bytes <= CLUSTERED_LIMIT => include_str!("sql/part_index_clustered.sql"),
            bytes if bytes <= INDEX_LIMIT => include_str!("sql/part_index_wide.sql"),
            _ => include_str!("sql/part_index_widest.sql"),
        };
        let more = vec![("part_index", self.fill(part_index.trim_end()))];
        let part = self.fill_with(include_str!("sql/create_part.sql"), more);
        format!("{}\n{part}", self.create_summary_alone())
    }

    pub fn create_summary_alone(&self) -> String {
        self.fill(include_str!("sql/create_summary.sql"))
    }

    /// Merges the rows of a source into the table of merged rows, which is empty.
    pub fn merge(&self, source: RowSource) -> String {
        let template = match source {
            RowSource::Merge => include_str!("sql/source_merge.sql"),
            RowSource::Recompute => include_str!("sql/source_recompute.sql"),
            RowSource::Accumulate => include_str!("sql/source_accumulate.sql"),
            RowSource::Streams => include_str!("sql/source_streams.sql"),
            RowSource::All => include_str!("sql/source_all.sql"),
        };
        let mut groups: Vec<String> = self.shape.keys().map(|key| quoted(&key.name)).collect();
        if let RowSource::Accumulate = source {
            groups.push("[millrace_summary_id]".to_owned());
        }
        let columns: Vec<(String, String)> = self.merged.iter().flat_map(MergedColumn::collected).collect();
        let names = groups.iter().cloned().chain(columns.iter().map(|(name, _)| name.clone()));
        let values = groups.iter().cloned().chain(columns.iter().map(|(_, value)| value.clone()));
        let more = vec![
            ("source", self.fill(template.trim_end())),
            ("merged_names", names.collect::<Vec<_>>().join(", ")),
            ("merged_values", values.collect::<Vec<_>>().join(",\n       ")),
            ("groups", groups.join(", ")),
        ];
        self.fill_with(include_str!("sql/merge.sql"), more)
    }

    /// Makes one number of each sum that was collected in two; nothing where there is none.
    pub fn settle(&self) -> String {
        let settled: Vec<String> = self.merged.iter().filter_map(MergedColumn::settle).collect();
        settled.iter().map(|statement| self.fill(statement)).collect::<Vec<_>>().join("\n")
    }

    /// Finds a key whose sum does not fit, and which of [`TableSql::sums`] it is. `None`: the table has no sum.
    pub fn find_overflow(&self) -> Option<String> {
        let overflows: Vec<String> = self.sums().filter_map(|sum| sum.overflows("")).collect();
        if overflows.is_empty() {
            return None;
        }
        let cases = overflows.iter().enumerate().map(|(number, overflow)| format!(" WHEN {overflow} THEN {number}"));
        let more = vec![("overflow_cases", cases.collect()), ("overflows", overflows.join(" OR "))];
        Some(self.fill_with(include_str!("sql/find_overflow.sql"), more))
    }

    pub fn sums(&self) -> impl Iterator<Item = &MergedColumn> {
        self.merged.iter().filter(|column| column.overflows("").is_some())
    }

    /// Writes the merged rows into the summary.
    pub fn write_summary(&self) -> String {
        self.update_and_insert(include_str!("sql/update_summary.sql"), include_str!("sql/insert_summary.sql"))
    }

    /// Writes the merged rows into the parts of the unit `@P1`.
    pub fn write_parts(&self) -> String {
        self.update_and_insert(include_str!("sql/update_parts.sql"), include_str!("sql/insert_merged_parts.sql"))
    }

    fn update_and_insert(&self, update: &str, insert: &str) -> String {
        // A table of keys alone has nothing to update.
        let update = if self.merged.is_empty() { String::new() } else { self.fill(update) };
        format!("{update}\n{}", self.fill(insert))
    }

    /// Writes the merged rows into another table of this shape, which is empty.
    pub fn write_aside(&self, aside: &str) -> String {
        self.fill_with(include_str!("sql/insert_summary.sql"), vec![("target", summary_name(aside))])
    }

    /// Whether the merge depends, in its last digits, on the order in which it was made.
    pub fn has_float_sum(&self) -> bool {
        self.merged.iter().any(MergedColumn::is_float_sum)
    }
}

/// The only way in which a name enters a statement.
pub fn quoted(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// A summary's table, by schema and name.
pub fn summary_name(table: &str) -> String {
    format!("[dbo].{}", quoted(table))
}

/// The temporary table of a load's parts.
pub fn incoming_name(shape: &TableShape) -> String {
    format!("#millrace_incoming_{}", shape.id())
}

fn definition(column: &ShapeColumn) -> String {
    format!("  {} {}", quoted(&column.name), sql_type(column.kind))
}

fn sql_type(kind: ColumnKind) -> String {
    match kind {
        ColumnKind::Key(KeyType::Text { max_utf16 }) => format!("nvarchar({}) {COLLATION} NOT NULL", max_utf16.max(1)),
        ColumnKind::Key(KeyType::Int64) => "bigint NOT NULL".to_owned(),
        ColumnKind::Key(KeyType::Bool) => "bit NOT NULL".to_owned(),
        ColumnKind::Key(KeyType::Date) => "date NOT NULL".to_owned(),
        ColumnKind::Key(KeyType::Timestamp) => "datetime2(6) NOT NULL".to_owned(),
        ColumnKind::Measure(MeasureType::Int64, _) => "bigint NULL".to_owned(),
        ColumnKind::Measure(MeasureType::Float64, _) => "float(53) NULL".to_owned(),
        // As many digits as there are: a sum has more than what it sums.
        ColumnKind::Measure(MeasureType::Decimal { scale, .. }, _) => format!("decimal(38, {scale}) NULL"),
        ColumnKind::Measure(MeasureType::Date, _) => "date NULL".to_owned(),
        ColumnKind::Measure(MeasureType::Timestamp, _) => "datetime2(6) NULL".to_owned(),
    }
}

fn merged_definitions(shape: &TableShape, merged: &[MergedColumn]) -> String {
    let keys = shape.keys().map(definition);
    let measures = merged.iter().flat_map(|column| {
        let columns = column.definitions(sql_type);
        columns.into_iter().map(|(name, sql_type)| format!("  {name} {sql_type}"))
    });
    keys.chain(measures).collect::<Vec<_>>().join(",\n")
}

fn merged_columns(shape: &TableShape, merged: &[MergedColumn]) -> Vec<String> {
    let value = |column: &ShapeColumn| {
        let measure = merged.iter().find(|measure| measure.name == column.name);
        measure.map_or_else(|| format!("[merged].{}", quoted(&column.name)), |measure| measure.value("[merged]"))
    };
    shape.columns.iter().map(value).collect()
}

/// `[x] = CAST([merged].[x] AS bigint)`
pub fn assignments(merged: &[MergedColumn], from: &str) -> String {
    let assignment = |column: &MergedColumn| format!("{} = {}", quoted(&column.name), column.value(from));
    merged.iter().map(assignment).collect::<Vec<_>>().join(",\n  ")
}

fn clustering(bytes: usize) -> &'static str {
    if bytes <= CLUSTERED_LIMIT { "CLUSTERED" } else { "NONCLUSTERED" }
}

fn key_bytes(shape: &TableShape) -> usize {
    let bytes = |kind| match kind {
        ColumnKind::Key(KeyType::Text { max_utf16 }) => 2 * usize::from(max_utf16),
        ColumnKind::Key(KeyType::Int64 | KeyType::Timestamp) => 8,
        ColumnKind::Key(KeyType::Date) => 4,
        ColumnKind::Key(KeyType::Bool) => 1,
        ColumnKind::Measure(..) => 0,
    };
    shape.columns.iter().map(|column| bytes(column.kind)).sum()
}

#[cfg(test)]
mod tests {
    use millrace_frames::plan::Merge;

    use super::*;

    fn shape(key_units: u16) -> TableShape {
        let column = |name: &str, kind| ShapeColumn { name: name.to_owned(), kind };
        TableShape {
            table: "days".to_owned(),
            columns: vec![
                column("day", ColumnKind::Key(KeyType::Date)),
                column("miles", ColumnKind::Measure(MeasureType::Int64, Merge::Sum)),
                column("carrier", ColumnKind::Key(KeyType::Text { max_utf16: key_units })),
                column("fares", ColumnKind::Measure(MeasureType::Decimal { precision: 38, scale: 2 }, Merge::Sum)),
                column("mean", ColumnKind::Measure(MeasureType::Float64, Merge::Sum)),
                column("worst", ColumnKind::Measure(MeasureType::Float64, Merge::Max)),
            ],
        }
    }

    #[test]
    fn a_summary_reads_like_this() {
        let expected = "CREATE TABLE [dbo].[days] (
  [day] date NOT NULL,
  [miles] bigint NULL,
  [carrier] nvarchar(8) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [fares] decimal(38, 2) NULL,
  [mean] float(53) NULL,
  [worst] float(53) NULL,
  PRIMARY KEY CLUSTERED ([day], [carrier])
);
";
        assert_eq!(TableSql::new(shape(8)).create_summary_alone(), expected);
    }

    #[test]
    fn wide_keys_have_an_index_that_can_hold_them() {
        for (units, summary, part) in [
            (8, "PRIMARY KEY CLUSTERED", "UNIQUE CLUSTERED INDEX [by_keys]"),
            (440, "PRIMARY KEY CLUSTERED", "UNIQUE NONCLUSTERED INDEX [by_keys]"),
            (449, "PRIMARY KEY NONCLUSTERED", "UNIQUE NONCLUSTERED INDEX [by_keys]"),
            (840, "PRIMARY KEY NONCLUSTERED", "CREATE NONCLUSTERED INDEX [by_keys]"),
        ] {
            let sql = TableSql::new(shape(units)).create();
            assert!(sql.contains(summary) && sql.contains(part), "{units}: {sql}");
        }
    }

    #[test]
    fn a_merge_reads_like_this() {
        let table = TableSql::new(shape(8));
        let id = table.shape.id();
        let expected = format!(
            "INSERT INTO #millrace_merged_{id} ([day], [carrier], [miles], [fares], [millrace_upper_fares], [mean], \
             [millrace_large_mean], [millrace_magnitude_mean], [worst])
SELECT [day],
       [carrier],
       SUM(CAST([miles] AS decimal(19, 0))),
       SUM(CAST([fares] AS decimal(38, 2)) % 100000000000000000),
       SUM(CAST((CAST([fares] AS decimal(38, 2)) - CAST([fares] AS decimal(38, 2)) % 100000000000000000) / \
             100000000000000000 AS decimal(19, 0))),
       SUM(CASE WHEN ABS([mean]) <= 1e288 THEN [mean] END),
       SUM(CASE WHEN ABS([mean]) > 1e288 THEN [mean] * 5.421010862427522e-20 END),
       SUM(ABS([mean]) * 5.421010862427522e-20),
       MAX([worst])
FROM (
-- All parts, of all units and all summaries, of the touched keys.
SELECT [stored].[day], [stored].[miles], [stored].[carrier], [stored].[fares], [stored].[mean], [stored].[worst]
FROM #millrace_touched_{id} AS [touched]
INNER JOIN [millrace].[days_part] AS [stored] ON [stored].[day] = [touched].[day] AND [stored].[carrier] = \
             [touched].[carrier]
) AS [source]
GROUP BY [day], [carrier];
"
        );
        assert_eq!(table.merge(RowSource::Recompute), expected);
    }

    #[test]
    fn every_placeholder_of_every_template_is_known() {
        let table = TableSql::new(shape(8));
        let sources =
            [RowSource::Merge, RowSource::Recompute, RowSource::Accumulate, RowSource::Streams, RowSource::All];
        let mut filled: Vec<String> = sources.into_iter().map(|source| table.merge(source)).collect();
        filled.extend([table.create(), table.settle(), table.write_summary(), table.write_parts()]);
        filled.extend([table.find_overflow().unwrap(), table.write_aside("aside"), table.find_differences()]);
        filled.push(table.mend());
        let templates = [
            include_str!("sql/create_incoming.sql"),
            include_str!("sql/create_work.sql"),
            include_str!("sql/find_twins.sql"),
            include_str!("sql/insert_parts.sql"),
            include_str!("sql/delete_parts.sql"),
            include_str!("sql/empty_touched.sql"),
            include_str!("sql/empty_merged.sql"),
            include_str!("sql/touch_old_keys.sql"),
            include_str!("sql/touch_new_keys.sql"),
            include_str!("sql/delete_keys_without_parts.sql"),
            include_str!("sql/count_keys_of_unit.sql"),
            include_str!("sql/count_orphans.sql"),
            include_str!("sql/delete_orphans.sql"),
            include_str!("sql/drop_summary.sql"),
            include_str!("sql/read_feeds_with_parts.sql"),
            include_str!("sql/has_parts_of_kind.sql"),
            include_str!("sql/grant_summary.sql"),
        ];
        filled.extend(templates.iter().map(|template| table.fill(template)));
        for sql in filled {
            assert!(!sql.contains('{') && !sql.contains('}'), "{sql}");
        }
    }

    #[test]
    fn a_bracket_in_a_name_is_doubled() {
        assert_eq!(quoted("a]; DROP TABLE x; --"), "[a]]; DROP TABLE x; --]");
    }
}
