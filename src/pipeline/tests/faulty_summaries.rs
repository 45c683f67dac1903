//! Faulty `[[summary]]` tables whose SQL is in order.

use super::{FLIGHTS, check_cases, faults};

/// The summary begins on line 12.
fn faults_of_summary(summary: &str) -> String {
    faults(&format!("{FLIGHTS}[[summary]]\n{summary}"))
}

#[test]
fn a_faulty_summary_says_what_to_write_instead() {
    let cases = [
        (
            "feed = \"flights\"\nkey_length = { b = 1, a = 2 }\nsql = \"SELECT carrier, AVG(day) AS d FROM flights GROUP BY carrier\"",
            "pipeline.toml:11: summary number 1: `table` is missing; write `table = \"flight_days\"`\n\
             pipeline.toml:13: summary number 1: `key_length` names `a`, which is no output; outputs are `carrier` and `d`\n\
             pipeline.toml:13: summary number 1: `key_length` names `b`, which is no output; outputs are `carrier` and `d`\n\
             pipeline.toml:14: summary number 1: aggregate `AVG` cannot be merged over files; write `SUM(day) AS total` and \
             `COUNT(day) AS n`; divide where you read",
        ),
        (
            r#"feed = "flights"
sql = "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier""#,
            r#"pipeline.toml:11: summary number 1: `table` is missing; write `table = "flight_days"`"#,
        ),
        (
            r#"table = "t"
feed = "flihgts"
sql = "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier""#,
            "pipeline.toml:13: summary `t`: there is no feed `flihgts`; did you mean `flights`?",
        ),
        (
            r#"table = "t"
feed = "flights""#,
            r#"pipeline.toml:11: summary `t`: `sql` is missing; write `sql = "SELECT carrier, COUNT(*) AS flights FROM flights GROUP BY carrier"`"#,
        ),
        (
            r#"table = "flight-days"
feed = "flights"
sql = "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier""#,
            "pipeline.toml:12: summary `flight-days`: no table can have this name: a name begins with a letter or _, goes on with letters, digits or _, and has at most 63 characters; choose such a name",
        ),
        (
            r#"table = "millrace_days"
feed = "flights"
sql = "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier""#,
            "pipeline.toml:12: summary `millrace_days`: tables whose names begin with `millrace_` or `sqlite_` belong to millrace and to SQLite; choose another name",
        ),
        (
            r#"table = "t"
feed = "flights"
key_length = { carier = 8 }
sql = "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier""#,
            "pipeline.toml:14: summary `t`: `key_length` names `carier`, which is no output; did you mean `carrier`?",
        ),
        (
            r#"table = "t"
feed = "flights"
key_length = { day = 8 }
sql = "SELECT day, COUNT(*) AS n FROM flights GROUP BY day""#,
            "pipeline.toml:14: summary `t`: `key_length` names `day`, which is no key of text; leave it out: only strings have a length",
        ),
        (
            r#"table = "t"
feed = "flights"
key_length = { carrier = 5000 }
sql = "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier""#,
            "pipeline.toml:14: summary `t`: `key_length` of `carrier` is 5000, but must be 1 to 849; write the most UTF-16 units that a value has",
        ),
        (
            r#"table = "t"
feed = "flights"
key_length = { carrier = "8" }
sql = "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier""#,
            "pipeline.toml:14: summary `t`: `key_length` of `carrier` must be a whole number, but is a string; write `key_length = { carrier = 8 }`",
        ),
        (
            r#"table = "t"
feed = "flights"
key_length = { carrier = 849 }
sql = "SELECT carrier, day, COUNT(*) AS n FROM flights GROUP BY carrier, day""#,
            "pipeline.toml:11: summary `t`: its keys take 1706 bytes together, and SQL Server allows fewer than 1700; give text keys a shorter `key_length` (two bytes for each unit; 256 units if it is not given)",
        ),
        (
            r#"table = "t"
feed = "flights"
sql = "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier"
[[summary]]
table = "t"
feed = "flights"
sql = "SELECT carrier, MAX(day) AS n FROM flights GROUP BY carrier""#,
            "pipeline.toml:15: summary `t`: the summary on line 11 writes the same table, but has sum `n` (int64) as column 2 and not maximum `n` (int64); give both the same columns in the same order, or another `table`",
        ),
        (
            r#"table = "t"
feed = "flights"
sql = "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier"
[[summary]]
table = "T"
feed = "flights"
sql = "SELECT day, COUNT(*) AS n FROM flights GROUP BY day""#,
            "pipeline.toml:15: summary `T`: table `t` on line 11 differs only in case; write both the same way, or choose another name",
        ),
        (
            r#"table = "t"
feed = "flights"
sql = "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier"
[[summary]]
table = "t"
feed = "flights"
sql = "select carrier, count(*) as n from flights group by carrier""#,
            "pipeline.toml:15: summary `t`: the summary on line 11 is the same: each row would count twice; take one of them out",
        ),
    ];
    check_cases(&cases, faults_of_summary);
}
