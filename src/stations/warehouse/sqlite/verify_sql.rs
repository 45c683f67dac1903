//! The statements that hold a summary table against its parts: the merge is the one that writes the summary.

use millrace_frames::plan::{MeasureType, Merge};

use super::table_sql::{TableSql, quoted};
use crate::stations::warehouse::shape::{ColumnKind, ShapeColumn};
use crate::stations::warehouse::template::fill;

impl TableSql {
    /// One row for each key that differs: the keys, whether the table has it, what it has, whether a part has it, what the
    /// parts say.
    pub fn find_differences(&self) -> String {
        let shape = &self.shape;
        let list = |columns: Vec<String>| columns.join(", ");
        let magnitudes: Vec<String> = shape.measures().filter_map(magnitude_of).collect();
        let sums = shape.measures().filter(|measure| is_float_sum(measure));
        let more = vec![
            ("magnitude_names", magnitudes.iter().map(|name| format!(", {name}")).collect()),
            ("magnitudes", sums.map(|sum| format!(",\n  TOTAL(ABS({}))", quoted(&sum.name))).collect()),
            (
                "should_keys",
                list(shape.keys().map(|key| format!("\"should\".{0} AS {0}", quoted(&key.name))).collect()),
            ),
            ("has_keys", list(shape.keys().map(|key| format!("\"has\".{}", quoted(&key.name))).collect())),
            ("first_key", shape.keys().next().map(|key| quoted(&key.name)).unwrap_or_default()),
            ("has_measures", shape.measures().map(|measure| format!("\"has\".{}, ", quoted(&measure.name))).collect()),
            (
                "should_measures",
                shape.measures().map(|measure| format!(", \"should\".{}", quoted(&measure.name))).collect(),
            ),
            ("no_measures", shape.measures().map(|_| ", NULL").collect()),
            ("has_matches", shape.keys().map(matches).collect::<Vec<_>>().join(" AND ")),
            ("differs", shape.measures().map(|measure| format!("\n  OR {}", differs(measure))).collect()),
        ];
        self.fill_with(include_str!("sql/find_differences.sql"), more)
    }

    /// Touches the keys that [`TableSql::find_differences`] finds.
    pub fn touch_differences(&self) -> String {
        let more = vec![("differences", self.find_differences())];
        self.fill_with(include_str!("sql/touch_differences.sql"), more)
    }
}

fn matches(key: &ShapeColumn) -> String {
    format!("\"has\".{0} = \"should\".{0}", quoted(&key.name))
}

fn is_float_sum(measure: &ShapeColumn) -> bool {
    matches!(measure.kind, ColumnKind::Measure(MeasureType::Float64, Merge::Sum))
}

/// What was added up to a sum of floats, whatever its signs. No column of a summary can have such a name.
fn magnitude_of(measure: &ShapeColumn) -> Option<String> {
    is_float_sum(measure).then(|| quoted(&format!("millrace_magnitude_of_{}", measure.name)))
}

fn differs(measure: &ShapeColumn) -> String {
    let mut placeholders = vec![("measure", quoted(&measure.name))];
    match magnitude_of(measure) {
        None => fill(include_str!("sql/differs_exactly.sql").trim_end(), &placeholders),
        Some(magnitude) => {
            placeholders.push(("magnitude", magnitude));
            fill(include_str!("sql/differs_sum_float64.sql").trim_end(), &placeholders)
        }
    }
}
