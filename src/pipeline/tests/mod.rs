//! pipeline.toml as people write it, rightly and wrongly.

mod faulty_columns;
mod faulty_feeds;
mod faulty_formats;
mod faulty_queries;
mod faulty_sources;
mod faulty_streams;
mod faulty_summaries;
mod meaning;
mod valid;

use super::Pipeline;

/// A feed without faults, in ten lines.
pub(super) const FLIGHTS: &str = r#"[[feed]]
name = "flights"
format = "csv"
[feed.columns]
time_hour = "timestamp"
carrier = "string"
dep_delay = "float64"
distance = "int64"
cancelled = "bool"
day = "int64"
"#;

/// What is said about a faulty file, a fault a line.
pub(super) fn faults(text: &str) -> String {
    match Pipeline::parse("pipeline.toml", text) {
        Ok(_) => "no faults".to_owned(),
        Err(faults) => faults.to_string(),
    }
}

pub(super) fn parsed(text: &str) -> Pipeline {
    Pipeline::parse("pipeline.toml", text).unwrap_or_else(|faults| panic!("{faults}\nin\n{text}"))
}

/// What is wrong with a summary of [`FLIGHTS`]; its SQL begins on line 15.
pub(super) fn faults_of_sql(sql: &str) -> String {
    faults(&format!("{FLIGHTS}\n[[summary]]\ntable = \"t\"\nfeed = \"flights\"\nsql = '''{sql}'''\n"))
}

/// Each case is a text and what is said about it; all differences are shown at once.
pub(super) fn check_cases(cases: &[(&str, &str)], said_about: impl Fn(&str) -> String) {
    let mut differences = String::new();
    for (text, expected) in cases {
        let said = said_about(text);
        if said != *expected {
            differences.push_str(&format!("--- {text}\n{said}\n"));
        }
    }
    assert!(differences.is_empty(), "{differences}");
}
