//! Which types of a file become which of the contract's, without loss, and what is said of the others.

use super::schema::{FileColumn, Leaf, Logical, Physical, Shape, Unit};
use crate::contract::{Column, ColumnType, DecimalType};
use crate::reason::shown;

/// How a column's stored values become those of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Widening {
    /// All are null.
    Nothing,
    Int64,
    /// Only the half that fits.
    Unsigned64ToInt64,
    /// Of 32 bits at most: a float64 holds each exactly.
    IntToFloat64,
    IntToDecimal {
        scale: i32,
        signed: bool,
    },
    Date,
    Timestamp {
        unit: Unit,
        utc: bool,
    },
    /// Nanoseconds of a Julian day, in twelve bytes. In UTC, as Spark and Arrow write it.
    Int96ToTimestamp,
    Float64,
    Bool,
    /// Big endian.
    BytesToDecimal {
        scale: i32,
    },
    /// Strings and JSON.
    Text,
    /// Strings that say a value of another type, in the forms that CSV has too.
    TextToValue,
}

impl Widening {
    /// `None` where there is none without loss.
    pub fn new(leaf: &Leaf, column_type: ColumnType) -> Option<Self> {
        use ColumnType as To;
        use Logical as L;
        use Physical as P;
        Some(match (leaf.physical, leaf.logical, column_type) {
            (_, L::Null, _) => Widening::Nothing,
            (P::Int64, L::Integer { bits: 64, signed: false }, To::Int64) => Widening::Unsigned64ToInt64,
            (P::Int32 | P::Int64, L::Plain | L::Integer { .. }, To::Int64) => Widening::Int64,
            (P::Int32, L::Plain | L::Integer { .. }, To::Float64) => Widening::IntToFloat64,
            (P::Int32 | P::Int64, L::Plain, To::Decimal(_)) => Widening::IntToDecimal { scale: 0, signed: true },
            (P::Int32 | P::Int64, L::Integer { signed, .. }, To::Decimal(_)) => {
                Widening::IntToDecimal { scale: 0, signed }
            }
            (P::Int32 | P::Int64, L::Decimal { scale, .. }, To::Decimal(_)) => {
                Widening::IntToDecimal { scale, signed: true }
            }
            (P::ByteArray | P::Fixed(_), L::Decimal { scale, .. }, To::Decimal(_)) => {
                Widening::BytesToDecimal { scale }
            }
            (P::Float | P::Double, L::Plain, To::Float64) => Widening::Float64,
            (P::Boolean, L::Plain, To::Bool) => Widening::Bool,
            (P::Int32, L::Date, To::Date) => Widening::Date,
            (P::Int64, L::Timestamp { unit, utc }, To::Timestamp) => Widening::Timestamp { unit, utc },
            (P::Int96, L::Plain, To::Timestamp) => Widening::Int96ToTimestamp,
            (P::ByteArray, L::Plain | L::String | L::Enum | L::Json, To::String | To::Json) => Widening::Text,
            (P::ByteArray, L::Plain | L::String | L::Enum, _) => Widening::TextToValue,
            _ => return None,
        })
    }
}

/// A column of a file that is not of the contract's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MisfitColumn {
    /// Its name in the file.
    pub from: String,
    /// Its type there, as tools print it, such as `TIMESTAMP(MILLIS,UTC)`; or that it is nested.
    pub found: String,
    /// The contract's type.
    pub wanted: ColumnType,
    /// A type that it could have in the contract.
    pub possible: Option<ColumnType>,
    is_nested: bool,
}

impl MisfitColumn {
    /// `None` where the column fits.
    pub(super) fn new(file_column: &FileColumn, wanted: &Column) -> Option<Self> {
        let possible = match &file_column.shape {
            Shape::Flat(leaf) if Widening::new(leaf, wanted.column_type).is_some() => return None,
            Shape::Flat(leaf) => natural_type(leaf),
            Shape::Nested(_) => None,
        };
        Some(Self {
            from: wanted.from.clone(),
            found: file_column.shape.to_string(),
            wanted: wanted.column_type,
            possible,
            is_nested: matches!(file_column.shape, Shape::Nested(_)),
        })
    }
}

/// The type of the contract that holds all that the column can.
pub(super) fn natural_type(leaf: &Leaf) -> Option<ColumnType> {
    let candidates =
        [ColumnType::Int64, ColumnType::Float64, ColumnType::Bool, ColumnType::Date, ColumnType::Timestamp];
    match (leaf.physical, leaf.logical) {
        (Physical::Int64, Logical::Integer { signed: false, .. }) => DecimalType::new(20, 0).map(ColumnType::Decimal),
        (_, Logical::Decimal { precision, scale }) => {
            let decimal = DecimalType::new(u8::try_from(precision).ok()?, u8::try_from(scale).ok()?)?;
            Widening::new(leaf, ColumnType::Decimal(decimal)).map(|_| ColumnType::Decimal(decimal))
        }
        (_, Logical::Json) => Some(ColumnType::Json),
        (Physical::ByteArray, _) | (_, Logical::Null) => {
            Widening::new(leaf, ColumnType::String).map(|_| ColumnType::String)
        }
        _ => candidates.into_iter().find(|candidate| Widening::new(leaf, *candidate).is_some()),
    }
}

/// All of them, in one sentence.
pub(super) fn say_misfits(misfits: &[MisfitColumn]) -> String {
    misfits.iter().map(say_misfit).collect::<Vec<_>>().join("; ")
}

fn say_misfit(misfit: &MisfitColumn) -> String {
    let MisfitColumn { from, found, wanted, possible, is_nested } = misfit;
    let from = shown(from.as_bytes());
    if *is_nested {
        return format!(
            "column `{from}` is {found} in the file, and nested columns are not read: leave it out of the contract, or \
             ask for its JSON text in a string column"
        );
    }
    let remedy = match possible {
        Some(possible) => format!("write `{possible}` in the contract"),
        None => "leave it out of the contract, or ask for the column as a string".to_owned(),
    };
    format!("column `{from}` is {found} in the file, which does not become {wanted} without loss: {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(physical: Physical, logical: Logical) -> Leaf {
        Leaf { index: 0, physical, logical, optional: true }
    }

    fn refusal(shape: Shape, column_type: ColumnType) -> String {
        let file_column = FileColumn { name: "c".to_owned(), shape };
        say_misfit(&MisfitColumn::new(&file_column, &Column::new("c", column_type)).unwrap())
    }

    #[test]
    fn what_would_lose_something_is_refused_with_what_would_not() {
        let money = ColumnType::Decimal(DecimalType::new(18, 2).unwrap());
        for (leaf, wanted, message) in [
            (
                leaf(Physical::Double, Logical::Plain),
                money,
                "column `c` is DOUBLE in the file, which does not become decimal(18,2) without loss: write `float64` in \
                 the contract",
            ),
            (
                leaf(Physical::Int64, Logical::Plain),
                ColumnType::Float64,
                "column `c` is INT64 in the file, which does not become float64 without loss: write `int64` in the \
                 contract",
            ),
            (
                leaf(Physical::Int64, Logical::Integer { bits: 64, signed: false }),
                ColumnType::Float64,
                "column `c` is UINT_64 in the file, which does not become float64 without loss: write `decimal(20,0)` \
                 in the contract",
            ),
            (
                leaf(Physical::Fixed(16), Logical::Decimal { precision: 38, scale: 4 }),
                ColumnType::Int64,
                "column `c` is DECIMAL(38,4) in the file, which does not become int64 without loss: write \
                 `decimal(38,4)` in the contract",
            ),
            (
                leaf(Physical::Int64, Logical::Timestamp { unit: Unit::Nanos, utc: false }),
                ColumnType::Date,
                "column `c` is TIMESTAMP(NANOS,local) in the file, which does not become date without loss: write \
                 `timestamp` in the contract",
            ),
            (
                leaf(Physical::Int32, Logical::Other("TIME")),
                ColumnType::Int64,
                "column `c` is TIME in the file, which does not become int64 without loss: leave it out of the \
                 contract, or ask for the column as a string",
            ),
        ] {
            assert_eq!(refusal(Shape::Flat(leaf), wanted), message);
        }
        assert_eq!(
            refusal(Shape::Nested("a list"), ColumnType::Json),
            "column `c` is a list in the file, and nested columns are not read: leave it out of the contract, or ask for \
             its JSON text in a string column"
        );
    }
}
