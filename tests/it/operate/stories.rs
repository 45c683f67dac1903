//! `where`: every file is found by what people call it, and its story is told.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::{Value, json};

use super::{counted_flights, fails, json, story, succeeds};
use crate::flights::{FILES, row_count, text_of};
use crate::support::{Place, text};

fn events(version: &Value) -> Vec<&str> {
    version["events"].as_array().unwrap().iter().map(|moment| moment["event"].as_str().unwrap()).collect()
}

#[test]
fn a_counted_files_story_goes_from_its_source_to_its_counts() {
    let place = counted_flights();
    for file in ["2013-01.csv.gz", "flights/2013-01.csv.gz", "examples/inbox/flights/2013-01.csv.gz", "2013-0[1]*"] {
        let told = story(&place, file);
        assert_eq!((&told["blob"], &told["standing"]), (&json!("flights/2013-01.csv.gz"), &json!("counted")), "{file}");
    }
    let told = story(&place, "2013-01.csv.gz");
    assert_eq!(told["versions"].as_array().unwrap().len(), 1);
    assert_eq!(events(&told["versions"][0]), ["seen", "landed", "curated", "counted"]);
    let counted = &told["versions"][0]["events"][3];
    assert_eq!(counted["rows_read"], json!(row_count([&text_of(FILES[0])])));
    assert_eq!((&counted["rows_rejected"], &counted["generation"]), (&json!(0), &json!(1)));
    assert_eq!(told["next"], "nothing is left to do");

    let said = succeeds(&place, &["where", "2013-01.csv.gz"]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "flights/2013-01.csv.gz: counted");
    assert_eq!(lines[1], "  from sftp.example.com:/outbox/flights/2013-01.csv.gz");
    assert!(lines[2].contains("Z  seen: 656,678 bytes, written 20"), "{said}");
    assert!(lines[3].contains("Z  landed: 656,678 bytes, etag ") && lines[3].contains(", sha256 "), "{said}");
    assert!(lines[4].contains("Z  typed rows in curated: flights/2013-01.csv.gz/"), "{said}");
    assert!(lines[5].contains("Z  counted: 27,004 rows read, 0 rejected; generation 1, load "), "{said}");
    assert_eq!(lines[6], "  next: nothing is left to do");
}

#[test]
fn several_files_are_told_newest_first() {
    let place = counted_flights();
    let found = json(&place, &["where", "flights/2013-*", "--json"]);
    assert_eq!(found["files"].as_array().unwrap().len(), 3);
    place.put("flights/2013-01.csv.gz", crate::dev::gzipped(&text_of(FILES[1])));
    place.once();
    let found = json(&place, &["where", "2013-*", "--json"]);
    assert_eq!(found["files"][0]["blob"], "flights/2013-01.csv.gz", "the one that was touched last");
    let versions = found["files"][0]["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 2);
    assert_eq!(events(&versions[0]), ["counted"], "what the ledger remembers of the version before");
    assert_eq!(versions[1]["events"][3]["displaced"], versions[0]["etag"]);
}

#[test]
fn a_dead_letters_story_says_why_and_what_to_do() {
    let place = counted_flights();
    let mut lines: Vec<String> = text_of(FILES[0]).lines().take(101).map(str::to_owned).collect();
    lines[7] = "2013,1,1,1,1,soon,1,1,1,UA,1,N1,EWR,IAH,1,1,1,1,2013-01-01T10:00:00Z".to_owned();
    place.put("flights/bad.csv", lines.join("\n"));
    assert_eq!(place.dev().args(["--once", "--json"]).output().unwrap().status.code(), Some(1));
    let said = succeeds(&place, &["where", "bad.csv"]);
    assert!(said.starts_with("flights/bad.csv: dead letter\n"), "{said}");
    assert!(
        said.contains(" of load, row 7: 1 of 100 rows are bad, more than max_reject_ratio = 0.001 allows"),
        "{said}"
    );
    assert!(said.contains("bad rows in quarantine: flights/bad.csv/"), "{said}");
    let id = text(&place.command(&["dead-letters"]).stdout)[..12].to_owned();
    assert!(said.contains(&format!("(`millrace dead-letters retry {id}`)\n")), "{said}");

    let shown: Value = json(&place, &["dead-letters", "show", &id[..6]]);
    assert_eq!(shown["blob"], "flights/bad.csv");
    let listed = succeeds(&place, &["dead-letters"]);
    assert!(listed.starts_with(&format!("{id}  20")), "{listed}");
    assert!(listed.lines().next().unwrap().ends_with("Z  flights/bad.csv"), "{listed}");
    let (_, why) = fails(&place, &["dead-letters", "retry", &id, "ffffffffffff"]);
    assert!(why.contains("no dead letter has the id `ffffffffffff`"), "{why}");
}

#[test]
fn odd_names_are_found_as_they_look() {
    let place = Place::new();
    let rows: String = text_of(FILES[0]).lines().take(3).map(|line| format!("{line}\n")).collect();
    for name in ["50%#1~ ü.csv", "a 'quoted' one.csv"] {
        fs::write(place.inbox().join("flights").join(name), &rows).unwrap();
    }
    place.once();
    for asked in ["50%#1~ ü.csv", "50%#1~ u\u{308}.csv", "flights/50%#1~ ü.csv"] {
        let told = story(&place, asked);
        assert_eq!((&told["blob"], &told["standing"]), (&json!("flights/50%#1~ ü.csv"), &json!("counted")), "{asked}");
    }
    assert_eq!(story(&place, "a 'quoted' one.csv")["standing"], "counted");

    // As a pull lands a name that is no text; the embedded server serves none.
    fs::write(place.workspace().join("storage/landing/flights/M%FCnchen.csv"), &rows).unwrap();
    for asked in ["M\\xfcnchen.csv", "M\\374nchen.csv", "M?nchen.csv", "M%FCnchen.csv", "M\u{fffd}nchen.csv"] {
        assert_eq!(story(&place, asked)["blob"], "flights/M%FCnchen.csv", "{asked}");
    }
    let mut command = crate::support::millrace();
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("where").arg(std::ffi::OsStr::from_bytes(b"M\xfcnchen.csv"));
    let output = command.arg("--workspace").arg(place.workspace()).output().unwrap();
    assert!(text(&output.stdout).starts_with("flights/M%FCnchen.csv: landed, waits to be loaded\n"), "{output:?}");
}

#[test]
fn what_is_not_known_says_where_was_looked_and_what_is_near() {
    let place = counted_flights();
    let (said, why) = fails(&place, &["where", "2013-10.csv.gz"]);
    assert_eq!(said, "");
    assert_eq!(
        why,
        "millrace: nothing is known of `2013-10.csv.gz`: looked through 3 records of what was seen and pulled, 3 landed files, \
         3 records of loads and 3 lines of the ledger; did you mean `flights/2013-01.csv.gz` or `flights/2013-02.csv.gz` or \
         `flights/2013-03.csv.gz`?\n"
    );
    let (printed, _) = fails(&place, &["where", "invoices.xlsx", "--json"]);
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&printed["files"], &printed["near"]), (&json!([]), &json!([])));
    assert_eq!(printed["looked"]["landed"], 3);
}

#[test]
fn a_landed_file_waits_and_says_for_what() {
    let place = counted_flights();
    fs::write(place.workspace().join("storage/landing/flights/uploaded.csv"), "carrier\nUA\n").unwrap();
    let said = succeeds(&place, &["where", "uploaded.csv"]);
    assert!(said.starts_with("flights/uploaded.csv: landed, waits to be loaded\n"), "{said}");
    assert!(
        said.contains("  next: waits to be loaded; if its message was lost, the sweep announces it again, at 20"),
        "{said}"
    );
}

#[test]
fn without_the_database_storage_tells_its_part() {
    let place = counted_flights();
    move_database(&place.workspace(), place.path());
    let said = succeeds(&place, &["where", "2013-01.csv.gz"]);
    assert!(said.starts_with("flights/2013-01.csv.gz: counted\n"), "{said}");
    assert!(said.contains("counted, by its marker: 27,004 rows read, 0 rejected; generation 1\n"), "{said}");
    assert!(said.contains("\nthe ledger could not be asked, so this is what storage knows: "), "{said}");

    // What storage has forgotten, and only the ledger knows.
    move_database(place.path(), &place.workspace());
    fs::remove_dir_all(place.workspace().join("storage/millrace-state")).unwrap();
    fs::remove_dir_all(place.workspace().join("storage/landing")).unwrap();
    let told = story(&place, "2013-01.csv.gz");
    assert_eq!(told["standing"], "counted");
    assert!(told["next"].as_str().unwrap().contains("its blob is not in landing any more"), "{told}");
}

/// With its log, which a killed handler leaves behind.
fn move_database(from: &Path, to: &Path) {
    for file in ["warehouse.db", "warehouse.db-wal", "warehouse.db-shm"] {
        if from.join(file).exists() {
            fs::rename(from.join(file), to.join(file)).unwrap();
        }
    }
}
