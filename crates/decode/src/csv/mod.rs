//! Delimited text: cutting, header, cells.
