//! Faulty feeds: what is said about the file, its feeds and their rules.

use super::{FLIGHTS, check_cases, faults};

fn faults_of_feed(feed: &str) -> String {
    faults(&format!("{feed}\n[feed.columns]\na = \"int64\"\n"))
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
            "pipeline.toml:11: feed `flights`: `stream` must be a table, but an array stands here; write `[feed.stream]`",
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
format = "csv"
delimeter = ";""#,
            "pipeline.toml:4: feed `f`: unknown key `delimeter`; did you mean `delimiter`?",
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
curated = "yes""#,
            "pipeline.toml:4: feed `f`: `curated` must be true or false, but a string stands here; write `curated = true`",
        ),
        (
            r#"[[feed]]
name = "f"
format = "csv"
colour = "red""#,
            "pipeline.toml:4: feed `f`: unknown key `colour`; known here: `name`, `format`, `encoding`, `header`, `skip_rows`, `skip_footer`, `delimiter`, `quote`, `decimal_separator`, `null_values`, `timezone`, `max_reject_ratio`, `unknown_columns`, `curated`, `columns`, `rule`, `sftp` and `stream`",
        ),
    ];
    check_cases(&cases, faults_of_feed);
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
