//! Decimals in expressions: exact, or refused by name.
//!
//! What Polars 0.55 does by itself, and what is done here before it comes to that:
//!
//! - A number with a point is a float64, and a decimal beside a float becomes one: numbers are made decimals here.
//! - Decimals of two types meet at the larger precision and the larger scale, and what does not fit is null: both are
//!   cast to a type that holds either, or refused where 38 digits hold no such type. The same holds for CASE, COALESCE,
//!   GREATEST, LEAST and IN.
//! - `+` and `-` are exact, and beyond 38 digits an error. `*` rounds to the larger scale: factors are cast to the sum
//!   of their scales, which is exact, and their digits together must stay below 38.
//! - `/` rounds to the larger scale, and Spark keeps more digits: refused.
//! - A cast to an integer rounds; Spark cuts towards zero, and so do we, in units. A cast to fewer digits behind the
//!   point rounds half to even, in Spark half away from zero: refused, as are floats and strings made decimals.

use std::sync::Arc;

use millrace_decode::contract::{ColumnType, DecimalType};
use polars::chunked_array::cast::CastOptions;
use polars::prelude::*;

use super::numbers::{Numbers, Written};
use super::{Refusal, data_type, is_float, is_integer, is_text};

/// Why a decimal is not taken where it stands.
#[derive(Debug, thiserror::Error)]
pub(super) enum DecimalRefusal {
    #[error(
        "a decimal and a {other} do not meet exactly; cast the decimal to the other's type, as in CAST(x AS DOUBLE)"
    )]
    Mix { other: String },
    #[error(
        "its exact result may have {needed} digits and a decimal has 38; declare fewer digits in [feed.columns], or \
         cast to DOUBLE"
    )]
    TooManyDigits { needed: u32 },
    #[error("{text} has more digits than are read exactly; write CAST('{text}' AS DECIMAL(p,s))")]
    LongNumber { text: String },
    #[error("'{text}' is no decimal({precision},{scale})")]
    Misfit { text: String, precision: u8, scale: u8 },
    #[error(
        "engines round the quotient of a decimal differently; write CAST(a AS DOUBLE) / b, or sum a and b in two \
         measures"
    )]
    Division,
    #[error("{name} of a decimal is not supported; cast it to DOUBLE, BIGINT or VARCHAR first")]
    Function { name: String },
    #[error(
        "engines round to {scale} digits behind the point differently; keep the column's {declared}, or cast it to \
         BIGINT"
    )]
    FewerDigits { declared: u8, scale: u8 },
    #[error("a {from} becomes a decimal by rounding; declare the column as decimal(p,s) in [feed.columns]")]
    Rounded { from: String },
    #[error("decimal({precision},{scale}) is no type; a decimal has 1 to 38 digits, some or all behind the point")]
    NoType { precision: usize, scale: usize },
}

pub(super) fn polars_type(decimal: DecimalType) -> DataType {
    DataType::Decimal(usize::from(decimal.precision), usize::from(decimal.scale))
}

pub(super) fn decimal_type(precision: usize, scale: usize) -> Result<DecimalType, DecimalRefusal> {
    let decimal = u8::try_from(precision).ok().zip(u8::try_from(scale).ok());
    decimal
        .and_then(|(precision, scale)| DecimalType::new(precision, scale))
        .ok_or(DecimalRefusal::NoType { precision, scale })
}

/// Where expressions stand: what their columns are, and how their numbers were written.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) schema: &'a Schema,
    pub(super) numbers: &'a Numbers,
}

impl Context<'_> {
    /// The node made exact, where a decimal is among its inputs; `None` for any other. Its inputs are safe already.
    pub(super) fn exact(self, node: &Expr) -> Result<Option<Expr>, Refusal> {
        match node {
            Expr::BinaryExpr { left, op, right } if self.any_decimal([left.as_ref(), right.as_ref()])? => {
                self.binary(left, *op, right)
            }
            Expr::Ternary { predicate, truthy, falsy } if self.any_decimal([truthy.as_ref(), falsy.as_ref()])? => {
                let common = self.common([truthy.as_ref(), falsy.as_ref()])?;
                Ok(Some(Expr::Ternary {
                    predicate: predicate.clone(),
                    truthy: Arc::new(self.made(truthy, common)?),
                    falsy: Arc::new(self.made(falsy, common)?),
                }))
            }
            Expr::Function { input, function } if self.any_decimal(input)? => {
                self.function(node, input, function).map(Some)
            }
            Expr::Cast { expr, dtype, options } => match dtype.as_literal() {
                Some(DataType::Decimal(precision, scale)) => {
                    self.cast_to_decimal(node, expr, decimal_type(*precision, *scale)?).map(Some)
                }
                Some(to) if self.any_decimal([expr.as_ref()])? => self.cast(node, expr, to, *options).map(Some),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn any_decimal<'e>(self, exprs: impl IntoIterator<Item = &'e Expr>) -> Result<bool, Refusal> {
        for expr in exprs {
            if data_type(expr, self.schema)?.is_decimal() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn binary(self, left: &Expr, op: Operator, right: &Expr) -> Result<Option<Expr>, Refusal> {
        let joined = |decimal| -> Result<Expr, Refusal> {
            let (left, right) = (self.made(left, decimal)?, self.made(right, decimal)?);
            Ok(Expr::BinaryExpr { left: Arc::new(left), op, right: Arc::new(right) })
        };
        match op {
            Operator::TrueDivide => Err(DecimalRefusal::Division.into()),
            // Refused whatever they are of.
            Operator::RustDivide | Operator::FloorDivide | Operator::Modulus => Ok(None),
            Operator::Plus | Operator::Minus => {
                let common = self.common([left, right])?;
                // Beyond 38 digits Polars says so itself.
                let precision = (common.precision + 1).min(DecimalType::MAX_PRECISION);
                Ok(Some(narrowed(joined(common)?, DecimalType { precision, ..common })))
            }
            Operator::Multiply => {
                let (Some(left), Some(right)) = (self.holding(left)?, self.holding(right)?) else { return Ok(None) };
                // Spark's type of a product; one digit more than it needs.
                let product = of_digits(left.precision + right.precision + 1, left.scale + right.scale)?;
                let wide = DecimalType { precision: DecimalType::MAX_PRECISION, ..product };
                Ok(Some(narrowed(joined(wide)?, product)))
            }
            _ if op.is_comparison() => joined(self.common([left, right])?).map(Some),
            _ => Err(DecimalRefusal::Function { name: op.to_string() }.into()),
        }
    }

    fn function(self, node: &Expr, input: &[Expr], function: &FunctionExpr) -> Result<Expr, Refusal> {
        match function {
            FunctionExpr::Coalesce | FunctionExpr::MaxHorizontal | FunctionExpr::MinHorizontal => {
                let common = self.common(input)?;
                let input = input.iter().map(|expr| self.made(expr, common)).collect::<Result<_, _>>()?;
                Ok(Expr::Function { input, function: function.clone() })
            }
            FunctionExpr::Boolean(BooleanFunction::IsIn { .. }) => self.is_in(node, input, function),
            FunctionExpr::Boolean(BooleanFunction::IsNull | BooleanFunction::IsNotNull) | FunctionExpr::Abs => {
                Ok(node.clone())
            }
            other => Err(DecimalRefusal::Function { name: other.to_string() }.into()),
        }
    }

    fn is_in(self, node: &Expr, input: &[Expr], function: &FunctionExpr) -> Result<Expr, Refusal> {
        let [needle, Expr::Agg(AggExpr::Implode { input: list, .. })] = input else {
            return Err(DecimalRefusal::Function { name: "IN".to_owned() }.into());
        };
        let Expr::Literal(LiteralValue::Series(list)) = list.as_ref() else {
            return Err(DecimalRefusal::Function { name: "IN".to_owned() }.into());
        };
        if list.dtype().is_null() {
            return Ok(node.clone());
        }
        let mix = || DecimalRefusal::Mix { other: type_name(list.dtype()) };
        let written = |value: AnyValue| match value {
            AnyValue::Null => Ok(None),
            value => self.number(&value)?.map(Some).ok_or_else(mix),
        };
        let list = list.iter().map(written).collect::<Result<Vec<_>, _>>()?;
        let mut common = self.holding(needle)?;
        for number in list.iter().flatten() {
            common = held_by_either(common, Some(number.decimal))?;
        }
        let common = common.ok_or_else(mix)?;
        let units = list.iter().map(|number| number.as_ref().and_then(|number| number.units_of(common)));
        let list =
            units.collect::<Int128Chunked>().into_decimal_unchecked(common.precision.into(), common.scale.into());
        let input = vec![self.made(needle, common)?, lit(list.into_series()).implode(false)];
        Ok(Expr::Function { input, function: function.clone() })
    }

    fn cast(self, node: &Expr, expr: &Expr, to: &DataType, options: CastOptions) -> Result<Expr, Refusal> {
        let from = data_type(expr, self.schema)?;
        match (&from, to) {
            (DataType::Decimal(_, 0), to) if to.is_integer() => Ok(node.clone()),
            (DataType::Decimal(_, scale), to) if to.is_integer() => {
                Ok(whole_part(expr.clone(), 10_i128.pow(*scale as u32)).cast_with_options(to.clone(), options))
            }
            (_, DataType::Float64 | DataType::Float32 | DataType::String) => Ok(node.clone()),
            _ => Err(Refusal::Cast { from, to: to.clone() }),
        }
    }

    fn cast_to_decimal(self, node: &Expr, expr: &Expr, to: DecimalType) -> Result<Expr, Refusal> {
        if let Expr::Literal(value) = expr
            && let LiteralValue::Scalar(scalar) = value.clone().materialize()
        {
            let text = value.extract_str().map(str::to_owned);
            let number = match &text {
                Some(text) => Written::of_text(text),
                None => self.number(scalar.value())?,
            };
            if let Some(units) = number.and_then(|number| number.units_of(to)) {
                return Ok(literal(units, to));
            }
            if text.is_some() || number.is_some() {
                let text = text.unwrap_or_else(|| scalar.value().to_string());
                return Err(DecimalRefusal::Misfit { text, precision: to.precision, scale: to.scale }.into());
            }
        }
        match data_type(expr, self.schema)? {
            DataType::Decimal(_, declared) if declared > usize::from(to.scale) => {
                Err(DecimalRefusal::FewerDigits { declared: declared as u8, scale: to.scale }.into())
            }
            DataType::Decimal(..) | DataType::Null => Ok(node.clone()),
            from if is_integer(&from) => Ok(node.clone()),
            from => Err(DecimalRefusal::Rounded { from: type_name(&from) }.into()),
        }
    }

    /// The smallest type that holds all of them.
    fn common<'e>(self, exprs: impl IntoIterator<Item = &'e Expr>) -> Result<DecimalType, Refusal> {
        let mut common = None;
        for expr in exprs {
            common = held_by_either(common, self.holding(expr)?)?;
        }
        Ok(common.expect("a decimal is among them"))
    }

    /// The smallest type that certainly holds an expression's values; `None` for null, which any type holds.
    fn holding(self, expr: &Expr) -> Result<Option<DecimalType>, Refusal> {
        if let Some(number) = self.literal_number(expr)? {
            return Ok(Some(number.decimal));
        }
        match (data_type(expr, self.schema)?, expr) {
            (DataType::Decimal(precision, scale), _) => Ok(Some(decimal_type(precision, scale)?)),
            (DataType::Null, _) => Ok(None),
            // Branches that are numbers, of an inner CASE.
            (_, Expr::Ternary { truthy, falsy, .. }) => {
                held_by_either(self.holding(truthy)?, self.holding(falsy)?).map_err(Refusal::from)
            }
            (DataType::Int8 | DataType::UInt8, _) => Ok(Some(of_digits(3, 0)?)),
            (DataType::Int16 | DataType::UInt16, _) => Ok(Some(of_digits(5, 0)?)),
            (DataType::Int32 | DataType::UInt32, _) => Ok(Some(of_digits(10, 0)?)),
            (DataType::Int64, _) => Ok(Some(of_digits(19, 0)?)),
            (DataType::UInt64, _) => Ok(Some(of_digits(20, 0)?)),
            (other, _) => Err(DecimalRefusal::Mix { other: type_name(&other) }.into()),
        }
    }

    /// The expression in a type that holds it.
    fn made(self, expr: &Expr, decimal: DecimalType) -> Result<Expr, Refusal> {
        if let Some(units) = self.literal_number(expr)?.and_then(|number| number.units_of(decimal)) {
            return Ok(literal(units, decimal));
        }
        match (data_type(expr, self.schema)?, expr) {
            (DataType::Null, _) => Ok(expr.clone()),
            (found, _) if found == polars_type(decimal) => Ok(expr.clone()),
            (found, Expr::Ternary { predicate, truthy, falsy }) if !found.is_decimal() => Ok(Expr::Ternary {
                predicate: predicate.clone(),
                truthy: Arc::new(self.made(truthy, decimal)?),
                falsy: Arc::new(self.made(falsy, decimal)?),
            }),
            _ => Ok(expr.clone().strict_cast(polars_type(decimal))),
        }
    }

    fn literal_number(self, expr: &Expr) -> Result<Option<Written>, Refusal> {
        match expr {
            Expr::Literal(value) => match value.clone().materialize() {
                LiteralValue::Scalar(scalar) => Ok(self.number(scalar.value())?),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// `None` for what is no number.
    fn number(self, value: &AnyValue) -> Result<Option<Written>, DecimalRefusal> {
        match value {
            AnyValue::Float64(float) => {
                let number = self.numbers.of_float(*float);
                number.map(Some).map_err(|text| DecimalRefusal::LongNumber { text })
            }
            AnyValue::Decimal(units, precision, scale) => {
                Ok(Some(Written { units: *units, decimal: decimal_type(*precision, *scale)? }))
            }
            value if value.is_integer() => Ok(value.extract::<i128>().and_then(Written::of_integer)),
            _ => Ok(None),
        }
    }
}

/// As pipeline.toml calls it, where it does.
fn type_name(dtype: &DataType) -> String {
    let column_type = match dtype {
        DataType::Boolean => ColumnType::Bool,
        DataType::Date => ColumnType::Date,
        DataType::Datetime(..) => ColumnType::Timestamp,
        float if is_float(float) => ColumnType::Float64,
        text if is_text(text) => ColumnType::String,
        other => return other.to_string(),
    };
    column_type.to_string()
}

fn held_by_either(
    left: Option<DecimalType>,
    right: Option<DecimalType>,
) -> Result<Option<DecimalType>, DecimalRefusal> {
    let (Some(left), Some(right)) = (left, right) else { return Ok(left.or(right)) };
    let scale = left.scale.max(right.scale);
    let whole = (left.precision - left.scale).max(right.precision - right.scale);
    of_digits(whole + scale, scale).map(Some)
}

fn of_digits(precision: u8, scale: u8) -> Result<DecimalType, DecimalRefusal> {
    DecimalType::new(precision, scale).ok_or(DecimalRefusal::TooManyDigits { needed: u32::from(precision) })
}

/// What stands before the point, where `one` units make a whole. Polars divides integers downwards: below zero, all but
/// one unit of a whole is added first.
fn whole_part(decimal: Expr, one: i128) -> Expr {
    let number = |number: i128| Expr::Literal(Scalar::from(number).into());
    let units = decimal.to_physical();
    let added = when(units.clone().lt(number(0))).then(number(one - 1)).otherwise(number(0));
    (units + added).floor_div(number(one))
}

/// Polars gives every sum and product 38 digits.
fn narrowed(expr: Expr, decimal: DecimalType) -> Expr {
    if decimal.precision == DecimalType::MAX_PRECISION { expr } else { expr.strict_cast(polars_type(decimal)) }
}

fn literal(units: i128, decimal: DecimalType) -> Expr {
    let (precision, scale) = (usize::from(decimal.precision), usize::from(decimal.scale));
    let scalar = Scalar::new(DataType::Decimal(precision, scale), AnyValue::Decimal(units, precision, scale));
    Expr::Literal(scalar.into())
}
