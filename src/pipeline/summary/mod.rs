//! One `[[summary]]`: its SQL taken apart into keys and measures, then typed against the feed's contract.

mod calls;
mod depth;
mod expression;
mod functions;
mod grouping;
mod literals;
mod outputs;
mod query;
mod sql_text;

use std::collections::{BTreeMap, HashMap};

use millrace_frames::plan::{DraftColumn, DraftRole, KeyType, SummaryDraft, SummaryPlan, SummaryRole};
use millrace_frames::typing::type_summary;
use sqlparser::ast::{ObjectNamePart, SetExpr, Statement, TableFactor};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

pub(super) use self::expression::{RowScope, columns_in};
use self::grouping::check_grouping;
use self::outputs::{Output, OutputKind, outputs};
use self::query::{select_of, table_names};
pub(super) use self::sql_text::SqlText;
use super::faults::{Report, did_you_mean, listed};
use super::feed::DeclaredFeed;
use super::identifiers::{IDENTIFIER_RULE, RESERVED_PREFIX, is_identifier};
use super::section::{Found, Keys, Section, Unopened, kind, whole};
use crate::names::Sha256;

const SUMMARY_KEYS: Keys = &["table", "feed", "sql", "key_length"];
const SQL_EXAMPLE: &str = "sql = \"SELECT carrier, COUNT(*) AS flights FROM flights GROUP BY carrier\"";

/// In UTF-16 units.
const DEFAULT_KEY_LENGTH: u16 = 256;
const LONGEST_KEY: i64 = 849;

/// A summary without faults, and where it stands.
pub(super) struct DeclaredSummary {
    pub plan: SummaryPlan,
    pub line: usize,
    pub place: String,
}

/// Whether `FROM name` means the table of this name.
pub(super) fn can_stand_in_from(name: &str) -> bool {
    let sql = format!("SELECT a, COUNT(*) AS n FROM {name} WHERE a GROUP BY a");
    let Ok(statements) = Parser::parse_sql(&GenericDialect, &sql) else {
        return false;
    };
    let [Statement::Query(query)] = statements.as_slice() else {
        return false;
    };
    let SetExpr::Select(select) = query.body.as_ref() else {
        return false;
    };
    let [source] = select.from.as_slice() else { return false };
    let is_named = matches!(&source.relation, TableFactor::Table { name: table, alias: None, args: None, .. }
        if matches!(table.0.as_slice(), [ObjectNamePart::Identifier(ident)] if ident.value == name));
    is_named && source.joins.is_empty() && select.selection.is_some() && !is_reserved(name)
}

/// Words that some SQL reads as the next clause, though not every parser does.
fn is_reserved(name: &str) -> bool {
    use sqlparser::keywords::{ALL_KEYWORDS, ALL_KEYWORDS_INDEX, RESERVED_FOR_TABLE_ALIAS, RESERVED_FOR_TABLE_FACTOR};
    let Ok(position) = ALL_KEYWORDS.binary_search(&name.to_ascii_uppercase().as_str()) else {
        return false;
    };
    let keyword = &ALL_KEYWORDS_INDEX[position];
    RESERVED_FOR_TABLE_ALIAS.contains(keyword) || RESERVED_FOR_TABLE_FACTOR.contains(keyword)
}

/// The expression under `sql`, checked and normalised. `None` if it cannot be parsed; other faults are reported and
/// it is returned all the same.
pub(super) fn checked_expression(sql: &SqlText<'_, '_>, scope: &RowScope<'_>) -> Option<String> {
    let mut expression = sql.expression()?;
    expression::check(&mut expression, scope, sql, sql.first_line());
    Some(expression.to_string())
}

pub(super) fn summaries(root: &Section<'_>, feeds: &[DeclaredFeed]) -> Vec<DeclaredSummary> {
    let tables = root.tables("summary", "[[summary]]").into_iter().enumerate();
    tables.filter_map(|(position, table)| summary(root.report, table, position, feeds)).collect()
}

fn summary(
    report: &Report<'_>,
    unopened: Unopened<'_>,
    position: usize,
    feeds: &[DeclaredFeed],
) -> Option<DeclaredSummary> {
    let faults_before = report.count();
    let number = format!("summary number {}", position + 1);
    let untitled = Section { report, table: unopened.table, line: unopened.line, place: number };
    let table = untitled.required_text("table", "table = \"flight_days\"");
    let place = match table {
        Some(table) => format!("summary `{}`", table.value),
        None => untitled.place,
    };
    let section = Section::open(report, unopened, place, SUMMARY_KEYS);
    if let Some(table) = table {
        check_table_name(&section, table);
    }
    let feed = feed_of(&section, feeds);
    let key_lengths = key_lengths(&section);
    let sql = SqlText::of(&section, "sql", SQL_EXAMPLE);
    let table_name = table.map_or("", |table| table.value);
    let drafted = draft(&sql?, feed?, table_name, &key_lengths, &section);
    let columns = feed?.contract.columns.as_deref()?;
    let Drafted { draft, lines } = drafted.filter(|_| report.count() == faults_before)?;
    let id = summary_id(&draft);
    let plan = match type_summary(draft, columns, id) {
        Ok(plan) => plan,
        Err(faults) => {
            for fault in faults {
                let line = lines.get(&fault.subject).copied().unwrap_or_else(|| section.line_of("sql"));
                report.fault_in_words(line, &format!("{}, {}", section.place, fault.subject), fault.message);
            }
            return None;
        }
    };
    check_key_lengths(&section, &plan, &key_lengths);
    (report.count() == faults_before).then_some(DeclaredSummary { plan, line: section.line, place: section.place })
}

fn check_table_name(section: &Section<'_>, table: Found<&str>) {
    let lower_case = table.value.to_ascii_lowercase();
    if !is_identifier(table.value) {
        let problem = format!("no table can have this name: {IDENTIFIER_RULE}");
        section.fault(table.line, problem, "choose such a name");
    } else if lower_case.starts_with(RESERVED_PREFIX) || lower_case.starts_with("sqlite_") {
        section.fault(
            table.line,
            "tables whose names begin with `millrace_` or `sqlite_` belong to millrace and to SQLite",
            "choose another name",
        );
    }
}

fn feed_of<'f>(section: &Section<'_>, feeds: &'f [DeclaredFeed]) -> Option<&'f DeclaredFeed> {
    let written = section.required_text("feed", "feed = \"flights\"")?;
    let feed = feeds.iter().find(|feed| feed.name == written.value);
    if feed.is_none() {
        let names = feeds.iter().map(|feed| feed.name.as_str()).filter(|name| !name.is_empty());
        let remedy = did_you_mean(written.value, names.clone(), || match names.clone().next() {
            Some(_) => format!("feeds here are {}", listed(names)),
            None => "declare it as a `[[feed]]`".to_owned(),
        });
        section.fault(written.line, format!("there is no feed `{}`", written.value), remedy);
    }
    feed
}

/// A query taken apart, and the line of each part by the subject that the typing of summaries uses for it.
struct Drafted {
    draft: SummaryDraft,
    lines: HashMap<String, usize>,
}

fn draft(
    sql: &SqlText<'_, '_>,
    feed: &DeclaredFeed,
    table: &str,
    key_lengths: &BTreeMap<&str, Found<u16>>,
    section: &Section<'_>,
) -> Option<Drafted> {
    let mut select = select_of(sql, &feed.name)?;
    let line = sql.line_of_span(select.select_token.0.span, sql.first_line());
    let tables = table_names(&select, &feed.name);
    let scope = |place: &'static str, aliases: &[Output]| RowScope {
        tables: tables.clone(),
        columns: &feed.contract.names,
        aliases: aliases.iter().map(|output| output.name.clone()).collect(),
        place,
    };
    let outputs = outputs(std::mem::take(&mut select.projection), &scope("an output", &[]), sql, line);
    check_grouping(&mut select, &outputs, &scope("GROUP BY", &[]), sql, line);
    let mut lines: HashMap<String, usize> =
        outputs.iter().map(|output| (format!("column `{}`", output.name), output.line)).collect();
    let filter = select.selection.map(|mut filter| {
        lines.insert("WHERE".to_owned(), sql.line(&filter, line));
        expression::check(&mut filter, &scope("WHERE", &outputs), sql, line);
        filter.to_string()
    });
    check_measures_exist(&outputs, sql, line);
    for (name, length) in key_lengths {
        let is_output = outputs.iter().any(|output| output.name == *name);
        if !is_output {
            let names = outputs.iter().map(|output| output.name.as_str());
            let remedy = did_you_mean(name, names.clone(), || format!("outputs are {}", listed(names)));
            section.fault(length.line, format!("`key_length` names `{name}`, which is no output"), remedy);
        }
    }
    let columns = outputs.into_iter().filter_map(|output| {
        let role = match output.kind {
            OutputKind::Key(expression) => {
                let max_utf16 = key_lengths.get(output.name.as_str()).map_or(DEFAULT_KEY_LENGTH, |length| length.value);
                DraftRole::Key { expression, max_utf16 }
            }
            OutputKind::Measure(call) => DraftRole::Measure(call),
            OutputKind::AtFault => return None,
        };
        Some(DraftColumn { name: output.name, role })
    });
    let draft = SummaryDraft { table: table.to_owned(), feed: feed.name.clone(), columns: columns.collect(), filter };
    Some(Drafted { draft, lines })
}

fn check_measures_exist(outputs: &[Output], sql: &SqlText<'_, '_>, line: usize) {
    let has_measure = outputs.iter().any(|output| !matches!(output.kind, OutputKind::Key(_)));
    if !has_measure && !outputs.is_empty() {
        sql.fault(line, "the SELECT counts nothing", "add an aggregate, such as `COUNT(*) AS row_count`");
    }
}

/// `key_length`, as far as it is valid.
fn key_lengths<'a>(section: &Section<'a>) -> BTreeMap<&'a str, Found<u16>> {
    let Some(table) = section.subtable("key_length", "key_length = { carrier = 8 }") else {
        return BTreeMap::new();
    };
    let lengths =
        Section { report: section.report, table: table.table, line: table.line, place: section.place.clone() };
    let mut valid = BTreeMap::new();
    for (name, value) in lengths.in_order() {
        match whole(value.value) {
            Some(length @ 1..=LONGEST_KEY) => {
                valid.insert(name.value, Found { value: length as u16, line: value.line });
            }
            Some(length) => {
                let problem = format!("`key_length` of `{}` is {length}, but must be 1 to {LONGEST_KEY}", name.value);
                section.fault(value.line, problem, "write the most UTF-16 units that a value has");
            }
            None => {
                let problem =
                    format!("`key_length` of `{}` must be a whole number, but is {}", name.value, kind(value.value));
                section.fault(value.line, problem, format!("write `key_length = {{ {} = 8 }}`", name.value));
            }
        }
    }
    valid
}

fn check_key_lengths(section: &Section<'_>, plan: &SummaryPlan, key_lengths: &BTreeMap<&str, Found<u16>>) {
    for column in &plan.columns {
        let Some(length) = key_lengths.get(column.name.as_str()) else {
            continue;
        };
        if !matches!(column.role, SummaryRole::Key { key_type: KeyType::Text { .. }, .. }) {
            let problem = format!("`key_length` names `{}`, which is no key of text", column.name);
            section.fault(length.line, problem, "leave it out: only strings have a length");
        }
    }
}

/// Names what a part was counted by: two texts of one query have one id.
fn summary_id(draft: &SummaryDraft) -> String {
    let mut fields = vec![draft.feed.as_str(), draft.table.as_str()];
    for column in &draft.columns {
        fields.push(&column.name);
        let (role, expression) = match &column.role {
            DraftRole::Key { expression, .. } => ("key", expression.as_str()),
            DraftRole::Measure(call) => super::meaning::call_fields(call),
        };
        fields.extend([role, expression]);
    }
    fields.push("where");
    fields.extend(draft.filter.as_deref());
    let bytes: Vec<&[u8]> = fields.into_iter().map(str::as_bytes).collect();
    Sha256::of_fields(&bytes).as_str()[..16].to_owned()
}
