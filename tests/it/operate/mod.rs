//! What people do by hand: `where`, `retract`, `verify`, and `replay` and `dead-letters` beside them. Every test runs the
//! program, and holds it to what it prints.

mod retractions;
mod stories;
mod verifications;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::flights::{self, FILES};
use crate::support::{Place, text};

/// A place whose three months of flights are counted.
fn counted_flights() -> Place {
    let place = Place::new();
    for file in FILES {
        let name = format!("flights/{file}.gz");
        place.put(&name, fs::read(flights::examples().join(&name)).unwrap());
    }
    place.once();
    place
}

/// The command's stdout.
#[track_caller]
fn succeeds(place: &Place, arguments: &[&str]) -> String {
    let output = place.command(arguments);
    assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// The command's stdout and stderr.
#[track_caller]
fn fails(place: &Place, arguments: &[&str]) -> (String, String) {
    let output = place.command(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

#[track_caller]
fn json(place: &Place, arguments: &[&str]) -> Value {
    serde_json::from_str(&succeeds(place, arguments)).unwrap()
}

/// What `millrace where FILE --json` knows of the one file that fits.
#[track_caller]
fn story(place: &Place, file: &str) -> Value {
    let found = json(place, &["where", file, "--json"]);
    assert_eq!(found["files"].as_array().unwrap().len(), 1, "{found:#}");
    found["files"][0].clone()
}

/// Everything in a container of the place's storage, below its folder.
fn names_in(place: &Place, container: &str) -> Vec<String> {
    let root = place.workspace().join("storage").join(container);
    let mut names: Vec<String> =
        files_below(&root).into_iter().map(|path| path.strip_prefix(&root).unwrap().display().to_string()).collect();
    names.sort();
    names
}

fn files_below(directory: &PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}
