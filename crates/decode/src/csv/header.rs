//! Which column stands where in a file, and whether the contract's are there: by the first row, or by the contract.

use super::CsvLayout;
use super::rows::{Cell, Rows, undouble};
use crate::contract::Column;
use crate::names::{MissingColumn, missing_columns, say_wanted};
use crate::reason::{self, listed};

/// More columns than this are no table but a mistake, or hostile.
pub const MAX_COLUMNS: usize = 16_384;

/// The names of a file's columns, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    names: Vec<String>,
    named_by: NamedBy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NamedBy {
    File,
    Contract,
}

/// Why a header is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error("{}", say_empty(*.skip_rows))]
    Empty { skip_rows: u32 },
    #[error(
        "the header has {count} columns, more than the {MAX_COLUMNS} that are read; is `delimiter` set right, and is \
         its line the header?"
    )]
    TooManyColumns { count: usize },
    #[error("the header cannot be read: {reason}")]
    Broken { reason: String },
    #[error("the header names {} more than once", listed(.names))]
    Duplicates { names: Vec<String> },
    #[error("{}", say_missing(.missing, .found, *.delimiter))]
    Missing { missing: Vec<MissingColumn>, found: Vec<String>, delimiter: u8 },
}

impl Header {
    /// Reads the first row of the first chunk. Returns the header and where in the chunk the rows after it begin.
    ///
    /// Blanks around names are trimmed. Columns without a name, such as delimiters at the line's end make, are no
    /// duplicates of each other.
    pub fn read(layout: &CsvLayout, chunk: &[u8]) -> Result<(Header, usize), HeaderError> {
        layout.insist();
        let mut rows = Rows::new(chunk, layout, 0);
        if !rows.advance() {
            return Err(HeaderError::Empty { skip_rows: layout.skip_rows });
        }
        let count = rows.row().cell_count;
        if count > MAX_COLUMNS {
            return Err(HeaderError::TooManyColumns { count });
        }
        let mut rows = Rows::new(chunk, layout, count);
        rows.advance();
        let names = read_names(layout, chunk, &rows)?;

        let mut sorted: Vec<&str> = names.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        sorted.sort_unstable();
        let mut duplicates: Vec<String> =
            sorted.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].to_owned()).collect();
        duplicates.dedup();
        if !duplicates.is_empty() {
            return Err(HeaderError::Duplicates { names: duplicates });
        }
        Ok((Header { names, named_by: NamedBy::File }, rows.position()))
    }

    /// For files without a header: all columns of the contract, in its order.
    pub fn of_contract(contract: &[Column]) -> Header {
        let names = contract.iter().map(|column| column.name.clone()).collect();
        Header { names, named_by: NamedBy::Contract }
    }

    /// All names, in the file's order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Where a column of the contract stands, counted from 0.
    pub fn position(&self, column: &Column) -> Option<usize> {
        let wanted = match self.named_by {
            NamedBy::File => &column.from,
            NamedBy::Contract => &column.name,
        };
        self.names.iter().position(|name| name == wanted)
    }

    /// Why a row with another number of cells is bad.
    pub(super) fn say_wrong_width(&self, cell_count: usize) -> String {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let count = self.names.len();
        let expected = match self.named_by {
            NamedBy::File => format!("the header has {count}"),
            NamedBy::Contract => format!("the contract has {count} column{}", plural(count)),
        };
        format!("has {cell_count} cell{} where {expected}", plural(cell_count))
    }

    /// Whether all required columns are there. Returns the names that no column of the contract reads.
    pub fn check(&self, layout: &CsvLayout, contract: &[Column]) -> Result<Vec<String>, HeaderError> {
        let is_missing = |column: &&Column| column.required && self.position(column).is_none();
        let missing: Vec<&Column> = contract.iter().filter(is_missing).collect();
        if !missing.is_empty() {
            let missing = missing_columns(missing, &self.names);
            let found = self.names.clone();
            return Err(HeaderError::Missing { missing, found, delimiter: layout.delimiter });
        }
        let is_unknown = |name: &&String| !contract.iter().any(|column| column.from == **name);
        Ok(self.names.iter().filter(is_unknown).cloned().collect())
    }
}

fn read_names(layout: &CsvLayout, chunk: &[u8], rows: &Rows) -> Result<Vec<String>, HeaderError> {
    let broken = |index: usize, what: &str| HeaderError::Broken { reason: format!("name {}: {what}", index + 1) };
    if rows.row().unclosed {
        return Err(broken(rows.row().cell_count - 1, "a quote is never closed"));
    }
    if let Some(index) = rows.broken_cell() {
        return Err(broken(index, "text after the closing quote"));
    }
    let mut names = Vec::with_capacity(rows.row().cell_count);
    for index in 0..rows.row().cell_count {
        let mut name = Vec::new();
        match rows.cell(index) {
            Cell::Plain { start, end } | Cell::Quoted { start, end } => name.extend_from_slice(&chunk[start..end]),
            Cell::Doubled { start, end } => undouble(&chunk[start..end], layout.quote_byte(), &mut name),
        }
        let name = std::str::from_utf8(&name).map_err(|_| broken(index, &reason::not_text(&name, layout.encoding)))?;
        names.push(name.trim().to_owned());
    }
    Ok(names)
}

fn say_empty(skip_rows: u32) -> String {
    match skip_rows {
        0 => "there is no header: the file is empty".to_owned(),
        1 => "there is no header: nothing comes after the line that `skip_rows` drops".to_owned(),
        _ => format!("there is no header: nothing comes after the {skip_rows} lines that `skip_rows` drops"),
    }
}

fn say_missing(missing: &[MissingColumn], found: &[String], delimiter: u8) -> String {
    let mut message = format!("the header lacks {}; it has {}", say_wanted(missing), listed(found));
    if let [only] = found
        && let Some(other) = [',', ';', '\t', '|'].into_iter().find(|other| only.contains(*other))
    {
        let (other, declared) = (other.escape_debug(), delimiter.escape_ascii());
        message += &format!("; is the delimiter `{other}` rather than `{declared}`?");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::ColumnType;

    fn column(name: &str, required: bool) -> Column {
        Column { required, ..Column::new(name, ColumnType::String) }
    }

    fn read(text: &str) -> Result<(Vec<String>, usize), HeaderError> {
        let (header, taken) = Header::read(&CsvLayout::default(), text.as_bytes())?;
        Ok((header.names, taken))
    }

    fn check(text: &str, contract: &[Column]) -> Result<Vec<String>, HeaderError> {
        let layout = CsvLayout::default();
        Header::read(&layout, text.as_bytes())?.0.check(&layout, contract)
    }

    #[test]
    fn names_are_trimmed_and_unquoted() {
        let (names, taken) = read("\r\n a ,\"b \"\"c\"\"\n\",\"d,e\"\r\n1,2,3\n").unwrap();
        assert_eq!(names, ["a", "b \"c\"", "d,e"]);
        assert_eq!(taken, 24);
    }

    #[test]
    fn a_header_may_be_the_whole_file() {
        assert_eq!(read("a,b").unwrap(), (vec!["a".into(), "b".into()], 3));
        assert_eq!(read(""), Err(HeaderError::Empty { skip_rows: 0 }));
        assert_eq!(read("\n\r\n"), Err(HeaderError::Empty { skip_rows: 0 }));
    }

    #[test]
    fn a_name_that_stands_twice_is_refused() {
        let error = read("a,b,a,c,b,a,,\n").unwrap_err();
        assert_eq!(error.to_string(), "the header names `a`, `b` more than once");
        assert!(read("a,b,,\n").is_ok());
    }

    #[test]
    fn a_header_with_broken_quotes_or_bytes_is_refused() {
        assert_eq!(
            read("a,\"b\"x\n").unwrap_err().to_string(),
            "the header cannot be read: name 2: text after the closing quote"
        );
        assert_eq!(
            read("a,\"b\n").unwrap_err().to_string(),
            "the header cannot be read: name 2: a quote is never closed"
        );
        let error = Header::read(&CsvLayout::default(), b"caf\xe9,b\n").unwrap_err();
        assert_eq!(error.to_string(), "the header cannot be read: name 1: `caf\\xe9` is not valid UTF-8");
    }

    #[test]
    fn a_header_that_its_encoding_cannot_read_is_refused_in_the_encodings_name() {
        let layout = CsvLayout { encoding: encoding_rs::SHIFT_JIS, ..CsvLayout::default() };
        let error = Header::read(&layout, b"a,caf\xff\n").unwrap_err();
        assert_eq!(error.to_string(), "the header cannot be read: name 2: `caf\u{fffd}` is not valid Shift_JIS");
    }

    #[test]
    fn a_header_with_very_many_columns_is_refused() {
        let header = |count: usize| (0..count).map(|index| index.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(read(&header(MAX_COLUMNS)).unwrap().0.len(), MAX_COLUMNS);
        assert_eq!(read(&header(MAX_COLUMNS + 1)), Err(HeaderError::TooManyColumns { count: MAX_COLUMNS + 1 }));
        let message = read(&",".repeat(1 << 20)).unwrap_err().to_string();
        assert!(message.starts_with("the header has 1048577 columns, more than the 16384 that are read"), "{message}");
    }

    #[test]
    fn a_contract_stands_in_for_a_header_by_the_names_of_its_columns() {
        let renamed = |name: &str| Column { from: "x".into(), ..column(name, true) };
        let header = Header::of_contract(&[renamed("a"), renamed("b")]);
        assert_eq!(header.names(), ["a", "b"]);
        assert_eq!(header.position(&renamed("b")), Some(1));
        assert_eq!(header.say_wrong_width(1), "has 1 cell where the contract has 2 columns");
    }

    #[test]
    fn all_missing_columns_are_named_at_once() {
        let contract = [column("dep_delay", true), column("distance", true), column("note", false)];
        let error = check("Dep Delay,carrier\n", &contract).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the header lacks `dep_delay` (did you mean `Dep Delay`?), `distance`; it has `Dep Delay`, `carrier`"
        );
    }

    #[test]
    fn a_wrong_delimiter_is_suspected_aloud() {
        let error = check("a;b;c\n", &[column("a", true)]).unwrap_err();
        assert!(error.to_string().ends_with("; is the delimiter `;` rather than `,`?"), "{error}");
    }

    #[test]
    fn names_that_the_contract_does_not_know_are_reported() {
        assert_eq!(check("a,b,c\n", &[column("b", true), column("z", false)]).unwrap(), ["a", "c"]);
    }
}
