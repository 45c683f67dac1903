//! What a literal says, where only a literal will do.

use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Value};

use super::functions::name_of;

/// An argument that is an expression.
pub(super) fn expression_in(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
        _ => None,
    }
}

pub(super) fn is_string(expression: &Expr, holds: fn(&str) -> bool) -> bool {
    matches!(expression, Expr::Value(value) if matches!(&value.value, Value::SingleQuotedString(text) if holds(text)))
}

pub(super) fn is_whole(expression: &Expr, holds: fn(f64) -> bool) -> bool {
    matches!(expression, Expr::Value(value)
        if matches!(&value.value, Value::Number(digits, false) if digits.parse::<u32>().is_ok())
            && is_number(&value.value, holds))
}

/// A number other than 0, or `NULLIF(x, 0)`.
pub(super) fn is_never_zero(divisor: &Expr) -> bool {
    match divisor {
        Expr::Nested(inner) => is_never_zero(inner),
        Expr::Value(value) => is_number(&value.value, |number| number != 0.0),
        Expr::Function(function) if name_of(function) == "NULLIF" => match &function.args {
            FunctionArguments::List(list) => match list.args.as_slice() {
                [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(zero)))] => {
                    is_number(&zero.value, |number| number == 0.0)
                }
                _ => false,
            },
            _ => false,
        },
        _ => false,
    }
}

fn is_number(value: &Value, holds: fn(f64) -> bool) -> bool {
    matches!(value, Value::Number(digits, _) if digits.parse().is_ok_and(holds))
}
