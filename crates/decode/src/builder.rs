//! Columns while they grow, value by value. Every format's decoder fills these.
//!
//! A null costs a bit and a value nothing: the bits of a column are made when its first null comes.

use crate::columns::{ColumnValues, StringView, Values};
use crate::contract::ColumnType;
use crate::values::decimal::parse_decimal;
use crate::values::{Form, Misfit, check_json, number, parse_bool, trim};

/// One column under construction.
#[derive(Debug)]
pub(crate) struct ColumnBuilder<'f> {
    form: &'f Form,
    values: Values,
    /// As in [`ColumnValues`], as far as the last null; 1 beyond.
    validity: Vec<u8>,
    null_count: usize,
}

impl<'f> ColumnBuilder<'f> {
    pub fn new(form: &'f Form, capacity: usize) -> Self {
        let values = match form.column_type {
            ColumnType::String | ColumnType::Json => {
                Values::String { views: Vec::with_capacity(capacity), unescaped: Vec::new() }
            }
            ColumnType::Decimal(_) => Values::Decimal(Vec::with_capacity(capacity)),
            ColumnType::Int64 => Values::Int64(Vec::with_capacity(capacity)),
            ColumnType::Float64 => Values::Float64(Vec::with_capacity(capacity)),
            ColumnType::Bool => Values::Bool(Vec::with_capacity(capacity)),
            ColumnType::Date => Values::Date(Vec::with_capacity(capacity)),
            ColumnType::Timestamp => Values::Timestamp(Vec::with_capacity(capacity)),
        };
        Self { form, values, validity: Vec::new(), null_count: 0 }
    }

    /// A column of nulls.
    pub fn all_null(form: &Form, rows: usize) -> ColumnValues {
        let mut values = ColumnBuilder::new(form, 0).values;
        match &mut values {
            Values::String { views, .. } => views.resize(rows, StringView::default()),
            Values::Int64(values) | Values::Timestamp(values) => values.resize(rows, 0),
            Values::Float64(values) => values.resize(rows, 0.0),
            Values::Decimal(values) => values.resize(rows, 0),
            Values::Bool(values) => values.resize(rows, false),
            Values::Date(values) => values.resize(rows, 0),
        }
        ColumnValues { values, validity: (rows > 0).then(|| vec![0; rows.div_ceil(8)]) }
    }

    #[inline]
    pub fn push_null(&mut self) {
        let index = self.values.len();
        match &mut self.values {
            Values::String { views, .. } => views.push(StringView::default()),
            Values::Int64(values) | Values::Timestamp(values) => values.push(0),
            Values::Float64(values) => values.push(0.0),
            Values::Decimal(values) => values.push(0),
            Values::Bool(values) => values.push(false),
            Values::Date(values) => values.push(0),
        }
        if self.validity.len() <= index / 8 {
            self.validity.resize(index / 8 + 1, u8::MAX);
        }
        self.validity[index / 8] &= !(1 << (index % 8));
        self.null_count += 1;
    }

    /// Takes the text that stands from `start` to `end` in the chunk. Strings must be UTF-8.
    #[inline]
    pub fn push(&mut self, chunk: &[u8], start: usize, end: usize) -> Result<(), Misfit> {
        match &mut self.values {
            Values::String { views, .. } => {
                if self.form.column_type == ColumnType::Json {
                    check_json(&chunk[start..end])?;
                }
                views.push(StringView::new(chunk, start, end, 0));
            }
            Values::Int64(values) => values.push(number::parse_int64(trim(&chunk[start..end]))?),
            Values::Float64(values) => values.push(self.form.float64(trim(&chunk[start..end]))?),
            Values::Decimal(values) => values.push(self.form.decimal(trim(&chunk[start..end]))?),
            Values::Bool(values) => values.push(parse_bool(trim(&chunk[start..end]))?),
            Values::Date(values) => values.push(self.form.date(trim(&chunk[start..end]))?),
            Values::Timestamp(values) => values.push(self.form.timestamp(trim(&chunk[start..end]))?),
        }
        Ok(())
    }

    /// Takes a JSON value other than null by its text, as it stands from `start` to `end` in the chunk.
    pub fn push_json(&mut self, chunk: &[u8], start: usize, end: usize) -> Result<(), Misfit> {
        let Values::String { views, .. } = &mut self.values else {
            return Err(Misfit::Form);
        };
        views.push(StringView::new(chunk, start, end, 0));
        Ok(())
    }

    /// Takes a JSON number. Its point is a point, whatever texts have, and it is a time only where a format reads it.
    #[inline]
    pub fn push_number(&mut self, chunk: &[u8], start: usize, end: usize) -> Result<(), Misfit> {
        let text = &chunk[start..end];
        match &mut self.values {
            Values::Int64(values) => values.push(number::parse_int64(text)?),
            Values::Float64(values) => values.push(number::parse_float64(text, b'.')?),
            Values::Decimal(values) => values.push(parse_decimal(text, self.form.decimal_type(), b'.')?),
            Values::Bool(values) => values.push(parse_bool(text)?),
            Values::Date(values) if self.form.has_format() => values.push(self.form.date(text)?),
            Values::Timestamp(values) if self.form.has_format() => values.push(self.form.timestamp(text)?),
            Values::Date(_) | Values::Timestamp(_) => return Err(Misfit::Form),
            Values::String { .. } => return self.push_json(chunk, start, end),
        }
        Ok(())
    }

    /// Takes a text that stands nowhere in the chunk. Strings must be UTF-8.
    pub fn push_unescaped(&mut self, text: &[u8]) -> Result<(), Misfit> {
        let Values::String { views, unescaped } = &mut self.values else {
            return self.push(text, 0, text.len());
        };
        if self.form.column_type == ColumnType::Json {
            check_json(text)?;
        }
        if text.len() <= StringView::INLINE_BYTES {
            views.push(StringView::new(text, 0, text.len(), 0));
            return Ok(());
        }
        let start = unescaped.len();
        unescaped.extend_from_slice(text);
        views.push(StringView::new(unescaped, start, unescaped.len(), 1));
        Ok(())
    }

    /// Takes the last value back if there are more than `rows`.
    pub fn truncate(&mut self, rows: usize) {
        let count = self.values.len();
        if count <= rows {
            return;
        }
        debug_assert_eq!(count, rows + 1, "a row has one value in each column");
        match &mut self.values {
            Values::String { views, unescaped } => {
                if let Some(view) = views.pop()
                    && view.length as usize > StringView::INLINE_BYTES
                    && view.buffer == 1
                {
                    unescaped.truncate(view.offset as usize);
                }
            }
            Values::Int64(values) | Values::Timestamp(values) => values.truncate(rows),
            Values::Float64(values) => values.truncate(rows),
            Values::Decimal(values) => values.truncate(rows),
            Values::Bool(values) => values.truncate(rows),
            Values::Date(values) => values.truncate(rows),
        }
        let bit = 1 << (rows % 8);
        if let Some(byte) = self.validity.get_mut(rows / 8)
            && *byte & bit == 0
        {
            *byte |= bit;
            self.null_count -= 1;
        }
    }

    pub fn finish(mut self) -> ColumnValues {
        if self.null_count == 0 {
            return ColumnValues { values: self.values, validity: None };
        }
        let rows = self.values.len();
        self.validity.resize(rows.div_ceil(8), u8::MAX);
        if !rows.is_multiple_of(8)
            && let Some(last) = self.validity.last_mut()
        {
            *last &= (1 << (rows % 8)) - 1;
        }
        ColumnValues { values: self.values, validity: Some(self.validity) }
    }
}

/// What the start of a chunk lets expect of the whole, and a little more, if a line is a row.
pub(crate) fn likely_row_count(chunk: &[u8]) -> usize {
    let sample = &chunk[..chunk.len().min(16 * 1024)];
    let line_count = memchr::memchr_iter(b'\n', sample).count() + 1;
    line_count * (chunk.len() / sample.len().max(1) + 1) / 16 * 17
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Column, ValueRules};

    fn form(column_type: ColumnType) -> Form {
        Form::new(&Column::new("c", column_type), &ValueRules::default()).unwrap()
    }

    fn push(builder: &mut ColumnBuilder, text: &str) {
        builder.push(text.as_bytes(), 0, text.len()).unwrap();
    }

    #[test]
    fn a_column_without_nulls_has_no_bits() {
        let form = form(ColumnType::Int64);
        let mut builder = ColumnBuilder::new(&form, 0);
        push(&mut builder, "1");
        assert_eq!(builder.finish().validity, None);
    }

    #[test]
    fn bits_begin_with_the_first_null_and_end_with_the_column() {
        let form = form(ColumnType::Int64);
        let mut builder = ColumnBuilder::new(&form, 0);
        for index in 0..11 {
            if index == 2 { builder.push_null() } else { push(&mut builder, "1") }
        }
        assert_eq!(builder.finish().validity, Some(vec![0b1111_1011, 0b0000_0111]));
    }

    #[test]
    fn a_null_that_is_taken_back_leaves_no_trace() {
        let form = form(ColumnType::Date);
        let mut builder = ColumnBuilder::new(&form, 0);
        push(&mut builder, "1970-01-02");
        builder.push_null();
        builder.truncate(1);
        builder.truncate(1);
        push(&mut builder, "1970-01-03");
        let column = builder.finish();
        assert_eq!(column.validity, None);
        assert!(matches!(column.values, Values::Date(days) if days == [1, 2]));
    }

    #[test]
    fn a_json_number_has_a_point_and_is_a_time_only_by_a_format() {
        let rules = ValueRules { decimal_separator: b',', ..ValueRules::default() };
        let number = |column: Column| {
            let form = Form::new(&column, &rules).unwrap();
            let mut builder = ColumnBuilder::new(&form, 0);
            builder.push_number(b"[1.5]", 1, 4).map(|()| builder.finish().values)
        };
        assert!(
            matches!(number(Column::new("c", ColumnType::Float64)), Ok(Values::Float64(values)) if values == [1.5])
        );
        assert!(matches!(number(Column::new("c", ColumnType::String)), Ok(Values::String { views, .. })
            if views[0].text(b"", b"") == &b"1.5"[..]));
        for column_type in [ColumnType::Int64, ColumnType::Bool, ColumnType::Date, ColumnType::Timestamp] {
            assert_eq!(number(Column::new("c", column_type)).unwrap_err(), Misfit::Form);
        }
        let format = Some("%s".to_owned());
        let times = Form::new(&Column { format, ..Column::new("c", ColumnType::Timestamp) }, &rules).unwrap();
        let mut builder = ColumnBuilder::new(&times, 0);
        builder.push_number(b"60", 0, 2).unwrap();
        assert!(matches!(builder.finish().values, Values::Timestamp(values) if values == [60_000_000]));
    }

    #[test]
    fn json_text_is_kept_in_columns_of_text_alone() {
        for (column_type, fits) in [(ColumnType::String, true), (ColumnType::Json, true), (ColumnType::Bool, false)] {
            let form = form(column_type);
            assert_eq!(ColumnBuilder::new(&form, 0).push_json(b"true", 0, 4).is_ok(), fits);
        }
    }

    #[test]
    fn a_text_that_is_taken_back_leaves_the_buffer() {
        let form = form(ColumnType::String);
        let mut builder = ColumnBuilder::new(&form, 0);
        builder.push_unescaped(b"longer than twelve").unwrap();
        builder.push_unescaped(b"and also longer than twelve").unwrap();
        builder.truncate(1);
        let column = builder.finish();
        assert!(matches!(column.values, Values::String { views, unescaped }
            if views.len() == 1 && unescaped == b"longer than twelve"));
    }

    #[test]
    fn a_missing_column_is_null_in_every_row() {
        let column = ColumnBuilder::all_null(&form(ColumnType::Bool), 9);
        assert_eq!(column.validity, Some(vec![0, 0]));
        assert_eq!(column.values.len(), 9);
        assert_eq!(ColumnBuilder::all_null(&form(ColumnType::Bool), 0).validity, None);
    }
}
