//! Faulty columns: names, types, and how their values are written.

use super::{check_cases, faults};

/// The columns begin on line 5.
fn faults_of_columns(columns: &str) -> String {
    faults_in("format = \"csv\"", columns)
}

/// The columns begin on line 5, or later where the format takes several lines.
fn faults_in(format: &str, columns: &str) -> String {
    faults(&format!("[[feed]]\nname = \"f\"\n{format}\n[feed.columns]\n{columns}"))
}

#[test]
fn a_faulty_column_says_what_to_write_instead() {
    let cases = [
        ("", r#"pipeline.toml:4: feed `f`: `[feed.columns]` is empty; write a line `name = "type"` for each column"#),
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
            r#"a = { type = "int64", required = "no" }"#,
            "pipeline.toml:5: feed `f`, column `a`: `required` must be true or false, but a string stands here; write `required = false`",
        ),
        (
            r#"a = { type = "int64", from = "" }"#,
            "pipeline.toml:5: feed `f`, column `a`: `from` is empty; write the column's name in the file",
        ),
        (
            r#"a = { type = "int64", from = " x" }"#,
            "pipeline.toml:5: feed `f`, column `a`: `from` has blanks around it, which are dropped from headers; leave them out",
        ),
        (
            r#""Betrag (EUR)" = "float64""#,
            r#"pipeline.toml:5: feed `f`, column `Betrag (EUR)`: the name cannot be used in SQL: a name begins with a letter or _, goes on with letters, digits or _, and has at most 63 characters; choose such a name and write the file's as `from = "…"`"#,
        ),
        (
            r#"carrier = "string"
Carrier = "string""#,
            r#"pipeline.toml:6: feed `f`, column `Carrier`: differs from column `carrier` only in case, which SQL does not see; rename one and keep the file's name as `from = "…"`"#,
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
fn an_unknown_type_leads_to_one_of_ours() {
    let cases = [
        (r#"flaot64"#, "unknown type `flaot64`; did you mean `float64`?"),
        (r#"Double"#, "unknown type `Double`; did you mean `float64`?"),
        (r#"varchar(20)"#, "unknown type `varchar(20)`; did you mean `string`?"),
        (r#"datetime2(7)"#, "unknown type `datetime2(7)`; did you mean `timestamp`?"),
        (r#"JSONB"#, "unknown type `JSONB`; did you mean `json`?"),
        (r#"money"#, "unknown type `money`; did you mean `decimal(19,4)`?"),
        (r#"number"#, "unknown type `number`; did you mean `decimal(18,2)`?"),
        (r#"numeric(10, 3)"#, "unknown type `numeric(10, 3)`; did you mean `decimal(10,3)`?"),
        (r#"NUMERIC(99,3)"#, "unknown type `NUMERIC(99,3)`; did you mean `decimal(18,2)`?"),
        (r#"Decimal(12,4)"#, "unknown type `Decimal(12,4)`; did you mean `decimal(12,4)`?"),
        (r#"decimel(12,4)"#, "unknown type `decimel(12,4)`; did you mean `decimal(12,4)`?"),
        (r#"string(20)"#, "type `string` takes nothing in brackets; write `string`"),
        (
            r#"geometry"#,
            "unknown type `geometry`; types are `string`, `int64`, `float64`, `decimal(p,s)`, `bool`, `date`, `timestamp` and `json`",
        ),
        (
            r#""#,
            "unknown type ``; types are `string`, `int64`, `float64`, `decimal(p,s)`, `bool`, `date`, `timestamp` and `json`",
        ),
    ];
    check_types(&cases);
}

#[test]
fn a_decimal_says_all_its_digits_and_those_behind_the_point() {
    const EXAMPLE: &str = "write `decimal(18,2)` for 18 digits in all, 2 of them behind the point";
    let with_example = [
        ("decimal", "type `decimal` does not say how many digits there are"),
        ("decimal(18,2", "type `decimal(18,2` does not end with its closing bracket"),
        (
            "decimal(18,2))",
            "type `decimal(18,2))` must have two whole numbers in its brackets, with a comma between them",
        ),
        ("decimal()", "type `decimal()` must have two whole numbers in its brackets, with a comma between them"),
        (
            "decimal(18.2)",
            "type `decimal(18.2)` must have two whole numbers in its brackets, with a comma between them",
        ),
        (
            "decimal(18,2,1)",
            "type `decimal(18,2,1)` must have two whole numbers in its brackets, with a comma between them",
        ),
        (
            "decimal(18,-2)",
            "type `decimal(18,-2)` must have two whole numbers in its brackets, with a comma between them",
        ),
        ("decimal(p,s)", "type `decimal(p,s)` must have two whole numbers in its brackets, with a comma between them"),
        ("decimal(0,0)", "type `decimal(0,0)` has no digits"),
        ("decimal(18,99)", "type `decimal(18,99)` has more digits behind the point than in all"),
    ];
    let with_example = with_example.map(|(written, problem)| (written, format!("{problem}; {EXAMPLE}")));
    check_types(&with_example.each_ref().map(|(written, said)| (*written, said.as_str())));
    check_types(&[
        (
            "decimal(18)",
            "type `decimal(18)` does not say how many of its digits stand behind the point; write `decimal(18,0)` for whole numbers",
        ),
        (
            "decimal(39,2)",
            "type `decimal(39,2)` has more than 38 digits, and databases hold no more; write `decimal(38,2)`, or `float64` if it need not be exact",
        ),
        (
            "decimal(2,18)",
            "type `decimal(2,18)` has more digits behind the point than in all; the first number counts them all: write `decimal(18,2)`",
        ),
    ]);
}

/// Both ways to write a type say the same.
fn check_types(cases: &[(&str, &str)]) {
    let without_place = |said: String| said.replace("pipeline.toml:5: feed `f`, column `a`: ", "");
    check_cases(cases, |written| without_place(faults_of_columns(&format!("a = \"{written}\""))));
    check_cases(cases, |written| without_place(faults_of_columns(&format!("a = {{ type = \"{written}\" }}"))));
}

#[test]
fn a_format_is_in_the_letters_of_strftime() {
    let cases = [
        (
            r#"a = { type = "date", format = "dd.MM.yyyy" }"#,
            r#"pipeline.toml:5: feed `f`, column `a`: `dd.MM.yyyy` does not say the whole date; write it in the letters of strftime: `format = "%d.%m.%Y"`"#,
        ),
        (
            r#"a = { type = "date", format = "YYYY-MM-DD" }"#,
            r#"pipeline.toml:5: feed `f`, column `a`: `YYYY-MM-DD` does not say the whole date; write it in the letters of strftime: `format = "%Y-%m-%d"`"#,
        ),
        (
            r#"a = { type = "timestamp", format = "yyyy-MM-dd'T'HH:mm:ss.SSSXXX" }"#,
            r#"pipeline.toml:5: feed `f`, column `a`: `yyyy-MM-dd'T'HH:mm:ss.SSSXXX` does not say the whole date and hour; write it in the letters of strftime: `format = "%Y-%m-%dT%H:%M:%S%.f%z"`"#,
        ),
        (
            r#"a = { type = "timestamp", format = "DD.MM.YYYY" }"#,
            r#"pipeline.toml:5: feed `f`, column `a`: `DD.MM.YYYY` does not say the whole date and hour; write the date and the time, as `format = "%d.%m.%Y %H:%M:%S"` does; `%I` needs `%p`"#,
        ),
        (
            r#"a = { type = "date", format = "%d.%M.%Y" }"#,
            r#"pipeline.toml:5: feed `f`, column `a`: `%d.%M.%Y` does not say the whole date; write day, month and year, as `format = "%d.%m.%Y"` does"#,
        ),
        (
            r#"a = { type = "date", format = "" }"#,
            r#"pipeline.toml:5: feed `f`, column `a`: `` does not say the whole date; write day, month and year, as `format = "%d.%m.%Y"` does"#,
        ),
        (
            r#"a = { type = "date", format = "%Q" }"#,
            r#"pipeline.toml:5: feed `f`, column `a`: `%Q` is no format of strftime; write day, month and year, as `format = "%d.%m.%Y"` does"#,
        ),
        (
            r#"a = { type = "timestamp", format = "%Y-%m-%d %I:%M" }"#,
            r#"pipeline.toml:5: feed `f`, column `a`: `%Y-%m-%d %I:%M` does not say the whole date and hour; write the date and the time, as `format = "%d.%m.%Y %H:%M:%S"` does; `%I` needs `%p`"#,
        ),
        (
            r#"a = { type = "timestamp", format = "%Y-%m-%d %H:%M:%S.%f" }"#,
            r#"pipeline.toml:5: feed `f`, column `a`: `%f` counts nanoseconds, so that `.5` would not be half a second; write `format = "%Y-%m-%d %H:%M:%S%.f"`, where the point belongs to the fraction"#,
        ),
        (
            r#"a = { type = "timestamp", format = "%Y%m%d%H%M%S,%f" }"#,
            "pipeline.toml:5: feed `f`, column `a`: `%f` counts nanoseconds, so that `.5` would not be half a second; write `%3f`, `%6f` or `%9f`, by how many digits there are",
        ),
        (
            r#"a = { type = "int64", format = "%d" }"#,
            "pipeline.toml:5: feed `f`, column `a`: only dates and timestamps have a `format`, and this is of type `int64`; leave it out",
        ),
        (
            r#"a = { type = "date", format = 1 }"#,
            r#"pipeline.toml:5: feed `f`, column `a`: `format` must be a string, but a whole number stands here; write `format = "%d.%m.%Y"`"#,
        ),
    ];
    check_cases(&cases, faults_of_columns);
}

#[test]
fn without_a_header_columns_are_told_by_their_order() {
    let cases = [
        (
            r#"a = { type = "int64", from = "A" }"#,
            "pipeline.toml:6: feed `f`, column `a`: `from` names a column of the header, and `header = false` says that there is none; leave it out: columns are taken in the order of the file",
        ),
        (
            r#"a = { type = "int64", required = false }"#,
            "pipeline.toml:6: feed `f`, column `a`: `required = false` lets a column be missing, and without a header nothing tells which one is; leave it out; a cell without a value is null as `null_values` says",
        ),
        (
            r#""a b" = "int64""#,
            "pipeline.toml:6: feed `f`, column `a b`: the name cannot be used in SQL: a name begins with a letter or _, goes on with letters, digits or _, and has at most 63 characters; choose such a name: columns are taken in the order of the file",
        ),
        (
            r#"a = "int64"
A = "int64""#,
            "pipeline.toml:7: feed `f`, column `A`: differs from column `a` only in case, which SQL does not see; rename one",
        ),
    ];
    check_cases(&cases, |columns| faults_in("format = \"csv\"\nheader = false", columns));
}

#[test]
fn two_columns_never_read_the_same_key() {
    let columns = "a = { type = \"int64\", from = \" x\" }\nb = { type = \"int64\", from = \" x\" }";
    let said = |word: &str| {
        format!(
            "pipeline.toml:6: feed `f`, column `b`: {word} ` x` is taken by another column already; give each column a `from` of its own"
        )
    };
    assert_eq!(faults_in("format = \"ndjson\"", columns), said("the objects' key"));
    assert_eq!(faults_in("format = \"parquet\"", columns), said("the schema's column"));
}
