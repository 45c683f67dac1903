//! What the curated writer writes: read again by us and by the crate `parquet`.

use parquet::file::reader::{FileReader, SerializedFileReader};
use proptest::prelude::*;

use super::*;
use crate::builder::ColumnBuilder;
use crate::values::Form;

/// Columns of texts, in their forms, as a chunk.
fn chunk_of(columns: &[Column], rows: &[Vec<Option<String>>]) -> DecodedChunk {
    let forms: Vec<Form> = columns.iter().map(|column| Form::new(column, &ValueRules::default()).unwrap()).collect();
    let mut builders: Vec<ColumnBuilder> = forms.iter().map(|form| ColumnBuilder::new(form, rows.len())).collect();
    for row in rows {
        for (cell, builder) in row.iter().zip(&mut builders) {
            match cell {
                None => builder.push_null(),
                Some(text) => builder.push_unescaped(text.as_bytes()).unwrap(),
            }
        }
    }
    let columns = builders.into_iter().map(ColumnBuilder::finish).collect();
    DecodedChunk {
        bytes: Bytes::new(),
        row_count: rows.len() as u32,
        columns,
        bad: Vec::new(),
        unknown_keys: Vec::new(),
    }
}

fn write(columns: &[Column], chunks: &[&DecodedChunk]) -> (Bytes, Written) {
    let mut file = Vec::new();
    let mut writer = CuratedWriter::new(&mut file, columns).unwrap();
    for chunk in chunks {
        writer.add(chunk, &vec![true; chunk.good_row_count()]).unwrap();
    }
    let written = writer.finish().unwrap();
    assert_eq!(written.size_bytes, file.len() as u64);
    (file.into(), written)
}

fn all_types() -> Vec<Column> {
    vec![
        column("s", ColumnType::String),
        column("j", ColumnType::Json),
        column("i", ColumnType::Int64),
        column("f", ColumnType::Float64),
        column("d9", decimal(9, 2)),
        column("d38", decimal(38, 10)),
        column("b", ColumnType::Bool),
        column("day", ColumnType::Date),
        column("t", ColumnType::Timestamp),
    ]
}

fn row() -> impl Strategy<Value = Vec<Option<String>>> {
    let date = (1_i32..=9999, 1_u32..=12, 1_u32..=28).prop_map(|(y, m, d)| format!("{y:04}-{m:02}-{d:02}"));
    let time = (0_u32..24, 0_u32..60, 0_u32..60, 0_u32..1_000_000)
        .prop_map(|(h, m, s, micros)| format!("{h:02}:{m:02}:{s:02}.{micros:06}Z"));
    let cells: Vec<BoxedStrategy<String>> = vec![
        "\\PC{0,20}".boxed(),
        prop_oneof!["[0-9]{1,3}", Just("{\"a\": [1, null]}".to_owned())]
            .prop_filter("no zeros in front", |json| json == "0" || !json.starts_with('0'))
            .boxed(),
        any::<i64>().prop_map(|int| int.to_string()).boxed(),
        (proptest::num::f64::NORMAL | proptest::num::f64::ZERO).prop_map(|float| float.to_string()).boxed(),
        "-?[0-9]{1,7}\\.[0-9]{2}".boxed(),
        "-?[0-9]{1,28}\\.[0-9]{1,10}".boxed(),
        any::<bool>().prop_map(|value| value.to_string()).boxed(),
        date.clone().boxed(),
        (date, time).prop_map(|(date, time)| format!("{date} {time}")).boxed(),
    ];
    cells.into_iter().map(|cell| proptest::option::weighted(0.8, cell)).collect::<Vec<_>>()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn typed_rows_come_back(rows in proptest::collection::vec(row(), 0..40), cut in 0_usize..40) {
        let columns = all_types();
        let whole = chunk_of(&columns, &rows);
        let expected: Vec<Vec<Cell>> = whole.columns.iter().map(|column| cells_of(&whole, column)).collect();
        let (file, written) = write(&columns, &[&whole]);
        prop_assert_eq!(written.rows, rows.len() as u64);
        prop_assert_eq!(&read(&file, &columns).unwrap(), &expected);

        let (first, second) = rows.split_at(cut.min(rows.len()));
        let (again, _) = write(&columns, &[&chunk_of(&columns, first), &chunk_of(&columns, second)]);
        prop_assert_eq!(file, again, "the same rows make the same bytes");
    }
}

#[test]
fn only_the_rows_of_the_mask_are_kept() {
    let columns = [column("i", ColumnType::Int64), column("s", ColumnType::String)];
    let rows: Vec<Vec<Option<String>>> =
        (0..10).map(|index| vec![Some(index.to_string()), (index != 4).then(|| format!("row {index}"))]).collect();
    let mut file = Vec::new();
    let mut writer = CuratedWriter::new(&mut file, &columns).unwrap();
    let keep: Vec<bool> = (0..10).map(|index| index % 2 == 0).collect();
    writer.add(&chunk_of(&columns, &rows), &keep).unwrap();
    assert_eq!(writer.finish().unwrap().rows, 5);
    let cells = read(&file.into(), &columns).unwrap();
    assert_eq!(cells[0], [0, 2, 4, 6, 8].map(Cell::Int));
    assert_eq!(cells[1], [text("row 0"), text("row 2"), Cell::Null, text("row 6"), text("row 8")]);
}

#[test]
fn row_groups_end_after_so_many_rows_and_so_much_text() {
    let numbers = [column("i", ColumnType::Int64)];
    let rows: Vec<Vec<Option<String>>> = (0..100_000).map(|index| vec![Some(index.to_string())]).collect();
    let chunk = chunk_of(&numbers, &rows);
    let (file, written) = write(&numbers, &[&chunk, &chunk, &chunk]);
    assert_eq!(written.rows, 300_000);
    let groups = open(file.clone()).unwrap().groups();
    assert_eq!(groups.iter().map(|group| group.row_count).collect::<Vec<_>>(), [131_072, 131_072, 37_856]);
    assert_eq!(groups[2].first_row, 262_144);
    let expected: Vec<Cell> = (0..3).flat_map(|_| (0..100_000).map(Cell::Int)).collect();
    assert_eq!(read(&file, &numbers).unwrap()[0], expected);
    let sizes: Vec<u32> = read_chunks(&file, &ValueRules::default(), &numbers)
        .unwrap()
        .iter()
        .map(|chunk| chunk.decoded.row_count)
        .collect();
    assert_eq!(sizes, [65_536, 65_536, 65_536, 65_536, 37_856]);

    let texts = [column("s", ColumnType::String)];
    let rows: Vec<Vec<Option<String>>> = (0..150).map(|index| vec![Some(format!("{index}").repeat(500_000))]).collect();
    let chunk = chunk_of(&texts, &rows);
    let (file, _) = write(&texts, &[&chunk]);
    assert!(open(file.clone()).unwrap().groups().len() > 1);
    let cells = read(&file, &texts).unwrap();
    assert!(cells[0].iter().zip(&rows).all(|(cell, row)| *cell == Cell::Text(row[0].clone().unwrap())));
    assert_eq!(cells[0].len(), rows.len());
}

#[test]
fn the_file_says_what_its_columns_mean() {
    let columns = all_types();
    let rows = vec![vec![None; columns.len()]; 3];
    let (file, _) = write(&columns, &[&chunk_of(&columns, &rows)]);
    let reader = SerializedFileReader::new(file).unwrap();
    let metadata = reader.metadata().file_metadata();
    assert_eq!(metadata.created_by(), Some(concat!("millrace ", env!("CARGO_PKG_VERSION"))));
    let mut schema = Vec::new();
    parquet::schema::printer::print_schema(&mut schema, metadata.schema());
    assert_eq!(
        String::from_utf8(schema).unwrap().trim(),
        "message curated {\n  OPTIONAL BYTE_ARRAY s (STRING);\n  OPTIONAL BYTE_ARRAY j (JSON);\n  OPTIONAL INT64 i;\n  \
         OPTIONAL DOUBLE f;\n  OPTIONAL INT64 d9 (DECIMAL(9,2));\n  OPTIONAL FIXED_LEN_BYTE_ARRAY (16) d38 \
         (DECIMAL(38,10));\n  OPTIONAL BOOLEAN b;\n  OPTIONAL INT32 day (DATE);\n  OPTIONAL INT64 t \
         (TIMESTAMP(MICROS,true));\n}"
    );
    let group = reader.metadata().row_group(0);
    assert!(group.columns().iter().all(|column| column.statistics().is_some()));
    assert!(group.columns().iter().all(|column| column.offset_index_offset().is_some()));
}

#[test]
fn a_file_without_rows_is_a_file() {
    let columns = all_types();
    let (file, written) = write(&columns, &[]);
    assert_eq!(written.rows, 0);
    assert_eq!(open(file.clone()).unwrap().row_count(), 0);
    assert_eq!(read(&file, &columns).unwrap(), vec![Vec::<Cell>::new(); 9]);
}

#[test]
fn a_sink_that_fails_is_named() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("disk full"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let outcome = CuratedWriter::new(Full, &all_types()).and_then(CuratedWriter::finish);
    assert!(matches!(outcome, Err(WriteError::Sink(error)) if error.to_string() == "disk full"));
}
