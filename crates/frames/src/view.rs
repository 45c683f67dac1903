//! One column's values to read row by row, whether they stand in a decoded chunk or were computed by Polars.

use millrace_decode::columns::{DecodedChunk, StringView, Values};
use polars::prelude::*;
use polars_arrow::array::{Array, View};
use polars_arrow::bitmap::Bitmap;

use crate::expression::OutputType;

/// A column without copies.
pub(crate) struct ColumnView<'a> {
    pub(crate) values: ValuesView<'a>,
    validity: Option<Bits<'a>>,
}

pub(crate) enum ValuesView<'a> {
    Text(TextView<'a>),
    /// Also timestamps.
    Int64(&'a [i64]),
    Float64(&'a [f64]),
    /// In units of 10^-scale.
    Decimal(&'a [i128]),
    Bool(BoolView<'a>),
    /// Days since 1970-01-01.
    Date(&'a [i32]),
}

impl<'a> ColumnView<'a> {
    pub(crate) fn of_decoded(chunk: &'a DecodedChunk, position: usize) -> ColumnView<'a> {
        let column = &chunk.columns[position];
        let values = match &column.values {
            Values::String { views, unescaped } => ValuesView::Text(TextView {
                views: Views::Decoded(views),
                buffers: vec![chunk.bytes.as_ref(), unescaped.as_slice()],
            }),
            Values::Int64(numbers) | Values::Timestamp(numbers) => ValuesView::Int64(numbers),
            Values::Float64(numbers) => ValuesView::Float64(numbers),
            Values::Decimal(units) => ValuesView::Decimal(units),
            Values::Bool(flags) => ValuesView::Bool(BoolView::Bytes(flags)),
            Values::Date(days) => ValuesView::Date(days),
        };
        let validity = column.validity.as_deref().map(|bytes| Bits { bytes, offset: 0 });
        ColumnView { values, validity }
    }

    /// `series` is in one piece, physical, and of the type that `output` has in Polars.
    pub(crate) fn of_series(series: &'a Series, output: OutputType) -> PolarsResult<ColumnView<'a>> {
        const ONE_PIECE: &str = "a series in one piece has a chunk";
        let (values, validity) = match output {
            OutputType::Text => {
                let array = series.str()?.downcast_iter().next().expect(ONE_PIECE);
                let buffers = array.data_buffers().iter().map(|buffer| buffer.as_slice()).collect();
                let text = TextView { views: Views::Polars(array.views().as_slice()), buffers };
                (ValuesView::Text(text), array.validity())
            }
            OutputType::Int64 | OutputType::Timestamp => {
                let array = series.i64()?.downcast_iter().next().expect(ONE_PIECE);
                (ValuesView::Int64(array.values().as_slice()), array.validity())
            }
            OutputType::Float64 => {
                let array = series.f64()?.downcast_iter().next().expect(ONE_PIECE);
                (ValuesView::Float64(array.values().as_slice()), array.validity())
            }
            OutputType::Decimal(_) => {
                let array = series.i128()?.downcast_iter().next().expect(ONE_PIECE);
                (ValuesView::Decimal(array.values().as_slice()), array.validity())
            }
            OutputType::Bool => {
                let array = series.bool()?.downcast_iter().next().expect(ONE_PIECE);
                (ValuesView::Bool(BoolView::Bits(Bits::of(array.values()))), array.validity())
            }
            OutputType::Date => {
                let array = series.i32()?.downcast_iter().next().expect(ONE_PIECE);
                (ValuesView::Date(array.values().as_slice()), array.validity())
            }
        };
        Ok(ColumnView { values, validity: validity.map(Bits::of) })
    }

    pub(crate) fn may_hold_nulls(&self) -> bool {
        self.validity.is_some()
    }

    #[inline]
    pub(crate) fn is_valid(&self, row: usize) -> bool {
        self.validity.as_ref().is_none_or(|bits| bits.get(row))
    }

    /// Whether the row holds `true`; false and null are not.
    #[inline]
    pub(crate) fn is_true(&self, row: usize) -> bool {
        match &self.values {
            ValuesView::Bool(flags) => flags.get(row) && self.is_valid(row),
            _ => false,
        }
    }
}

pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Bits<'a> {
    fn of(bitmap: &'a Bitmap) -> Bits<'a> {
        let (bytes, offset, _) = bitmap.as_slice();
        Bits { bytes, offset }
    }

    #[inline]
    fn get(&self, row: usize) -> bool {
        let bit = row + self.offset;
        self.bytes[bit / 8] >> (bit % 8) & 1 == 1
    }
}

pub(crate) enum BoolView<'a> {
    Bytes(&'a [bool]),
    Bits(Bits<'a>),
}

impl BoolView<'_> {
    #[inline]
    pub(crate) fn get(&self, row: usize) -> bool {
        match self {
            BoolView::Bytes(flags) => flags[row],
            BoolView::Bits(bits) => bits.get(row),
        }
    }
}

pub(crate) struct TextView<'a> {
    views: Views<'a>,
    buffers: Vec<&'a [u8]>,
}

enum Views<'a> {
    Decoded(&'a [StringView]),
    Polars(&'a [View]),
}

impl TextView<'_> {
    #[inline]
    fn view(&self, row: usize) -> StringView {
        match self.views {
            Views::Decoded(views) => views[row],
            Views::Polars(views) => {
                let View { length, prefix, buffer_idx, offset } = views[row];
                StringView { length, prefix, buffer: buffer_idx, offset }
            }
        }
    }

    /// In bytes of UTF-8.
    #[inline]
    pub(crate) fn length(&self, row: usize) -> usize {
        self.view(row).length as usize
    }

    /// The text's bytes, valid UTF-8.
    #[inline]
    pub(crate) fn with_bytes<R>(&self, row: usize, read: impl FnOnce(&[u8]) -> R) -> R {
        let view = self.view(row);
        let length = view.length as usize;
        if length > 12 {
            let start = view.offset as usize;
            return read(&self.buffers[view.buffer as usize][start..start + length]);
        }
        let mut inline = [0u8; 12];
        inline[..4].copy_from_slice(&view.prefix.to_le_bytes());
        inline[4..8].copy_from_slice(&view.buffer.to_le_bytes());
        inline[8..].copy_from_slice(&view.offset.to_le_bytes());
        read(&inline[..length])
    }
}

/// A text key without the blanks at its end: SQL Server compares them as equal in every collation.
#[inline]
pub(crate) fn without_trailing_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().rev().take_while(|byte| **byte == b' ').count();
    &text[..text.len() - blanks]
}

/// How many UTF-16 units UTF-8 text has: one a character, two where it takes four bytes.
pub(crate) fn utf16_units(text: &[u8]) -> usize {
    text.iter().map(|byte| usize::from(byte & 0xC0 != 0x80) + usize::from(*byte >= 0xF0)).sum()
}
