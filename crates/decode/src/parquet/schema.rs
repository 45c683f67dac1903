//! What a file says of its columns.

use std::fmt;

/// A column at the top of a file's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileColumn {
    pub name: String,
    pub shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Flat(Leaf),
    /// A list, a map or a struct, as the word says.
    Nested(&'static str),
}

/// A column that has at most one value in each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// Which of the row groups' column chunks is its own.
    pub index: usize,
    pub physical: Physical,
    pub logical: Logical,
    /// Whether it may have nulls, and its pages therefore definition levels.
    pub optional: bool,
}

/// How values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Physical {
    Boolean,
    Int32,
    Int64,
    Int96,
    Float,
    Double,
    ByteArray,
    /// So many bytes each.
    Fixed(usize),
}

/// What stored values mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Logical {
    /// What they are.
    Plain,
    String,
    Enum,
    Json,
    Decimal {
        precision: i32,
        scale: i32,
    },
    Date,
    Timestamp {
        unit: Unit,
        /// Otherwise a wall clock's.
        utc: bool,
    },
    Integer {
        bits: u8,
        signed: bool,
    },
    /// Nulls only.
    Null,
    /// A meaning that no type of ours has, by its name.
    Other(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

/// As the tools that print schemas write it.
impl fmt::Display for Physical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Physical::Boolean => f.write_str("BOOLEAN"),
            Physical::Int32 => f.write_str("INT32"),
            Physical::Int64 => f.write_str("INT64"),
            Physical::Int96 => f.write_str("INT96"),
            Physical::Float => f.write_str("FLOAT"),
            Physical::Double => f.write_str("DOUBLE"),
            Physical::ByteArray => f.write_str("BYTE_ARRAY"),
            Physical::Fixed(width) => write!(f, "FIXED_LEN_BYTE_ARRAY({width})"),
        }
    }
}

/// The meaning where there is one, otherwise how it is stored.
impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.logical {
            Logical::Plain => self.physical.fmt(f),
            Logical::String => f.write_str("STRING"),
            Logical::Enum => f.write_str("ENUM"),
            Logical::Json => f.write_str("JSON"),
            Logical::Decimal { precision, scale } => write!(f, "DECIMAL({precision},{scale})"),
            Logical::Date => f.write_str("DATE"),
            Logical::Timestamp { unit, utc } => {
                let unit = match unit {
                    Unit::Millis => "MILLIS",
                    Unit::Micros => "MICROS",
                    Unit::Nanos => "NANOS",
                };
                write!(f, "TIMESTAMP({unit},{})", if utc { "UTC" } else { "local" })
            }
            Logical::Integer { bits, signed: true } => write!(f, "INT_{bits}"),
            Logical::Integer { bits, signed: false } => write!(f, "UINT_{bits}"),
            Logical::Null => f.write_str("NULL"),
            Logical::Other(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Flat(leaf) => leaf.fmt(f),
            Shape::Nested(word) => f.write_str(word),
        }
    }
}
