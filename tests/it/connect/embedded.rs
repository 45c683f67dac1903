//! Ends on this machine: all reached, nothing left behind, and one fault stops no other trial.

use std::fs;
use std::path::PathBuf;

use super::{App, files_below};

const STREAM: &str = "[feed.stream]\nhub = \"orders\"\n";

#[test]
fn all_ends_are_reached_and_nothing_is_left_behind() {
    let app = App::new(STREAM);
    app.migrate(&[]);
    let checked = app.check(&[]);
    assert_eq!(checked.code, Some(0), "{}{}", checked.stdout, checked.stderr);
    assert_eq!(
        checked.reached("LandingStorage"),
        "directory `.millrace/storage`; landing, quarantine, curated and millrace-state are there and can be listed; a blob was \
         written, read and removed in millrace-state"
    );
    let share = checked.reached("StagingShare");
    assert_eq!(share, "directory `.millrace/share`; a file was written, read and removed");
    let files = checked.reached("EventHubConnection, hub `files`");
    assert!(files.starts_with("journal in `.millrace/hub`; 4 partitions, made 2"), "{files}");
    assert!(files.ends_with("may send (nothing was sent)"), "{files}");
    let stream = checked.reached("EventHubConnection, hub `orders`");
    assert!(
        stream.ends_with("consumer group `millrace` lets us in, as far as a hub without events can tell"),
        "{stream}"
    );
    let warehouse = checked.reached("Warehouse");
    assert_eq!(warehouse, "SQLite file `.millrace/warehouse.db`; the tables are as pipeline.toml asks");
    assert_eq!(checked.lines().len(), 5, "{}", checked.stdout);
    assert!(checked.stdout.ends_with("5 ends reached\n"), "{}", checked.stdout);
    for place in ["share", "storage/landing", "storage/curated", "storage/quarantine", "storage/millrace-state"] {
        assert!(app.workspace().join(place).is_dir(), "{place} is not made");
        assert_eq!(files_below(&app.workspace().join(place)), Vec::<PathBuf>::new(), "{place}");
    }
    let again = app.check(&[]);
    assert_eq!(again.stdout, checked.stdout, "the order is the same");
}

#[test]
fn a_warehouse_that_is_not_migrated_fails_and_is_not_made() {
    let app = App::new("");
    let said = app.check(&[]).failed("Warehouse").to_owned();
    assert!(said.ends_with("(the file is not there yet): run `millrace migrate`"), "{said}");
    assert!(!app.workspace().join("warehouse.db").exists(), "looking made it");

    app.migrate(&[]);
    let pipeline = fs::read_to_string(app.folder().join("pipeline.toml")).unwrap();
    let changed = pipeline.replace("COUNT(*) AS orders", "COUNT(*) AS orders, MAX(day) AS newest");
    fs::write(app.folder().join("pipeline.toml"), changed).unwrap();
    let checked = app.check(&[]);
    let said = checked.failed("Warehouse");
    let why = "(table `order_days` has other columns, feed `orders` was declared otherwise): run `millrace migrate`";
    assert!(said.ends_with(why), "{said}");
    assert!(checked.stderr.contains("1 of 4 ends failed"), "{}", checked.stderr);
    app.migrate(&[]);
    assert_eq!(app.check(&[]).code, Some(0));
}

#[test]
fn faults_of_pipeline_and_settings_stop_no_other_trial() {
    let app = App::new("");
    app.migrate(&[]);
    let checked = app.check(&[("LandingStorage", "@Microsoft.KeyVault(SecretUri=https://x)"), ("PullSchedule", "")]);
    assert_eq!(checked.code, Some(1));
    let unresolved =
        "setting `LandingStorage` cannot be used: it holds a Key Vault reference that the platform did not resolve";
    assert!(checked.stdout.contains(unresolved), "{}", checked.stdout);
    assert_eq!(checked.lines().len(), 3, "{}", checked.stdout);
    checked.reached("StagingShare");
    checked.reached("Warehouse");
    assert!(checked.stdout.ends_with("3 ends reached\n"), "{}", checked.stdout);
    assert!(checked.stderr.ends_with("2 faults\n"), "{}", checked.stderr);

    fs::write(app.folder().join("pipeline.toml"), "[[feed]]\nname = \"orders\"\nfrmat = \"csv\"\n").unwrap();
    let checked = app.check(&[]);
    assert!(checked.stdout.contains("unknown key `frmat`; did you mean `format`?"), "{}", checked.stdout);
    assert_eq!(checked.lines().len(), 4, "{}", checked.stdout);
    assert!(checked.lines().iter().all(|line| line.starts_with("reached  ")), "{}", checked.stdout);
    assert_eq!(
        checked.reached("Warehouse"),
        "SQLite file `.millrace/warehouse.db`",
        "nobody knows what it should hold"
    );
}

#[test]
fn each_end_that_cannot_be_used_is_named_with_what_to_do() {
    let app = App::new("");
    app.migrate(&[]);
    fs::write(app.folder().join("a file"), "").unwrap();
    let ends = [
        ("LandingStorage", "file:a file/storage"),
        ("StagingShare", "file:a file/share"),
        ("EventHubConnection", "file:a file/hub"),
        ("Warehouse", "sqlite:host.json"),
    ];
    let checked = app.check(&ends);
    let storage = checked.failed("LandingStorage");
    assert!(storage.contains("storage directory `a file/storage` cannot be used for container `landing`"), "{storage}");
    let share = checked.failed("StagingShare");
    assert!(share.contains("share `a file/share` cannot be used: is the directory mounted and writable?"), "{share}");
    let hub = checked.failed("EventHubConnection, hub `files`");
    assert!(hub.contains("cannot be used: check that the directory exists and is writable"), "{hub}");
    let warehouse = checked.failed("Warehouse");
    assert!(warehouse.contains("file is not a database"), "{warehouse}");
    assert!(checked.stderr.contains("4 of 4 ends failed"), "{}", checked.stderr);
}

#[test]
fn without_the_switch_no_end_is_tried() {
    let app = App::new("");
    let checked = app.run(&["check"], &[("Warehouse", "sqlite:nowhere/at/all.db")]);
    assert!(checked.status.success());
    assert!(!app.workspace().exists(), "an end was made");
}
