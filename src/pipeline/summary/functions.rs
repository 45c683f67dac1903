//! Which functions there are, and what to say of those that cannot be used.

use millrace_frames::typing::SCALAR_FUNCTIONS;
use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments};

use crate::pipeline::faults::{did_you_mean, listed};

/// Aggregates that merge over files.
const MERGEABLE: [&str; 4] = ["COUNT", "SUM", "MIN", "MAX"];

/// Aggregates that do not, as far as people try them.
const UNMERGEABLE: [&str; 38] = [
    "ANY_VALUE",
    "APPROX_COUNT_DISTINCT",
    "APPROX_PERCENTILE",
    "ARRAY_AGG",
    "AVG",
    "BIT_AND",
    "BIT_OR",
    "BIT_XOR",
    "BOOL_AND",
    "BOOL_OR",
    "COLLECT_LIST",
    "COLLECT_SET",
    "CORR",
    "COUNT_IF",
    "COVAR",
    "COVAR_POP",
    "COVAR_SAMP",
    "EVERY",
    "FIRST",
    "FIRST_VALUE",
    "LAST",
    "LAST_VALUE",
    "LISTAGG",
    "MEAN",
    "MEDIAN",
    "MODE",
    "PERCENTILE",
    "PERCENTILE_APPROX",
    "PERCENTILE_CONT",
    "PERCENTILE_DISC",
    "QUANTILE_CONT",
    "QUANTILE_DISC",
    "STDDEV",
    "STDDEV_POP",
    "STDDEV_SAMP",
    "STRING_AGG",
    "VARIANCE",
    "VAR_SAMP",
];

/// Functions whose answer is another one when a file is counted again.
const UNSTEADY: [&str; 29] = [
    "CLOCK_TIMESTAMP",
    "CURDATE",
    "CURRENT_DATE",
    "CURRENT_DATETIME",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "CURTIME",
    "GEN_RANDOM_UUID",
    "GETDATE",
    "GETUTCDATE",
    "INPUT_FILE_NAME",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "MONOTONICALLY_INCREASING_ID",
    "NEWID",
    "NOW",
    "RAND",
    "RANDN",
    "RANDOM",
    "SESSION_USER",
    "SYSDATE",
    "SYSDATETIME",
    "SYSUTCDATETIME",
    "TODAY",
    "UNIX_TIMESTAMP",
    "USER",
    "UTC_TIMESTAMP",
    "UUID",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FunctionKind {
    Mergeable,
    Unmergeable,
    Unsteady,
    Scalar,
    Unknown,
}

/// The function's name in upper case.
pub(super) fn name_of(function: &Function) -> String {
    function.name.to_string().to_ascii_uppercase()
}

pub(super) fn kind_of(name: &str) -> FunctionKind {
    if MERGEABLE.contains(&name) {
        FunctionKind::Mergeable
    } else if SCALAR_FUNCTIONS.iter().any(|scalar| scalar.eq_ignore_ascii_case(name)) {
        FunctionKind::Scalar
    } else if UNMERGEABLE.contains(&name) {
        FunctionKind::Unmergeable
    } else if UNSTEADY.contains(&name) {
        FunctionKind::Unsteady
    } else {
        FunctionKind::Unknown
    }
}

pub(super) fn is_aggregate(function: &Function) -> bool {
    matches!(kind_of(&name_of(function)), FunctionKind::Mergeable | FunctionKind::Unmergeable)
}

/// Functions that engines have and mean differently, or that Polars lacks, and what does the same everywhere.
const REPLACEMENTS: [(&str, &str); 22] = [
    ("CONCAT", "write `a || b`"),
    ("DATE", "write `CAST(x AS DATE)`"),
    ("DATE_TRUNC", "write `CAST(x AS DATE)`, or `EXTRACT(YEAR FROM x)` and `EXTRACT(MONTH FROM x)`"),
    ("DAY", "write `EXTRACT(DAY FROM x)`"),
    ("DAYOFYEAR", "write `EXTRACT(DOY FROM x)`"),
    ("DIV", "write `FLOOR(a / b)`"),
    ("ENDS_WITH", "write `x LIKE '%ending'`"),
    ("HOUR", "write `EXTRACT(HOUR FROM x)`"),
    ("LEFT", "write `SUBSTR(x, 1, 3)`"),
    ("LTRIM", "write `TRIM(LEADING ' ' FROM x)`"),
    ("MINUTE", "write `EXTRACT(MINUTE FROM x)`"),
    ("MOD", "write `a - b * FLOOR(a / b)`"),
    ("MONTH", "write `EXTRACT(MONTH FROM x)`"),
    ("POSITION", "write `x LIKE '%part%'`"),
    ("QUARTER", "write `EXTRACT(QUARTER FROM x)`"),
    ("ROUND", "write `FLOOR(x + 0.5)`"),
    ("RTRIM", "write `TRIM(TRAILING ' ' FROM x)`"),
    ("STARTS_WITH", "write `x LIKE 'beginning%'`"),
    ("STRPOS", "write `x LIKE '%part%'`"),
    ("TIMESTAMP", "write `CAST(x AS TIMESTAMP)`"),
    ("TO_DATE", "write `CAST(x AS DATE)`"),
    ("YEAR", "write `EXTRACT(YEAR FROM x)`"),
];

/// Whether a function is known, but not one that means the same everywhere.
pub(super) fn differs(name: &str) -> bool {
    replacement(name).is_some()
}

fn replacement(name: &str) -> Option<&'static str> {
    REPLACEMENTS.iter().find(|(differing, _)| *differing == name).map(|(_, remedy)| *remedy)
}

pub(super) fn unknown_function_remedy(name: &str) -> String {
    if let Some(remedy) = replacement(name) {
        return remedy.to_owned();
    }
    let scalar = SCALAR_FUNCTIONS.iter().copied();
    did_you_mean(name, scalar.clone(), || format!("functions are {}", listed(scalar)))
}

/// What to write instead of an aggregate that does not merge.
pub(super) fn unmergeable_remedy(name: &str, function: &Function) -> String {
    let argument = first_argument(function);
    match name {
        "AVG" | "MEAN" => {
            format!("write `SUM({argument}) AS total` and `COUNT({argument}) AS n`; divide where you read")
        }
        "COUNT_IF" => format!("write `COUNT(CASE WHEN {argument} THEN 1 END)`"),
        "BOOL_AND" | "EVERY" => format!("write `MIN(CASE WHEN {argument} THEN 1 ELSE 0 END)`"),
        "BOOL_OR" => format!("write `MAX(CASE WHEN {argument} THEN 1 ELSE 0 END)`"),
        "STDDEV" | "STDDEV_POP" | "STDDEV_SAMP" | "VARIANCE" | "VAR_SAMP" => format!(
            "write `SUM({argument}) AS total`, `SUM({argument} * {argument}) AS squares` and \
             `COUNT({argument}) AS n`; compute it where you read"
        ),
        _ => "only COUNT, SUM, MIN and MAX do; make the value a key and compute where you read".to_owned(),
    }
}

fn first_argument(function: &Function) -> String {
    let FunctionArguments::List(list) = &function.args else {
        return "x".to_owned();
    };
    match list.args.first() {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(expression))) => expression.to_string(),
        _ => "x".to_owned(),
    }
}

/// The function under brackets, if that is all the expression is.
pub(super) fn as_function(expression: &Expr) -> Option<&Function> {
    match expression {
        Expr::Nested(inner) => as_function(inner),
        Expr::Function(function) => Some(function),
        _ => None,
    }
}
