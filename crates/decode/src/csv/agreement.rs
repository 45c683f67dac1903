//! Properties of cutter, header and decoder together: however a file arrives and however it is cut, the same rows come
//! out, the good ones and the bad ones; and what is well formed is read as the `csv` crate reads it.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::columns::{DecodedChunk, Values};
use crate::contract::{Column, ColumnType, ValueRules};

const TYPES: [ColumnType; 3] = [ColumnType::String, ColumnType::Int64, ColumnType::String];

pub(super) fn columns(types: &[ColumnType]) -> Vec<Column> {
    let column = |(index, &column_type): (usize, &ColumnType)| {
        let name = format!("c{index}");
        Column::new(name, column_type)
    };
    types.iter().enumerate().map(column).collect()
}

/// Everything that a file comes to, with rows counted from its start.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Outcome {
    /// A good row's cells as text; `None` is null.
    pub good: Vec<(u32, Vec<Option<Vec<u8>>>)>,
    pub bad: Vec<(u32, Vec<u8>, String)>,
    pub rows: u32,
}

impl Outcome {
    pub fn add(&mut self, decoder: &Decoder, decoded: &DecodedChunk) {
        assert!(decoded.columns.iter().all(|column| column.values.len() == decoded.good_row_count()));
        for index in 0..decoded.good_row_count() {
            let cells = decoded.columns.iter().map(|column| {
                let text = match &column.values {
                    Values::String { views, unescaped } => {
                        let text = views[index].text(&decoded.bytes, unescaped).into_owned();
                        assert!(std::str::from_utf8(&text).is_ok());
                        text
                    }
                    Values::Int64(values) => values[index].to_string().into_bytes(),
                    other => panic!("no such column here: {other:?}"),
                };
                (!column.is_null(index)).then_some(text)
            });
            self.good.push((self.rows + decoded.row_of(index), cells.collect()));
        }
        let bad_rows: Vec<u32> = decoded.bad.iter().map(|bad| bad.row).collect();
        let raw = decoder.raw_rows(&decoded.bytes, &bad_rows);
        for (bad, raw) in decoded.bad.iter().zip(raw) {
            assert_eq!(bad.raw, raw);
            self.bad.push((self.rows + bad.row, raw, bad.reason.clone()));
        }
        self.rows += decoded.row_count;
    }
}

/// A file whose header is left out: `types.len()` columns.
fn decode(pushes: &[&[u8]], layout: &CsvLayout, nulls: &[&str], types: &[ColumnType], target_bytes: usize) -> Outcome {
    let columns = columns(types);
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let (header, _) = Header::read(&CsvLayout::default(), names.join(",").as_bytes()).unwrap();
    let null_values = nulls.iter().map(|null| (*null).to_owned()).collect();
    let rules = ValueRules { null_values, ..ValueRules::default() };
    let decoder = Decoder::new(layout, &rules, &header, &columns).unwrap();
    let mut outcome = Outcome::default();
    let mut cutter = RowCutter::new(layout, target_bytes, DEFAULT_MAX_ROW_BYTES);
    let mut out = |chunk: Bytes| {
        outcome.add(&decoder, &decoder.decode(chunk));
        Ok::<(), CsvError>(())
    };
    for push in pushes {
        cutter.push(push, &mut out).unwrap();
    }
    cutter.finish(&mut out).unwrap();
    outcome
}

/// Pieces of which most things that go wrong in a file can be put together.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let pieces: [&[u8]; 20] = [
        b"\"",
        b"\"",
        b"\"\"",
        b",",
        b",",
        b"\n",
        b"\r\n",
        b"\r",
        b"\n\n",
        b"12",
        b"x",
        b"\"a, long \"\"quoted\"\" cell\"",
        b"a cell of more than twelve bytes",
        b"1,2,3\n",
        b"\"7\",8,9\r\n",
        b",\"\",\n",
        b"\xff",
        "ü".as_bytes(),
        b"a,\"b\nc\",d\n",
        b"NA",
    ];
    prop_oneof![
        9 => prop::sample::select(pieces.map(<[u8]>::to_vec).to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ]
}

pub(super) fn file() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(piece(), 0..60).prop_map(|pieces| pieces.concat())
}

fn layout() -> impl Strategy<Value = CsvLayout> {
    let layout = |(delimiter, quote)| CsvLayout { delimiter, quote, ..CsvLayout::default() };
    let layouts = (0_u8..128, prop::option::of(0_u8..128)).prop_map(layout);
    layouts.prop_filter("files can be read under it", |layout| layout.check().is_ok())
}

pub(super) fn split<'a>(file: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = file;
    let mut pushes = Vec::new();
    for cut in cuts {
        let (left, right) = rest.split_at((*cut).min(rest.len()));
        pushes.push(left);
        rest = right;
    }
    pushes.push(rest);
    pushes
}

/// The grammar of the module's documentation, read aloud: the rows of a file as raw bytes and cells, where a cell is
/// its text, whether it was quoted, and whether it is whole.
#[expect(clippy::type_complexity, reason = "a reference for one test")]
fn read_slowly(file: &[u8]) -> Vec<(Vec<u8>, Vec<(Vec<u8>, bool, bool)>)> {
    let mut rows = Vec::new();
    let mut at = 0;
    while at < file.len() {
        let start = at;
        let mut cells = Vec::new();
        let end = loop {
            let mut text = Vec::new();
            let (mut quoted, mut whole) = (false, true);
            if file.get(at) == Some(&b'"') {
                (quoted, whole) = (true, false);
                at += 1;
                while at < file.len() {
                    if file[at] != b'"' {
                        text.push(file[at]);
                    } else if file.get(at + 1) == Some(&b'"') {
                        text.push(b'"');
                        at += 1;
                    } else {
                        whole = true;
                        at += 1;
                        break;
                    }
                    at += 1;
                }
            }
            let closed = at;
            while at < file.len() && file[at] != b',' && file[at] != b'\n' {
                at += 1;
            }
            let mut end = at;
            if file.get(at) == Some(&b'\n') && end > closed && file[end - 1] == b'\r' {
                end -= 1;
            }
            if quoted {
                whole &= end == closed;
            } else {
                text = file[closed..end].to_vec();
            }
            cells.push((text, quoted, whole));
            at += 1;
            if file.get(at - 1) != Some(&b',') {
                break end;
            }
        };
        if end > start {
            rows.push((file[start..end].to_vec(), cells));
        }
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_cut_gives_the_same_rows(
        file in file(),
        cuts in prop::collection::vec(0_usize..200, 0..8),
        target_bytes in 1_usize..400,
    ) {
        let layout = CsvLayout::default();
        for nulls in ["", "NA"] {
            let whole = decode(&[&file], &layout, &[nulls], &TYPES, 1 << 20);
            prop_assert_eq!(&whole, &decode(&split(&file, &cuts), &layout, &[nulls], &TYPES, target_bytes));
            prop_assert_eq!(whole.rows as usize, whole.good.len() + whole.bad.len());
        }
    }

    #[test]
    fn chunks_do_not_depend_on_how_the_bytes_were_pushed(
        file in file(),
        cuts in prop::collection::vec(0_usize..200, 0..8),
        target_bytes in 1_usize..400,
    ) {
        let cut = |pushes: &[&[u8]]| {
            let mut chunks = Vec::new();
            let mut out = |chunk: Bytes| {
                chunks.push(chunk);
                Ok::<(), CsvError>(())
            };
            let mut cutter = RowCutter::new(&CsvLayout::default(), target_bytes, DEFAULT_MAX_ROW_BYTES);
            pushes.iter().try_for_each(|push| cutter.push(push, &mut out)).unwrap();
            cutter.finish(&mut out).unwrap();
            chunks
        };
        let chunks = cut(&[&file]);
        prop_assert_eq!(&chunks, &cut(&split(&file, &cuts)));
        prop_assert_eq!(chunks.concat(), file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&file));
    }

    #[test]
    fn every_row_is_what_the_grammar_says(file in file()) {
        prop_assume!(!file.starts_with(b"\xef\xbb\xbf"));
        let types = [ColumnType::String; 3];
        let outcome = decode(&[&file], &CsvLayout::default(), &[""], &types, 64);
        let mut expected = Outcome::default();
        for (row, (raw, cells)) in (0..).zip(read_slowly(&file)) {
            let fits = |(text, _, whole): &(Vec<u8>, bool, bool)| *whole && std::str::from_utf8(text).is_ok();
            if cells.len() == types.len() && cells.iter().all(fits) {
                let value = |(text, quoted, _): (Vec<u8>, bool, bool)| (quoted || !text.is_empty()).then_some(text);
                expected.good.push((row, cells.into_iter().map(value).collect()));
            } else {
                expected.bad.push((row, raw, String::new()));
            }
            expected.rows += 1;
        }
        prop_assert_eq!(&outcome.good, &expected.good);
        let without_reason = |bad: &[(u32, Vec<u8>, String)]| -> Vec<(u32, Vec<u8>)> {
            bad.iter().map(|(row, raw, _)| (*row, raw.clone())).collect()
        };
        prop_assert_eq!(without_reason(&outcome.bad), without_reason(&expected.bad));
    }

    #[test]
    fn no_bytes_make_it_panic(
        file in prop::collection::vec(any::<u8>(), 0..300),
        layout in layout(),
        column_count in 1_usize..4,
    ) {
        let _ = Header::read(&layout, &file);
        decode(&[&file], &layout, &[], &TYPES[..column_count], 50);
    }

    #[test]
    fn what_is_well_formed_is_read_as_the_csv_crate_reads_it(
        rows in prop::collection::vec(prop::collection::vec("[a-c\",\n\r ü]{0,20}", 3), 0..20),
        quote_always: bool,
        crlf: bool,
        target_bytes in 1_usize..300,
    ) {
        let mut writer = csv::WriterBuilder::new()
            .quote_style(if quote_always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary })
            .terminator(if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') })
            .from_writer(Vec::new());
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let file = writer.into_inner().unwrap();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&file[..]);
        let theirs: Vec<Vec<Vec<u8>>> =
            reader.byte_records().map(|row| row.unwrap().iter().map(<[u8]>::to_vec).collect()).collect();

        let outcome = decode(&[&file], &CsvLayout::default(), &[""], &[ColumnType::String; 3], target_bytes);
        prop_assert_eq!(outcome.bad, []);
        let ours: Vec<Vec<Vec<u8>>> =
            outcome.good.into_iter().map(|(_, row)| row.into_iter().map(Option::unwrap_or_default).collect()).collect();
        prop_assert_eq!(ours, theirs);
    }
}
