//! The statements that hold a summary table against its recount, which stands in the table of merged rows.

use super::merged_columns::MergedColumn;
use super::table_sql::{TableSql, assignments, quoted};
use crate::stations::warehouse::template::fill;

impl TableSql {
    /// One row for each key that differs: the keys, whether the table has it and what it has, whether a part has it and what
    /// the parts say, and for each measure whether that is too much for its column.
    pub fn find_differences(&self) -> String {
        let keys = || self.shape.keys().map(|key| quoted(&key.name));
        let either: Vec<String> = keys().map(|key| format!("COALESCE([has].{key}, [should].{key})")).collect();
        let has = self.merged.iter().map(|measure| format!(",\n       [has].{}", quoted(&measure.name)));
        let should = self.merged.iter().map(|measure| format!(",\n       {}", should_value(measure)));
        let overflowed = self.merged.iter().map(|measure| match measure.overflows("[should].") {
            Some(overflows) => format!(",\n       CASE WHEN {overflows} THEN 1 ELSE 0 END"),
            None => ",\n       0".to_owned(),
        });
        let more = vec![
            ("either_keys", either.join(", ")),
            ("has_measures", has.collect()),
            ("should_measures", should.collect()),
            ("overflowed", overflowed.collect()),
        ];
        self.fill_compared(include_str!("sql/find_differences.sql"), more)
    }

    /// Writes the recount over what differs.
    pub fn mend(&self) -> String {
        let more = vec![("should_assignments", assignments(&self.merged, "[should]"))];
        let update = match self.merged.is_empty() {
            true => String::new(),
            false => self.fill_compared(include_str!("sql/update_differing.sql"), more),
        };
        let insert = self.fill(include_str!("sql/insert_summary.sql"));
        let delete = self.fill(include_str!("sql/delete_unmerged.sql"));
        format!("{update}\n{insert}\n{delete}")
    }

    fn fill_compared(&self, template: &str, mut more: Vec<(&'static str, String)>) -> String {
        let matches = self.shape.keys().map(|key| format!("[has].{0} = [should].{0}", quoted(&key.name)));
        let differs = self.merged.iter().map(|measure| format!("\n  OR {}", differs(measure)));
        more.push(("has_matches", matches.collect::<Vec<_>>().join(" AND ")));
        more.push(("differs", differs.collect()));
        more.push(("first_key", self.shape.keys().next().map(|key| quoted(&key.name)).unwrap_or_default()));
        self.fill_with(template, more)
    }
}

fn should_value(measure: &MergedColumn) -> String {
    match measure.overflows("[should].") {
        Some(overflows) => format!("CASE WHEN {overflows} THEN NULL ELSE {} END", measure.value("[should]")),
        None => measure.value("[should]"),
    }
}

fn differs(measure: &MergedColumn) -> String {
    let mut placeholders = vec![("measure", quoted(&measure.name))];
    let template = if measure.is_float_sum() {
        placeholders.push(("magnitude", measure.magnitude()));
        include_str!("sql/differs_sum_float64.sql")
    } else {
        include_str!("sql/differs_exactly.sql")
    };
    let differs = fill(template.trim_end(), &placeholders);
    match measure.overflows("[should].") {
        Some(overflows) => format!("{overflows} OR {differs}"),
        None => differs,
    }
}
