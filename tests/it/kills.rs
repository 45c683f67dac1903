//! SIGKILL of the handler at every step of a file's way, and at any time: the summaries are right in the end.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::flights::{self, FILES, all_texts, assert_same_summaries, truth};
use crate::support::{Place, Running, text, wait_for};

fn place_with_flights() -> Place {
    let place = Place::new();
    for file in FILES {
        let name = format!("flights/{file}.gz");
        place.put(&name, fs::read(flights::examples().join(&name)).unwrap());
    }
    place
}

#[track_caller]
fn survives_a_kill_at(point: &str) {
    let place = place_with_flights();
    let marker = place.path().join("struck");
    let output = place
        .dev()
        .args(["--once", "--json"])
        .env("MILLRACE_FAULT_POINT", format!("{point}={}", marker.display()))
        .output()
        .unwrap();
    assert!(marker.exists(), "{point} was never reached: {}", text(&output.stderr));
    assert!(output.status.success(), "{point}: {}", text(&output.stderr));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_same_summaries(&printed["summaries"], &truth(&all_texts()));
    assert_eq!(printed["files"]["dead_lettered"], 0);
    assert_eq!(place.once()["summaries"], printed["summaries"], "nothing was left to do");
}

#[test]
fn a_kill_during_pull_ends_with_right_summaries() {
    for point in ["pull.staged", "pull.landed", "pull.recorded"] {
        survives_a_kill_at(point);
    }
}

#[test]
fn a_kill_during_announce_ends_with_right_summaries() {
    for point in ["announce.found", "announce.sent"] {
        survives_a_kill_at(point);
    }
}

#[test]
fn a_kill_during_load_ends_with_right_summaries() {
    for point in ["load.begun", "load.counted", "load.committed"] {
        survives_a_kill_at(point);
    }
}

/// The host counts crashes and gives up at the third: two are what it must carry.
#[test]
fn two_kills_at_any_time_end_with_right_summaries() {
    for moment in 0..3_u64 {
        let place = place_with_flights();
        let mut dev = Running(
            place.dev().args(["--once", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap(),
        );
        for kill in 0..2_u64 {
            let handler = wait_for("a handler", || handler_of(dev.0.id()));
            // Not a wait for a condition but the moment itself, which is what this test varies.
            std::thread::sleep(Duration::from_millis(400 + 900 * moment + 1_300 * kill));
            let _ = Command::new("kill").args(["-KILL", &handler.to_string()]).status();
            wait_for("the handler's end", || (handler_of(dev.0.id()) != Some(handler)).then_some(()));
        }
        let mut printed = String::new();
        std::io::Read::read_to_string(&mut dev.0.stdout.take().unwrap(), &mut printed).unwrap();
        assert!(dev.0.wait().unwrap().success());
        let printed: Value = serde_json::from_str(&printed).unwrap();
        assert_same_summaries(&printed["summaries"], &truth(&all_texts()));
    }
}

#[test]
fn a_killed_host_leaves_no_handler_and_its_work_goes_on() {
    let place = place_with_flights();
    let mut dev = Running(place.dev().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let handler = wait_for("a handler", || handler_of(dev.0.id()));
    dev.0.kill().unwrap();
    dev.0.wait().unwrap();
    wait_for("the orphan's end", || (!fs::exists(format!("/proc/{handler}")).unwrap()).then_some(()));
    assert_same_summaries(&place.once()["summaries"], &truth(&all_texts()));
}

/// The child process that serves.
fn handler_of(host: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{host}/task/{host}/children")).ok()?;
    let all = fs::read_dir(format!("/proc/{host}/task")).ok()?;
    let of_threads = all.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    std::iter::once(children)
        .chain(of_threads)
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>())
        .find(|id| {
            fs::read(format!("/proc/{id}/cmdline"))
                .is_ok_and(|line| line.split(|b| *b == 0).any(|word| word == b"serve"))
        })
}
