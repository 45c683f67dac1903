//! What users are told of bad input, word by word: each folder of `tests/it/transcripts/files` holds a feed, a file at
//! fault, and in `said.txt` what is said of it. `MILLRACE_BLESS=1` writes what is said now, to be read over and committed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use millrace::stations::containers::{Container, Containers, StorageLocation};

use crate::support::{Place, text};

/// Which part of the repository the cases are.
fn cases_below(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/transcripts").join(folder);
    let mut cases: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn name_of(case: &Path) -> String {
    case.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Holds what was said against what is written down, for all cases at once.
#[track_caller]
fn compare(said: BTreeMap<PathBuf, String>) {
    let mut differing = Vec::new();
    for (path, said) in said {
        if std::env::var_os("MILLRACE_BLESS").is_some() {
            fs::write(&path, &said).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        if written != said {
            differing.push(format!("{}\n--- written down\n{written}--- said\n{said}", path.display()));
        }
    }
    assert!(
        differing.is_empty(),
        "{}\n\nIf what is said now is better, write it down: MILLRACE_BLESS=1 cargo test --release transcripts",
        differing.join("\n")
    );
}

/// The files of a case, without what is ours.
fn inputs_of(case: &Path) -> Vec<PathBuf> {
    let ours = ["feed.toml", "said.txt"];
    let files = case.read_dir().unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| !ours.contains(&name_of(path).as_str())).collect()
}

#[tokio::test]
async fn every_file_at_fault_is_answered_as_it_is_written_down() {
    let cases = cases_below("files");
    assert!(cases.len() >= 40, "there are {} cases", cases.len());
    let place = Place::new();
    let pipeline = place.path().join("pipeline.toml");
    let feeds: Vec<String> = cases.iter().map(|case| fs::read_to_string(case.join("feed.toml")).unwrap()).collect();
    fs::write(&pipeline, feeds.join("\n")).unwrap();
    for case in &cases {
        let landing = place.workspace().join("storage/landing").join(name_of(case));
        fs::create_dir_all(&landing).unwrap();
        for input in inputs_of(case) {
            fs::copy(&input, landing.join(name_of(&input))).unwrap();
        }
    }

    let output = place.dev().arg("--pipeline").arg(&pipeline).arg("--once").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    let letters = text(&place.command(&["dead-letters"]).stdout);
    let storage = StorageLocation::Directory(place.workspace().join("storage"));
    let quarantine = Containers::open(&storage).await.unwrap().quarantine;
    let mut said = BTreeMap::new();
    for case in &cases {
        let mut answer = String::new();
        for input in inputs_of(case) {
            let blob = format!("{}/{}", name_of(case), name_of(&input));
            answer += &story_of(&blob, &told, &letters);
            answer += &rows_in(&quarantine, &blob).await;
        }
        assert!(!answer.is_empty(), "nothing was said of {}: {told}", name_of(case));
        said.insert(case.join("said.txt"), answer);
    }
    compare(said);
}

/// What was said of a file: that it was loaded, or its dead letter.
fn story_of(blob: &str, told: &str, letters: &str) -> String {
    let loaded = told.lines().find(|line| line.starts_with(&format!("loaded {blob}: ")));
    if let Some(loaded) = loaded {
        return format!("{loaded}\n");
    }
    let mut lines = letters.lines().skip_while(|line| !line.ends_with(&format!("  {blob}")));
    let Some(_) = lines.next() else { return String::new() };
    // What follows reason and remedy are times and the names of files, which differ from run to run.
    let letter: Vec<&str> = lines.take(2).collect();
    format!("{blob}\n{}\n", letter.join("\n"))
}

/// The rows of a file that went to quarantine.
async fn rows_in(quarantine: &Container, blob: &str) -> String {
    let mut rows = String::new();
    let mut files = quarantine.list(&format!("{blob}/"), None);
    while let Some(file) = files.try_next().await.unwrap() {
        rows += &text(&quarantine.get(&file.name).await.unwrap().unwrap());
    }
    rows
}

#[test]
fn every_faulty_pipeline_is_answered_as_it_is_written_down() {
    let mut said = BTreeMap::new();
    for case in cases_below("pipelines").into_iter().filter(|path| path.extension().is_some_and(|end| end == "toml")) {
        let declared = fs::read_to_string(&case).unwrap();
        let faults = millrace::pipeline::Pipeline::parse("pipeline.toml", &declared).unwrap_err();
        said.insert(case.with_extension("txt"), format!("{faults}\n"));
    }
    compare(said);
}
