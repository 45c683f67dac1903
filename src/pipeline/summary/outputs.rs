//! What a SELECT list yields: keys, and aggregates that merge over files.

use std::collections::HashMap;
use std::ops::ControlFlow;

use millrace_frames::plan::AggregateCall;
use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, SelectItem, Value,
    visit_expressions,
};

use super::expression::{RowScope, check, columns_in};
use super::functions::{FunctionKind, as_function, is_aggregate, kind_of, name_of, unmergeable_remedy};
use super::sql_text::SqlText;
use crate::pipeline::identifiers::{IDENTIFIER_RULE, RESERVED_PREFIX, is_identifier};

pub(super) struct Output {
    pub name: String,
    pub line: usize,
    pub kind: OutputKind,
}

pub(super) enum OutputKind {
    /// A row-wise expression, normalised.
    Key(String),
    Measure(AggregateCall),
    /// Reported already.
    AtFault,
}

/// Everything that the SELECT list names. Faults are reported; an output at fault is kept, so that GROUP BY can still
/// name it.
pub(super) fn outputs(
    items: Vec<SelectItem>,
    scope: &RowScope<'_>,
    sql: &SqlText<'_, '_>,
    above: usize,
) -> Vec<Output> {
    let mut names: HashMap<String, String> = HashMap::new();
    let mut outputs = Vec::new();
    for item in items {
        let line = sql.line(&item, above);
        let (mut expression, alias) = match item {
            SelectItem::UnnamedExpr(expression) => (expression, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias)),
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
                sql.fault(line, "`SELECT *` gives rows, and a summary counts them", "name keys and aggregates");
                continue;
            }
            SelectItem::ExprWithAliases { expr, .. } => {
                sql.fault(line, format!("`{expr}` is given several names"), "give it one");
                continue;
            }
        };
        let line = sql.line(&expression, line);
        let written = expression.to_string();
        let kind = classify(&mut expression, scope, sql, line);
        let Some(name) = output_name(&expression, alias) else {
            sql.fault(line, format!("`{written}` has no name"), format!("write `{written} AS name`"));
            outputs.push(Output { name: written, line, kind });
            continue;
        };
        check_name(&name, &expression, scope, sql, line);
        if let Some(earlier) = names.insert(name.to_lowercase(), name.clone()) {
            let problem = match earlier == name {
                true => format!("two outputs are named `{name}`"),
                false => format!("outputs `{earlier}` and `{name}` differ only in case, which SQL does not see"),
            };
            sql.fault(line, problem, "give each output a name of its own");
        }
        outputs.push(Output { name, line, kind });
    }
    outputs
}

/// A plain column names itself.
fn output_name(expression: &Expr, alias: Option<Ident>) -> Option<String> {
    match (alias, expression) {
        (Some(alias), _) => Some(alias.value),
        (None, Expr::Identifier(column)) => Some(column.value.clone()),
        (None, _) => None,
    }
}

fn check_name(name: &str, expression: &Expr, scope: &RowScope<'_>, sql: &SqlText<'_, '_>, line: usize) {
    if !is_identifier(name) {
        let problem = format!("output `{name}` cannot be a column of a table: {IDENTIFIER_RULE}");
        sql.fault(line, problem, "choose such a name after AS");
    } else if name.to_ascii_lowercase().starts_with(RESERVED_PREFIX) {
        let problem = format!("output `{name}` begins with `{RESERVED_PREFIX}`, as millrace's own columns do");
        sql.fault(line, problem, "choose another name after AS");
    }
    let Some(shadowed) = scope.columns.iter().find(|column| column.eq_ignore_ascii_case(name)) else {
        return;
    };
    // A misspelt column that names itself was reported as such.
    let is_that_column = matches!(expression, Expr::Identifier(column)
        if column.value == *shadowed || column.value == name);
    if !is_that_column {
        let problem = format!("output `{name}` has the name of a column of the feed, but is another expression");
        sql.fault(line, problem, format!("choose another name after AS, such as `{}`", other_name(name, expression)));
    }
}

/// `distance_sum` for `SUM(distance) AS distance`.
fn other_name(name: &str, expression: &Expr) -> String {
    match as_function(expression) {
        Some(function) => format!("{name}_{}", name_of(function).to_ascii_lowercase()),
        None => match expression {
            Expr::Cast { data_type, .. } => {
                let type_name = data_type.to_string().to_ascii_lowercase();
                format!("{name}_{}", type_name.split('(').next().unwrap_or_default())
            }
            _ => format!("{name}_key"),
        },
    }
}

fn classify(expression: &mut Expr, scope: &RowScope<'_>, sql: &SqlText<'_, '_>, line: usize) -> OutputKind {
    let faults_before = sql.fault_count();
    if let Some(function) = as_function(expression)
        && function.over.is_none()
        && kind_of(&name_of(function)) == FunctionKind::Mergeable
    {
        return match measure(function, scope, sql, line) {
            Some(call) if sql.fault_count() == faults_before => OutputKind::Measure(call),
            _ => OutputKind::AtFault,
        };
    }
    if let Some(function) = as_function(expression)
        && function.over.is_none()
        && kind_of(&name_of(function)) == FunctionKind::Unmergeable
    {
        let name = name_of(function);
        let problem = format!("aggregate `{name}` cannot be merged over files");
        sql.fault(line, problem, unmergeable_remedy(&name, function));
        return OutputKind::AtFault;
    }
    if is_over_aggregates(expression) {
        let problem = format!("`{expression}` computes with aggregates, which cannot be merged over files");
        sql.fault(line, problem, "make each aggregate an output of its own, and compute where you read");
        return OutputKind::AtFault;
    }
    check(expression, scope, sql, line);
    if sql.fault_count() > faults_before {
        return OutputKind::AtFault;
    }
    if columns_in(expression).is_empty() {
        let problem = format!("`{expression}` is the same for every row, and so no key");
        sql.fault(line, problem, "leave it out, or use a column of the feed");
        return OutputKind::AtFault;
    }
    OutputKind::Key(expression.to_string())
}

fn is_over_aggregates(expression: &Expr) -> bool {
    let mut has_subquery = false;
    let mut has_aggregate = false;
    let _ = visit_expressions(expression, |node| {
        has_subquery |= matches!(node, Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. });
        has_aggregate |= matches!(node, Expr::Function(function) if function.over.is_none() && is_aggregate(function));
        ControlFlow::<()>::Continue(())
    });
    has_aggregate && !has_subquery
}

fn measure(function: &Function, scope: &RowScope<'_>, sql: &SqlText<'_, '_>, line: usize) -> Option<AggregateCall> {
    let name = name_of(function);
    if let Some(filter) = &function.filter {
        let argument = match argument_text(function) {
            Some(argument) if argument != "*" => argument,
            _ => "1".to_owned(),
        };
        let problem = format!("`{name}(…) FILTER` is not SQL that every engine knows");
        sql.fault(line, problem, format!("write `{name}(CASE WHEN {filter} THEN {argument} END)`"));
        return None;
    }
    let list = match &function.args {
        FunctionArguments::List(list) => list,
        _ => {
            sql.fault(line, format!("`{name}` has no argument"), format!("write `{name}(…)`"));
            return None;
        }
    };
    if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
        refuse_distinct(&name, function, sql, line);
        return None;
    }
    if !list.clauses.is_empty() || function.null_treatment.is_some() || !function.within_group.is_empty() {
        sql.fault(line, format!("`{name}` takes one plain argument"), format!("write `{name}(x)`"));
        return None;
    }
    let mut argument = match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] if name == "COUNT" => return Some(AggregateCall::CountRows),
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] => argument.clone(),
        _ => {
            let remedy =
                if name == "COUNT" { "write `COUNT(*)` or `COUNT(x)`".into() } else { format!("write `{name}(x)`") };
            sql.fault(line, format!("`{name}` takes one argument"), remedy);
            return None;
        }
    };
    if is_over_aggregates(&argument) {
        let problem = format!("`{name}({argument})` puts an aggregate inside another");
        sql.fault(line, problem, "make each aggregate an output of its own, and compute where you read");
        return None;
    }
    let faults_before = sql.fault_count();
    check(&mut argument, scope, sql, line);
    if sql.fault_count() > faults_before {
        return None;
    }
    if columns_in(&argument).is_empty() {
        return constant_measure(&name, &argument, sql, line);
    }
    let argument = argument.to_string();
    match name.as_str() {
        "COUNT" => Some(AggregateCall::Count(argument)),
        "SUM" => Some(AggregateCall::Sum(argument)),
        "MIN" => Some(AggregateCall::Min(argument)),
        _ => Some(AggregateCall::Max(argument)),
    }
}

fn constant_measure(name: &str, argument: &Expr, sql: &SqlText<'_, '_>, line: usize) -> Option<AggregateCall> {
    let is_value = matches!(argument, Expr::Value(value) if value.value != Value::Null);
    if name == "COUNT" && is_value {
        return Some(AggregateCall::CountRows);
    }
    let remedy = "write `COUNT(*)` for the number of rows";
    sql.fault(line, format!("`{name}({argument})` is over no column of the feed"), remedy);
    None
}

fn refuse_distinct(name: &str, function: &Function, sql: &SqlText<'_, '_>, line: usize) {
    let argument = argument_text(function).unwrap_or_else(|| "x".to_owned());
    let problem = format!("`{name}(DISTINCT {argument})` cannot be merged over files");
    let remedy = match name {
        "MIN" | "MAX" => format!("write `{name}({argument})`, which is the same"),
        _ => format!(
            "make `{argument}` a key of a summary of its own, and take `{name}(DISTINCT {argument})` where you read"
        ),
    };
    sql.fault(line, problem, remedy);
}

fn argument_text(function: &Function) -> Option<String> {
    match &function.args {
        FunctionArguments::List(list) => list.args.first().map(ToString::to_string),
        _ => None,
    }
}
