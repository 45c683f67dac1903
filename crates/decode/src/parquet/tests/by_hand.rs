//! Files that no writer would write, byte by byte.

use parquet::basic::{Compression, Type as PhysicalType};
use parquet::data_type::Int64Type;

use super::*;

/// An honest one, to be spoilt.
pub fn numbers() -> Bytes {
    let rows = vec![(0..2000).map(|number| (number % 5 > 0).then_some(number)).collect()];
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    crate_file::<Int64Type>(properties, PhysicalType::INT64, |field| field, &rows)
}

/// Thrift's compact protocol, as a writer would write it.
#[derive(Default)]
pub struct Thrift(pub Vec<u8>);

impl Thrift {
    pub fn varint(mut self, mut number: u64) -> Self {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
        self
    }

    /// A field `delta` after the last one.
    pub fn int(mut self, delta: u8, number: i64) -> Self {
        self.0.push(delta << 4 | 6);
        self.varint((number << 1 ^ number >> 63) as u64)
    }

    pub fn text(mut self, delta: u8, text: &str) -> Self {
        self.0.push(delta << 4 | 8);
        let mut this = self.varint(text.len() as u64);
        this.0.extend_from_slice(text.as_bytes());
        this
    }

    pub fn structure(mut self, delta: u8, inner: Thrift) -> Self {
        self.0.push(delta << 4 | 12);
        self.0.extend(inner.0);
        self.0.push(0);
        self
    }

    pub fn list(mut self, delta: u8, items: Vec<Thrift>) -> Self {
        self.0.extend([delta << 4 | 9, 0xfc]);
        let mut this = self.varint(items.len() as u64);
        for item in items {
            this.0.extend(item.0);
            this.0.push(0);
        }
        this
    }
}

pub fn schema_of_c() -> Vec<Thrift> {
    let root = Thrift::default().text(4, "schema").int(1, 1);
    // INT64, optional
    vec![root, Thrift::default().int(1, 2).int(2, 1).text(1, "c")]
}

pub fn chunk_metadata(codec: i64, values: i64, length: i64, start: i64) -> Thrift {
    Thrift::default().int(1, 2).int(3, codec).int(1, values).int(1, 0).int(1, length).int(2, start)
}

pub fn group_of(metadata: Thrift, rows: i64) -> Thrift {
    Thrift::default().list(1, vec![Thrift::default().int(2, 0).structure(1, metadata)]).int(1, 0).int(1, rows)
}

pub fn file_of(data: &[u8], schema: Vec<Thrift>, groups: Vec<Thrift>, rows: i64) -> Bytes {
    let footer = Thrift::default().int(1, 1).list(1, schema).int(1, rows).list(1, groups);
    let mut file = [b"PAR1", data, &footer.0, &[0]].concat();
    file.extend((footer.0.len() as u32 + 1).to_le_bytes());
    file.extend(b"PAR1");
    file.into()
}

/// A file of one page with `rows` values.
pub fn file_of_page(header: Thrift, body: &[u8], rows: i64) -> Bytes {
    let data = [&header.0[..], &[0], body].concat();
    let group = group_of(chunk_metadata(0, rows, data.len() as i64, 4), rows);
    file_of(&data, schema_of_c(), vec![group], rows)
}

/// The header of a data page of version 1.
pub fn data_header(inflated: i64, stored: i64, values: i64, encoding: i64) -> Thrift {
    let data = Thrift::default().int(1, values).int(1, encoding).int(1, 3).int(1, 3);
    Thrift::default().int(1, 0).int(1, inflated).int(1, stored).structure(2, data)
}
