//! How the texts of one column become values, settled once a file.

use chrono_tz::Tz;

use super::strftime::{FormatError, Strftime};
use super::{Misfit, calendar, decimal, number};
use crate::contract::{Column, ColumnType, DecimalType, ValueRules};

#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub column_type: ColumnType,
    format: Option<Strftime>,
    timezone: Tz,
    decimal_separator: u8,
}

impl Form {
    /// # Errors
    /// The column has a format that cannot read it.
    pub fn new(column: &Column, rules: &ValueRules) -> Result<Self, FormatError> {
        let format = column.format.as_deref().map(|format| Strftime::new(format, column.column_type)).transpose()?;
        Ok(Self {
            column_type: column.column_type,
            format,
            timezone: rules.timezone,
            decimal_separator: rules.decimal_separator,
        })
    }

    #[inline]
    pub fn float64(&self, text: &[u8]) -> Result<f64, Misfit> {
        number::parse_float64(text, self.decimal_separator)
    }

    #[inline]
    pub fn decimal(&self, text: &[u8]) -> Result<i128, Misfit> {
        decimal::parse_decimal(text, self.decimal_type(), self.decimal_separator)
    }

    /// Whether the column's values are written by a format of the user's.
    pub fn has_format(&self) -> bool {
        self.format.is_some()
    }

    /// Of a column that is none, one that holds nothing.
    pub fn decimal_type(&self) -> DecimalType {
        match self.column_type {
            ColumnType::Decimal(decimal) => decimal,
            _ => DecimalType { precision: 0, scale: 0 },
        }
    }

    #[inline]
    pub fn date(&self, text: &[u8]) -> Result<i32, Misfit> {
        match &self.format {
            None => calendar::parse_date(text),
            Some(format) => format.parse_date(text),
        }
    }

    #[inline]
    pub fn timestamp(&self, text: &[u8]) -> Result<i64, Misfit> {
        let timestamp = match &self.format {
            None => calendar::parse_timestamp(text)?,
            Some(format) => format.parse_timestamp(text)?,
        };
        timestamp.utc_micros_in(self.timezone)
    }

    /// Microseconds since 1970-01-01 UTC, of those that a wall clock of the feed's timezone showed.
    pub fn utc_micros(&self, local_micros: i64) -> Result<i64, Misfit> {
        let local_micros = calendar::micros_of_calendar(local_micros)?;
        calendar::Timestamp { local_micros, offset_seconds: None }.utc_micros_in(self.timezone)
    }
}
