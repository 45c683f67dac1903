//! Typed rows as JSON: what the quarantine shows of a row that has no text of its own.

use std::fmt::Write;

use chrono::DateTime;

use crate::columns::{ColumnValues, DecodedChunk, Values};
use crate::contract::{Column, ColumnType};
use crate::values::decimal::POWERS_OF_TEN;

impl DecodedChunk {
    /// The row that stands at `index` in the columns, as one JSON object with the columns' names in the file. `columns`
    /// are those that the decoder was asked for.
    ///
    /// Timestamps and dates are RFC 3339, decimals are numbers, JSON stands as it is.
    pub fn row_as_json(&self, columns: &[Column], index: usize) -> String {
        let mut json = String::from("{");
        for (column, values) in columns.iter().zip(&self.columns) {
            push_name(&mut json, &column.from);
            push_value(&mut json, column.column_type, values, &self.bytes, index, usize::MAX);
        }
        json.push('}');
        json
    }
}

/// The name of an object's next member, after a comma if it is not the first.
pub(crate) fn push_name(json: &mut String, name: &str) {
    if !json.ends_with('{') {
        json.push(',');
    }
    push_string(json, name);
    json.push(':');
}

/// The value at `index`; `chunk` is [`DecodedChunk::bytes`]. Of a text, JSON too, at most `longest_text` bytes, and then
/// `…`.
pub(crate) fn push_value(
    json: &mut String,
    column_type: ColumnType,
    column: &ColumnValues,
    chunk: &[u8],
    index: usize,
    longest_text: usize,
) {
    if column.is_null(index) {
        json.push_str("null");
        return;
    }
    // Writing to a String cannot fail.
    let _ = match &column.values {
        Values::String { views, unescaped } => {
            let text = views[index].text(chunk, unescaped);
            let kept = head(&text, longest_text);
            let is_whole = kept.len() == text.len();
            let mut text = String::from_utf8_lossy(kept);
            if !is_whole {
                text.to_mut().push('…');
            }
            match column_type {
                ColumnType::Json if is_whole => json.push_str(text.trim()),
                _ => push_string(json, &text),
            }
            Ok(())
        }
        Values::Int64(values) => write!(json, "{}", values[index]),
        Values::Float64(values) => write!(json, "{:?}", values[index]),
        Values::Decimal(values) => {
            let scale = match column_type {
                ColumnType::Decimal(decimal) => decimal.scale,
                _ => 0,
            };
            push_decimal(json, values[index], usize::from(scale));
            Ok(())
        }
        Values::Bool(values) => write!(json, "{}", values[index]),
        Values::Date(values) => match DateTime::from_timestamp(i64::from(values[index]) * 86_400, 0) {
            Some(midnight) => write!(json, "\"{:?}\"", midnight.date_naive()),
            None => write!(json, "{}", values[index]),
        },
        Values::Timestamp(values) => match DateTime::from_timestamp_micros(values[index]) {
            Some(moment) => write!(json, "\"{:?}Z\"", moment.naive_utc()),
            None => write!(json, "{}", values[index]),
        },
    };
}

/// A number of units of 10^-`scale`, which is at most 38.
pub(crate) fn push_decimal(text: &mut String, units: i128, scale: usize) {
    let one = POWERS_OF_TEN[scale].unsigned_abs();
    let (whole, fraction) = (units.unsigned_abs() / one, units.unsigned_abs() % one);
    let sign = if units < 0 { "-" } else { "" };
    let _ = match scale {
        0 => write!(text, "{sign}{whole}"),
        _ => write!(text, "{sign}{whole}.{fraction:0scale$}"),
    };
}

/// At most `longest` bytes of a text from its start on, and no half character at their end.
pub(crate) fn head(text: &[u8], longest: usize) -> &[u8] {
    if text.len() <= longest {
        return text;
    }
    let is_boundary = |at: &usize| text[*at] & 0xc0 != 0x80;
    &text[..(0..=longest).rev().take(4).find(is_boundary).unwrap_or(longest)]
}

/// The text in quotes.
pub(crate) fn push_string(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            other => json.push(other),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::columns::StringView;
    use crate::contract::DecimalType;

    #[test]
    fn a_row_is_an_object_with_the_names_of_the_file() {
        let text = b"two\n\"lines\" and \x01 more";
        let view = |length| StringView::new(text, 0, length, 0);
        let json = br#" {"a": [1, 2]}"#;
        let columns = [
            (ColumnType::String, Values::String { views: vec![view(text.len()), view(3)], unescaped: Vec::new() }),
            (
                ColumnType::Json,
                Values::String { views: vec![StringView::new(json, 0, json.len(), 1); 2], unescaped: json.to_vec() },
            ),
            (ColumnType::Int64, Values::Int64(vec![i64::MIN, 1])),
            (ColumnType::Float64, Values::Float64(vec![1e300, 0.5])),
            (ColumnType::Decimal(DecimalType::new(9, 2).unwrap()), Values::Decimal(vec![-5, 1234])),
            (ColumnType::Bool, Values::Bool(vec![true, false])),
            (ColumnType::Date, Values::Date(vec![-1, -719_162])),
            (ColumnType::Timestamp, Values::Timestamp(vec![1_500_000, -1])),
        ];
        let contract: Vec<Column> = columns
            .iter()
            .enumerate()
            .map(|(index, (column_type, _))| Column {
                from: format!("c \"{index}\""),
                ..Column::new(format!("c{index}"), *column_type)
            })
            .collect();
        let columns = columns.map(|(_, values)| ColumnValues { values, validity: None });
        let mut chunk = DecodedChunk {
            bytes: Bytes::from_static(text),
            row_count: 2,
            columns: columns.into_iter().collect(),
            bad: Vec::new(),
            unknown_keys: Vec::new(),
        };
        chunk.columns[2].validity = Some(vec![0b01]);
        assert_eq!(
            chunk.row_as_json(&contract, 0),
            concat!(
                r#"{"c \"0\"":"two\n\"lines\" and \u0001 more","c \"1\"":{"a": [1, 2]},"#,
                r#""c \"2\"":-9223372036854775808,"c \"3\"":1e300,"c \"4\"":-0.05,"c \"5\"":true,"#,
                r#""c \"6\"":"1969-12-31","c \"7\"":"1970-01-01T00:00:01.500Z"}"#
            )
        );
        let second = chunk.row_as_json(&contract, 1);
        assert!(second.starts_with(r#"{"c \"0\"":"two","#), "{second}");
        assert!(second.ends_with(r#""c \"2\"":null,"c \"3\"":0.5,"c \"4\"":12.34,"c \"5\"":false,"c \"6\"":"0001-01-01","c \"7\"":"1969-12-31T23:59:59.999999Z"}"#), "{second}");
        for row in 0..2 {
            assert!(crate::values::check_json(chunk.row_as_json(&contract, row).as_bytes()).is_ok());
        }
    }
}
