//! `millrace plan`, beside a running `dev` and against servers of its own.

use std::fs;
use std::process::Output;

use serde_json::{Value, json};

use crate::flights::{FILES, text_of};
use crate::put::Dev;
use crate::sshd::Sshd;
use crate::support::{Place, millrace, text, wait_for};

fn rows(output: &Output) -> Vec<Value> {
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    printed["sources"][0]["files"].as_array().unwrap().clone()
}

#[test]
fn beside_a_running_dev_it_shows_what_dev_pulls_and_what_it_leaves() {
    let dev = Dev::start();
    dev.place.put("flights/2013-01.csv", text_of(FILES[0]).as_bytes());
    dev.place.put("flights/notes.txt", "not for us");
    dev.place.put("flights/upload.csv.tmp", "not yet");
    let landed = wait_for("the plan to say that January has landed", || {
        let output = dev.place.command(&["plan", "--json"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let rows = rows(&output);
        rows.iter().any(|row| row["reason"] == "landed").then_some(rows)
    });
    let told: Vec<[&Value; 4]> =
        landed.iter().map(|row| [&row["path"], &row["action"], &row["reason"], &row["why"]]).collect();
    let expected = [
        ["2013-01.csv", "leave", "landed", "landed already as flights/2013-01.csv, with the same size and time"],
        ["notes.txt", "leave", "not_included", "no glob of `include` takes it"],
        ["upload.csv.tmp", "leave", "excluded", "excluded by `*.tmp`"],
    ];
    assert_eq!(json!(told), json!(expected));
    let shown = text(&dev.place.command(&["plan"]).stdout);
    assert!(shown.contains("excluded by `*.tmp`") && shown.contains("nothing to pull; 3 left"), "{shown}");
}

#[test]
fn without_dev_it_asks_the_declared_sources_and_says_what_is_missing() {
    let place = Place::new();
    place.put("flights/2013-01.csv", text_of(FILES[0]).as_bytes());
    place.once();
    let output = place.command(&["plan"]);
    assert_eq!(output.status.code(), Some(1));
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert!(shown.contains("cannot be looked at: setting `FLIGHTS_SFTP_KEY` is missing"), "{shown}");
    assert!(said.contains("2 of 2 sources cannot be looked at"), "{said}");
}

#[test]
fn one_dead_server_hides_no_other_source() {
    let Some(sshd) = Sshd::start() else { return };
    fs::write(sshd.out().join("a.csv"), "x").unwrap();
    let place = Place::new();
    let source = |name: &str, port: u16| {
        format!(
            "[[feed.sftp]]\nname = \"{name}\"\nurl = \"sftp://{}@127.0.0.1:{port}{}\"\nhost_key = \"{}\"\n\
             private_key = \"env:SSHD_KEY\"\nsettle = \"0s\"\n",
            sshd.endpoint().user,
            sshd.out().display(),
            sshd.host_keys[0],
        )
    };
    let declared = format!(
        "[[feed]]\nname = \"flights\"\nformat = \"csv\"\n[feed.columns]\nx = \"int64\"\n{}{}",
        // Nobody listens at tcpmux.
        source("dead", 1),
        source("alive", sshd.port)
    );
    let pipeline = place.path().join("pipeline.toml");
    fs::write(&pipeline, declared).unwrap();
    let storage = place.workspace().join("storage");
    let mut command = millrace();
    command
        .args(["plan", "--app"])
        .arg(place.path())
        .env("SSHD_KEY", &sshd.user_key)
        .env("LandingStorage", format!("file:{}", storage.display()))
        .env("StagingShare", "file:nowhere")
        .env("EventHubConnection", "file:nowhere")
        .env("Warehouse", "sqlite:nowhere");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(shown.contains("server 127.0.0.1:1 cannot be reached"), "{shown}");
    assert!(shown.contains("a.csv  to flights/alive/a.csv"), "{shown}");
    assert!(text(&output.stderr).contains("1 of 2 sources cannot be looked at"));
    assert!(!storage.exists(), "a dry run makes nothing");
}
