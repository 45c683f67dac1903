//! The whole way, from the bytes of a file to its rows: the same rows in every encoding, however the bytes are pushed.

use encoding_rs::{Encoding, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, WINDOWS_1253};
use proptest::prelude::*;

use super::super::agreement::{Outcome, columns, file, split};
use super::super::{DEFAULT_MAX_ROW_BYTES, Decoder};
use super::*;
use crate::contract::{ColumnType, ValueRules};

const TYPES: [ColumnType; 3] = [ColumnType::String, ColumnType::Int64, ColumnType::String];

/// What a file comes to, and the names in it that the contract does not know.
fn read_in_chunks(
    pushes: &[&[u8]],
    layout: &CsvLayout,
    contract: &[Column],
    target_bytes: usize,
) -> Result<(Outcome, Vec<String>), CsvError> {
    let mut outcome = Outcome::default();
    let mut out = |header: &Header, chunk: Bytes| {
        assert!(!chunk.is_empty());
        let decoder = Decoder::new(layout, &ValueRules::of_csv(), header, contract).unwrap();
        outcome.add(&decoder, &decoder.decode(chunk));
        Ok::<(), CsvError>(())
    };
    let mut reader = ChunkReader::new(layout, contract, target_bytes, DEFAULT_MAX_ROW_BYTES);
    for push in pushes {
        reader.push(push, &mut out)?;
    }
    let unknown = reader.finish(&mut out)?;
    Ok((outcome, unknown))
}

fn read(file: &[u8], layout: &CsvLayout) -> Result<Outcome, CsvError> {
    let (outcome, _) = read_in_chunks(&[file], layout, &columns(&TYPES), 1 << 20)?;
    Ok(outcome)
}

fn refusal(file: &[u8], layout: &CsvLayout) -> String {
    read(file, layout).unwrap_err().to_string()
}

/// The cells of the good rows.
fn good(outcome: &Outcome) -> Vec<Vec<&str>> {
    let text = |cell: &'_ Option<Vec<u8>>| {
        cell.as_deref().map_or("NULL", |cell| std::str::from_utf8(cell).unwrap()).to_owned()
    };
    let rows = outcome.good.iter().map(|(_, row)| row.iter().map(text).collect::<Vec<String>>());
    rows.map(|row| row.into_iter().map(|cell| &*cell.leak()).collect()).collect()
}

fn reasons(outcome: &Outcome) -> Vec<(u32, &str)> {
    outcome.bad.iter().map(|(row, _, reason)| (*row, reason.as_str())).collect()
}

fn in_encoding(encoding: &'static Encoding, text: &str) -> Vec<u8> {
    match encoding.name() {
        "UTF-16LE" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "UTF-16BE" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        _ => {
            let (bytes, _, lacks_some) = encoding.encode(text);
            assert!(!lacks_some, "{text} cannot be written in {}", encoding.name());
            bytes.into_owned()
        }
    }
}

#[test]
fn what_stands_around_the_rows_is_left_out() {
    let layout = CsvLayout { skip_rows: 2, skip_footer: 1, ..CsvLayout::default() };
    let file = b"\"a title, with an open quote\n\xff\xfe\n\nc0,c1,c2\r\na,1,b\r\nc,x,d\r\n\r\nTotal: 2 rows\r\n\r\n";
    let outcome = read(file, &layout).unwrap();
    assert_eq!(good(&outcome), [["a", "1", "b"]]);
    assert_eq!(reasons(&outcome), [(1, "column `c1`: `x` is not an int64")]);
}

#[test]
fn without_a_header_the_contract_says_what_stands_where() {
    let layout = CsvLayout { header: HeaderRow::Absent, ..CsvLayout::default() };
    let outcome = read(b"\xef\xbb\xbfa,1,b\nc,2\nd,3,e\n", &layout).unwrap();
    assert_eq!(good(&outcome), [["a", "1", "b"], ["d", "3", "e"]]);
    assert_eq!(reasons(&outcome), [(1, "has 2 cells where the contract has 3 columns")]);
    assert_eq!(read(b"", &layout), Ok(Outcome::default()));
    let skipping = CsvLayout { skip_rows: 1, skip_footer: 1, ..layout };
    assert_eq!(good(&read(b"title\na,1,b\nTotal", &skipping).unwrap()), [["a", "1", "b"]]);
}

#[test]
fn a_header_without_rows_is_a_file_without_rows() {
    for file in ["c0,c1,c2", "c0,c1,c2\n", "\u{feff}c0,c1,c2\r\n\r\n"] {
        assert_eq!(read(file.as_bytes(), &CsvLayout::default()).unwrap().rows, 0, "{file}");
    }
    let layout = CsvLayout { skip_footer: 1, ..CsvLayout::default() };
    assert_eq!(read(b"c0,c1,c2\n", &layout), Ok(Outcome::default()), "the header is no footer");
    assert_eq!(read(b"c0,c1,c2\nTotal: 0", &layout), Ok(Outcome::default()));
}

#[test]
fn a_file_without_a_header_row_is_refused_where_one_is_expected() {
    for file in ["", "\u{feff}", "\n\r\n\n"] {
        assert_eq!(refusal(file.as_bytes(), &CsvLayout::default()), "there is no header: the file is empty", "{file}");
    }
    let layout = CsvLayout { skip_rows: 3, ..CsvLayout::default() };
    let expected = "there is no header: nothing comes after the 3 lines that `skip_rows` drops";
    assert_eq!(refusal(b"a\nb", &layout), expected);
    assert_eq!(refusal(b"a\nb\nc\n", &layout), expected);
}

#[test]
fn blank_lines_may_fill_whole_chunks_before_the_header() {
    let contract = columns(&TYPES[..1]);
    let file = [&b"\n".repeat(50)[..], b"c0\na\n"].concat();
    let (outcome, _) = read_in_chunks(&[&file], &CsvLayout::default(), &contract, 8).unwrap();
    assert_eq!(good(&outcome), [["a"]]);
}

#[test]
fn the_only_column_is_never_empty_by_a_blank_line() {
    let contract = columns(&TYPES[..1]);
    let (outcome, _) = read_in_chunks(&[b"c0\na\n\n\"\"\nb"], &CsvLayout::default(), &contract, 1 << 20).unwrap();
    assert_eq!(good(&outcome), [["a"], [""], ["b"]]);
}

#[test]
fn without_a_quote_every_cell_is_taken_as_it_stands() {
    let layout = CsvLayout { quote: None, ..CsvLayout::default() };
    let outcome = read(b"c0,c1,c2\n\"a,1,b\"\n5\" pipe,2,\"\"\n", &layout).unwrap();
    assert_eq!(good(&outcome), [["\"a", "1", "b\""], ["5\" pipe", "2", "\"\""]]);
    assert_eq!(reasons(&outcome), []);
}

#[test]
fn names_that_the_contract_does_not_know_are_told() {
    let (_, unknown) = read_in_chunks(&[b"c1,x,c0"], &CsvLayout::default(), &columns(&TYPES[..2]), 1 << 20).unwrap();
    assert_eq!(unknown, ["x"]);
    let mut reader = ChunkReader::new(&CsvLayout::default(), &columns(&TYPES[..1]), 4, 100);
    assert_eq!(reader.header(), None);
    reader
        .push(b"c0,x\na,b\n", &mut |header, _| {
            assert_eq!(header.names(), ["c0", "x"]);
            Ok::<(), CsvError>(())
        })
        .unwrap();
    assert_eq!(reader.header().unwrap().names(), ["c0", "x"]);
    assert_eq!(reader.unknown_columns(), ["x"]);
}

#[test]
fn bytes_that_the_encoding_does_not_know_make_their_row_bad_and_no_other() {
    let layout = CsvLayout { encoding: UTF_16LE, ..CsvLayout::default() };
    let mut file = in_encoding(UTF_16LE, "\u{feff}c0,c1,c2\nok,1,ok\ncaf");
    file.extend_from_slice(b"\x00\xd8");
    file.extend(in_encoding(UTF_16LE, ",2,b\nc,"));
    file.extend_from_slice(b"\x00\xdc");
    file.extend(in_encoding(UTF_16LE, ",d\nok,3,ok\ne,4,f"));
    file.push(b'x');
    let outcome = read(&file, &layout).unwrap();
    assert_eq!(good(&outcome), [["ok", "1", "ok"], ["ok", "3", "ok"]]);
    assert_eq!(
        reasons(&outcome),
        [
            (1, "column `c0`: `caf\u{fffd}` is not valid UTF-16LE"),
            (2, "column `c1`: `\u{fffd}` is not valid UTF-16LE"),
            (4, "column `c2`: `f\u{fffd}` is not valid UTF-16LE"),
        ]
    );
    assert_eq!(outcome.bad[0].1, b"caf\xff,2,b");
}

#[test]
fn damage_in_a_cell_that_nobody_reads_does_no_harm() {
    let layout = CsvLayout { encoding: WINDOWS_1253, ..CsvLayout::default() };
    let contract = columns(&TYPES[..1]);
    let (outcome, _) = read_in_chunks(&[b"c0,x\n\xe1,\xd2\n\"\"\"\xd2\",b\n"], &layout, &contract, 1 << 20).unwrap();
    assert_eq!(good(&outcome), [["α"]]);
    assert_eq!(reasons(&outcome), [(1, "column `c0`: `\"\u{fffd}` is not valid windows-1253")]);
}

#[test]
fn a_file_in_another_encoding_than_declared_is_refused_by_its_mark() {
    let file = in_encoding(UTF_16BE, "\u{feff}c0,c1,c2\n");
    let layout = CsvLayout { encoding: UTF_16LE, ..CsvLayout::default() };
    assert!(refusal(&file, &layout).contains("write `encoding = \"utf-16be\"`"));
}

#[test]
fn a_row_that_is_too_long_is_told_by_its_place_in_the_file() {
    let layout = CsvLayout { skip_rows: 1, ..CsvLayout::default() };
    let mut reader = ChunkReader::new(&layout, &columns(&TYPES[..1]), 8, 16);
    let mut out = |_: &Header, _| Ok::<(), CsvError>(());
    let error = reader.push("\u{feff}title\nc0\n\"never closed, never ever".as_bytes(), &mut out).unwrap_err();
    assert_eq!(error, CsvError::Cut(CutError::RowTooLong { offset: 12, max_row_bytes: 16 }));
}

#[test]
fn a_row_of_millions_of_cells_is_one_bad_row() {
    let file = [b"c0,c1,c2\n", &b",".repeat(3 << 20)[..], b"\na,1,b\n"].concat();
    let outcome = read(&file, &CsvLayout::default()).unwrap();
    assert_eq!(good(&outcome), [["a", "1", "b"]]);
    assert_eq!(reasons(&outcome), [(0, "has 3145729 cells where the header has 3")]);
}

fn layout() -> impl Strategy<Value = CsvLayout> {
    let encodings = vec![UTF_8, UTF_16LE, UTF_16BE, WINDOWS_1252, WINDOWS_1253, SHIFT_JIS];
    let header = prop::sample::select(vec![HeaderRow::Present, HeaderRow::Absent]);
    let quote = prop::sample::select(vec![Some(b'"'), Some(b'"'), None]);
    (prop::sample::select(encodings), header, quote, 0_u32..4, 0_u32..5).prop_map(
        |(encoding, header, quote, skip_rows, skip_footer)| CsvLayout {
            encoding,
            header,
            quote,
            skip_rows,
            skip_footer,
            ..CsvLayout::default()
        },
    )
}

/// The rows of a file as cells, and how they are written.
#[derive(Clone, Debug)]
struct Table {
    rows: Vec<[String; 3]>,
    line_end: &'static str,
    ends_with_line_end: bool,
    begins_with_mark: bool,
}

impl Table {
    /// With lines before the header and rows after the last one.
    fn text(&self, layout: &CsvLayout) -> String {
        let quoted = |cell: &String| match layout.quote {
            Some(_) if cell.contains(['"', ',', '\n', '\r']) => format!("\"{}\"", cell.replace('"', "\"\"")),
            _ => cell.clone(),
        };
        let header = (layout.header == HeaderRow::Present).then(|| "c0,c1,c2".to_owned());
        let titles =
            (0..layout.skip_rows).map(|line| ["", "\"open, for ever", "Bericht, Nr. 7", ","][line as usize].to_owned());
        let rows = self.rows.iter().map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(","));
        let footers =
            (0..layout.skip_footer).map(|row| ["Total: 3 rows", ",,,,,", "\"a\"b", "1,2,3"][row as usize].to_owned());
        let lines: Vec<String> = titles.chain(header).chain(rows).chain(footers).collect();
        let mark = if self.begins_with_mark { "\u{feff}" } else { "" };
        let last = if self.ends_with_line_end { self.line_end } else { "" };
        format!("{mark}{}{last}", lines.join(self.line_end))
    }
}

fn table() -> impl Strategy<Value = Table> {
    let row = ("[a-zé,\"\n ]{0,20}", "[0-9x]{1,3}", "(aé|b\r\nc|\"|,){0,3}").prop_map(|(a, b, c)| [a, b, c]);
    (prop::collection::vec(row, 0..12), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(rows, is_crlf, ends_with_line_end, begins_with_mark)| Table {
            rows,
            line_end: if is_crlf { "\r\n" } else { "\n" },
            ends_with_line_end,
            begins_with_mark,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn any_split_and_any_chunks_give_the_same_rows(
        file in file(),
        layout in layout(),
        names: bool,
        cuts in prop::collection::vec(0_usize..100, 0..8),
        target_bytes in 1_usize..200,
    ) {
        // What comes first decides whether there is a header to speak of; so it is one in half of the cases.
        let lines = "\n".repeat(layout.skip_rows as usize);
        let head = if names { in_encoding(layout.encoding, &format!("{lines}c0,c1,c2\n")) } else { Vec::new() };
        let file = [head, file].concat();
        let contract = columns(&TYPES);
        let whole = read_in_chunks(&[&file], &layout, &contract, 1 << 20);
        let parts = read_in_chunks(&split(&file, &cuts), &layout, &contract, target_bytes);
        if let Ok((outcome, _)) = &whole {
            prop_assert_eq!(outcome.rows as usize, outcome.good.len() + outcome.bad.len());
        }
        prop_assert_eq!(whole, parts);
    }

    #[test]
    fn every_encoding_gives_the_rows_that_were_written(
        table in table(),
        layout in layout(),
        cuts in prop::collection::vec(0_usize..100, 0..6),
        target_bytes in 1_usize..200,
    ) {
        // é stands in these; a mark only in those that are Unicode.
        let encoding = layout.encoding;
        prop_assume!(encoding != WINDOWS_1253 && encoding != SHIFT_JIS);
        let begins_with_mark = table.begins_with_mark && encoding != WINDOWS_1252;
        let rows = if layout.quote.is_some() { table.rows } else { Vec::new() };
        let table = Table { begins_with_mark, rows, ..table };

        let file = in_encoding(encoding, &table.text(&layout));
        let (outcome, _) = read_in_chunks(&split(&file, &cuts), &layout, &columns(&TYPES), target_bytes).unwrap();
        let mut expected = Outcome { rows: table.rows.len() as u32, ..Outcome::default() };
        let mut bad_rows = Vec::new();
        for (index, row) in (0..).zip(&table.rows) {
            let value = |cell: &String| (!cell.is_empty()).then(|| cell.clone().into_bytes());
            match row[1].parse::<i64>() {
                Ok(number) => {
                    let number = Some(number.to_string().into_bytes());
                    expected.good.push((index, vec![value(&row[0]), number, value(&row[2])]));
                }
                Err(_) => bad_rows.push(index),
            }
        }
        prop_assert_eq!(outcome.rows, expected.rows);
        prop_assert_eq!(outcome.bad.iter().map(|(row, ..)| *row).collect::<Vec<u32>>(), bad_rows);
        prop_assert_eq!(outcome.good, expected.good);
    }

    #[test]
    fn no_bytes_make_it_panic(
        file in prop::collection::vec(any::<u8>(), 0..300), layout in layout(), target_bytes in 1_usize..100
    ) {
        let _ = read_in_chunks(&[&file], &layout, &columns(&TYPES), target_bytes);
    }
}

#[test]
fn a_chunk_of_very_short_rows_has_a_limit() {
    let text = format!("a,b\n{}\"x\ny\",z\n", "1\n".repeat(3 * MAX_CHUNK_ROWS));
    let contract = [Column::new("a", ColumnType::String), Column::new("b", ColumnType::String)];
    let layout = CsvLayout::default();
    let mut reader = ChunkReader::new(&layout, &contract, 1 << 20, 1 << 20);
    let mut rows = Vec::new();
    let mut out = |header: &Header, chunk: Bytes| {
        let decoder = Decoder::new(&layout, &ValueRules::of_csv(), header, &contract).unwrap();
        rows.push(decoder.decode(chunk).row_count as usize);
        Ok::<(), CsvError>(())
    };
    reader.push(text.as_bytes(), &mut out).unwrap();
    reader.finish(&mut out).unwrap();
    assert_eq!(rows.iter().sum::<usize>(), 3 * MAX_CHUNK_ROWS + 1);
    assert!(rows.iter().all(|rows| *rows <= MAX_CHUNK_ROWS + 1), "{rows:?}");
}
