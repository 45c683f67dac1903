//! What the manifest promises about builds.

use std::collections::BTreeSet;
use std::process::Command;

/// Crates with their features, as `cargo tree` resolves them.
fn crates(arguments: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p} [{f}]"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

fn name(line: &str) -> &str {
    line.split(' ').next().unwrap()
}

/// `name v1.2.3`
fn name_and_version(line: &str) -> String {
    line.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_lean_build_and_the_tests_compile_no_polars_crate_again() {
    let below_polars: BTreeSet<String> =
        crates(&["-p", "polars", "-e", "normal,build"]).iter().map(|line| name_and_version(line)).collect();
    assert!(below_polars.iter().any(|line| name(line) == "polars-core"));
    let full = crates(&["-p", "millrace", "-e", "normal,build"]);
    for (what, arguments) in [
        ("--no-default-features", &["-p", "millrace", "-e", "normal,build", "--no-default-features"][..]),
        ("the tests", &["--workspace", "-e", "normal,build,dev"][..]),
    ] {
        let other = crates(arguments);
        let changed: Vec<&String> =
            other.difference(&full).filter(|line| below_polars.contains(&name_and_version(line))).collect();
        assert!(changed.is_empty(), "{what} changes features below Polars: {changed:#?}");
    }
}

#[test]
fn the_lean_build_has_no_stand_in() {
    let lean = crates(&["-p", "millrace", "-e", "normal,build", "--no-default-features"]);
    for stand_in_only in ["russh", "russh-sftp", "croner"] {
        assert!(!lean.iter().any(|line| name(line) == stand_in_only), "{stand_in_only}");
    }
}
