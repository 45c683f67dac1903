//! Columns that a file lacks, and the names in it that look like them.

use crate::reason::shown;

/// A required column that a file lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingColumn {
    /// The name that the file should have.
    pub from: String,
    /// A name of the file that looks like it.
    pub nearest: Option<String>,
}

/// The one of `names` that differs from `wanted` by spelling only, or by a few letters.
pub(crate) fn nearest(wanted: &str, names: &[String]) -> Option<String> {
    let folded = fold(wanted);
    let near = (folded.chars().count() / 3).min(3);
    names
        .iter()
        .filter(|name| !name.is_empty() && name.len() <= 4 * wanted.len() + 16)
        .map(|name| (strsim::osa_distance(&fold(name), &folded), name))
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
fn fold(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace() && !"_-.".contains(*c)).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_few_letters_away() {
        let names = ["carrier", "distanz", "x", ""].map(String::from);
        let nearest = |wanted: &str| nearest(wanted, &names);
        assert_eq!(nearest("carier").as_deref(), Some("carrier"));
        assert_eq!(nearest("distance").as_deref(), Some("distanz"));
        assert_eq!(nearest("origin"), None);
        assert_eq!(nearest("y"), None);
    }
}
