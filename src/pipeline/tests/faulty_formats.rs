//! Faulty formats, layouts and rules for values.

use super::{check_cases, faults};

/// The keys begin on line 4.
fn faults_of_csv(keys: &str) -> String {
    faults(&format!("[[feed]]\nname = \"f\"\nformat = \"csv\"\n{keys}\n[feed.columns]\na = \"int64\"\n"))
}

fn faults_of_format(format: &str) -> String {
    faults(&format!("[[feed]]\nname = \"f\"\nformat = {format}\n[feed.columns]\na = \"int64\"\n"))
}

#[test]
fn an_unknown_format_leads_to_one_of_ours() {
    let cases = [
        (r#""cvs""#, "pipeline.toml:3: feed `f`: unknown format `cvs`; did you mean `csv`?"),
        (r#""Parquet""#, "pipeline.toml:3: feed `f`: unknown format `Parquet`; did you mean `parquet`?"),
        (r#""avro""#, "pipeline.toml:3: feed `f`: unknown format `avro`; write `csv`, `ndjson` or `parquet`"),
        (
            r#""json""#,
            r#"pipeline.toml:3: feed `f`: unknown format `json`; write `format = "ndjson"`: an object in each line; an array around all of them is not read"#,
        ),
        (
            r#""jsonl""#,
            r#"pipeline.toml:3: feed `f`: unknown format `jsonl`; write `format = "ndjson"`, which is another name for the same"#,
        ),
        (
            r#""tsv""#,
            r#"pipeline.toml:3: feed `f`: unknown format `tsv`; write `format = "csv"` and `delimiter = "\t"`"#,
        ),
        (
            r#""xlsx""#,
            "pipeline.toml:3: feed `f`: unknown format `xlsx`; ask the partner for CSV, which Excel writes too",
        ),
        (
            r#""csv.gz""#,
            r#"pipeline.toml:3: feed `f`: unknown format `csv.gz`; write `format = "csv"`: compression is told by each file's name"#,
        ),
        (
            r#""ndjson.zst""#,
            r#"pipeline.toml:3: feed `f`: unknown format `ndjson.zst`; write `format = "ndjson"`: compression is told by each file's name"#,
        ),
        (
            r#"["csv"]"#,
            r#"pipeline.toml:3: feed `f`: `format` must be a string, but an array stands here; write `format = "csv"`"#,
        ),
    ];
    check_cases(&cases, faults_of_format);
}

#[test]
fn a_faulty_layout_says_what_to_write_instead() {
    let cases = [
        (
            r#"encoding = "utf-16-le""#,
            "pipeline.toml:4: feed `f`: unknown encoding `utf-16-le`; did you mean `utf-16le`?",
        ),
        (
            r#"encoding = "ebcdic""#,
            "pipeline.toml:4: feed `f`: unknown encoding `ebcdic`; write a name that browsers know, such as `utf-8`, `utf-16le`, `windows-1252` or `iso-8859-15`",
        ),
        (
            r#"encoding = "UTF-8-BOM""#,
            r#"pipeline.toml:4: feed `f`: unknown encoding `UTF-8-BOM`; write `encoding = "utf-8"`: a byte order mark at the beginning is dropped"#,
        ),
        (
            r#"encoding = "ANSI""#,
            "pipeline.toml:4: feed `f`: unknown encoding `ANSI`; write the code page of the system that writes the file, mostly `windows-1252`",
        ),
        (
            r#"encoding = "iso-2022-kr""#,
            "pipeline.toml:4: feed `f`: encoding `iso-2022-kr` is not read; ask the partner for UTF-8",
        ),
        (
            "encoding = 1252",
            r#"pipeline.toml:4: feed `f`: `encoding` must be a string, but a whole number stands here; write `encoding = "utf-16le"`"#,
        ),
        (
            r#"header = "no""#,
            "pipeline.toml:4: feed `f`: `header` must be true or false, but a string stands here; write `header = false`",
        ),
        (
            "skip_rows = -1",
            "pipeline.toml:4: feed `f`: `skip_rows` is -1, but must be 0 to 1000000; write how many lines there are that hold no row",
        ),
        (
            "skip_rows = 1.5",
            "pipeline.toml:4: feed `f`: `skip_rows` must be a whole number, but a decimal number stands here; write `skip_rows = 1`",
        ),
        (
            "skip_footer = 5000",
            "pipeline.toml:4: feed `f`: `skip_footer` is 5000, but must be 0 to 1000; write how many lines there are that hold no row",
        ),
        (
            r#"delimiter = "ab""#,
            r#"pipeline.toml:4: feed `f`: `delimiter` must be one ASCII character, and no letter, digit or line end; write `delimiter = ";"`"#,
        ),
        (
            r#"delimiter = """#,
            r#"pipeline.toml:4: feed `f`: `delimiter` must be one ASCII character, and no letter, digit or line end; write `delimiter = ";"`"#,
        ),
        (
            r#"quote = "''""#,
            r#"pipeline.toml:4: feed `f`: `quote` must be one ASCII character, and no letter, digit or line end; write `quote = "'"`"#,
        ),
        (
            r#"quote = false"#,
            r#"pipeline.toml:4: feed `f`: `quote` must be a string, but a boolean stands here; write `quote = "'"`"#,
        ),
        (
            r#"delimiter = "'"
quote = "'""#,
            r#"pipeline.toml:5: feed `f`: `delimiter` and `quote` are the same character; they must differ: leave one out to have `,` and `"`, or write `quote = ""` where no cell is quoted"#,
        ),
        (
            r#"header = false
unknown_columns = "reject""#,
            "pipeline.toml:5: feed `f`: `unknown_columns` is about a header's names, and `header = false` says that there are none; leave it out: a row with another number of cells is bad",
        ),
        (
            r#"encoding = "utf-61le"
skip_rows = "one"
delimiter = "\n"
quote = "q"
decimal_separator = ";"
timezone = "CEST""#,
            "pipeline.toml:4: feed `f`: unknown encoding `utf-61le`; did you mean `utf-16le`?
pipeline.toml:5: feed `f`: `skip_rows` must be a whole number, but a string stands here; write `skip_rows = 1`
pipeline.toml:6: feed `f`: `delimiter` must be one ASCII character, and no letter, digit or line end; write `delimiter = \";\"`
pipeline.toml:7: feed `f`: `quote` must be one ASCII character, and no letter, digit or line end; write `quote = \"'\"`
pipeline.toml:8: feed `f`: `decimal_separator` is `;`, but only a point or a comma can be one; write `decimal_separator = \",\"` for 1,5 or leave it out for 1.5
pipeline.toml:9: feed `f`: unknown timezone `CEST`; write a name of the IANA database, such as `Europe/Berlin`, `America/New_York` or `UTC`",
        ),
    ];
    check_cases(&cases, faults_of_csv);
}

#[test]
fn a_faulty_rule_for_values_says_what_to_write_instead() {
    let cases = [
        (
            r#"null_values = "NA""#,
            r#"pipeline.toml:4: feed `f`: `null_values` must be an array of strings, but a string stands here; write `null_values = ["NA"]`"#,
        ),
        (
            r#"null_values = ["NA", 0]"#,
            r#"pipeline.toml:4: feed `f`: `null_values` must be an array of strings, but a whole number stands here; write `null_values = ["NA"]`"#,
        ),
        (
            r#"decimal_separator = ",""#,
            r#"pipeline.toml:4: feed `f`: `decimal_separator` and `delimiter` are the same character; write the `delimiter` that parts the cells, mostly `delimiter = ";"`"#,
        ),
        (
            r#"delimiter = ".""#,
            r#"pipeline.toml:4: feed `f`: `decimal_separator` and `delimiter` are the same character; write `decimal_separator = ","`, or another `delimiter`"#,
        ),
        (
            r#"quote = ".""#,
            r#"pipeline.toml:4: feed `f`: `decimal_separator` and `quote` are the same character; write another `quote`, or `quote = ""` where no cell is quoted"#,
        ),
        (
            r#"decimal_separator = "comma""#,
            r#"pipeline.toml:4: feed `f`: `decimal_separator` is `comma`, but only a point or a comma can be one; write `decimal_separator = ","` for 1,5 or leave it out for 1.5"#,
        ),
        (
            r#"timezone = "Europe/Belrin""#,
            "pipeline.toml:4: feed `f`: unknown timezone `Europe/Belrin`; did you mean `Europe/Berlin`?",
        ),
        (
            r#"timezone = "berlin""#,
            "pipeline.toml:4: feed `f`: unknown timezone `berlin`; did you mean `Europe/Berlin`?",
        ),
        (
            r#"timezone = "+02:00""#,
            r#"pipeline.toml:4: feed `f`: unknown timezone `+02:00`; write `timezone = "Etc/GMT-2"`, whose sign is the other way round"#,
        ),
        (
            r#"timezone = "W. Europe Standard Time""#,
            "pipeline.toml:4: feed `f`: unknown timezone `W. Europe Standard Time`; write a name of the IANA database, such as `Europe/Berlin`, `America/New_York` or `UTC`",
        ),
        (
            "timezone = 2",
            r#"pipeline.toml:4: feed `f`: `timezone` must be a string, but a whole number stands here; write `timezone = "Europe/Berlin"`"#,
        ),
    ];
    check_cases(&cases, faults_of_csv);
}

#[test]
fn a_key_that_means_nothing_for_a_format_says_why() {
    let keys = r#"
encoding = "utf-8"
header = true
skip_rows = 1
skip_footer = 1
delimiter = ","
quote = ""
decimal_separator = ","
null_values = ["NA"]
timezone = "Europe/Berlin"
unknown_columns = "reject"
curated = true"#;
    let cases = [
        (
            r#""ndjson""#,
            "pipeline.toml:4: feed `f`: `encoding` means nothing for NDJSON: JSON is always UTF-8; leave it out
pipeline.toml:5: feed `f`: `header` means nothing for NDJSON: every object names its values itself; leave it out
pipeline.toml:6: feed `f`: `skip_rows` means nothing for NDJSON: every line is an object; leave it out
pipeline.toml:7: feed `f`: `skip_footer` means nothing for NDJSON: every line is an object; leave it out
pipeline.toml:8: feed `f`: `delimiter` means nothing for NDJSON: JSON has its own; leave it out
pipeline.toml:9: feed `f`: `quote` means nothing for NDJSON: JSON has its own; leave it out
pipeline.toml:10: feed `f`: `decimal_separator` means nothing for NDJSON: JSON's numbers have a point; leave it out",
        ),
        (
            r#""parquet""#,
            "pipeline.toml:4: feed `f`: `encoding` means nothing for Parquet: its texts are always UTF-8; leave it out
pipeline.toml:5: feed `f`: `header` means nothing for Parquet: its schema names the columns; leave it out
pipeline.toml:6: feed `f`: `skip_rows` means nothing for Parquet: it holds rows and nothing else; leave it out
pipeline.toml:7: feed `f`: `skip_footer` means nothing for Parquet: it holds rows and nothing else; leave it out
pipeline.toml:8: feed `f`: `delimiter` means nothing for Parquet: its values are not parted by characters; leave it out
pipeline.toml:9: feed `f`: `quote` means nothing for Parquet: its values are not parted by characters; leave it out
pipeline.toml:10: feed `f`: `decimal_separator` means nothing for Parquet: its numbers are not text; leave it out",
        ),
    ];
    check_cases(&cases, |format| faults_of_format(&format!("{format}{keys}")));
}
