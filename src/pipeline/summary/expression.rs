//! Row-wise expressions: what may stand in keys, in arguments of aggregates, in WHERE and in rules. Only what Polars SQL
//! and Spark SQL agree on passes, so that a summary means the same to everybody who reads it. Passing normalises:
//! names lose the table and needless quotes, functions and types get one spelling.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, CastKind, CeilFloorKind, DataType, DateTimeField, ExactNumberInfo, Expr, Ident, TimezoneInfo,
    TrimWhereField, UnaryOperator, Value, visit_expressions,
};

use super::literals::{is_never_zero, is_string};
use super::sql_text::SqlText;
use crate::pipeline::columns::Contract;
use crate::pipeline::faults::{did_you_mean, listed};
use crate::pipeline::identifiers::needs_quotes;

/// What a row-wise expression can see.
pub(in crate::pipeline) struct RowScope<'s> {
    /// Names by which columns may be qualified: the feed's, and what FROM calls it.
    pub tables: Vec<String>,
    /// Empty if the contract is so faulty that no column can be called unknown.
    pub columns: &'s [String],
    /// Names of outputs: they cannot be seen, but people try.
    pub aliases: Vec<String>,
    /// "a rule", "WHERE", …, for messages.
    pub place: &'static str,
}

impl<'s> RowScope<'s> {
    pub fn rule(feed_name: &str, contract: &'s Contract) -> Self {
        RowScope { tables: vec![feed_name.to_owned()], columns: &contract.names, aliases: Vec::new(), place: "a rule" }
    }
}

impl RowScope<'_> {
    pub fn without_aggregates(&self) -> &'static str {
        match self.place {
            "WHERE" => "make it an output, and filter groups where you read",
            "a rule" => "write what must be true of each row by itself",
            _ => "make each aggregate an output of its own",
        }
    }
}

/// Checks and normalises in place; brackets around the whole are dropped.
pub(super) fn check(expression: &mut Expr, scope: &RowScope<'_>, sql: &SqlText<'_, '_>, above: usize) {
    while let Expr::Nested(inner) = expression {
        let unwrapped = std::mem::replace(inner.as_mut(), Expr::value(Value::Null));
        *expression = unwrapped;
    }
    RowWise { scope, sql }.visit(expression, above);
}

/// The columns that a normalised expression refers to.
pub(in crate::pipeline) fn columns_in(expression: &Expr) -> Vec<String> {
    let mut columns = Vec::new();
    let _ = visit_expressions(expression, |node| {
        if let Expr::Identifier(ident) = node {
            columns.push(ident.value.clone());
        }
        ControlFlow::<()>::Continue(())
    });
    columns
}

pub(super) struct RowWise<'s, 'q, 't, 'a> {
    pub scope: &'s RowScope<'s>,
    pub sql: &'q SqlText<'t, 'a>,
}

impl RowWise<'_, '_, '_, '_> {
    pub fn visit(&self, expression: &mut Expr, above: usize) {
        let line = self.sql.line(expression, above);
        if let Expr::CompoundIdentifier(parts) = expression
            && let [table, column] = parts.as_slice()
        {
            if !self.scope.tables.contains(&table.value) {
                let problem = format!("`{table}.{column}` is of another table than the feed");
                self.sql.fault(line, problem, format!("write `{column}`"));
            }
            *expression = Expr::Identifier(column.clone());
        }
        match expression {
            Expr::Identifier(ident) => self.column(ident, line),
            Expr::Value(value) => self.literal(&value.value, line),
            Expr::TypedString(typed) => {
                if !matches!(typed.data_type, DataType::Date | DataType::Timestamp(None, TimezoneInfo::None)) {
                    self.unsupported(expression, line);
                }
            }
            Expr::Nested(inner) | Expr::IsNull(inner) | Expr::IsNotNull(inner) => self.visit(inner, line),
            Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus | UnaryOperator::Not, expr } => {
                self.visit(expr, line);
            }
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.visit(left, line);
                self.visit(right, line);
            }
            Expr::Between { expr, low, high, negated: _ } => {
                self.visit(expr, line);
                self.visit(low, line);
                self.visit(high, line);
            }
            Expr::InList { expr, list, negated: _ } => {
                self.visit(expr, line);
                list.iter_mut().for_each(|item| self.visit(item, line));
            }
            Expr::Like { expr, pattern, any: false, escape_char: None, negated: _ }
            | Expr::ILike { expr, pattern, any: false, escape_char: None, negated: _ } => {
                self.visit(expr, line);
                self.visit(pattern, line);
            }
            Expr::Case { operand, conditions, else_result, case_token: _, end_token: _ } => {
                operand.iter_mut().for_each(|operand| self.visit(operand, line));
                for case in conditions {
                    self.visit(&mut case.condition, line);
                    self.visit(&mut case.result, line);
                }
                else_result.iter_mut().for_each(|result| self.visit(result, line));
            }
            Expr::BinaryOp { left, op, right } => {
                self.operator(left, op, right, line);
                self.visit(left, line);
                self.visit(right, line);
            }
            Expr::Cast { kind, expr, data_type, array: false, format: None } => {
                self.cast(kind, expr, data_type, line);
                self.visit(expr, line);
            }
            Expr::Extract { field, expr, syntax: _ } => {
                self.date_field(&field.to_string(), line);
                self.visit(expr, line);
            }
            Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
                self.named("CEIL", line);
                self.visit(expr, line);
            }
            Expr::Floor { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
                self.named("FLOOR", line);
                self.visit(expr, line);
            }
            Expr::Position { .. } => self.unknown_function("POSITION", line),
            Expr::Substring { expr, substring_from, substring_for, special: _, shorthand } => {
                self.named(if *shorthand { "SUBSTR" } else { "SUBSTRING" }, line);
                self.substring_bounds(substring_from.as_deref(), substring_for.as_deref(), line);
                self.visit(expr, line);
            }
            Expr::Trim { expr, trim_where, trim_what, trim_characters } => {
                let side = trim_where.get_or_insert(TrimWhereField::Both);
                let is_of_blanks = trim_what.as_deref().is_some_and(|what| is_string(what, |text| text == " "));
                if !is_of_blanks || trim_characters.is_some() {
                    let problem = "TRIM without `' ' FROM` does not drop the same characters in Polars and in Spark";
                    self.sql.fault(line, problem, format!("write `TRIM({side} ' ' FROM {expr})`"));
                }
                self.visit(expr, line);
            }
            Expr::Function(function) => self.function(function, line),
            Expr::IsTrue(inner) | Expr::IsFalse(inner) | Expr::IsNotTrue(inner) | Expr::IsNotFalse(inner) => {
                let remedy = format!("write `COALESCE({inner}, FALSE)`, or `COALESCE({inner}, TRUE)`");
                self.sql.fault(line, "`IS TRUE` and `IS FALSE` treat nulls differently in Polars and in Spark", remedy);
            }
            Expr::InSubquery { .. } | Expr::Exists { .. } | Expr::Subquery(_) => self.sql.fault(
                line,
                "subqueries cannot be used: a file's rows are counted without looking at any other table",
                "join where you read",
            ),
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => {
                self.sql.fault(line, "`*` stands for no value here", "name the columns");
            }
            other => self.unsupported(other, line),
        }
    }

    fn unsupported(&self, expression: &Expr, line: usize) {
        self.sql.fault(
            line,
            format!("`{expression}` is not among the expressions that Polars and Spark agree on"),
            "write it with CASE, CAST, comparisons, arithmetic and the functions of pipeline.toml's reference",
        );
    }

    fn column(&self, ident: &mut Ident, line: usize) {
        let name = ident.value.as_str();
        if !self.scope.columns.is_empty() && !self.scope.columns.iter().any(|column| column == name) {
            let remedy = if self.scope.aliases.iter().any(|alias| alias == name) {
                format!("`{name}` is an output, which {} cannot see: write its expression", self.scope.place)
            } else {
                let columns = self.scope.columns.iter().map(String::as_str);
                did_you_mean(name, columns.clone(), || format!("the feed has {}", listed(columns)))
            };
            self.sql.fault(line, format!("unknown column `{name}`"), remedy);
        }
        ident.quote_style = needs_quotes(name).then_some('"');
    }

    fn literal(&self, value: &Value, line: usize) {
        match value {
            Value::Number(_, false) | Value::Boolean(_) | Value::Null => {}
            Value::SingleQuotedString(text) if !text.contains('\\') => {}
            Value::SingleQuotedString(_) => self.sql.fault(
                line,
                "a backslash in a string is itself in Polars and an escape in Spark",
                "compare with `LIKE` and `_` in its place",
            ),
            Value::Placeholder(name) => {
                let problem = format!("`{name}` is a parameter, and nobody fills it in");
                self.sql.fault(line, problem, "write the value");
            }
            other => self.sql.fault(
                line,
                format!("`{other}` is not a literal that Polars and Spark agree on"),
                "write a plain number, a string in single quotes, TRUE, FALSE or NULL",
            ),
        }
    }

    fn operator(&self, left: &Expr, operator: &BinaryOperator, right: &Expr, line: usize) {
        use BinaryOperator::*;
        match operator {
            Plus | Minus | Multiply | StringConcat | Gt | Lt | GtEq | LtEq | Eq | NotEq | And | Or | Spaceship => {}
            Divide if is_never_zero(right) => {}
            Divide => self.sql.fault(
                line,
                format!(
                    "`{left} / {right}` is infinite in Polars, and null or an error in Spark, where `{right}` is 0"
                ),
                format!("write `{left} / NULLIF({right}, 0)`"),
            ),
            Modulo => self.sql.fault(
                line,
                format!("`{left} % {right}` has another sign in Polars than in Spark where `{left}` is negative"),
                format!("write `{left} - {right} * FLOOR({left} / {right})`"),
            ),
            DuckIntegerDivide | MyIntegerDivide => self.sql.fault(
                line,
                format!("`{operator}` is not an operator of Spark"),
                format!("write `FLOOR({left} / {right})`"),
            ),
            other => self.sql.fault(
                line,
                format!("operator `{other}` is not among those that Polars and Spark agree on"),
                "use + - * / || = <> < <= > >= AND OR NOT",
            ),
        }
    }

    fn cast(&self, kind: &CastKind, expr: &Expr, data_type: &mut DataType, line: usize) {
        if !matches!(kind, CastKind::Cast | CastKind::TryCast) {
            let problem = format!("`{expr}::{data_type}` is not standard SQL");
            self.sql.fault(line, problem, format!("write `CAST({expr} AS {data_type})`"));
        }
        *data_type = match data_type {
            DataType::Date | DataType::Timestamp(None, TimezoneInfo::None) => return,
            DataType::BigInt(None) | DataType::Int64 => DataType::BigInt(None),
            DataType::Double(ExactNumberInfo::None) | DataType::DoublePrecision | DataType::Float64 => {
                DataType::Double(ExactNumberInfo::None)
            }
            DataType::Varchar(None) | DataType::String(None) | DataType::Text => DataType::Varchar(None),
            DataType::Boolean | DataType::Bool => DataType::Boolean,
            // Without its digits it is another type in each engine.
            DataType::Decimal(digits @ ExactNumberInfo::PrecisionAndScale(..))
            | DataType::Dec(digits @ ExactNumberInfo::PrecisionAndScale(..))
            | DataType::Numeric(digits @ ExactNumberInfo::PrecisionAndScale(..)) => DataType::Decimal(*digits),
            other => {
                self.sql.fault(
                    line,
                    format!("`CAST({expr} AS {other})` does not mean the same in Polars and in Spark"),
                    "cast to BIGINT, DOUBLE, DECIMAL(p,s), VARCHAR, BOOLEAN, DATE or TIMESTAMP",
                );
                return;
            }
        };
    }
}
