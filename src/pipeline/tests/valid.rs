//! Files without faults, and what is read from them.

use std::time::Duration;

use millrace_decode::contract::{Column, ColumnType, DecimalType, ValueRules};
use millrace_decode::csv::{CsvLayout, HeaderRow};
use millrace_decode::text::encoding_of_label;
use millrace_frames::plan::{AggregateCall, KeyType, MeasureType, SummaryRole};

use super::{FLIGHTS, faults, parsed};
use proptest::prelude::*;

use crate::names::FeedName;
use crate::pipeline::{
    After, Folders, Format, Login, Pipeline, ReadError, SecretReference, SftpUrl, StreamSource, StreamStart,
    UnknownColumns,
};

const OWN: &str = include_str!("../../../pipeline.toml");

fn flights() -> FeedName {
    FeedName::new("flights").unwrap()
}

fn summary_of(sql: &str) -> String {
    format!("{FLIGHTS}[[summary]]\ntable = \"t\"\nfeed = \"flights\"\nsql = '''{sql}'''\n")
}

#[test]
fn the_repositorys_own_pipeline_has_no_faults() {
    let pipeline = parsed(OWN);
    let feed = pipeline.feed(&flights()).unwrap();
    let Format::Csv(layout) = &feed.format else { panic!("{:?}", feed.format) };
    assert_eq!(*layout, CsvLayout::default());
    assert_eq!(feed.values.null_values, ["NA"]);
    let header = "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,\
                  tailnum,origin,dest,air_time,distance,hour,minute,time_hour";
    assert_eq!(feed.columns.iter().map(|column| column.from.as_str()).collect::<Vec<_>>().join(","), header);
    assert_eq!(feed.sources.len(), 1);
    assert_eq!(feed.sources[0].name, None);
    assert_eq!(feed.sources[0].settle, Duration::from_secs(2));
    let tables: Vec<&str> = pipeline.summaries_of(&flights()).map(|summary| summary.table.as_str()).collect();
    assert_eq!(tables, ["flight_days", "airport_days"]);
    assert_eq!(feed.needed_columns(&pipeline.summaries), feed.columns, "curated rows have all of them");
}

#[test]
fn the_repositorys_own_events_are_the_classic() {
    let pipeline = parsed(OWN);
    let events = FeedName::new("events").unwrap();
    let feed = pipeline.feed(&events).unwrap();
    assert!(matches!(feed.format, Format::Ndjson));
    assert_eq!((feed.max_reject_ratio, feed.curated), (0.05, false));
    let columns: Vec<(&str, ColumnType)> =
        feed.columns.iter().map(|column| (column.name.as_str(), column.column_type)).collect();
    let expected = [
        ("eventId", ColumnType::String),
        ("eventTime", ColumnType::Timestamp),
        ("eventType", ColumnType::String),
        ("eventData", ColumnType::String),
    ];
    assert_eq!(columns, expected);
    assert_eq!(feed.sources[0].include, ["*.ndjson", "*.ndjson.gz"]);
    assert_eq!(feed.sources[0].settle, Duration::from_secs(2));
    let stream = feed.stream.as_ref().unwrap();
    assert_eq!((stream.hub.as_str(), stream.start), ("events", StreamStart::Earliest));
    let tables: Vec<&str> = pipeline.summaries_of(&events).map(|summary| summary.table.as_str()).collect();
    assert_eq!(tables, ["event_summary"]);
    let needed = feed.needed_columns(&pipeline.summaries);
    let needed: Vec<&str> = needed.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(needed, ["eventTime", "eventType"]);
}

#[test]
fn the_design_example_becomes_keys_and_measures() {
    let summary = parsed(OWN).summaries.remove(0);
    assert_eq!(summary.feed, "flights");
    assert_eq!(summary.filter, None);
    assert_eq!(summary.id.len(), 16);
    let roles: Vec<(String, SummaryRole)> =
        summary.columns.into_iter().map(|column| (column.name, column.role)).collect();
    let key = |expression: &str, key_type| SummaryRole::Key { expression: expression.to_owned(), key_type };
    let measure = |call, measure_type| SummaryRole::Measure { call, measure_type };
    let expected = [
        ("flight_date", key("CAST(time_hour AS DATE)", KeyType::Date)),
        ("carrier", key("carrier", KeyType::Text { max_utf16: 8 })),
        ("flights", measure(AggregateCall::CountRows, MeasureType::Int64)),
        ("miles", measure(AggregateCall::Sum("distance".to_owned()), MeasureType::Int64)),
        ("worst_delay", measure(AggregateCall::Max("dep_delay".to_owned()), MeasureType::Float64)),
    ];
    assert_eq!(roles, expected.map(|(name, role)| (name.to_owned(), role)));
}

#[test]
fn decimals_are_summed_and_compared() {
    let text = "[[feed]]\nname = \"orders\"\nformat = \"csv\"\n[feed.columns]\ncountry = \"string\"\n\
                amount = \"decimal(18,2)\"\n[[summary]]\ntable = \"t\"\nfeed = \"orders\"\nsql = \"\"\"\n\
                SELECT country, SUM(amount) AS turnover, MAX(amount) AS dearest, SUM(amount * 1.19) AS gross, \
                SUM(CAST(amount * 100 AS BIGINT)) AS cents FROM orders \
                WHERE amount > 0.5 AND amount < CAST('1000' AS DECIMAL(10,2)) GROUP BY country\"\"\"\n";
    let plan = parsed(text).summaries.remove(0);
    let types: Vec<String> = plan
        .columns
        .into_iter()
        .filter_map(|column| match column.role {
            SummaryRole::Key { .. } => None,
            SummaryRole::Measure { measure_type, .. } => Some(measure_type.to_string()),
        })
        .collect();
    assert_eq!(types, ["decimal(38,2)", "decimal(18,2)", "decimal(38,4)", "int64"]);
    let filter = "amount > 0.5 AND amount < CAST('1000' AS DECIMAL(10,2))";
    assert_eq!(plan.filter.as_deref(), Some(filter));
}

#[test]
fn what_is_left_out_has_its_default() {
    let feed = parsed(FLIGHTS).feeds.remove(0);
    let Format::Csv(layout) = &feed.format else { panic!("{:?}", feed.format) };
    assert_eq!(*layout, CsvLayout::default());
    assert!(!feed.curated);
    assert_eq!(feed.values, ValueRules::of_csv());
    assert_eq!(feed.max_reject_ratio, 0.0);
    assert_eq!(feed.unknown_columns, UnknownColumns::Ignore);
    assert!(feed.rules.is_empty() && feed.sources.is_empty());
    assert_eq!(feed.columns[0].column_type, ColumnType::Timestamp);
    assert!(feed.columns.iter().all(|column| column.required && column.from == column.name));
}

#[test]
fn a_layout_is_read_in_full() {
    let keys = "encoding = \"latin1\"\nheader = false\nskip_rows = 2\nskip_footer = 1\ndelimiter = \"\\t\"\nquote = \"\"\n\
                decimal_separator = \",\"\ntimezone = \"Europe/Berlin\"\nnull_values = [\"\", \"NA\"]\ncurated = true";
    let feed = parsed(&FLIGHTS.replace("[feed.columns]", &format!("{keys}\n[feed.columns]"))).feeds.remove(0);
    let Format::Csv(layout) = &feed.format else { panic!("{:?}", feed.format) };
    let expected = CsvLayout {
        encoding: encoding_of_label("windows-1252").unwrap(),
        header: HeaderRow::Absent,
        skip_rows: 2,
        skip_footer: 1,
        delimiter: b'\t',
        quote: None,
    };
    assert_eq!(*layout, expected);
    assert_eq!(feed.values.null_values, ["", "NA"]);
    assert_eq!((feed.values.timezone.name(), feed.values.decimal_separator), ("Europe/Berlin", b','));
    assert!(feed.curated);
}

#[test]
fn ndjson_and_parquet_have_defaults_of_their_own() {
    let feed = |format: &str| parsed(&FLIGHTS.replace("\"csv\"", format)).feeds.remove(0);
    let ndjson = feed("\"ndjson\"");
    assert!(matches!(ndjson.format, Format::Ndjson));
    assert_eq!(ndjson.values, ValueRules::default());
    assert!(ndjson.columns.iter().all(|column| !column.required), "a key that is absent is null");
    let parquet = feed("\"parquet\"");
    assert!(matches!(parquet.format, Format::Parquet));
    assert_eq!(parquet.values, ValueRules::default());
    assert!(parquet.columns.iter().all(|column| column.required));
    let with_nulls = feed("\"ndjson\"\nnull_values = [\"NA\"]\ntimezone = \"America/New_York\"");
    assert_eq!(with_nulls.values.null_values, ["NA"]);
    assert_eq!(with_nulls.values.timezone.name(), "America/New_York");
}

#[test]
fn a_column_is_read_in_full() {
    let text = "[[feed]]\nname = \"f\"\nformat = \"csv\"\n[feed.columns]\n\
                amount = { type = \"decimal(18, 2)\", from = \"Betrag (EUR)\", required = false }\n\
                booked = { type = \"date\", format = \"%d.%m.%Y\" }\n\
                seen = { type = \"timestamp\", format = \"%d.%m.%Y %H:%M:%S%.f %z\" }\nextra = \"json\"\n";
    let money = ColumnType::Decimal(DecimalType { precision: 18, scale: 2 });
    let with_format = |name: &str, column_type, format: &str| Column {
        format: Some(format.to_owned()),
        ..Column::new(name, column_type)
    };
    let expected = [
        Column { from: "Betrag (EUR)".to_owned(), required: false, ..Column::new("amount", money) },
        with_format("booked", ColumnType::Date, "%d.%m.%Y"),
        with_format("seen", ColumnType::Timestamp, "%d.%m.%Y %H:%M:%S%.f %z"),
        Column::new("extra", ColumnType::Json),
    ];
    assert_eq!(parsed(text).feeds.remove(0).columns, expected);
    let objects = parsed(&text.replace("\"csv\"", "\"ndjson\"").replace("required = false", "required = true"));
    let required: Vec<bool> = objects.feeds[0].columns.iter().map(|column| column.required).collect();
    assert_eq!(required, [true, false, false, false]);
}

#[test]
fn a_source_is_read_in_full() {
    let key = format!("SHA256:{}", "a/+9".repeat(10) + "bcd");
    let text = format!(
        "{FLIGHTS}[[feed.sftp]]\nname = \"acme\"\nurl = \"sftp://us%20er@[2001:db8::1]:2222/out/%C3%A4/\"\n\
         host_key = [\"{key}\", \"{key}\"]\nprivate_key = \"env:KEY\"\npassphrase = \"env:PHRASE\"\n\
         include = [\"**/*.csv\"]\nexclude = [\"*.part\"]\nsettle = \"500ms\"\nafter = \"move:/done/\"\nparallel = 16\n\
         [[feed.sftp]]\nname = \"other\"\nurl = \"sftp://p@h\"\nhost_key = \"{key}\"\npassword = \"env:PW\"\n"
    );
    let sources = parsed(&text).feeds.remove(0).sources;
    let acme = &sources[0];
    assert_eq!(acme.name.as_ref().map(|name| name.as_str()), Some("acme"));
    let url = SftpUrl { user: "us er".into(), host: "2001:db8::1".into(), port: 2222, directory: "/out/ä".into() };
    assert_eq!(acme.url, url);
    assert_eq!(acme.host_keys, [key.clone(), key]);
    let setting = |name: &str| SecretReference { setting: name.to_owned() };
    assert_eq!(acme.login, Login::PrivateKey { key: setting("KEY"), passphrase: Some(setting("PHRASE")) });
    assert_eq!((acme.include.as_slice(), acme.exclude.as_slice()), (&["**/*.csv".into()][..], &["*.part".into()][..]));
    assert_eq!((acme.settle, acme.parallel), (Duration::from_millis(500), 16));
    assert_eq!(acme.after, After::Move("/done".to_owned()));
    let other = &sources[1];
    assert_eq!((other.url.port, other.url.directory.as_str()), (22, "/"));
    assert_eq!(other.login, Login::Password(setting("PW")));
    assert_eq!((other.settle, other.after.clone(), other.parallel), (Duration::from_secs(30), After::Keep, 4));
}

#[test]
fn folders_times_and_markers_are_read() {
    let source = |settings: &str| {
        let key = "A".repeat(43);
        let login = format!("host_key = \"SHA256:{key}\"\npassword = \"env:PW\"");
        let text = format!("{FLIGHTS}[[feed.sftp]]\nurl = \"sftp://p@h/out\"\n{login}\n{settings}\n");
        parsed(&text).feeds.remove(0).sources.remove(0)
    };
    let plain = source("recursive = false");
    assert_eq!((plain.folders, plain.newer_than, plain.done_marker), (Folders::Left, None, None));
    let full = source(
        "recursive = true\ninclude = [\"**/*.csv\", \"top.txt\"]\nexclude = [\"old/**\", \"one.csv\"]\n\
         done_marker = \".done\"\nafter = \"move:/out/archive\"",
    );
    assert_eq!((full.folders, full.done_marker.as_deref()), (Folders::Read, Some(".done")));
    for (written, expected) in [
        ("\"2026-01-01\"", "2026-01-01T00:00:00Z"),
        ("2026-01-01", "2026-01-01T00:00:00Z"),
        ("2026-01-01T08:00:00+01:00", "2026-01-01T07:00:00Z"),
        ("2026-01-01 08:00:00Z", "2026-01-01T08:00:00Z"),
    ] {
        let newer_than = source(&format!("newer_than = {written}")).newer_than;
        assert_eq!(newer_than, Some(expected.parse().unwrap()), "{written}");
    }
}

#[test]
fn two_ways_to_write_a_query_have_one_id_and_another_query_another() {
    let plan = |sql: &str| parsed(&summary_of(sql)).summaries.remove(0);
    let plain = plan("SELECT UPPER(carrier) AS c, COUNT(*) AS n FROM flights WHERE day > 1 GROUP BY c");
    let other = plan(
        "\n-- the same\nselect upper(flights.\"carrier\") as c,\n count(1) as n\nfrom flights where `day` > 1 \
         group by ((upper(carrier)));",
    );
    assert_eq!(plain, other);
    let different = plan("SELECT UPPER(carrier) AS c, COUNT(*) AS n FROM flights WHERE day > 2 GROUP BY c");
    assert_ne!(plain.id, different.id);
}

#[test]
fn a_word_of_sql_is_quoted_and_types_have_one_spelling() {
    let sql = "SELECT day AS d, CAST(distance AS STRING) AS s, MAX(CAST(day AS DOUBLE PRECISION)) AS m \
               FROM flights WHERE NOT cancelled GROUP BY d, CAST(distance AS VARCHAR)";
    let text = summary_of(sql);
    let plan = parsed(&text).summaries.remove(0);
    let SummaryRole::Key { expression, .. } = &plan.columns[0].role else { panic!("{plan:?}") };
    assert_eq!(expression, "\"day\"");
    let SummaryRole::Measure { call, .. } = &plan.columns[2].role else { panic!("{plan:?}") };
    assert_eq!(*call, AggregateCall::Max("CAST(\"day\" AS DOUBLE)".to_owned()));
    assert_eq!(plan.filter.as_deref(), Some("NOT cancelled"));
}

#[test]
fn everything_that_row_wise_sql_may_say_passes() {
    for condition in [
        "carrier IN ('UA', 'AA') AND carrier LIKE 'U%' AND NOT carrier ILIKE '%x'",
        "day BETWEEN 1 AND 3 OR day IS NULL OR day IS DISTINCT FROM 4",
        "CASE WHEN dep_delay > 15 THEN 1 ELSE 0 END = 1",
        "CASE day WHEN 1 THEN 2 END <> -1",
        "time_hour >= TIMESTAMP '2013-01-01 00:00:00' AND CAST(time_hour AS DATE) < DATE '2013-02-01'",
        "EXTRACT(WEEK FROM time_hour) = 3 AND DATE_PART('year', time_hour) = 2013",
        "COALESCE(carrier, 'x') || '-' || SUBSTR(carrier, 1, 2) = TRIM(BOTH ' ' FROM carrier)",
        "distance / 1.609 > 3 AND distance / NULLIF(day, 0) > FLOOR(dep_delay) + CEIL(dep_delay)",
        "TRY_CAST(carrier AS BIGINT) = (3 + 4) * 5 - 6 AND cancelled",
    ] {
        parsed(&summary_of(&format!("SELECT carrier, COUNT(*) AS n FROM flights WHERE {condition} GROUP BY carrier")));
    }
}

#[test]
fn summaries_whose_columns_agree_share_a_table() {
    let more = "[[summary]]\ntable = \"t\"\nfeed = \"flights\"\n\
                sql = \"SELECT carrier, SUM(day) AS n FROM flights GROUP BY carrier\"\n";
    let text = summary_of("SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier") + more;
    assert_eq!(parsed(&text).summaries.len(), 2);
}

#[test]
fn all_faults_are_told_at_once_and_by_line() {
    let text = "[[summary]]\ntable = \"t\"\nfeed = \"f\"\nsql = '''\nSELECT a,\n  AVG(b) AS x\nFROM f\n\
                GROUP BY a'''\n\n[[feed]]\nname = \"f\"\nformat = \"csv\"\nquotes = 1\n[feed.columns]\na = \"strin\"\n\
                b = \"int64\"\n";
    let expected = "pipeline.toml:6: summary `t`: aggregate `AVG` cannot be merged over files; write `SUM(b) AS total` \
                    and `COUNT(b) AS n`; divide where you read\n\
                    pipeline.toml:13: feed `f`: unknown key `quotes`; did you mean `quote`?\n\
                    pipeline.toml:15: feed `f`, column `a`: unknown type `strin`; did you mean `string`?";
    assert_eq!(faults(text), expected);
    assert_eq!(faults(&text.replace('\n', "\r\n")), expected);
}

#[test]
fn a_fault_of_types_stands_on_the_line_of_its_output() {
    let said = faults(&summary_of("\nSELECT carrier,\n  MAX(carrier) AS last\nFROM flights GROUP BY carrier"));
    assert!(said.starts_with("pipeline.toml:16: summary `t`, column `last`: "), "{said}");
}

#[test]
fn a_secret_in_the_file_is_never_printed() {
    let secret = "hunter2";
    for line in [
        format!("password = \"{secret}\""),
        format!("private_key = '''{secret}'''"),
        format!("password = \"env:{secret} \""),
        format!("password = [\"{secret}\"]"),
        format!("url = \"sftp://p:{secret}@h/out\""),
        format!("host_key = \"{secret}\""),
        format!("password = {secret}"),
        format!("password = \"{secret}"),
    ] {
        let said = faults(&format!("{FLIGHTS}[[feed.sftp]]\n{line}\n"));
        assert!(said != "no faults" && !said.contains(secret), "{said}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipeline.toml");
    let error = Pipeline::read(&path).unwrap_err();
    assert!(matches!(error, ReadError::Unreadable { .. }), "{error}");
    assert!(error.to_string().starts_with(&format!("cannot read `{}`", path.display())), "{error}");

    std::fs::write(&path, "feed = 1").unwrap();
    let faults = Pipeline::read(&path).unwrap_err().to_string();
    assert!(faults.starts_with(&format!("{}:1: ", path.display())), "{faults}");

    std::fs::write(&path, FLIGHTS).unwrap();
    assert_eq!(Pipeline::read(&path).unwrap().feeds.len(), 1);
}

#[test]
fn long_and_deep_sql_is_refused_and_not_followed() {
    let sums = |terms: usize| {
        format!("SELECT carrier, SUM(day{}) AS n FROM flights GROUP BY carrier", "+distance".repeat(terms))
    };
    parsed(&summary_of(&sums(90)));
    let expected = "pipeline.toml:14: summary `t`: this expression has more than 100 operators; use IN or BETWEEN, or \
                    split it into several outputs or rules";
    assert_eq!(faults(&summary_of(&sums(5_000))), expected);
    let cases = "+ CASE WHEN day > 1 THEN 2 END".repeat(200);
    assert_eq!(faults(&summary_of(&format!("SELECT carrier, SUM(day{cases}) AS n FROM flights"))), expected);

    let nested = format!("SELECT carrier, SUM({}day{}) AS n FROM flights", "(".repeat(500), ")".repeat(500));
    assert!(faults(&summary_of(&nested)).contains("the SQL is nested too deeply"));

    let long = format!("SELECT carrier, COUNT(*) AS n FROM flights WHERE day IN (1{})", ",1".repeat(50_000));
    assert!(faults(&summary_of(&long)).contains("and 65536 are taken"));
}

proptest! {
    #[test]
    fn a_damaged_file_has_faults_or_none_but_never_breaks_the_reader(
        from in 0..OWN.len(), length in 0..40_usize, put in "[\\[\\]\"'=,.a-z0-9\\n(){}*+ -]{0,6}",
    ) {
        let (before, after) = OWN.as_bytes().split_at(from);
        let after = &after[length.min(after.len())..];
        let damaged = [before, put.as_bytes(), after].concat();
        let damaged = String::from_utf8(damaged).unwrap();
        let said = faults(&damaged);
        let line_count = damaged.lines().count() + 1;
        for fault in said.lines().filter(|line| line.starts_with("pipeline.toml:")) {
            let line: usize = fault.split(':').nth(1).unwrap().parse().unwrap();
            prop_assert!((1..=line_count).contains(&line), "{}", fault);
        }
    }
}

#[test]
fn a_stream_has_what_is_written_or_what_is_usual() {
    let stream = |keys: &str| parsed(&format!("{FLIGHTS}[feed.stream]\n{keys}")).feeds[0].stream.clone().unwrap();
    let usual = StreamSource {
        hub: "departures".to_owned(),
        consumer_group: "$Default".to_owned(),
        repair_group: "millrace".to_owned(),
        start: StreamStart::Earliest,
    };
    assert_eq!(stream("hub = \"departures\""), usual);
    let written = StreamSource {
        hub: "departures".to_owned(),
        consumer_group: "counting".to_owned(),
        repair_group: "mending".to_owned(),
        start: StreamStart::Latest,
    };
    let keys = "hub = \"departures\"\nconsumer_group = \"counting\"\nrepair_group = \"mending\"\nstart = \"latest\"";
    assert_eq!(stream(keys), written);
    assert_eq!(parsed(FLIGHTS).feeds[0].stream, None);
}
