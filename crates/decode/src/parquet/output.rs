//! What a column's stored values become: the contract's, row by row, with a note of each that is none.

use super::CHUNK_TEXT_BYTES;
use super::column::{RowValues, Rows};
use super::convert::{
    Fault, NOT_FINITE, OUT_OF_RANGE, Shown, big_endian, int96_micros, parsed, show_bytes, show_decimal, show_int,
    show_number, show_text, to_decimal, view_of,
};
use super::schema::{Leaf, Unit};
use super::widening::Widening;
use crate::columns::{ColumnValues, StringView, Values};
use crate::contract::ColumnType;
use crate::reason::{self, shown};
use crate::values::{Form, calendar, number, parse_bool};

/// A column that somebody needs.
#[derive(Clone, Debug)]
pub(super) struct NeededColumn {
    pub name: String,
    pub from: String,
    pub form: Form,
    /// Where in the file it stands, and what becomes of it; `None` where the file has no such column.
    pub found: Option<(Leaf, Widening)>,
}

/// A value that is none of the contract's. It stands as a null until its row is taken out.
pub(super) struct BadCell {
    /// Of the chunk.
    pub row: usize,
    pub reason: String,
    /// The stored value as JSON.
    pub raw: String,
}

/// One column of a chunk under construction.
pub(super) struct Output<'c> {
    column: &'c NeededColumn,
    nulls: &'c [Vec<u8>],
    values: Values,
    marks: Marks,
    /// What the entries of the dictionary have become in this chunk.
    memo: Vec<Memo>,
    /// Texts that have been looked at.
    text_bytes: usize,
}

/// Nulls and misfits, by row.
#[derive(Default)]
struct Marks {
    /// As in [`ColumnValues`], as far as the last null; 1 beyond.
    validity: Vec<u8>,
    bad: Vec<BadCell>,
    /// What the bad cells take.
    bad_bytes: usize,
}

#[derive(Clone, Copy)]
enum Memo {
    New,
    View(StringView),
    Null,
    Bad,
}

impl<'c> Output<'c> {
    /// For up to `capacity` rows. `nulls` are the texts that mean null.
    pub fn new(column: &'c NeededColumn, nulls: &'c [Vec<u8>], capacity: usize) -> Self {
        let values = match column.form.column_type {
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
        Self { column, nulls, values, marks: Marks::default(), memo: Vec::new(), text_bytes: 0 }
    }

    /// How much memory its texts take, and have taken of what they were read from, with what is said of misfits.
    pub fn text_bytes(&self) -> usize {
        let texts = match &self.values {
            Values::String { unescaped, .. } => self.text_bytes.max(unescaped.len()),
            _ => self.text_bytes,
        };
        texts + self.marks.bad_bytes
    }

    pub fn append(&mut self, rows: &Rows) {
        let Some((_, widening)) = self.column.found else { return };
        if let RowValues::Texts { spans, .. } = &rows.values {
            self.text_bytes += spans.iter().map(|span| span.length as usize).sum::<usize>();
        }
        let form = &self.column.form;
        let mut to = To { column: self.column, marks: &mut self.marks, rows };
        match (widening, &rows.values, &mut self.values) {
            (Widening::Int64, RowValues::Ints(ints), Values::Int64(out)) => {
                to.each(ints, out, |int| Ok(Some(int)), show_int);
            }
            (Widening::Unsigned64ToInt64, RowValues::Ints(ints), Values::Int64(out)) => {
                let convert = |int: i64| if int < 0 { Err(OUT_OF_RANGE.into()) } else { Ok(Some(int)) };
                to.each(ints, out, convert, |int| show_int(int as u64));
            }
            (Widening::IntToFloat64, RowValues::Ints(ints), Values::Float64(out)) => {
                to.each(ints, out, |int| Ok(Some(int as f64)), show_int);
            }
            (Widening::IntToDecimal { scale, signed }, RowValues::Ints(ints), Values::Decimal(out)) => {
                let decimal = form.decimal_type();
                let wide = |int: i64| if signed { i128::from(int) } else { i128::from(int as u64) };
                let convert = |int| Ok(Some(to_decimal(wide(int), scale, decimal)?));
                to.each(ints, out, convert, |int| show_decimal(wide(int), scale));
            }
            (Widening::Date, RowValues::Ints(ints), Values::Date(out)) => {
                let convert = |int: i64| {
                    let days = i32::try_from(int).map_err(|_| OUT_OF_RANGE)?;
                    Ok(Some(calendar::check_days(days)?))
                };
                to.each(ints, out, convert, |int| show_number(int, "days since 1970"));
            }
            (Widening::Timestamp { unit, utc }, RowValues::Ints(ints), Values::Timestamp(out)) => {
                let convert = |int: i64| {
                    let micros = match unit {
                        Unit::Millis => int.checked_mul(1000).ok_or(OUT_OF_RANGE)?,
                        Unit::Micros => int,
                        Unit::Nanos => int.div_euclid(1000),
                    };
                    Ok(Some(if utc { calendar::micros_of_calendar(micros)? } else { form.utc_micros(micros)? }))
                };
                let unit = match unit {
                    Unit::Millis => "ms since 1970",
                    Unit::Micros => "µs since 1970",
                    Unit::Nanos => "ns since 1970",
                };
                to.each(ints, out, convert, |int| show_number(int, unit));
            }
            (Widening::Float64, RowValues::Floats(floats), Values::Float64(out)) => {
                let convert = |float: f64| if float.is_finite() { Ok(Some(float)) } else { Err(NOT_FINITE.into()) };
                to.each(floats, out, convert, |float| Shown {
                    text: float.to_string().into_bytes(),
                    raw: format!("\"{float}\""),
                });
            }
            (Widening::Bool, RowValues::Bools(bools), Values::Bool(out)) => {
                to.each(bools, out, |value| Ok(Some(value)), |value| show_int(i64::from(value)));
            }
            (Widening::Int96ToTimestamp, _, Values::Timestamp(out)) => {
                to.each_text(out, |twelve| Ok(Some(int96_micros(twelve)?)), show_bytes);
            }
            (Widening::BytesToDecimal { scale }, _, Values::Decimal(out)) => {
                let decimal = form.decimal_type();
                let convert = |bytes: &[u8]| Ok(Some(to_decimal(big_endian(bytes)?, scale, decimal)?));
                to.each_text(out, convert, |bytes| match big_endian(bytes) {
                    Ok(value) => show_decimal(value, scale),
                    Err(_) => show_bytes(bytes),
                });
            }
            (Widening::TextToValue, _, _) => self.append_parsed(rows),
            (Widening::Text, RowValues::Texts { spans, bytes }, Values::String { views, unescaped }) => {
                let (is_json, nulls) = (form.column_type == ColumnType::Json, self.nulls);
                to.each(
                    spans,
                    views,
                    |span| view_of(span.of(bytes), nulls, is_json, unescaped),
                    |span| show_text(span.of(bytes)),
                );
            }
            (Widening::Text, RowValues::Entries { entries, dictionary }, Values::String { views, unescaped }) => {
                let (is_json, nulls) = (form.column_type == ColumnType::Json, self.nulls);
                if self.memo.is_empty() {
                    self.memo.resize(dictionary.len(), Memo::New);
                }
                let memo = &mut self.memo;
                to.each(
                    entries,
                    views,
                    |entry| {
                        let Some(known) = memo.get_mut(entry as usize) else { return Ok(None) };
                        if let Memo::New = known {
                            *known = match view_of(dictionary.text(entry), nulls, is_json, unescaped) {
                                Ok(Some(view)) => Memo::View(view),
                                Ok(None) => Memo::Null,
                                Err(_) => Memo::Bad,
                            };
                        }
                        match known {
                            Memo::View(view) => Ok(Some(*view)),
                            Memo::Null => Ok(None),
                            // Rare, and told from the text.
                            _ => view_of(dictionary.text(entry), nulls, is_json, &mut Vec::new()),
                        }
                    },
                    |entry| show_text(dictionary.text(entry)),
                );
            }
            _ => {}
        }
    }

    fn append_parsed(&mut self, rows: &Rows) {
        let (form, nulls) = (&self.column.form, self.nulls);
        let mut to = To { column: self.column, marks: &mut self.marks, rows };
        match &mut self.values {
            Values::Int64(out) => to.each_text(out, parsed(nulls, number::parse_int64), show_text),
            Values::Float64(out) => to.each_text(out, parsed(nulls, |text| form.float64(text)), show_text),
            Values::Decimal(out) => to.each_text(out, parsed(nulls, |text| form.decimal(text)), show_text),
            Values::Bool(out) => to.each_text(out, parsed(nulls, parse_bool), show_text),
            Values::Date(out) => to.each_text(out, parsed(nulls, |text| form.date(text)), show_text),
            Values::Timestamp(out) => to.each_text(out, parsed(nulls, |text| form.timestamp(text)), show_text),
            Values::String { .. } => {}
        }
    }

    /// The column, bad rows still in it as nulls, and what is wrong with these. A column that the file lacks, or that
    /// holds nothing, is null in all `row_count` rows.
    pub fn finish(mut self, row_count: usize) -> (ColumnValues, Vec<BadCell>) {
        if matches!(self.column.found, None | Some((_, Widening::Nothing))) {
            return (crate::builder::ColumnBuilder::all_null(&self.column.form, row_count), Vec::new());
        }
        let validity = (!self.marks.validity.is_empty()).then(|| {
            let mut bits = std::mem::take(&mut self.marks.validity);
            finish_bits(&mut bits, row_count);
            bits
        });
        (ColumnValues { values: self.values, validity }, self.marks.bad)
    }
}

/// Gives the bits the length of the column; those behind its end are 0.
fn finish_bits(bits: &mut Vec<u8>, row_count: usize) {
    bits.resize(row_count.div_ceil(8), u8::MAX);
    if !row_count.is_multiple_of(8)
        && let Some(last) = bits.last_mut()
    {
        *last &= (1 << (row_count % 8)) - 1;
    }
}

/// Takes the rows at `bad`, which is sorted, out of a column.
pub(super) fn take_out(column: &mut ColumnValues, bad: &[usize]) {
    if let Some(bits) = &column.validity {
        let row_count = column.values.len();
        let mut kept = vec![u8::MAX; (row_count - bad.len()).div_ceil(8)];
        let mut bad = bad.iter().peekable();
        let (mut to, mut any_null) = (0, false);
        for row in 0..row_count {
            if bad.next_if(|bad| **bad == row).is_some() {
                continue;
            }
            if bits[row / 8] >> (row % 8) & 1 == 0 {
                kept[to / 8] &= !(1 << (to % 8));
                any_null = true;
            }
            to += 1;
        }
        finish_bits(&mut kept, to);
        column.validity = any_null.then_some(kept);
    }
    match &mut column.values {
        Values::String { views, .. } => take_out_of(views, bad),
        Values::Int64(values) | Values::Timestamp(values) => take_out_of(values, bad),
        Values::Float64(values) => take_out_of(values, bad),
        Values::Decimal(values) => take_out_of(values, bad),
        Values::Bool(values) => take_out_of(values, bad),
        Values::Date(values) => take_out_of(values, bad),
    }
}

fn take_out_of<T>(values: &mut Vec<T>, bad: &[usize]) {
    let mut bad = bad.iter().peekable();
    let mut row = 0;
    values.retain(|_| {
        let is_bad = bad.next_if(|bad| **bad == row).is_some();
        row += 1;
        !is_bad
    });
}

impl Marks {
    #[inline]
    fn null(&mut self, row: usize) {
        if self.validity.len() <= row / 8 {
            self.validity.resize(row / 8 + 1, u8::MAX);
        }
        self.validity[row / 8] &= !(1 << (row % 8));
    }

    /// The rows of a batch may all hold the same long text: once there is too much, it is in the reason only, and short.
    #[cold]
    fn bad(&mut self, mut cell: BadCell) {
        if self.bad_bytes >= CHUNK_TEXT_BYTES {
            cell.raw = "\"…\"".to_owned();
        }
        self.bad_bytes += cell.raw.len() + cell.reason.len();
        self.bad.push(cell);
    }
}

/// Where rows go.
struct To<'a, 'c> {
    column: &'c NeededColumn,
    marks: &'a mut Marks,
    rows: &'a Rows<'a>,
}

impl To<'_, '_> {
    /// Appends what each value becomes; nulls and misfits come between them.
    #[inline]
    fn each<S: Copy, T: Copy + Default>(
        &mut self,
        stored: &[S],
        out: &mut Vec<T>,
        mut convert: impl FnMut(S) -> Result<Option<T>, Fault>,
        show: impl Fn(S) -> Shown,
    ) {
        out.reserve(self.rows.row_count);
        let (column, marks) = (self.column, &mut *self.marks);
        let mut put = |value: Option<S>| {
            let fault = match value.map(|value| (convert(value), value)) {
                Some((Ok(Some(converted)), _)) => {
                    out.push(converted);
                    return;
                }
                Some((Err(fault), value)) => Some((fault, show(value))),
                None | Some((Ok(None), _)) => None,
            };
            marks.null(out.len());
            if let Some((fault, shown)) = fault {
                marks.bad(column.bad_cell(out.len(), &fault, shown));
            }
            out.push(T::default());
        };
        let Some(defined) = self.rows.defined else {
            stored.iter().for_each(|value| put(Some(*value)));
            return;
        };
        let mut values = stored.iter();
        for defined in defined {
            put(if *defined { values.next().copied() } else { None });
        }
    }

    /// As [`To::each`], of texts wherever they stand.
    fn each_text<T: Copy + Default>(
        &mut self,
        out: &mut Vec<T>,
        mut convert: impl FnMut(&[u8]) -> Result<Option<T>, Fault>,
        show: impl Fn(&[u8]) -> Shown,
    ) {
        match self.rows.values {
            RowValues::Texts { spans, bytes } => {
                self.each(spans, out, |span| convert(span.of(bytes)), |span| show(span.of(bytes)));
            }
            RowValues::Entries { entries, dictionary } => {
                let text = |entry| dictionary.text(entry);
                self.each(entries, out, |entry| convert(text(entry)), |entry| show(text(entry)));
            }
            _ => {}
        }
    }
}

impl NeededColumn {
    #[cold]
    fn bad_cell(&self, row: usize, fault: &Fault, shown_value: Shown) -> BadCell {
        let Shown { text, raw } = shown_value;
        let reason = match fault {
            Fault::Misfit(misfit) => reason::misfit(&self.name, &text, self.form.column_type, *misfit),
            Fault::NotUtf8 => format!("column `{}`: `{}` is not valid UTF-8", self.name, shown(&text)),
        };
        BadCell { row, reason, raw }
    }
}
