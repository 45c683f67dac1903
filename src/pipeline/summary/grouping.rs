//! GROUP BY against the SELECT list: every key is in both.

use sqlparser::ast::{Expr, Select, Value};

use super::expression::{RowScope, check};
use super::outputs::{Output, OutputKind};
use super::query::group_by_of;
use super::sql_text::SqlText;

/// Reports what does not agree.
pub(super) fn check_grouping(
    select: &mut Select,
    outputs: &[Output],
    scope: &RowScope<'_>,
    sql: &SqlText<'_, '_>,
    line: usize,
) {
    let Some(expressions) = group_by_of(select, sql, line) else {
        return;
    };
    if expressions.is_empty() {
        let remedy = match scope.columns.iter().find(|column| column.contains("time") || column.contains("date")) {
            Some(column) => format!("group by a key, such as `CAST({column} AS DATE) AS day`"),
            None => "group by a key, such as a date".to_owned(),
        };
        return sql.fault(line, "GROUP BY is missing: a table of one row has no key to merge by", remedy);
    }
    let faults_before = sql.fault_count();
    let mut grouped = vec![false; outputs.len()];
    for expression in expressions {
        let place = sql.line(expression, line);
        if let Some(position) = output_of(expression, outputs, scope, sql, place) {
            grouped[position] = true;
        }
    }
    if sql.fault_count() > faults_before {
        // What GROUP BY was meant to say is not known.
        return;
    }
    for (output, _) in outputs.iter().zip(grouped).filter(|(_, is_grouped)| !is_grouped) {
        if matches!(output.kind, OutputKind::Key(_)) {
            sql.fault(
                output.line,
                format!("output `{}` is neither an aggregate nor in GROUP BY", output.name),
                format!("add `{}` to GROUP BY", output.name),
            );
        }
    }
}

/// The output that an expression of GROUP BY means. `None` if it means none, which is reported.
fn output_of(
    expression: &mut Expr,
    outputs: &[Output],
    scope: &RowScope<'_>,
    sql: &SqlText<'_, '_>,
    line: usize,
) -> Option<usize> {
    let faults_before = sql.fault_count();
    match expression {
        Expr::Identifier(name) => {
            if let Some(position) = outputs.iter().position(|output| output.name == name.value) {
                return grouped_output(position, &outputs[position], sql, line);
            }
        }
        Expr::Value(value) if matches!(value.value, Value::Number(..)) => {
            let remedy = value
                .to_string()
                .parse::<usize>()
                .ok()
                .and_then(|ordinal| outputs.get(ordinal.checked_sub(1)?))
                .map_or_else(|| "write the output's name".to_owned(), |output| format!("write `{}`", output.name));
            sql.fault(line, format!("`GROUP BY {value}` counts outputs, which breaks when one is added"), remedy);
            return None;
        }
        Expr::Rollup(_) | Expr::Cube(_) | Expr::GroupingSets(_) => {
            let name = match expression {
                Expr::Rollup(_) => "ROLLUP",
                Expr::Cube(_) => "CUBE",
                _ => "GROUPING SETS",
            };
            let problem = format!("GROUP BY {name} makes rows that count others again");
            sql.fault(line, problem, "write a summary for each set of keys");
            return None;
        }
        _ => {}
    }
    let written = expression.to_string();
    check(expression, scope, sql, line);
    if sql.fault_count() > faults_before {
        return None;
    }
    let normalised = expression.to_string();
    let position = outputs.iter().position(|output| matches!(&output.kind, OutputKind::Key(key) if *key == normalised));
    if position.is_none() {
        let problem = format!("GROUP BY has `{written}`, which is no output");
        sql.fault(line, problem, format!("add `{written} AS …` to the SELECT list, or take it out of GROUP BY"));
    }
    position
}

fn grouped_output(position: usize, output: &Output, sql: &SqlText<'_, '_>, line: usize) -> Option<usize> {
    if matches!(output.kind, OutputKind::Measure(_)) {
        let problem = format!("GROUP BY has `{}`, which is an aggregate", output.name);
        sql.fault(line, problem, "take it out of GROUP BY");
        return None;
    }
    Some(position)
}
