//! The fake counts for something only as long as a client that was written for the real service works against it.

use std::process::Command;

use super::{ACCOUNT, FilesServer, TOKEN};
use crate::support::text;

/// A Python with Microsoft's package, if it is not the first `python3` that is found.
const PYTHON: &str = "MILLRACE_TEST_PYTHON";
const PACKAGE: &str = "azure-storage-file-share";

#[test]
fn microsofts_sdk_for_python_works_against_the_fake() {
    let python = std::env::var(PYTHON).unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import azure.storage.fileshare"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "SKIPPED: `{python}` has no {PACKAGE}; pip install {PACKAGE}, or name a Python that has it in {PYTHON}"
        );
        return;
    }
    let server = FilesServer::start();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/files_server/sdk.py");
    let endpoint = format!("http://127.0.0.1:{}", server.port);
    let output = Command::new(&python).arg(script).args([&endpoint, ACCOUNT, &server.key, TOKEN]).output().unwrap();
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(text(&output.stdout).trim(), "it works", "{said}");
    assert!(server.served().len() > 30, "the SDK was at another server");
}
