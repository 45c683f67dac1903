//! What users read when something is wrong: the file, the line or the key, and the remedy.

use std::fs;

use crate::flights::text_of;
use crate::support::{Place, text};

/// `millrace check` of a changed pipeline.toml.
fn check(change: impl FnOnce(String) -> String) -> String {
    let place = Place::new();
    let declared = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/pipeline.toml")).unwrap();
    let path = place.path().join("pipeline.toml");
    fs::write(&path, change(declared)).unwrap();
    let mut command = crate::support::millrace();
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["check", "--workspace"]).arg(place.workspace());
    let output = command.env("MILLRACE_PIPELINE", &path).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    text(&output.stdout)
}

#[test]
fn a_wrong_key_names_its_line_and_the_right_one() {
    let said = check(|text| text.replace("max_reject_ratio", "max_reject_ration"));
    assert!(
        said.contains(
            "pipeline.toml:13: feed `flights`: unknown key `max_reject_ration`; did you mean `max_reject_ratio`?"
        ),
        "{said}"
    );
}

#[test]
fn a_summary_that_does_not_merge_names_its_line_and_what_to_write() {
    let said = check(|text| {
        text.replace(
            "MAX(dep_delay) AS worst_delay\n  FROM flights GROUP BY flight_date, carrier",
            "AVG(dep_delay) AS delay\n  FROM flights GROUP BY flight_date, carrier",
        )
    });
    assert!(said.contains("summary `flight_days`") && said.contains("AVG") && said.contains("SUM("), "{said}");
}

#[test]
fn missing_settings_are_all_named_at_once() {
    let said = check(|text| text);
    for setting in ["FLIGHTS_SFTP_KEY", "LandingStorage", "PullSchedule"] {
        assert!(said.contains(&format!("setting `{setting}` is missing")), "{said}");
    }
}

#[test]
fn a_missing_column_is_named_with_what_the_file_has() {
    let place = Place::new();
    place.put("flights/renamed.csv", text_of("2013-01.csv").replacen("carrier,", "Carrier,", 1));
    let output = place.dev().arg("--once").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let letters = text(&place.command(&["dead-letters"]).stdout);
    assert!(letters.contains("`carrier`") && letters.contains("Carrier"), "{letters}");
    assert!(letters.contains("[feed.columns]"), "{letters}");
}

#[test]
fn what_a_file_is_not_is_said_and_not_parsed() {
    let place = Place::new();
    place.put("flights/zipped.csv", fs::read(crate::flights::examples().join("flights/2013-01.csv.gz")).unwrap());
    let output = place.dev().arg("--once").output().unwrap();
    assert!(text(&output.stderr).contains("dead letter"), "{}", text(&output.stderr));
    let letters = text(&place.command(&["dead-letters"]).stdout);
    assert!(letters.contains("the file is compressed with gzip, but its name does not end in .gz"), "{letters}");
}

/// A new app, whose pipeline.toml streams its feed as its comment shows.
fn app_with_a_stream() -> Place {
    let place = Place::new();
    let app = place.path().join("app");
    let made = crate::support::millrace().arg("init").arg(&app).output().unwrap();
    assert!(made.status.success(), "{}", text(&made.stderr));
    let path = app.join("pipeline.toml");
    let declared = fs::read_to_string(&path).unwrap();
    fs::write(path, declared.replace("# [feed.stream]\n# hub", "[feed.stream]\nhub")).unwrap();
    place
}

/// In the app's folder: whether it succeeds, and what it says to stdout and stderr.
fn in_app(place: &Place, arguments: &[&str]) -> (bool, String, String) {
    let output = crate::support::millrace().current_dir(place.path().join("app")).args(arguments).output().unwrap();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_stream_without_its_function_stops_dev_and_check_mends_it() {
    let place = app_with_a_stream();
    let fault = "stream_orders/function.json is missing: pipeline.toml streams feed `orders`; run `millrace check --write-functions`\n";
    let (succeeds, _, complaint) = in_app(&place, &["dev", "--once"]);
    assert!(!succeeds && complaint.starts_with("millrace: the app in . is not what "), "{complaint}");
    assert!(complaint.ends_with(&format!("/app/pipeline.toml asks for\n{fault}")), "{complaint}");
    let (succeeds, said, _) = in_app(&place, &["check"]);
    assert!(!succeeds && said.contains(fault), "{said}");

    let (succeeds, said, complaint) = in_app(&place, &["check", "--write-functions"]);
    assert!(succeeds, "{said}{complaint}");
    let expected = "wrote ./functions/stream_orders/function.json\npipeline.toml: 1 feed, 1 summary\nsettings and functions agree\n";
    assert_eq!(said, expected);
    let (succeeds, said, complaint) = in_app(&place, &["dev", "--once", "--port", "0"]);
    assert!(succeeds, "{said}{complaint}");
}

#[test]
fn a_pipeline_alone_is_given_the_functions_that_it_asks_for() {
    let place = app_with_a_stream();
    let path = place.path().join("app/pipeline.toml");
    let other = place.path().join("other.toml");
    fs::rename(path, &other).unwrap();
    let arguments = ["dev", "--once", "--port", "0", "--pipeline", other.to_str().unwrap()];
    let (succeeds, said, complaint) = in_app(&place, &arguments);
    assert!(succeeds, "{said}{complaint}");
    let made = place.path().join("app/.millrace/app/functions");
    assert!(made.join("stream_orders/function.json").is_file());

    let declared = fs::read_to_string(&other).unwrap();
    fs::write(&other, declared.replace("[feed.stream]\nhub", "# [feed.stream]\n# hub")).unwrap();
    let (succeeds, said, complaint) = in_app(&place, &arguments);
    assert!(succeeds, "{said}{complaint}");
    assert!(!made.join("stream_orders").exists());
}
