//! The files of a new app, for `init`: the user's own pipeline.toml, host.json and functions, with a few rows to try.

use super::{FUNCTIONS_FOLDER, as_file, function_jsons, host_json};
use crate::pipeline::Pipeline;

const PIPELINE: &str = include_str!("starter/pipeline.toml");

/// One file of a new app.
pub struct StarterFile {
    /// Below the app's folder, with `/`.
    pub path: String,
    pub text: String,
}

fn file(path: impl Into<String>, text: impl Into<String>) -> StarterFile {
    StarterFile { path: path.into(), text: text.into() }
}

/// All of them.
pub fn files() -> Vec<StarterFile> {
    let mut files = vec![
        file("pipeline.toml", PIPELINE),
        file("host.json", as_file(&host_json())),
        file("local.settings.json", include_str!("starter/local.settings.json")),
        file("examples/inbox/orders/2026-11.csv", include_str!("starter/orders.csv")),
        // Settings hold secrets, and the workspace of `dev` is nobody else's.
        file(".gitignore", "/.millrace\n/dist\n/local.settings.json\n"),
        // Publishing from this folder would send the sources and no program: it sends nothing.
        file(".funcignore", "**\n"),
    ];
    let pipeline = Pipeline::parse("pipeline.toml", PIPELINE).expect("the starter's pipeline has no fault");
    for (function, document) in function_jsons(&pipeline) {
        files.push(file(format!("{FUNCTIONS_FOLDER}/{function}/function.json"), as_file(&document)));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_starters_pipeline_has_no_fault_and_counts_its_rows() {
        let pipeline = Pipeline::parse("pipeline.toml", PIPELINE).unwrap();
        assert_eq!(pipeline.feeds.len(), 1);
        assert_eq!(pipeline.summaries.len(), 1);
    }

    #[test]
    fn the_starters_stream_is_one_once_it_is_no_comment() {
        let lines = PIPELINE.lines().map(|line| match line.strip_prefix("# ") {
            Some(toml) if toml.starts_with("[feed.stream]") || toml.starts_with("hub = ") => toml,
            _ => line,
        });
        let pipeline = Pipeline::parse("pipeline.toml", &lines.collect::<Vec<_>>().join("\n")).unwrap();
        assert_eq!(pipeline.feeds[0].stream.as_ref().unwrap().hub, "orders");
    }

    #[test]
    fn the_starters_settings_hold_every_secret_that_its_pipeline_names() {
        let settings: serde_json::Value = serde_json::from_str(include_str!("starter/local.settings.json")).unwrap();
        assert!(settings["Values"]["ORDERS_SFTP_KEY"].is_string());
    }
}
