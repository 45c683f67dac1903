//! Columns that a file lacks, and the names in it that look like them.

use crate::contract::Column;
use crate::reason::shown;

/// A required column that a file lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingColumn {
    /// The name that the file should have.
    pub from: String,
    /// A name of the file that looks like it.
    pub nearest: Option<String>,
}

/// A longer name is not looked at when a missing one is sought.
const MAX_LIKENESS_BYTES: usize = 256;

/// The missing columns, each with the one of the file's `names` that differs from it by spelling only, or by a few
/// letters.
pub(crate) fn missing_columns<'c>(
    missing: impl IntoIterator<Item = &'c Column>,
    names: &[String],
) -> Vec<MissingColumn> {
    let fold_name = |name: &String| if name.len() > MAX_LIKENESS_BYTES { Vec::new() } else { fold(name) };
    let folded_names: Vec<Vec<char>> = names.iter().map(fold_name).collect();
    missing
        .into_iter()
        .map(|column| MissingColumn { from: column.from.clone(), nearest: nearest(&column.from, names, &folded_names) })
        .collect()
}

fn nearest(wanted: &str, names: &[String], folded_names: &[Vec<char>]) -> Option<String> {
    let wanted = fold(wanted);
    let near = (wanted.len() / 3).min(3);
    names
        .iter()
        .zip(folded_names)
        // Names of other lengths need not be compared: a hostile file has many.
        .filter(|(_, folded)| !folded.is_empty() && folded.len().abs_diff(wanted.len()) <= near)
        .map(|(name, folded)| (strsim::generic_damerau_levenshtein(folded, &wanted), name))
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.clone())
}

/// The missing columns one after the other, with what may have been meant.
pub(crate) fn say_wanted(missing: &[MissingColumn]) -> String {
    let wanted: Vec<String> = missing
        .iter()
        .map(|column| match &column.nearest {
            Some(nearest) => format!("`{}` (did you mean `{}`?)", column.from, shown(nearest.as_bytes())),
            None => format!("`{}`", column.from),
        })
        .collect();
    wanted.join(", ")
}

/// Without what people mix up: case, blanks, underscores, hyphens, dots.
fn fold(name: &str) -> Vec<char> {
    name.chars().filter(|c| !c.is_whitespace() && !"_-.".contains(*c)).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::ColumnType;

    #[test]
    fn near_misses_are_few_letters_away() {
        let names = ["carrier", "distanz", "x", ""].map(String::from);
        let nearest = |wanted: &str| {
            let missing = missing_columns([&Column::new(wanted, ColumnType::String)], &names);
            missing[0].nearest.clone()
        };
        assert_eq!(nearest("carier").as_deref(), Some("carrier"));
        assert_eq!(nearest("distance").as_deref(), Some("distanz"));
        assert_eq!(nearest("origin"), None);
        assert_eq!(nearest("y"), None);
    }
}
