//! Delimited text: cutting, header, cells.

/// How the text is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvLayout {
    pub delimiter: u8,
    pub quote: u8,
    pub null_values: Vec<String>,
}
