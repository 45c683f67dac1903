//! Temporary stand-in, overwritten when the decoder is merged.

/// How the text is delimited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvLayout {
    pub delimiter: u8,
    pub quote: u8,
    pub null_values: Vec<String>,
}
