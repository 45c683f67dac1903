//! `[feed.columns]`: the contract.

use std::collections::{HashMap, HashSet};

use millrace_decode::contract::Column;
use millrace_decode::csv::{CsvLayout, HeaderRow};
use toml::de::DeValue;

use super::Format;
use super::column_formats::check_column_format;
use super::column_types::column_type;
use super::identifiers::{IDENTIFIER_RULE, is_identifier};
use super::section::{Found, Keys, Section, Unopened, kind};

const COLUMN_KEYS: Keys = &["type", "from", "required", "format"];

/// How a feed's files name their columns. What a column may say depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// CSV's first row; also where the format could not be read, so that no fault follows from another.
    Header,
    /// CSV without a header: the contract's order is the file's.
    Position,
    /// The keys of NDJSON's objects.
    Keys,
    /// Parquet's schema.
    Schema,
}

impl Naming {
    pub fn of(format: Option<&Format>) -> Self {
        match format {
            Some(Format::Csv(CsvLayout { header: HeaderRow::Absent, .. })) => Naming::Position,
            Some(Format::Csv(_)) | None => Naming::Header,
            Some(Format::Ndjson) => Naming::Keys,
            Some(Format::Parquet) => Naming::Schema,
        }
    }

    /// JSON has no null that is cheaper than leaving a key out, and so most producers do.
    fn required_by_default(self) -> bool {
        self != Naming::Keys
    }

    /// Of a name that a file gives.
    fn title(self) -> &'static str {
        match self {
            Naming::Header | Naming::Position => "the header's column",
            Naming::Keys => "the objects' key",
            Naming::Schema => "the schema's column",
        }
    }
}

/// The contract as far as it could be read.
#[derive(Default)]
pub(super) struct Contract {
    /// Every name that the file gives, whatever is wrong with its column.
    pub names: Vec<String>,
    /// `None` if any column is at fault.
    pub columns: Option<Vec<Column>>,
}

pub(super) fn contract(feed: &Section<'_>, naming: Naming) -> Contract {
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

    let mut names = Names::of(naming);
    let mut columns = Vec::new();
    let faults_before = feed.report.count();
    for (name, value) in table.in_order() {
        let place = format!("{}, column `{}`", feed.place, name.value);
        if let Some(column) = column(feed, naming, name, value, &place) {
            names.check(feed, name, value.line, &column.from, &place);
            columns.push(column);
        }
        names.all.push(name.value.to_owned());
    }
    let clean = feed.report.count() == faults_before && !columns.is_empty();
    Contract { names: names.all, columns: clean.then_some(columns) }
}

fn column(
    feed: &Section<'_>,
    naming: Naming,
    name: Found<&str>,
    value: Found<&DeValue<'_>>,
    place: &str,
) -> Option<Column> {
    let report = feed.report;
    if !is_identifier(name.value) {
        report.fault(
            name.line,
            place,
            format!("the name cannot be used in SQL: {IDENTIFIER_RULE}"),
            match naming {
                Naming::Position => "choose such a name: columns are taken in the order of the file",
                _ => "choose such a name and write the file's as `from = \"…\"`",
            },
        );
    }
    match value.value {
        DeValue::String(type_name) => {
            let type_name = Found { value: type_name.as_ref(), line: value.line };
            let column_type = column_type(report, place, type_name)?;
            Some(Column { required: naming.required_by_default(), ..Column::new(name.value, column_type) })
        }
        DeValue::Table(table) => {
            let unopened = Unopened { table, line: value.line };
            described_column(&Section::open(report, unopened, place.to_owned(), COLUMN_KEYS), naming, name.value)
        }
        other => {
            let problem = format!("a type must stand here, but {} does", kind(other));
            report.fault(value.line, place, problem, format!("write `{} = \"string\"`", name.value));
            None
        }
    }
}

/// A column that is written as a table.
fn described_column(section: &Section<'_>, naming: Naming, name: &str) -> Option<Column> {
    let type_name = section.required_text("type", "type = \"string\"");
    let from = from(section, naming);
    let required = required(section, naming);
    let format = section.text("format", "format = \"%d.%m.%Y\"");
    let column = Column {
        name: name.to_owned(),
        from: from.unwrap_or(name).to_owned(),
        column_type: column_type(section.report, &section.place, type_name?)?,
        required,
        format: format.map(|format| format.value.to_owned()),
    };
    if let Some(format) = format {
        check_column_format(section, &column, format);
    }
    Some(column)
}

fn from<'a>(section: &Section<'a>, naming: Naming) -> Option<&'a str> {
    let written = section.text("from", "from = \"name in the file\"")?;
    if naming == Naming::Position {
        let problem = "`from` names a column of the header, and `header = false` says that there is none";
        section.fault(written.line, problem, "leave it out: columns are taken in the order of the file");
    } else if written.value.is_empty() {
        section.fault(written.line, "`from` is empty", "write the column's name in the file");
    } else if naming == Naming::Header && written.value.trim() != written.value {
        let problem = "`from` has blanks around it, which are dropped from headers";
        section.fault(written.line, problem, "leave them out");
    }
    Some(written.value)
}

fn required(section: &Section<'_>, naming: Naming) -> bool {
    let required = section.flag("required", "required = false").unwrap_or(naming.required_by_default());
    if naming == Naming::Position && !required {
        section.fault(
            section.line_of("required"),
            "`required = false` lets a column be missing, and without a header nothing tells which one is",
            "leave it out; a cell without a value is null as `null_values` says",
        );
    }
    required
}

/// Names that were used already.
struct Names {
    naming: Naming,
    all: Vec<String>,
    lower_case: HashMap<String, String>,
    froms: HashSet<String>,
}

impl Names {
    fn of(naming: Naming) -> Self {
        Names { naming, all: Vec::new(), lower_case: HashMap::new(), froms: HashSet::new() }
    }

    fn check(&mut self, feed: &Section<'_>, name: Found<&str>, value_line: usize, from: &str, place: &str) {
        if let Some(earlier) = self.lower_case.insert(name.value.to_lowercase(), name.value.to_owned()) {
            let problem = format!("differs from column `{earlier}` only in case, which SQL does not see");
            let remedy = match self.naming {
                Naming::Position => "rename one",
                _ => "rename one and keep the file's name as `from = \"…\"`",
            };
            feed.report.fault(name.line, place, problem, remedy);
        }
        if !self.froms.insert(from.to_owned()) {
            let problem = format!("{} `{from}` is taken by another column already", self.naming.title());
            feed.report.fault(value_line, place, problem, "give each column a `from` of its own");
        }
    }
}
