//! One row-wise SQL expression, planned by Polars and made safe: its type, and what it reads.
//!
//! Polars SQL decides what an expression means; this module decides which meanings we accept. It knows no rows.

mod decimals;
mod numbers;

use std::fmt;

use millrace_decode::contract::{Column as ContractColumn, ColumnType, DecimalType};
use polars::prelude::*;
use polars::sql::SQLContext;

use self::decimals::{Context, DecimalRefusal};
use self::numbers::Numbers;

/// What an expression yields, in the types that keys and measures have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputType {
    Text,
    Int64,
    Float64,
    Decimal(DecimalType),
    Bool,
    Date,
    Timestamp,
}

/// As pipeline.toml writes the type of a column.
impl fmt::Display for OutputType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column_type = match self {
            OutputType::Text => ColumnType::String,
            OutputType::Int64 => ColumnType::Int64,
            OutputType::Float64 => ColumnType::Float64,
            OutputType::Decimal(decimal) => ColumnType::Decimal(*decimal),
            OutputType::Bool => ColumnType::Bool,
            OutputType::Date => ColumnType::Date,
            OutputType::Timestamp => ColumnType::Timestamp,
        };
        column_type.fmt(f)
    }
}

impl OutputType {
    fn of_column(column_type: ColumnType) -> OutputType {
        match column_type {
            ColumnType::String | ColumnType::Json => OutputType::Text,
            ColumnType::Int64 => OutputType::Int64,
            ColumnType::Float64 => OutputType::Float64,
            ColumnType::Decimal(decimal) => OutputType::Decimal(decimal),
            ColumnType::Bool => OutputType::Bool,
            ColumnType::Date => OutputType::Date,
            ColumnType::Timestamp => OutputType::Timestamp,
        }
    }
}

/// An expression that can be evaluated over any chunk of its feed.
#[derive(Clone, Debug)]
pub(crate) enum Expression {
    /// Just a column: nothing to evaluate. Its position among the columns.
    Column {
        position: usize,
        output: OutputType,
    },
    Computed {
        expr: Expr,
        output: OutputType,
    },
}

impl Expression {
    pub(crate) fn output(&self) -> OutputType {
        match self {
            Expression::Column { output, .. } | Expression::Computed { output, .. } => *output,
        }
    }

    /// Plans `sql` over `columns`. The error says in a sentence's end what cannot be, and what to write.
    pub(crate) fn plan(sql: &str, feed: &str, columns: &[ContractColumn]) -> Result<Expression, String> {
        let schema = schema_of(columns);
        let expr = translate(sql, feed, &schema)?;
        if let Expr::Column(name) = &expr
            && let Some(position) = columns.iter().position(|column| column.name == name.as_str())
        {
            return Ok(Expression::Column { position, output: OutputType::of_column(columns[position].column_type) });
        }
        if let Some(node) = expr.into_iter().find(|node| !is_row_wise(node)) {
            return Err(format!("`{node}` is not row-wise; rules, keys and what aggregates are over look at one row"));
        }
        let context = Context { schema: &schema, numbers: &Numbers::in_sql(sql) };
        let mut refusal = None;
        let safe = expr
            .try_map_expr(|node| {
                make_safe(node, context).map_err(|fault| {
                    let message = fault.to_words();
                    refusal.get_or_insert(message);
                    polars_err!(InvalidOperation: "refused")
                })
            })
            .map_err(|error| refusal.take().unwrap_or_else(|| short(&error)))?;
        let dtype = data_type(&safe, &schema).map_err(|error| short(&error))?;
        let (expr, output) = canonical(safe, &dtype)?;
        Ok(Expression::Computed { expr, output })
    }
}

/// Polars' types of the contract's columns.
fn schema_of(columns: &[ContractColumn]) -> Schema {
    columns.iter().map(|column| Field::new(column.name.as_str().into(), polars_type(column.column_type))).collect()
}

fn polars_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::String | ColumnType::Json => DataType::String,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Decimal(decimal) => decimals::polars_type(decimal),
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Date => DataType::Date,
        ColumnType::Timestamp => DataType::Datetime(TimeUnit::Microseconds, None),
    }
}

/// SQL to a Polars expression. A whole SELECT is planned and taken apart, since `sql_expr` alone knows no schema and
/// then leaves `time_hour >= '2013-01-01'` a comparison of timestamp and string.
fn translate(sql: &str, feed: &str, schema: &Schema) -> Result<Expr, String> {
    const OUTPUT: &str = "\u{1}output";
    let mut context = SQLContext::new();
    context.register(feed, DataFrame::empty_with_schema(schema).lazy());
    let query = format!("SELECT ({sql}) AS \"{OUTPUT}\" FROM \"{feed}\"");
    let planned = context.execute(&query).map_err(|error| short(&error))?;
    let outputs = match planned.logical_plan {
        DslPlan::Select { expr, input, .. } => match input.as_ref() {
            // A literal is first spread over the rows by a `HStack`, then selected by its name.
            DslPlan::HStack { exprs, .. } => exprs.clone(),
            _ => expr,
        },
        _ => return Err("it is not an expression over the feed's columns".to_owned()),
    };
    match <[Expr; 1]>::try_from(outputs) {
        Ok([Expr::Alias(inner, _)]) => Ok(Arc::unwrap_or_clone(inner)),
        Ok([other]) => Ok(other),
        Err(_) => Err("it is more than one expression".to_owned()),
    }
}

fn is_row_wise(node: &Expr) -> bool {
    matches!(
        node,
        Expr::Alias(..)
            | Expr::Column(_)
            | Expr::Literal(_)
            | Expr::BinaryExpr { .. }
            | Expr::Cast { .. }
            | Expr::Ternary { .. }
            | Expr::Function { .. }
    ) || matches!(node, Expr::Agg(AggExpr::Implode { input, .. }) if matches!(input.as_ref(), Expr::Literal(_)))
}

/// Why one node of an expression is refused.
enum Refusal {
    Modulo,
    FloorDivision,
    Cast { from: DataType, to: DataType },
    Decimal(DecimalRefusal),
    Polars(PolarsError),
}

impl Refusal {
    fn to_words(&self) -> String {
        match self {
            Refusal::Modulo => {
                "`%` and MOD differ between engines for negative numbers; use CASE or a key of its own".to_owned()
            }
            Refusal::FloorDivision => {
                "integer division differs between engines for negative numbers; write CAST(a / b \
                                       AS BIGINT)"
                    .to_owned()
            }
            Refusal::Cast { from, to } if from == &DataType::String => {
                format!("a string cannot be cast to {to}; declare the column as date or timestamp in [feed.columns]")
            }
            Refusal::Cast { from, to } if to == &DataType::String => {
                format!("{from} as text differs between engines; cast it to BIGINT or DATE first")
            }
            Refusal::Cast { from, to } => {
                format!("a cast from {from} to {to} is not supported; use EXTRACT, BIGINT or DOUBLE")
            }
            Refusal::Decimal(refusal) => refusal.to_string(),
            Refusal::Polars(error) => short(error),
        }
    }
}

impl From<DecimalRefusal> for Refusal {
    fn from(refusal: DecimalRefusal) -> Self {
        Refusal::Decimal(refusal)
    }
}

impl From<PolarsError> for Refusal {
    fn from(error: PolarsError) -> Self {
        Refusal::Polars(error)
    }
}

/// One node whose inputs are safe already: integer arithmetic is made in 128 bits and must fit 64 (Polars would wrap
/// silently, even `LENGTH(x) - 5` in 32 unsigned bits), and casts whose results no two engines share are refused.
fn make_safe(node: Expr, context: Context) -> Result<Expr, Refusal> {
    if let Some(exact) = context.exact(&node)? {
        return Ok(exact);
    }
    let schema = context.schema;
    match node {
        Expr::BinaryExpr { left, op: op @ (Operator::Plus | Operator::Minus | Operator::Multiply), right }
            if is_integer(&data_type(&left, schema)?) && is_integer(&data_type(&right, schema)?) =>
        {
            let wide = |side: Arc<Expr>| Arc::new(Arc::unwrap_or_clone(side).cast(DataType::Int128));
            let exact = Expr::BinaryExpr { left: wide(left), op, right: wide(right) };
            Ok(exact.strict_cast(DataType::Int64))
        }
        Expr::BinaryExpr { op: Operator::Modulus, .. } => Err(Refusal::Modulo),
        Expr::BinaryExpr { op: Operator::FloorDivide | Operator::RustDivide, .. } => Err(Refusal::FloorDivision),
        Expr::Function { input, function: FunctionExpr::Abs } => {
            let is_int =
                input.iter().map(|e| data_type(e, schema)).collect::<PolarsResult<Vec<_>>>()?.iter().all(is_integer);
            if !is_int {
                return Ok(Expr::Function { input, function: FunctionExpr::Abs });
            }
            let wide = input.into_iter().map(|e| e.cast(DataType::Int128)).collect();
            Ok(Expr::Function { input: wide, function: FunctionExpr::Abs }.strict_cast(DataType::Int64))
        }
        Expr::Cast { expr, dtype, options } => {
            let Some(to) = dtype.as_literal().cloned() else {
                return Ok(Expr::Cast { expr, dtype, options });
            };
            let from = data_type(&expr, schema)?;
            // `DATE '2013-01-01'`: Polars parses it by a cast that it calls deprecated, on stderr, at every evaluation.
            if matches!(expr.as_ref(), Expr::Literal(_)) && is_text(&from) && to == DataType::Date {
                let options = StrptimeOptions { format: Some("%Y-%m-%d".into()), ..Default::default() };
                return Ok(Arc::unwrap_or_clone(expr).str().to_date(options));
            }
            if !casts_alike(&from, &to) {
                return Err(Refusal::Cast { from, to });
            }
            Ok(Expr::Cast { expr, dtype, options })
        }
        other => Ok(other),
    }
}

fn data_type(expr: &Expr, schema: &Schema) -> PolarsResult<DataType> {
    Ok(expr.to_field(schema)?.dtype().clone())
}

fn is_integer(dtype: &DataType) -> bool {
    dtype.is_integer() || matches!(dtype, DataType::Unknown(UnknownKind::Int(_)))
}

fn is_float(dtype: &DataType) -> bool {
    dtype.is_float() || matches!(dtype, DataType::Unknown(UnknownKind::Float))
}

fn is_text(dtype: &DataType) -> bool {
    matches!(dtype, DataType::String | DataType::Unknown(UnknownKind::Str))
}

fn casts_alike(from: &DataType, to: &DataType) -> bool {
    let number = |dtype: &DataType| is_integer(dtype) || is_float(dtype);
    from == to
        || from == &DataType::Null
        || ((number(from) || from == &DataType::Boolean) && number(to))
        || (is_integer(from) && to == &DataType::Boolean)
        || (is_text(from) && (number(to) || is_text(to)))
        || ((is_integer(from) || from == &DataType::Boolean || from == &DataType::Date) && is_text(to))
        || (matches!(from, DataType::Date | DataType::Datetime(_, None))
            && matches!(to, DataType::Date | DataType::Datetime(_, None)))
}

/// The expression in one of our types.
fn canonical(expr: Expr, dtype: &DataType) -> Result<(Expr, OutputType), String> {
    match dtype {
        DataType::Boolean => Ok((expr, OutputType::Bool)),
        DataType::Int64 => Ok((expr, OutputType::Int64)),
        DataType::Float64 => Ok((expr, OutputType::Float64)),
        DataType::Date => Ok((expr, OutputType::Date)),
        DataType::Decimal(precision, scale) => {
            let decimal = decimals::decimal_type(*precision, *scale).map_err(|refusal| refusal.to_string())?;
            Ok((expr, OutputType::Decimal(decimal)))
        }
        DataType::Datetime(TimeUnit::Microseconds, None) => Ok((expr, OutputType::Timestamp)),
        DataType::Datetime(_, None) => {
            Ok((expr.cast(DataType::Datetime(TimeUnit::Microseconds, None)), OutputType::Timestamp))
        }
        text if is_text(text) => Ok((expr.cast(DataType::String), OutputType::Text)),
        int if is_integer(int) => Ok((expr.strict_cast(DataType::Int64), OutputType::Int64)),
        float if is_float(float) => Ok((expr.cast(DataType::Float64), OutputType::Float64)),
        DataType::Null => Err("it is always null".to_owned()),
        other => Err(format!("it has the type {other}, which no summary can hold; cast it to BIGINT, DOUBLE or DATE")),
    }
}

/// Polars' own words, as short as they come.
fn short(error: &PolarsError) -> String {
    const LONGEST: usize = 200;
    let message = error.to_string();
    let line = message.lines().next().unwrap_or_default();
    let words = line.split("; valid columns").next().unwrap_or_default();
    words.chars().take(LONGEST).collect()
}
