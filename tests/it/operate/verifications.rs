//! `verify`: right tables are called right, wrong ones are named key by key, and mended when asked.

use rusqlite::Connection;

use super::{counted_flights, fails, succeeds};
use crate::flights::{all_texts, assert_same_summaries, truth};
use crate::support::Place;

fn tamper(place: &Place, sql: &str) {
    Connection::open(place.workspace().join("warehouse.db")).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn tables_that_are_right_are_called_so() {
    let place = counted_flights();
    let said = succeeds(&place, &["verify"]);
    assert!(said.contains("flight_days: 1,339 rows, each as its parts say\n"), "{said}");
    assert!(said.contains("flights: 3 landed files, 3 counted, 0 dead, 0 retracted, 0 waiting\n"), "{said}");
}

#[test]
fn what_somebody_else_wrote_is_named_and_mended() {
    let place = counted_flights();
    tamper(
        &place,
        "UPDATE flight_days SET flights = flights + 1 WHERE flight_date = '2013-01-01' AND carrier = 'AA';
         DELETE FROM flight_days WHERE flight_date = '2013-02-02' AND carrier = 'UA';
         INSERT INTO flight_days VALUES ('2013-09-09', 'ZZ', 1, 2, 3.0);",
    );
    let (said, why) = fails(&place, &["verify"]);
    assert!(said.contains("flight_days: 1,339 rows, 3 keys differ\n"), "{said}");
    assert!(said.contains("  flight_date = 2013-01-01, carrier = AA: flights is 86, its parts say 85\n"), "{said}");
    assert!(said.contains("  flight_date = 2013-02-02, carrier = UA: is missing, its parts say flights = "), "{said}");
    let stray = "  flight_date = 2013-09-09, carrier = ZZ: has flights = 1, miles = 2, worst_delay = 3.0, and no part has this key\n";
    assert!(said.contains(stray), "{said}");
    assert_eq!(why, "millrace: a table differs from its parts: run `millrace verify --repair`\n");

    let said = succeeds(&place, &["verify", "--repair"]);
    assert!(said.contains("  repaired: every row is as its parts say\n"), "{said}");
    assert!(succeeds(&place, &["verify"]).contains("flight_days: 1,339 rows, each as its parts say\n"));
    assert_same_summaries(&place.once()["summaries"], &truth(&all_texts()));
}

#[test]
fn landed_files_are_held_against_the_ledger() {
    let place = counted_flights();
    let landing = place.workspace().join("storage/landing/flights");
    std::fs::remove_file(landing.join("2013-02.csv.gz")).unwrap();
    std::fs::write(landing.join("uploaded.csv"), "carrier\nUA\n").unwrap();
    let said = succeeds(&place, &["verify"]);
    assert!(said.contains("flights: 3 landed files, 2 counted, 0 dead, 0 retracted, 1 waiting\n"), "{said}");
    assert!(said.contains("  1 wait to be loaded\n    flights/uploaded.csv\n"), "{said}");
    assert!(
        said.contains("  1 counted, and not in landing any more (their counts stand)\n    flights/2013-02.csv.gz\n"),
        "{said}"
    );

    // A database that was restored to a time before the file was counted: no marker knows that.
    tamper(
        &place,
        "DELETE FROM millrace_flight_days_part WHERE millrace_unit_id IN
           (SELECT unit_id FROM millrace_unit WHERE blob = 'flights/2013-01.csv.gz');
         DELETE FROM millrace_airport_days_part WHERE millrace_unit_id IN
           (SELECT unit_id FROM millrace_unit WHERE blob = 'flights/2013-01.csv.gz');
         DELETE FROM millrace_unit WHERE blob = 'flights/2013-01.csv.gz';",
    );
    let (said, why) = fails(&place, &["verify", "--repair"]);
    assert!(
        said.contains("  1 marked as loaded, and the ledger does not have them; `millrace replay flights`"),
        "{said}"
    );
    assert_eq!(why, "millrace: files are marked as loaded that the ledger does not have: replay them\n");
}
