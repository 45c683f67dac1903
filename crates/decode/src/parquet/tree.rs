//! The tree of a file's schema, as the footer lists it: the root first, each node before its children.

use super::MAX_COLUMNS;
use super::footer::Fault;
use super::schema::{FileColumn, Leaf, Logical, Physical, Shape, Unit};
use super::thrift::{Kind, ThriftReader};

/// Levels of the schema.
const MAX_SCHEMA_DEPTH: usize = 64;

/// A node of the schema.
#[derive(Default)]
pub(super) struct Element<'a> {
    name: &'a [u8],
    physical: Option<i32>,
    type_length: Option<i32>,
    repetition: Option<i32>,
    child_count: usize,
    converted: Option<i32>,
    scale: Option<i32>,
    precision: Option<i32>,
    logical: Option<Logical>,
    logical_is_nested: bool,
}

impl<'a> Element<'a> {
    pub fn read(reader: &mut ThriftReader<'a>) -> Result<Self, Fault> {
        let mut element = Element::default();
        let mut last_id = 0;
        while let Some(field) = reader.next_field(&mut last_id)? {
            match (field.id, field.kind) {
                (1, Kind::Int) => element.physical = Some(reader.int32()?),
                (2, Kind::Int) => element.type_length = Some(reader.int32()?),
                (3, Kind::Int) => element.repetition = Some(reader.int32()?),
                (4, Kind::Binary) => element.name = reader.binary()?,
                (5, Kind::Int) => {
                    let count = usize::try_from(reader.int32()?);
                    element.child_count = count.map_err(|_| Fault::Broken("the schema is not readable"))?;
                }
                (6, Kind::Int) => element.converted = Some(reader.int32()?),
                (7, Kind::Int) => element.scale = Some(reader.int32()?),
                (8, Kind::Int) => element.precision = Some(reader.int32()?),
                (10, Kind::Struct) => element.read_logical(reader)?,
                (_, kind) => reader.skip(kind)?,
            }
        }
        Ok(element)
    }

    /// A union: the one field that is set says which.
    fn read_logical(&mut self, reader: &mut ThriftReader) -> Result<(), Fault> {
        let mut last_id = 0;
        while let Some(field) = reader.next_field(&mut last_id)? {
            let logical = match (field.id, field.kind) {
                (1, Kind::Struct) => Some(Logical::String),
                (2 | 3, Kind::Struct) => {
                    self.logical_is_nested = true;
                    None
                }
                (4, Kind::Struct) => Some(Logical::Enum),
                (5 | 8 | 10, Kind::Struct) => {
                    self.logical = Some(read_parameters(reader, field.id)?);
                    continue;
                }
                (6, Kind::Struct) => Some(Logical::Date),
                (7, Kind::Struct) => Some(Logical::Other("TIME")),
                (11, Kind::Struct) => Some(Logical::Null),
                (12, Kind::Struct) => Some(Logical::Json),
                (13, Kind::Struct) => Some(Logical::Other("BSON")),
                (14, Kind::Struct) => Some(Logical::Other("UUID")),
                (15, Kind::Struct) => Some(Logical::Other("FLOAT16")),
                (16, Kind::Struct) => Some(Logical::Other("VARIANT")),
                (17, Kind::Struct) => Some(Logical::Other("GEOMETRY")),
                (18, Kind::Struct) => Some(Logical::Other("GEOGRAPHY")),
                _ => Some(Logical::Other("of a kind unknown to this version")),
            };
            reader.skip(field.kind)?;
            self.logical = logical;
        }
        Ok(())
    }

    fn meaning(&self) -> Logical {
        if let Some(logical) = self.logical {
            return logical;
        }
        let integer = |bits, signed| Logical::Integer { bits, signed };
        match self.converted {
            Some(0) => Logical::String,
            Some(4) => Logical::Enum,
            Some(5) => Logical::Decimal { precision: self.precision.unwrap_or(0), scale: self.scale.unwrap_or(0) },
            Some(6) => Logical::Date,
            Some(7 | 8) => Logical::Other("TIME"),
            // Older writers know no local time and mean UTC.
            Some(9) => Logical::Timestamp { unit: Unit::Millis, utc: true },
            Some(10) => Logical::Timestamp { unit: Unit::Micros, utc: true },
            Some(11) => integer(8, false),
            Some(12) => integer(16, false),
            Some(13) => integer(32, false),
            Some(14) => integer(64, false),
            Some(15) => integer(8, true),
            Some(16) => integer(16, true),
            Some(17) => integer(32, true),
            Some(18) => integer(64, true),
            Some(19) => Logical::Json,
            Some(20) => Logical::Other("BSON"),
            Some(21) => Logical::Other("INTERVAL"),
            _ => Logical::Plain,
        }
    }

    fn physical(&self) -> Result<Physical, Fault> {
        Ok(match self.physical {
            Some(0) => Physical::Boolean,
            Some(1) => Physical::Int32,
            Some(2) => Physical::Int64,
            Some(3) => Physical::Int96,
            Some(4) => Physical::Float,
            Some(5) => Physical::Double,
            Some(6) => Physical::ByteArray,
            Some(7) => match self.type_length.and_then(|length| usize::try_from(length).ok()) {
                Some(width) if width > 0 => Physical::Fixed(width),
                _ => return Err(Fault::Broken("a column of fixed length has none")),
            },
            _ => return Err(Fault::Broken("a column is of no known physical type")),
        })
    }

    fn is_repeated(&self) -> bool {
        self.repetition == Some(2)
    }
}

/// What stands within a decimal, a timestamp or an integer.
fn read_parameters(reader: &mut ThriftReader, id: i16) -> Result<Logical, Fault> {
    let (mut first, mut second, mut first_bool, mut unit) = (0, 0, false, None);
    let mut second_bool = false;
    let mut last_id = 0;
    while let Some(field) = reader.next_field(&mut last_id)? {
        match (field.id, field.kind) {
            (1, Kind::Int) => first = reader.int32()?,
            (2, Kind::Int) => second = reader.int32()?,
            (1, Kind::Byte) => first = i32::from(reader.byte()?),
            (1, kind) if kind.bool().is_some() => first_bool = kind == Kind::True,
            (2, kind) if kind.bool().is_some() => second_bool = kind == Kind::True,
            (2, Kind::Struct) => {
                let mut last_id = 0;
                while let Some(field) = reader.next_field(&mut last_id)? {
                    unit = match field.id {
                        1 => Some(Unit::Millis),
                        2 => Some(Unit::Micros),
                        3 => Some(Unit::Nanos),
                        _ => None,
                    };
                    reader.skip(field.kind)?;
                }
            }
            (_, kind) => reader.skip(kind)?,
        }
    }
    match (id, unit) {
        (5, _) => Ok(Logical::Decimal { precision: second, scale: first }),
        (8, Some(unit)) => Ok(Logical::Timestamp { unit, utc: first_bool }),
        (8, None) => Err(Fault::Broken("a timestamp has no unit")),
        _ => match u8::try_from(first) {
            Ok(bits @ (8 | 16 | 32 | 64)) => Ok(Logical::Integer { bits, signed: second_bool }),
            _ => Err(Fault::Broken("an integer is of no known width")),
        },
    }
}

/// The columns below the root, in the file's order.
pub(super) fn columns_of(elements: &[Element]) -> Result<Vec<FileColumn>, Fault> {
    let [root, nodes @ ..] = elements else {
        return Err(Fault::Broken("it has no schema"));
    };
    let mut columns = Vec::new();
    let mut nodes = nodes.iter();
    let mut leaf_count = 0;
    for _ in 0..root.child_count {
        let node = nodes.next().ok_or(Fault::Broken("the schema ends early"))?;
        let first_leaf = leaf_count;
        leaf_count += leaves_of(node, &mut nodes)?;
        let shape = match node.child_count {
            0 if node.is_repeated() => Shape::Nested("a list"),
            0 => Shape::Flat(Leaf {
                index: first_leaf,
                physical: node.physical()?,
                logical: node.meaning(),
                optional: node.repetition == Some(1),
            }),
            _ => Shape::Nested(word_for(node)),
        };
        // A name that is no UTF-8 is no name of the contract, and may stand in the file.
        columns.push(FileColumn { name: String::from_utf8_lossy(node.name).into_owned(), shape });
    }
    if nodes.next().is_some() {
        return Err(Fault::Broken("the schema has nodes below none"));
    }
    if leaf_count > MAX_COLUMNS {
        let what = format!("{leaf_count} columns are more than the {MAX_COLUMNS} that are read");
        return Err(Fault::TooLarge(what));
    }
    Ok(columns)
}

fn word_for(node: &Element) -> &'static str {
    match node.converted {
        Some(3) => "a list",
        Some(1 | 2) => "a map",
        _ if node.logical_is_nested => "a list or a map",
        _ => "a struct",
    }
}

/// Passes what is below a node and counts its leaves.
fn leaves_of<'e>(node: &Element, nodes: &mut impl Iterator<Item = &'e Element<'e>>) -> Result<usize, Fault> {
    // Children still to come, level by level.
    let mut open = vec![node.child_count];
    let mut leaf_count = usize::from(node.child_count == 0);
    while let Some(children) = open.last_mut() {
        if *children == 0 {
            open.pop();
            continue;
        }
        *children -= 1;
        let node = nodes.next().ok_or(Fault::Broken("the schema ends early"))?;
        match node.child_count {
            0 => leaf_count += 1,
            count if open.len() < MAX_SCHEMA_DEPTH => open.push(count),
            _ => return Err(Fault::TooLarge(format!("the schema is deeper than {MAX_SCHEMA_DEPTH} levels"))),
        }
    }
    Ok(leaf_count)
}
