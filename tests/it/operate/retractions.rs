//! `retract`: counts go and stay away, files are erased, and a replay brings back what is there.

use std::fs;

use super::{counted_flights, fails, json, names_in, story, succeeds};
use crate::flights::{FILES, all_texts, assert_same_summaries, row_count, text_of, truth};
use crate::support::{Place, text};

const JANUARY: &str = "flights/2013-01.csv.gz";

fn without_january() -> Vec<String> {
    all_texts().split_off(1)
}

#[test]
fn a_retracted_file_counts_nothing_until_a_replay_names_it() {
    let place = counted_flights();
    let said = succeeds(&place, &["retract", "flights", "--blob", JANUARY]);
    let rows = indicatif_count(row_count([&text_of(FILES[0])]));
    assert!(said.starts_with(&format!("{JANUARY}: took back version ")), "{said}");
    assert!(said.contains(&format!(" with {rows} rows\n")), "{said}");
    assert!(said.contains("  flight_days: 471 keys, of which 460 went with it\n"), "{said}");
    assert!(said.ends_with(&format!("1 of 1 file retracted, with {rows} rows\n")), "{said}");

    // Another run of everything changes nothing: neither the sweep nor a replay of the feed counts it again.
    assert_same_summaries(&place.once()["summaries"], &truth(&without_january()));
    let replayed = succeeds(&place, &["replay", "flights"]);
    assert!(
        replayed.contains("1 retracted file is left alone; name them with --blob to count them again"),
        "{replayed}"
    );
    assert!(replayed.ends_with("2 files announced\n"), "{replayed}");
    assert_same_summaries(&place.once()["summaries"], &truth(&without_january()));
    let status = json(&place, &["status", "--json"]);
    assert_eq!((&status["feeds"][0]["retracted"], &status["feeds"][0]["loaded"]), (&1.into(), &2.into()));
    assert!(succeeds(&place, &["status"]).contains("1 file is retracted"));
    assert_eq!(story(&place, JANUARY)["standing"], "retracted");

    let again = succeeds(&place, &["retract", "flights", "--blob", "2013-01*"]);
    assert!(again.contains("was retracted before and counts nothing"), "{again}");

    let replayed = succeeds(&place, &["replay", "flights", "--blob", JANUARY]);
    assert_eq!(replayed, format!("{JANUARY}  (was retracted)\n1 file announced\n"));
    assert_same_summaries(&place.once()["summaries"], &truth(&all_texts()));
    assert_eq!(story(&place, JANUARY)["standing"], "counted");
    assert_eq!(names_in(&place, "millrace-state").iter().filter(|name| name.starts_with("retracted/")).count(), 0);
}

#[test]
fn a_dry_run_says_the_same_and_changes_nothing() {
    let place = counted_flights();
    let before: Vec<Vec<String>> =
        ["landing", "millrace-state", "quarantine"].map(|container| names_in(&place, container)).to_vec();
    let said = succeeds(&place, &["retract", "flights", "--blob", "*", "--erase", "--dry-run"]);
    assert_eq!(said.matches(": would take back version ").count(), 3, "{said}");
    assert_eq!(said.matches("  would remove: the landed blob (").count(), 3, "{said}");
    assert!(said.contains("of which 460 would go with it"), "{said}");
    assert!(said.ends_with("; 3 would be erased; nothing was changed\n"), "{said}");
    let after: Vec<Vec<String>> =
        ["landing", "millrace-state", "quarantine"].map(|container| names_in(&place, container)).to_vec();
    assert_eq!(after, before);
    assert_same_summaries(&place.once()["summaries"], &truth(&all_texts()));
}

#[test]
fn a_new_version_of_a_retracted_file_counts() {
    let place = counted_flights();
    succeeds(&place, &["retract", "flights", "--blob", JANUARY]);
    let corrected = text_of(FILES[0]).lines().take(1_000).collect::<Vec<_>>().join("\n") + "\n";
    place.put("flights/2013-01.csv.gz", crate::dev::gzipped(&corrected));
    let mut texts = without_january();
    texts.push(corrected);
    assert_same_summaries(&place.once()["summaries"], &truth(&texts));
    assert_eq!(story(&place, JANUARY)["standing"], "counted");
}

#[test]
fn an_erased_file_is_gone_and_is_not_pulled_again() {
    let place = counted_flights();
    let said = succeeds(&place, &["retract", "flights", "--blob", JANUARY, "--erase"]);
    let size = fs::metadata(place.inbox().join(JANUARY)).unwrap().len();
    assert!(
        said.contains(&format!(
            "  removed: the landed blob ({} bytes), 1 curated file, 1 record\n",
            indicatif_count(size)
        )),
        "{said}"
    );
    assert!(
        said.contains("is not pulled again where it still lies at its source; have it removed there too"),
        "{said}"
    );
    for container in ["landing", "quarantine", "curated"] {
        assert!(names_in(&place, container).iter().all(|name| !name.contains("2013-01")), "{container}");
    }
    let left: Vec<String> =
        names_in(&place, "millrace-state").into_iter().filter(|name| name.contains("2013-01")).collect();
    assert_eq!(left.len(), 2, "what keeps it away: {left:?}");
    assert!(left[0].starts_with("pulled/") && left[0].ends_with(".landed"), "{left:?}");
    assert!(left[1].starts_with("retracted/"), "{left:?}");

    let output = place.once();
    assert_eq!(output["files"]["pulled"], 0, "it still lies at its source");
    assert_same_summaries(&output["summaries"], &truth(&without_january()));
    let told = story(&place, JANUARY);
    assert_eq!(told["standing"], "erased");
    assert!(succeeds(&place, &["verify"]).contains("2 landed files, 2 counted"));

    let again = succeeds(&place, &["retract", "flights", "--blob", JANUARY, "--erase"]);
    assert!(again.contains("  removed: nothing, as nothing was left\n"), "{again}");
}

#[test]
fn an_erasure_takes_bad_rows_and_letters_with_it() {
    let place = counted_flights();
    let mut lines: Vec<String> = text_of(FILES[0]).lines().take(101).map(str::to_owned).collect();
    lines[7] = "2013,1,1,1,1,soon,1,1,1,UA,1,N1,EWR,IAH,1,1,1,1,2013-01-01T10:00:00Z".to_owned();
    place.put("flights/bad.csv", lines.join("\n"));
    assert_eq!(place.dev().args(["--once", "--json"]).output().unwrap().status.code(), Some(1));
    assert_eq!(names_in(&place, "quarantine").len(), 1);

    let said = succeeds(&place, &["retract", "flights", "--blob", "bad.csv", "--erase"]);
    assert!(said.starts_with("flights/bad.csv: was never counted\n"), "{said}");
    assert!(said.contains(", 1 quarantine file, 1 record\n"), "{said}");
    assert_eq!(names_in(&place, "quarantine").len(), 0);
    assert_eq!(succeeds(&place, &["dead-letters"]), "no dead letters\n");
    assert_same_summaries(&place.once()["summaries"], &truth(&all_texts()));
}

#[test]
fn a_kill_at_any_step_leaves_what_another_run_finishes() {
    for point in ["retract.marked", "retract.committed", "retract.recorded", "erase.landing", "erase.files"] {
        let place = counted_flights();
        let marker = place.path().join("struck");
        let killed = {
            let mut command = crate::support::millrace();
            command.current_dir(env!("CARGO_MANIFEST_DIR"));
            command.args(["retract", "flights", "--blob", JANUARY, "--erase", "--workspace"]).arg(place.workspace());
            command.env("MILLRACE_FAULT_POINT", format!("{point}={}", marker.display())).output().unwrap()
        };
        assert!(marker.exists(), "{point} was never reached: {}", text(&killed.stderr));
        assert!(!killed.status.success(), "{point}");
        // What goes on meanwhile sees a file that counts whole or not at all.
        let expected = if point == "retract.marked" { truth(&all_texts()) } else { truth(&without_january()) };
        assert_same_summaries(&place.once()["summaries"], &expected);

        succeeds(&place, &["retract", "flights", "--blob", JANUARY, "--erase"]);
        assert_same_summaries(&place.once()["summaries"], &truth(&without_january()));
        assert!(names_in(&place, "landing").iter().all(|name| !name.contains("2013-01")), "{point}");
        assert_eq!(story(&place, JANUARY)["standing"], "erased", "{point}");
        succeeds(&place, &["verify"]);
    }
}

#[test]
fn what_is_not_there_is_said() {
    let place = counted_flights();
    let (_, said) = fails(&place, &["retract", "flights", "--blob", "2014-*"]);
    assert_eq!(
        said,
        "millrace: no file of feed `flights` is landed or in the ledger under `2014-*`; `millrace where` finds files\n"
    );
    let (_, said) = fails(&place, &["retract", "flihgts", "--blob", "*"]);
    assert_eq!(said, "millrace: pipeline.toml declares no feed `flihgts`; did you mean `flights`?\n");
    let (_, said) = fails(&place, &["replay", "flights", "--blob", "2014-*"]);
    assert_eq!(said, "millrace: none of 3 landed files of feed `flights` fits; `millrace where` finds files\n");
    let usage = Place::new().command(&["retract", "flights"]);
    assert_eq!(usage.status.code(), Some(2), "--blob must be given");
}

/// `27,004`
fn indicatif_count(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}
