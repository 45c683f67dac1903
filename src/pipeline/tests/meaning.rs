//! Needed columns and fingerprints.

use super::{FLIGHTS, parsed};
use crate::names::{FeedName, Sha256};

const SUMMARY: &str = "[[summary]]\ntable = \"t\"\nfeed = \"flights\"\n\
                       sql = \"SELECT carrier, COUNT(*) AS n FROM flights WHERE day > 1 GROUP BY carrier\"\n";
const RULE: &str = "[[feed.rule]]\nname = \"far\"\nsql = \"distance > 0\"\n";
const OTHER_FEED: &str = "[[feed]]\nname = \"other\"\nformat = \"csv\"\n[feed.columns]\na = \"int64\"\n";

fn fingerprint(text: &str) -> Sha256 {
    parsed(text).fingerprint(&FeedName::new("flights").unwrap())
}

fn needed(text: &str) -> Vec<String> {
    let pipeline = parsed(text);
    let columns = pipeline.feeds[0].needed_columns(&pipeline.summaries);
    columns.into_iter().map(|column| column.name).collect()
}

#[test]
fn only_columns_that_somebody_refers_to_are_needed() {
    assert_eq!(needed(&format!("{FLIGHTS}{RULE}{SUMMARY}")), ["carrier", "distance", "day"]);
    assert_eq!(needed(&format!("{FLIGHTS}{SUMMARY}")), ["carrier", "day"]);
    assert_eq!(needed(&format!("{FLIGHTS}{RULE}")), ["distance"]);
    assert!(needed(FLIGHTS).is_empty());
}

#[test]
fn curated_rows_need_every_column() {
    let curated = FLIGHTS.replace("[feed.columns]", "curated = true\n[feed.columns]");
    let all = ["time_hour", "carrier", "dep_delay", "distance", "cancelled", "day"];
    assert_eq!(needed(&format!("{curated}{RULE}{SUMMARY}")), all);
    assert_eq!(needed(&curated), all);
}

#[test]
fn a_summary_of_another_feed_needs_nothing_of_this_one() {
    let other = format!(
        "{OTHER_FEED}[[summary]]\ntable = \"o\"\nfeed = \"other\"\n\
                         sql = \"SELECT a, COUNT(*) AS n FROM other GROUP BY a\"\n"
    );
    assert!(needed(&format!("{FLIGHTS}{other}")).is_empty());
}

#[test]
fn what_does_not_change_counts_does_not_change_the_fingerprint() {
    let base = format!("{FLIGHTS}{RULE}{SUMMARY}");
    let key = format!("SHA256:{}", "A".repeat(43));
    let source = format!("[[feed.sftp]]\nurl = \"sftp://p@h/out\"\nhost_key = \"{key}\"\npassword = \"env:PW\"\n");
    for same in [
        format!("# a comment\n{base}"),
        format!("{OTHER_FEED}{base}"),
        format!("{SUMMARY}{FLIGHTS}{RULE}"),
        format!("{FLIGHTS}{RULE}{source}{SUMMARY}"),
        format!("{FLIGHTS}{RULE}{source}recursive = true\nnewer_than = 2026-01-01\ndone_marker = \".done\"\n{SUMMARY}"),
        format!("{FLIGHTS}{RULE}[feed.stream]\nhub = \"departures\"\nstart = \"latest\"\n{SUMMARY}"),
        base.replace("distance > 0", "distance  >  0 -- far"),
        base.replace("COUNT(*)", "count(*)"),
        base.replace("format = \"csv\"", "format = \"csv\"\ndelimiter = \",\"\nmax_reject_ratio = 0.5"),
        base.replace(
            "format = \"csv\"",
            "format = \"csv\"\nencoding = \"UTF8\"\nheader = true\nskip_rows = 0\nskip_footer = 0\nnull_values = [\"\"]\n\
             quote = '\"'\ndecimal_separator = \".\"\ntimezone = \"UTC\"\ncurated = false",
        ),
        base.replace("day = \"int64\"", "day = { type = \"int64\", from = \"day\", required = true }"),
        base.replace(
            "time_hour = \"timestamp\"\ncarrier = \"string\"",
            "carrier = \"string\"\ntime_hour = \"timestamp\"",
        ),
    ] {
        assert_eq!(fingerprint(&base), fingerprint(&same), "{same}");
    }
}

#[test]
fn what_could_change_counts_changes_the_fingerprint() {
    let base = format!("{FLIGHTS}{RULE}{SUMMARY}");
    let with_key = |key: &str| base.replace("format = \"csv\"", &format!("format = \"csv\"\n{key}"));
    let with_delay = |column: &str| base.replace("dep_delay = \"float64\"", &format!("dep_delay = {column}"));
    all_differ(&[
        base.clone(),
        base.replace("distance > 0", "distance > 1"),
        base.replace("day > 1", "day > 2"),
        base.replace("COUNT(*)", "COUNT(day)"),
        base.replace("table = \"t\"", "table = \"u\""),
        base.replace("format = \"csv\"", "format = \"ndjson\""),
        base.replace("format = \"csv\"", "format = \"parquet\""),
        with_key("delimiter = \";\""),
        with_key("quote = \"'\""),
        with_key("quote = \"\""),
        with_key("encoding = \"windows-1252\""),
        with_key("header = false"),
        with_key("skip_rows = 1"),
        with_key("skip_footer = 1"),
        with_key("null_values = [\"NA\"]"),
        with_key("null_values = []"),
        with_key("timezone = \"Europe/Berlin\""),
        with_key("delimiter = \";\"\ndecimal_separator = \",\""),
        with_key("curated = true"),
        with_delay("\"int64\""),
        with_delay("\"decimal(18,2)\""),
        with_delay("\"decimal(18,3)\""),
        with_delay("\"date\""),
        with_delay("{ type = \"date\", format = \"%d.%m.%Y\" }"),
        with_delay("{ type = \"date\", format = \"%m.%d.%Y\" }"),
        with_delay("{ type = \"float64\", from = \"delay\" }"),
        with_delay("{ type = \"float64\", required = false }"),
        base.replace("day = \"int64\"\n", "day = \"int64\"\nhour = \"int64\"\n"),
        format!("{base}key_length = {{ carrier = 8 }}\n"),
        FLIGHTS.to_owned() + SUMMARY,
        FLIGHTS.to_owned() + RULE,
    ]);
}

#[test]
fn without_a_header_the_order_of_columns_is_meaning() {
    let base = FLIGHTS.replace("[feed.columns]", "header = false\n[feed.columns]");
    let swapped = base
        .replace("time_hour = \"timestamp\"\ncarrier = \"string\"", "carrier = \"string\"\ntime_hour = \"timestamp\"");
    all_differ(&[base, swapped]);
}

fn all_differ(texts: &[String]) {
    let mut seen = Vec::new();
    for text in texts {
        let fingerprint = fingerprint(text);
        assert!(!seen.contains(&fingerprint), "{text}");
        seen.push(fingerprint);
    }
}
