//! Faulty feeds: what is said about the file, its feeds, their columns and rules.

use super::{FLIGHTS, check_cases, faults};

fn faults_of_feed(feed: &str) -> String {
    faults(&format!("{feed}\n[feed.columns]\na = \"int64\"\n"))
}

/// The columns begin on line 5.
fn faults_of_columns(columns: &str) -> String {
    faults(&format!("[[feed]]\nname = \"f\"\nformat = \"csv\"\n[feed.columns]\n{columns}"))
}

/// The rule begins on line 12.
fn faults_of_rule(rule: &str) -> String {
    faults(&format!("{FLIGHTS}[[feed.rule]]\n{rule}"))
}

#[test]
fn a_file_that_is_no_pipeline_says_so() {
    let cases = [
        ("", "pipeline.toml:1: no feed is declared; write a `[[feed]]` with `name`, `format` and `[feed.columns]`"),
        (
            "feed = 3",
            "pipeline.toml:1: `feed` must be an array of tables, but a whole number stands here; write `[[feed]]`",
        ),
        (
            r#"[feed]
name = "a""#,
            "pipeline.toml:1: `feed` must be an array of tables, but a table stands here; write `[[feed]]`",
        ),
        (
            r#"[[feed]
name = "a""#,
            "pipeline.toml:1: not TOML: unclosed array table, expected `]`; see https://toml.io for how it is written",
        ),
        (
            r#"[[feed]]
name = "a"
name = "b""#,
            "pipeline.toml:3: not TOML: duplicate key; see https://toml.io for how it is written",
        ),
        (
            r#"[[feed]]
name = "flights"
format = "csv"
[feed.columns]
time_hour = "timestamp"
carrier = "string"
dep_delay = "float64"
distance = "int64"
cancelled = "bool"
day = "int64"
[[sumary]]
table = "t""#,
            "pipeline.toml:11: unknown key `sumary`; did you mean `summary`?",
        ),
        (
            r#"[[feed]]
name = "flights"
format = "csv"
[feed.columns]
time_hour = "timestamp"
carrier = "string"
dep_delay = "float64"
distance = "int64"
cancelled = "bool"
day = "int64"
[[feed]]
name = "flights"
format = "csv"
[feed.columns]
time_hour = "timestamp"
carrier = "string"
dep_delay = "float64"
distance = "int64"
cancelled = "bool"
day = "int64"
"#,
            "pipeline.toml:11: feed `flights`: another feed has this name already, on line 1; names of feeds are unique: rename one, or join the two",
        ),
        (
            r#"[[feed]]
name = "flights"
format = "csv"
[feed.columns]
time_hour = "timestamp"
carrier = "string"
dep_delay = "float64"
distance = "int64"
cancelled = "bool"
day = "int64"
[[feed.stream]]
hub = "events""#,
            "pipeline.toml:11: feed `flights`: `stream` is not supported by this version yet; leave it out",
        ),
    ];
    check_cases(&cases, faults);
}

#[test]
fn a_faulty_feed_says_what_to_write_instead() {
    let cases = [
        (
            r#"[[feed]]
format = "csv""#,
            r#"pipeline.toml:1: feed number 1: `name` is missing; write `name = "flights"`"#,
        ),
        (
            r#"[[feed]]
name = 7
format = "csv""#,
            r#"pipeline.toml:2: feed number 1: `name` must be a string, but a whole number stands here; write `name = "flights"`"#,
        ),
        (
            r#"[[feed]]
name = "Flights"
format = "csv""#,
            "pipeline.toml:2: feed `Flights`: the name is not one that folders and SQL both take; begin with a-z, go on with a-z, 0-9 or _, at most 63 characters",
        ),
        (
            r#"[[feed]]
name = "order"
format = "csv""#,
            "pipeline.toml:2: feed `order`: `order` is a word of SQL, so that `FROM order` would not mean the feed; choose another name, such as `order_feed`",
        ),
        (
            r#"[[feed]]
name = "f""#,
            r#"pipeline.toml:1: feed `f`: `format` is missing; write `format = "csv"`"#,
        ),
        (
            r#"[[feed]]
name = "f"
format = "cvs""#,
            "pipeline.toml:3: feed `f`: unknown format `cvs`; did you mean `csv`?",
        ),
        (
            r#"[[feed]]
name = "f"
format = "xlsx""#,
            r#"pipeline.toml:3: feed `f`: unknown format `xlsx`; write `format = "csv"`"#,
        ),
        (
            r#"[[feed]]
name = "f"
format = "ndjson""#,
            r#"pipeline.toml:3: feed `f`: format `ndjson` is not supported by this version yet; write `format = "csv"`"#,
        ),
        (
            r#"[[feed]]
name = "f"
format = "csv"
delimeter = ";""#,
            "pipeline.toml:4: feed `f`: unknown key `delimeter`; did you mean `delimiter`?",
        ),
        (
            r#"[[feed]]
name = "f"
format = "csv"
delimiter = "ab""#,
            r#"pipeline.toml:4: feed `f`: `delimiter` must be one ASCII character, and no letter, digit or line end; write `delimiter = ";"`"#,
        ),
        (
            r#"[[feed]]
name = "f"
format = "csv"
quote = """#,
            r#"pipeline.toml:4: feed `f`: `quote` must be one ASCII character, and no letter, digit or line end; write `quote = "'"`"#,
        ),
        (
            r#"[[feed]]
name = "f"
format = "csv"
delimiter = "'"
quote = "'""#,
            r#"pipeline.toml:5: feed `f`: `delimiter` and `quote` are the same character; they must differ: leave one out to have `,` and `"`"#,
        ),
        (
            r#"[[feed]]
name = "f"
format = "csv"
null_values = "NA""#,
            r#"pipeline.toml:4: feed `f`: `null_values` must be an array of strings, but a string stands here; write `null_values = ["NA"]`"#,
        ),
        (
            r#"[[feed]]
name = "f"
format = "csv"
null_values = ["NA", 0]"#,
            r#"pipeline.toml:4: feed `f`: `null_values` must be an array of strings, but a whole number stands here; write `null_values = ["NA"]`"#,
        ),
        (
            r#"[[feed]]
name = "f"
format = "csv"
max_reject_ratio = 1.5"#,
            "pipeline.toml:4: feed `f`: `max_reject_ratio` is a share of the rows, from 0 to 1, and not 1.5; write `max_reject_ratio = 0.01` for one row in a hundred",
        ),
        (
            r#"[[feed]]
name = "f"
format = "csv"
max_reject_ratio = "1%""#,
            "pipeline.toml:4: feed `f`: `max_reject_ratio` must be a number, but a string stands here; write `max_reject_ratio = 0.01`",
        ),
        (
            r#"[[feed]]
name = "f"
format = "csv"
unknown_columns = "rejct""#,
            "pipeline.toml:4: feed `f`: `unknown_columns` cannot be `rejct`; did you mean `reject`?",
        ),
        (
            r#"[[feed]]
name = "f"
format = "csv"
encoding = "utf-16le""#,
            r#"pipeline.toml:4: feed `f`: `encoding` is not supported by this version yet; write `encoding = "utf-8"` or leave it out"#,
        ),
        (
            r#"[[feed]]
name = "f"
format = "csv"
header = false
skip_rows = 1
curated = true
timezone = "Europe/Berlin""#,
            r#"pipeline.toml:4: feed `f`: `header` is not supported by this version yet; write `header = true` or leave it out
pipeline.toml:5: feed `f`: `skip_rows` is not supported by this version yet; write `skip_rows = 0` or leave it out
pipeline.toml:6: feed `f`: `curated` is not supported by this version yet; write `curated = false` or leave it out
pipeline.toml:7: feed `f`: `timezone` is not supported by this version yet; write `timezone = "UTC"` or leave it out"#,
        ),
        (
            r#"[[feed]]
name = "f"
format = "csv"
colour = "red""#,
            "pipeline.toml:4: feed `f`: unknown key `colour`; known here: `name`, `format`, `delimiter`, `quote`, `null_values`, `max_reject_ratio`, `unknown_columns`, `columns`, `rule` and `sftp`",
        ),
    ];
    check_cases(&cases, faults_of_feed);
}

#[test]
fn a_faulty_column_says_what_to_write_instead() {
    let cases = [
        ("", r#"pipeline.toml:4: feed `f`: `[feed.columns]` is empty; write a line `name = "type"` for each column"#),
        (
            r#"dep_delay = "flaot64""#,
            "pipeline.toml:5: feed `f`, column `dep_delay`: unknown type `flaot64`; did you mean `float64`?",
        ),
        (
            r#"dep_delay = "Double""#,
            "pipeline.toml:5: feed `f`, column `dep_delay`: unknown type `Double`; did you mean `float64`?",
        ),
        (
            r#"a = "geometry""#,
            "pipeline.toml:5: feed `f`, column `a`: unknown type `geometry`; types are `string`, `int64`, `float64`, `bool`, `date` and `timestamp`",
        ),
        (
            r#"a = "decimal(18,2)""#,
            "pipeline.toml:5: feed `f`, column `a`: type `decimal(18,2)` is not supported by this version yet; use one of `string`, `int64`, `float64`, `bool`, `date` and `timestamp`",
        ),
        (
            r#"a = { type = "json" }"#,
            "pipeline.toml:5: feed `f`, column `a`: type `json` is not supported by this version yet; use one of `string`, `int64`, `float64`, `bool`, `date` and `timestamp`",
        ),
        (
            "a = 3",
            r#"pipeline.toml:5: feed `f`, column `a`: a type must stand here, but a whole number does; write `a = "string"`"#,
        ),
        (
            r#"a = { typ = "int64" }"#,
            r#"pipeline.toml:5: feed `f`, column `a`: unknown key `typ`; did you mean `type`?
pipeline.toml:5: feed `f`, column `a`: `type` is missing; write `type = "string"`"#,
        ),
        (
            r#"a = { type = "date", format = "%d.%m.%Y" }"#,
            "pipeline.toml:5: feed `f`, column `a`: `format` is not supported by this version yet; leave it out",
        ),
        (
            r#"a = { type = "int64", required = "no" }"#,
            "pipeline.toml:5: feed `f`, column `a`: `required` must be true or false, but a string stands here; write `required = false`",
        ),
        (
            r#"a = { type = "int64", from = "" }"#,
            "pipeline.toml:5: feed `f`, column `a`: `from` is empty; write the column's name in the header",
        ),
        (
            r#""Betrag (EUR)" = "float64""#,
            r#"pipeline.toml:5: feed `f`, column `Betrag (EUR)`: the name cannot be used in SQL: a name begins with a letter or _, goes on with letters, digits or _, and has at most 63 characters; choose such a name and write the header's as `from = "…"`"#,
        ),
        (
            r#"carrier = "string"
Carrier = "string""#,
            r#"pipeline.toml:6: feed `f`, column `Carrier`: differs from column `carrier` only in case, which SQL does not see; rename one and keep the header's name as `from = "…"`"#,
        ),
        (
            r#"a = { type = "int64", from = "x" }
b = { type = "int64", from = "x" }"#,
            "pipeline.toml:6: feed `f`, column `b`: the header's column `x` is taken by another column already; give each column a `from` of its own",
        ),
    ];
    check_cases(&cases, faults_of_columns);
}

#[test]
fn a_faulty_rule_says_what_to_write_instead() {
    let cases = [
        (
            r#"sql = "distance > 0""#,
            r#"pipeline.toml:11: feed `flights`, rule number 1: `name` is missing; write `name = "sane delay"`"#,
        ),
        (
            r#"name = "far""#,
            r#"pipeline.toml:11: feed `flights`, rule `far`: `sql` is missing; write `sql = "distance > 0"`"#,
        ),
        (
            r#"name = "far"
sql = "distnace > 0""#,
            "pipeline.toml:13: feed `flights`, rule `far`: unknown column `distnace`; did you mean `distance`?",
        ),
        (
            r#"name = "far"
sql = "distance >""#,
            "pipeline.toml:13: feed `flights`, rule `far`: the SQL cannot be parsed: expected: an expression, found: the end; look at its end",
        ),
        (
            r#"name = "far"
sql = "distance > 0 distance""#,
            "pipeline.toml:13: feed `flights`, rule `far`: the SQL cannot be parsed: expected: the end, found: distance; look at column 14 of the SQL's line",
        ),
        (
            r#"name = "far"
sql = "SUM(distance) > 0""#,
            "pipeline.toml:13: feed `flights`, rule `far`: aggregate `SUM` cannot stand inside a rule, which looks at one row at a time; write what must be true of each row by itself",
        ),
        (
            r#"name = "far"
sql = "distance > 0"
[[feed.rule]]
name = "far"
sql = "day > 0""#,
            "pipeline.toml:15: feed `flights`, rule `far`: another rule of this feed has this name, by which bad rows are told; give each rule a name of its own",
        ),
    ];
    check_cases(&cases, faults_of_rule);
}
