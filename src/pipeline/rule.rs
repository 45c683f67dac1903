//! `[[feed.rule]]`: what must be true of every row.

use std::collections::HashSet;

use millrace_frames::summarise::Rule;
use millrace_frames::typing::type_rule;

use super::columns::Contract;
use super::section::{Keys, Section};
use super::summary::{RowScope, SqlText, checked_expression};

const RULE_KEYS: Keys = &["name", "sql"];

/// The rules without faults; their SQL is normalised, so that comments and blanks mean nothing.
pub(super) fn rules(feed: &Section<'_>, feed_name: &str, contract: &Contract) -> Vec<Rule> {
    let mut names = HashSet::new();
    let mut rules = Vec::new();
    for (position, table) in feed.tables("rule", "[[feed.rule]]").into_iter().enumerate() {
        let untitled = Section {
            report: feed.report,
            table: table.table,
            line: table.line,
            place: format!("{}, rule number {}", feed.place, position + 1),
        };
        let name = untitled.required_text("name", "name = \"sane delay\"");
        let place = match name {
            Some(name) => format!("{}, rule `{}`", feed.place, name.value),
            None => untitled.place,
        };
        let section = Section::open(feed.report, table, place, RULE_KEYS);
        if let Some(name) = name.filter(|name| name.value.is_empty()) {
            section.fault(name.line, "`name` is empty, and bad rows are told by it", "say what the rule is about");
        } else if let Some(name) = name.filter(|name| !names.insert(name.value)) {
            let problem = "another rule of this feed has this name, by which bad rows are told";
            section.fault(name.line, problem, "give each rule a name of its own");
        }
        let Some(sql) = SqlText::of(&section, "sql", "sql = \"distance > 0\"") else {
            continue;
        };
        let scope = RowScope::rule(feed_name, contract);
        let faults_before = feed.report.count();
        let Some(expression) = checked_expression(&sql, &scope) else {
            continue;
        };
        let (Some(name), Some(columns)) = (name, &contract.columns) else {
            continue;
        };
        if feed.report.count() > faults_before {
            continue;
        }
        let rule = Rule { name: name.value.to_owned(), sql: expression };
        match type_rule(&rule, columns) {
            Ok(()) => rules.push(rule),
            Err(fault) => feed.report.fault_in_words(section.line_of("sql"), &section.place, fault.message),
        }
    }
    rules
}
