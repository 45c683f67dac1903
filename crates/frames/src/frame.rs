//! A decoded chunk as a Polars frame, for the expressions that Polars must evaluate.
//!
//! Only columns that an expression reads come here. Their numbers and views are copied (16 bytes a row at most, a few
//! per cent of the time that any expression takes), since the chunk stays with the caller, who needs it to show its bad
//! rows; the text itself is shared where it stands in the chunk.

use bytes::Bytes;
use millrace_decode::columns::{ColumnValues, DecodedChunk, StringView, Values};
use millrace_decode::contract::{ColumnType, DecimalType};
use polars::prelude::*;
use polars_arrow::array::{BooleanArray, PrimitiveArray, Utf8ViewArray, View};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::ArrowDataType;
use polars_buffer::Buffer;

/// A column of the chunk that an expression reads.
pub(crate) struct Wanted {
    pub(crate) position: usize,
    pub(crate) name: PlSmallStr,
    pub(crate) column_type: ColumnType,
}

/// The wanted columns, in that order.
pub(crate) fn frame_of(chunk: &DecodedChunk, wanted: &[Wanted]) -> PolarsResult<DataFrame> {
    let columns = wanted.iter().map(|column| series_of(chunk, column).into_column()).collect();
    DataFrame::new(chunk.good_row_count(), columns)
}

fn series_of(chunk: &DecodedChunk, wanted: &Wanted) -> Series {
    let name = wanted.name.clone();
    let ColumnValues { values, validity } = &chunk.columns[wanted.position];
    let rows = chunk.good_row_count();
    let validity = validity.as_ref().map(|bits| Bitmap::from_u8_slice(bits, rows));
    match values {
        Values::String { views, unescaped } => {
            StringChunked::with_chunk(name, text_array(&chunk.bytes, views, unescaped, validity)).into_series()
        }
        Values::Int64(numbers) => Int64Chunked::with_chunk(name, primitive(numbers, validity)).into_series(),
        Values::Float64(numbers) => Float64Chunked::with_chunk(name, primitive(numbers, validity)).into_series(),
        Values::Decimal(units) => {
            let (precision, scale) = match wanted.column_type {
                ColumnType::Decimal(DecimalType { precision, scale }) => (precision, scale),
                _ => unreachable!("the chunk was decoded by the columns that `Summariser::new` was given"),
            };
            Int128Chunked::with_chunk(name, primitive(units, validity))
                .into_decimal_unchecked(usize::from(precision), usize::from(scale))
                .into_series()
        }
        Values::Bool(flags) => {
            let bits = Bitmap::from_iter(flags.iter().copied());
            BooleanChunked::with_chunk(name, BooleanArray::new(ArrowDataType::Boolean, bits, validity)).into_series()
        }
        Values::Date(days) => Int32Chunked::with_chunk(name, primitive(days, validity)).into_date().into_series(),
        Values::Timestamp(micros) => Int64Chunked::with_chunk(name, primitive(micros, validity))
            .into_datetime(TimeUnit::Microseconds, None)
            .into_series(),
    }
}

fn primitive<T: polars_arrow::types::NativeType>(values: &[T], validity: Option<Bitmap>) -> PrimitiveArray<T> {
    PrimitiveArray::new(T::PRIMITIVE.into(), values.to_vec().into(), validity)
}

#[expect(unsafe_code, reason = "checking again what the decoder has checked would cost as much as counting")]
fn text_array(chunk: &Bytes, views: &[StringView], unescaped: &[u8], validity: Option<Bitmap>) -> Utf8ViewArray {
    let views: Vec<View> = views
        .iter()
        .map(|view| View { length: view.length, prefix: view.prefix, buffer_idx: view.buffer, offset: view.offset })
        .collect();
    let buffers: Vec<Buffer<u8>> = vec![Buffer::from_owner(chunk.clone()), unescaped.to_vec().into()];
    // SAFETY: `DecodedChunk` promises that every view is Arrow's, that buffer 0 is the chunk and 1 its unescaped text,
    // and that the text is valid UTF-8; the decoder checked it while it made the views.
    unsafe {
        Utf8ViewArray::new_unchecked_unknown_md(ArrowDataType::Utf8View, views.into(), buffers.into(), validity, None)
    }
}
