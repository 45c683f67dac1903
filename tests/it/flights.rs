//! The truth about the example's flights, by a plain loop that shares no code with the program.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::{Value, json};

pub const FILES: [&str; 3] = ["2013-01.csv", "2013-02.csv", "2013-03.csv"];

pub fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/inbox")
}

/// The text of one of the example's files.
pub fn text_of(file: &str) -> String {
    let bytes = fs::read(examples().join("flights").join(format!("{file}.gz"))).unwrap();
    let mut text = String::new();
    GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
    text
}

pub fn all_texts() -> Vec<String> {
    FILES.iter().map(|file| text_of(file)).collect()
}

pub fn row_count<'a>(texts: impl IntoIterator<Item = &'a String>) -> u64 {
    texts.into_iter().map(|text| text.lines().count() as u64 - 1).sum()
}

/// Both summary tables of the repository's pipeline.toml, as `--json` prints them.
pub fn truth<'a>(texts: impl IntoIterator<Item = &'a String>) -> Value {
    let mut flight_days: BTreeMap<(String, String), Day> = BTreeMap::new();
    let mut airport_days: BTreeMap<(String, String), Day> = BTreeMap::new();
    for text in texts {
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap().split(',').collect();
        let at = |name: &str| header.iter().position(|column| *column == name).unwrap();
        let (time, carrier, origin) = (at("time_hour"), at("carrier"), at("origin"));
        let (delay, distance, air_time) = (at("dep_delay"), at("distance"), at("air_time"));
        for line in lines {
            let cells: Vec<&str> = line.split(',').collect();
            let date = cells[time][..10].to_owned();
            let number = |cell: usize| cells[cell].parse::<f64>().ok();
            let flight = (number(delay), number(distance).unwrap(), number(air_time));
            flight_days.entry((date.clone(), cells[carrier].to_owned())).or_default().add(flight);
            airport_days.entry((date, cells[origin].to_owned())).or_default().add(flight);
        }
    }
    let flight_days: Vec<Value> = flight_days
        .into_iter()
        .map(|((date, carrier), day)| {
            json!({ "flight_date": date, "carrier": carrier, "flights": day.flights, "miles": day.miles as i64,
                    "worst_delay": day.worst })
        })
        .collect();
    let airport_days: Vec<Value> = airport_days
        .into_iter()
        .map(|((date, origin), day)| {
            json!({ "flight_date": date, "origin": origin, "flights": day.flights, "departures": day.departures,
                    "late": day.late, "total_delay": day.delay, "best_delay": day.best,
                    "air_minutes": day.minutes_in_air })
        })
        .collect();
    json!({ "flight_days": flight_days, "airport_days": airport_days })
}

#[derive(Default)]
struct Day {
    flights: u64,
    departures: u64,
    late: u64,
    miles: f64,
    delay: Option<f64>,
    best: Option<f64>,
    worst: Option<f64>,
    minutes_in_air: Option<i64>,
}

impl Day {
    fn add(&mut self, (delay, distance, air_time): (Option<f64>, f64, Option<f64>)) {
        self.flights += 1;
        self.miles += distance;
        if let Some(minutes) = air_time {
            *self.minutes_in_air.get_or_insert(0) += minutes as i64;
        }
        if let Some(delay) = delay {
            self.departures += 1;
            self.late += u64::from(delay > 15.0);
            *self.delay.get_or_insert(0.0) += delay;
            self.best = Some(self.best.map_or(delay, |best| best.min(delay)));
            self.worst = Some(self.worst.map_or(delay, |worst| worst.max(delay)));
        }
    }
}

/// Every row of every table is equal; whole numbers may be printed as `12` or `12.0`.
#[track_caller]
pub fn assert_same_summaries(found: &Value, expected: &Value) {
    for (table, expected_rows) in expected.as_object().unwrap() {
        let found_rows = found[table].as_array().unwrap_or_else(|| panic!("no table {table} in {found}"));
        let expected_rows = expected_rows.as_array().unwrap();
        assert_eq!(found_rows.len(), expected_rows.len(), "rows of {table}");
        for (found_row, expected_row) in found_rows.iter().zip(expected_rows) {
            let (found_row, expected_row) = (found_row.as_object().unwrap(), expected_row.as_object().unwrap());
            assert_eq!(found_row.len(), expected_row.len(), "columns of {table}: {found_row:?}");
            for (column, expected_value) in expected_row {
                let same = match (found_row[column].as_f64(), expected_value.as_f64()) {
                    (Some(found), Some(expected)) => (found - expected).abs() <= expected.abs() * 1e-9,
                    _ => found_row[column] == *expected_value,
                };
                assert!(same, "{table}.{column}: {found_row:?} is not {expected_row:?}");
            }
        }
    }
}
