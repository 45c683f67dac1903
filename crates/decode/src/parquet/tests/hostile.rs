//! Files that lie, end early, or were damaged on their way: refused in words, never with a panic.

use std::ops::Range;

use parquet::basic::{ConvertedType, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType};

use super::by_hand::{Thrift, chunk_metadata, data_header, file_of, file_of_page, group_of, numbers, schema_of_c};
use super::*;

fn refusal(file: impl Into<Bytes>) -> String {
    read(&file.into(), &[column("c", ColumnType::Int64)]).unwrap_err().to_string()
}

#[test]
fn a_file_made_by_hand_is_read() {
    let body = [&[2, 0, 0, 0, 4, 1][..], &7_i64.to_le_bytes(), &8_i64.to_le_bytes()].concat();
    let file = file_of_page(data_header(body.len() as i64, body.len() as i64, 2, 0), &body, 2);
    assert_eq!(read_column(&file, "c", ColumnType::Int64), [7, 8].map(Cell::Int));
}

#[test]
fn what_is_no_parquet_is_said_to_be_none() {
    assert_eq!(refusal(&b""[..]), "the file is no Parquet: it is too short");
    assert_eq!(
        refusal(&b"time,carrier\n2013-01-01,UA\n"[..]),
        "the file is no Parquet: it does not end with `PAR1`, and may have been cut off"
    );
    let mut encrypted = numbers().to_vec();
    let end = encrypted.len();
    encrypted[end - 4..].copy_from_slice(b"PARE");
    assert_eq!(refusal(encrypted), "the file is encrypted; ask for the file without Parquet's encryption");
    let mut longer = numbers().to_vec();
    longer[end - 8..end - 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(refusal(longer).starts_with("the file is damaged: footer: claims 4294967295 bytes in a file of "));
    assert_eq!(refusal(&b"PAR1\x05\0\0\0PAR1"[..]), "the file is damaged: footer: claims 5 bytes in a file of 12");
    assert_eq!(refusal(&b"PAR1\0\0\0\0PAR1"[..]), "the file is damaged: footer: ends early");
}

#[test]
fn a_huge_footer_is_not_read() {
    struct Huge;
    impl RangeSource for Huge {
        fn size_bytes(&self) -> u64 {
            1 << 40
        }
        fn read(&self, range: Range<u64>) -> Result<Bytes, SourceError> {
            assert!(range.end - range.start <= 64 << 10, "only the tail is read");
            let mut end = vec![0; (range.end - range.start) as usize];
            let length = end.len();
            end[length - 8..length - 4].copy_from_slice(&(1_u32 << 30).to_le_bytes());
            end[length - 4..].copy_from_slice(b"PAR1");
            Ok(end.into())
        }
    }
    let error = ParquetFile::open(Arc::new(Huge)).err().unwrap().to_string();
    assert_eq!(error, "footer: takes 1073741824 bytes, more than the 67108864 that are read");
}

#[test]
fn schemas_that_lie_are_refused() {
    let refuse = |schema| refusal(file_of(&[], schema, Vec::new(), 0));
    let root = |children| Thrift::default().text(4, "schema").int(1, children);
    assert_eq!(refuse(vec![]), "the file is damaged: footer: it has no schema");
    assert_eq!(refuse(vec![root(i64::from(i32::MAX))]), "the file is damaged: footer: the schema ends early");
    assert_eq!(refuse(vec![root(-1)]), "the file is damaged: footer: the schema is not readable");
    assert_eq!(refuse(vec![root(0), root(0)]), "the file is damaged: footer: the schema has nodes below none");
    let deep = (0..50_000).map(|_| root(1)).collect();
    assert_eq!(refuse(deep), "footer: the schema is deeper than 64 levels");
    let wide = (0..100_000).map(|_| root(0)).collect();
    assert_eq!(refuse(wide), "footer: the schema has 100000 nodes, too many to read");
    let twice = vec![root(2), Thrift::default().int(1, 2).text(3, "c"), Thrift::default().int(1, 2).text(3, "c")];
    assert_eq!(refuse(twice), "the file's schema names `c` more than once");
}

#[test]
fn row_groups_that_lie_are_refused() {
    let refuse = |metadata, rows| refusal(file_of(&[0; 100], schema_of_c(), vec![group_of(metadata, rows)], rows));
    assert_eq!(
        refuse(chunk_metadata(0, 3, 50, 4), 2),
        "the file is damaged: row group 1: a column has not as many values as rows"
    );
    for (length, start) in [(101, 4), (-1, 4), (50, -4), (i64::MAX, i64::MAX)] {
        assert_eq!(
            refuse(chunk_metadata(0, 2, length, start), 2),
            "the file is damaged: row group 1: a column's pages lie outside the file"
        );
    }
    assert_eq!(
        refuse(chunk_metadata(3, 2, 50, 4), 2),
        "row group 1, column `c`: is compressed by LZO, which is not read; ask for zstd or snappy"
    );
    assert_eq!(refuse(chunk_metadata(0, 0, 50, 4), i64::MAX), "footer: claims more than 1099511627776 rows");
    let file = file_of(&[0; 9], schema_of_c(), vec![Thrift::default().int(3, 2)], 2);
    assert_eq!(refusal(file), "the file is damaged: row group 1: has fewer columns than the schema");
    let groups = (0..300_000).map(|_| Thrift::default().int(3, 0)).collect();
    assert_eq!(
        refusal(file_of(&[], schema_of_c(), groups, 0)),
        "footer: 300000 row groups are more than the 200000 that are read"
    );
}

#[test]
fn pages_that_lie_are_refused_before_they_are_made() {
    let refuse = |header, body: &[u8]| refusal(file_of_page(header, body, 4));
    let page = "row group 1, column `c`, page 1";
    assert_eq!(
        refuse(data_header(1 << 30, 8, 4, 0), &[0; 8]),
        format!("{page}: a page of 1073741824 bytes is more than the 134217728 that are read; ask for smaller pages")
    );
    for (header, body, what) in [
        (data_header(8, -8, 4, 0), &[0; 8][..], "its header names no size"),
        (data_header(8, 9, 4, 0), &[0; 8], "is cut off"),
        (data_header(8, 8, 5, 0), &[0; 8], "has more values than its row group has rows"),
        (data_header(8, 8, -1, 0), &[0; 8], "its header is incomplete"),
        (data_header(8, 8, 4, 0), &[9, 0, 0, 0, 8, 1, 0, 0], "its levels are longer than itself"),
        (data_header(2, 2, 4, 0), &[0; 2], "its levels are longer than itself"),
        (data_header(8, 8, 4, 0), &[2, 0, 0, 0, 8, 1, 0, 0], "its values end early"),
        (data_header(8, 8, 4, 0), &[1, 0, 0, 0, 8, 0, 0, 0], "runs of numbers end early"),
        (data_header(8, 8, 4, 8), &[2, 0, 0, 0, 8, 1, 1, 0], "it needs a dictionary, and there is none"),
        (data_header(8, 8, 4, 8), &[2, 0, 0, 0, 8, 1, 33, 0], "numbers of 33 bits are too wide"),
        (Thrift::default().int(1, 9).int(1, 8).int(1, 8), &[0; 8], "its header is of no known kind"),
        (Thrift(vec![0x1f]), &[0; 8], "its header is not readable"),
        (Thrift::default(), &[], "its header names no size"),
    ] {
        assert_eq!(refuse(header, body), format!("the file is damaged: {page}: {what}"));
    }
    for (encoding, what) in [
        (4, "is in the encoding BIT_PACKED, which is not read"),
        (10, "is in the encoding ALP, which is not read"),
        (77, "is in an encoding that is not read (number 77)"),
    ] {
        assert_eq!(refuse(data_header(8, 8, 4, encoding), &[2, 0, 0, 0, 8, 1, 0, 0]), format!("{page}: {what}"));
    }
    let levels = Thrift::default().int(1, 4).int(1, 0).int(1, 4).int(1, 0).int(1, i64::from(i32::MAX)).int(1, 9);
    let header = Thrift::default().int(1, 3).int(1, 8).int(1, 8).structure(5, levels);
    assert_eq!(refuse(header, &[0; 8]), format!("the file is damaged: {page}: its levels are longer than itself"));
    let entries = Thrift::default().int(1, 1 << 30).int(1, 0);
    let header = Thrift::default().int(1, 2).int(1, 8).int(1, 8).structure(4, entries);
    assert_eq!(
        refuse(header, &[0; 8]),
        format!(
            "{page}: a dictionary of 1073741824 entries in 8 bytes is more than the 4194304 in 67108864 that are read; \
             ask for the column without dictionary"
        )
    );
    let missing = file_of(&[], schema_of_c(), vec![group_of(chunk_metadata(0, 2, 0, 4), 2)], 2);
    assert_eq!(refusal(missing), format!("the file is damaged: {page}: is missing: there are fewer values than rows"));
}

#[test]
fn a_few_bytes_that_claim_many_nulls_are_read_in_chunks() {
    let rows = i64::from(i32::MAX);
    // One run of zeros.
    let body = [&[6, 0, 0, 0][..], &Thrift::default().varint(u64::from(u32::MAX) - 1).0[..], &[0]].concat();
    let file = file_of_page(data_header(10, 10, rows, 0), &body, rows);
    let file = open(file).unwrap();
    let decoder = file.decoder(&ValueRules::default(), &[column("c", ColumnType::Int64)]).unwrap();
    let mut reader = decoder.group(0).unwrap();
    for number in 0..3 {
        let chunk = reader.next_chunk().unwrap().unwrap();
        assert_eq!((chunk.number, chunk.decoded.row_count as usize), (number, CHUNK_ROWS));
    }
}

#[test]
fn a_long_dictionary_text_in_many_bad_rows_is_not_copied_whole_into_each() {
    let long = "ü".repeat(50_000);
    let rows = vec![vec![Some(ByteArray::from(long.as_str())); 1500]];
    let utf8 = |field: Field| field.with_converted_type(ConvertedType::UTF8);
    let file = crate_file::<ByteArrayType>(WriterProperties::default(), PhysicalType::BYTE_ARRAY, utf8, &rows);
    let named = |name: &str, column_type| Column { from: "c".to_owned(), ..column(name, column_type) };
    let columns = [named("number", ColumnType::Int64), named("text", ColumnType::String)];
    let chunks = read_chunks(&file, &ValueRules::default(), &columns).unwrap();
    let bad: Vec<_> = chunks.iter().flat_map(|chunk| &chunk.decoded.bad).collect();
    assert_eq!(bad.len(), 1500);
    assert!(bad[0].raw.starts_with("{\"c\":\"üü".as_bytes()) && bad[0].raw.ends_with("ü…\"}".as_bytes()));
    assert!(bad[1499].raw.starts_with("{\"c\":\"…\",\"c\":\"ü".as_bytes()));
    assert!(bad.iter().map(|bad| bad.raw.len()).sum::<usize>() < 2 * CHUNK_TEXT_BYTES);
}

#[test]
fn damage_is_seen_by_the_checksum() {
    let body = [&[2, 0, 0, 0, 4, 1][..], &7_i64.to_le_bytes(), &8_i64.to_le_bytes()].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&body);
    let header = |crc: u32| {
        let data = Thrift::default().int(1, 2).int(1, 0).int(1, 3).int(1, 3);
        let length = body.len() as i64;
        Thrift::default().int(1, 0).int(1, length).int(1, length).int(1, i64::from(crc as i32)).structure(1, data)
    };
    let file = file_of_page(header(crc.sum()), &body, 2);
    assert_eq!(read_column(&file, "c", ColumnType::Int64), [7, 8].map(Cell::Int));
    assert_eq!(
        refusal(file_of_page(header(crc.sum() ^ 1), &body, 2)),
        "the file is damaged: row group 1, column `c`, page 1: its bytes do not agree with its checksum"
    );
}

/// Gives the file, and fails from some read on.
struct Superseded {
    file: Bytes,
    reads: std::sync::atomic::AtomicUsize,
    good_reads: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("412: the blob was superseded")]
struct PreconditionFailed;

impl RangeSource for Superseded {
    fn size_bytes(&self) -> u64 {
        self.file.len() as u64
    }

    fn read(&self, range: Range<u64>) -> Result<Bytes, SourceError> {
        if self.reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= self.good_reads {
            return Err(Box::new(PreconditionFailed));
        }
        self.file.read(range)
    }
}

#[test]
fn the_sources_own_error_comes_through() {
    for good_reads in 0..2 {
        let source = Superseded { file: numbers(), reads: 0.into(), good_reads };
        let outcome = ParquetFile::open(Arc::new(source)).and_then(|file| {
            let decoder = file.decoder(&ValueRules::default(), &[column("c", ColumnType::Int64)]).unwrap();
            decoder.group(0)?.next_chunk()
        });
        let Err(ParquetError::Source(error)) = outcome else { panic!("{outcome:?}") };
        assert!(error.downcast_ref::<PreconditionFailed>().is_some());
    }
}
