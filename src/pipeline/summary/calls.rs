//! Functions inside row-wise expressions: which there are, and which arguments they take.

use millrace_frames::typing::DATE_FIELDS;
use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident};

use super::expression::RowWise;
use super::functions::{FunctionKind, differs, kind_of, name_of, unknown_function_remedy, unmergeable_remedy};
use super::literals::{expression_in, is_string, is_whole};
use crate::pipeline::faults::listed;

impl RowWise<'_, '_, '_, '_> {
    pub(super) fn date_field(&self, field: &str, line: usize) {
        if !DATE_FIELDS.contains(&field.to_ascii_uppercase().as_str()) {
            let problem = format!("field `{field}` of a date is not the same in Polars and in Spark");
            self.sql.fault(line, problem, format!("fields are {}", listed(DATE_FIELDS.iter().copied())));
        }
    }

    pub(super) fn substring_bounds(&self, from: Option<&Expr>, length: Option<&Expr>, line: usize) {
        let is_from_one = from.is_some_and(|from| is_whole(from, |position| position >= 1.0));
        if !is_from_one || !length.is_none_or(|length| is_whole(length, |length| length >= 0.0)) {
            self.sql.fault(
                line,
                "SUBSTR with a start below 1, or with bounds that are no numbers, differs in Polars and in Spark",
                "write whole numbers, the start counted from 1: `SUBSTR(carrier, 1, 2)`",
            );
        }
    }

    /// For functions that SQL writes in a way of their own.
    pub(super) fn named(&self, name: &str, line: usize) {
        if kind_of(name) != FunctionKind::Scalar {
            self.unknown_function(name, line);
        }
    }

    pub(super) fn unknown_function(&self, name: &str, line: usize) {
        let problem = match differs(name) {
            true => format!("`{name}` is not a function that Polars and Spark agree on"),
            false => format!("unknown function `{name}`"),
        };
        self.sql.fault(line, problem, unknown_function_remedy(name));
    }

    pub(super) fn function(&self, function: &mut Function, line: usize) {
        let name = name_of(function);
        if function.over.is_some() {
            self.sql.fault(
                line,
                format!("`{name}(…) OVER` looks at other rows, which may be in other files"),
                "use GROUP BY here, and windows where you read",
            );
            return;
        }
        let place = self.scope.place;
        match kind_of(&name) {
            FunctionKind::Mergeable => {
                let problem =
                    format!("aggregate `{name}` cannot stand inside {place}, which looks at one row at a time");
                self.sql.fault(line, problem, self.scope.without_aggregates());
            }
            FunctionKind::Unmergeable => {
                let problem = format!("aggregate `{name}` cannot be merged over files");
                self.sql.fault(line, problem, unmergeable_remedy(&name, function));
            }
            FunctionKind::Unsteady => self.sql.fault(
                line,
                format!(
                    "`{name}` gives another answer each time, so that a file counted again would count differently"
                ),
                "use a column of the feed",
            ),
            FunctionKind::Unknown => self.unknown_function(&name, line),
            FunctionKind::Scalar => {
                function.name = vec![Ident::new(name.clone())].into();
                self.arguments(function, &name, line);
            }
        }
    }

    /// Functions that agree only where some argument is a literal.
    pub(super) fn literal_arguments(&self, name: &str, arguments: &[FunctionArg], line: usize) {
        match (name, arguments) {
            ("SUBSTR" | "SUBSTRING", [_, bounds @ ..]) => {
                self.substring_bounds(
                    bounds.first().and_then(expression_in),
                    bounds.get(1).and_then(expression_in),
                    line,
                );
            }
            ("REPLACE", [_, search, ..])
                if !expression_in(search).is_some_and(|search| is_string(search, |text| !text.is_empty())) =>
            {
                let problem = "REPLACE of nothing, or of what a column says, differs in Polars and in Spark";
                let remedy = "write what is replaced as a string: `REPLACE(carrier, '-', '')`";
                self.sql.fault(line, problem, remedy);
            }
            ("DATE_PART", [field, ..]) => match expression_in(field) {
                Some(Expr::Value(value)) => {
                    self.date_field(value.value.clone().into_string().unwrap_or_default().as_str(), line);
                }
                _ => self.date_field(&field.to_string(), line),
            },
            _ => {}
        }
    }

    pub(super) fn arguments(&self, function: &mut Function, name: &str, line: usize) {
        let plain = function.filter.is_none() && function.null_treatment.is_none() && function.within_group.is_empty();
        let arguments = match &mut function.args {
            FunctionArguments::List(list) if plain && list.clauses.is_empty() && list.duplicate_treatment.is_none() => {
                &mut list.args
            }
            _ => {
                self.sql.fault(line, format!("`{name}` takes plain arguments only"), format!("write `{name}(…)`"));
                return;
            }
        };
        self.literal_arguments(name, arguments, line);
        for argument in arguments {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => self.visit(expression, line),
                other => {
                    let problem = format!("`{other}` cannot be an argument of `{name}`");
                    self.sql.fault(line, problem, "write a column or an expression");
                }
            }
        }
    }
}
