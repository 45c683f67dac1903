//! `[feed.columns]`: the contract.

use std::collections::{HashMap, HashSet};

use millrace_decode::contract::{Column, ColumnType};
use toml::de::DeValue;

use super::faults::{did_you_mean, listed};
use super::identifiers::{IDENTIFIER_RULE, is_identifier};
use super::later;
use super::section::{Found, Keys, Section, Unopened, kind};

const TYPES: [ColumnType; 6] = [
    ColumnType::String,
    ColumnType::Int64,
    ColumnType::Float64,
    ColumnType::Bool,
    ColumnType::Date,
    ColumnType::Timestamp,
];

/// What people write who think in another system's types.
const OTHER_NAMES: [(&str, &str); 18] = [
    ("text", "string"),
    ("varchar", "string"),
    ("nvarchar", "string"),
    ("str", "string"),
    ("utf8", "string"),
    ("int", "int64"),
    ("integer", "int64"),
    ("int32", "int64"),
    ("bigint", "int64"),
    ("long", "int64"),
    ("i64", "int64"),
    ("float", "float64"),
    ("double", "float64"),
    ("float32", "float64"),
    ("real", "float64"),
    ("f64", "float64"),
    ("boolean", "bool"),
    ("datetime", "timestamp"),
];

const COLUMN_KEYS: Keys = Keys { known: &["type", "from", "required"], later: later::COLUMN };

/// The contract as far as it could be read.
#[derive(Default)]
pub(super) struct Contract {
    /// Every name that the file gives, whatever is wrong with its column.
    pub names: Vec<String>,
    /// `None` if any column is at fault.
    pub columns: Option<Vec<Column>>,
}

pub(super) fn contract(feed: &Section<'_>) -> Contract {
    let Some(unopened) = feed.subtable("columns", "[feed.columns]") else {
        if !feed.has("columns") {
            feed.fault(feed.line, "it declares no columns", "write `[feed.columns]` and below it `name = \"type\"`");
        }
        return Contract::default();
    };
    let table = Section { report: feed.report, table: unopened.table, line: unopened.line, place: feed.place.clone() };
    if table.table.is_empty() {
        table.fault(table.line, "`[feed.columns]` is empty", "write a line `name = \"type\"` for each column");
    }

    let mut names = Names::default();
    let mut columns = Vec::new();
    let faults_before = feed.report.count();
    for (name, value) in table.in_order() {
        let place = format!("{}, column `{}`", feed.place, name.value);
        if let Some(column) = column(feed, name, value, &place) {
            names.check(feed, name, value.line, &column.from, &place);
            columns.push(column);
        }
        names.all.push(name.value.to_owned());
    }
    let clean = feed.report.count() == faults_before && !columns.is_empty();
    Contract { names: names.all, columns: clean.then_some(columns) }
}

fn column(feed: &Section<'_>, name: Found<&str>, value: Found<&DeValue<'_>>, place: &str) -> Option<Column> {
    let report = feed.report;
    if !is_identifier(name.value) {
        report.fault(
            name.line,
            place,
            format!("the name cannot be used in SQL: {IDENTIFIER_RULE}"),
            "choose such a name and write the header's as `from = \"…\"`",
        );
    }
    match value.value {
        DeValue::String(type_name) => {
            let type_name = Found { value: type_name.as_ref(), line: value.line };
            let column_type = column_type(feed, type_name, place)?;
            Some(Column::new(name.value, column_type))
        }
        DeValue::Table(table) => {
            let unopened = Unopened { table, line: value.line };
            let section = Section::open(report, unopened, place.to_owned(), &COLUMN_KEYS);
            let type_name = section.required_text("type", "type = \"string\"");
            let from = section.text("from", "from = \"name in the header\"");
            let required = section.flag("required", "required = false");
            if let Some(empty) = from.filter(|from| from.value.is_empty()) {
                section.fault(empty.line, "`from` is empty", "write the column's name in the header");
            } else if let Some(padded) = from.filter(|from| from.value.trim() != from.value) {
                section.fault(
                    padded.line,
                    "`from` has blanks around it, which are dropped from headers",
                    "leave them out",
                );
            }
            let column_type = column_type(feed, type_name?, place)?;
            Some(Column {
                name: name.value.to_owned(),
                from: from.map_or(name.value, |from| from.value).to_owned(),
                column_type,
                required: required.unwrap_or(true),
                format: None,
            })
        }
        other => {
            let problem = format!("a type must stand here, but {} does", kind(other));
            report.fault(value.line, place, problem, format!("write `{} = \"string\"`", name.value));
            None
        }
    }
}

fn column_type(feed: &Section<'_>, written: Found<&str>, place: &str) -> Option<ColumnType> {
    if let Some(column_type) = TYPES.into_iter().find(|column_type| column_type.name() == written.value) {
        return Some(column_type);
    }
    let known = TYPES.map(ColumnType::name);
    let stem = written.value.split_once('(').map_or(written.value, |(stem, _)| stem).trim();
    if later::COLUMN_TYPES.contains(&stem) {
        let problem = format!("type `{}` is not supported by this version yet", written.value);
        feed.report.fault(written.line, place, problem, format!("use one of {}", listed(known)));
        return None;
    }
    let other_name = OTHER_NAMES.iter().find(|(other, _)| stem.eq_ignore_ascii_case(other));
    let remedy = match other_name {
        Some((_, ours)) => format!("did you mean `{ours}`?"),
        None => did_you_mean(written.value, known, || format!("types are {}", listed(known))),
    };
    feed.report.fault(written.line, place, format!("unknown type `{}`", written.value), remedy);
    None
}

/// Names that were used already.
#[derive(Default)]
struct Names {
    all: Vec<String>,
    lower_case: HashMap<String, String>,
    headers: HashSet<String>,
}

impl Names {
    fn check(&mut self, feed: &Section<'_>, name: Found<&str>, value_line: usize, from: &str, place: &str) {
        if let Some(earlier) = self.lower_case.insert(name.value.to_lowercase(), name.value.to_owned()) {
            let problem = format!("differs from column `{earlier}` only in case, which SQL does not see");
            feed.report.fault(name.line, place, problem, "rename one and keep the header's name as `from = \"…\"`");
        }
        if !self.headers.insert(from.to_owned()) {
            let problem = format!("the header's column `{from}` is taken by another column already");
            feed.report.fault(value_line, place, problem, "give each column a `from` of its own");
        }
    }
}
