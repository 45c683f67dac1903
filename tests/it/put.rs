//! A partner puts files with OpenSSH's `sftp` client while `millrace dev` runs.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::flights::{FILES, assert_same_summaries, text_of, truth};
use crate::support::{Place, Running, wait_for};

/// `millrace dev`, and how to log in to its server.
pub struct Dev {
    pub place: Place,
    _process: Running,
    port: String,
    password: String,
}

impl Dev {
    pub fn start() -> Self {
        let place = Place::new();
        let mut process = place.dev().stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        // sftp    sftp -P 36413 partner@127.0.0.1   (password 9f4c0a2b77e14d10)
        let login = lines.next().unwrap().unwrap();
        let words: Vec<String> = login.split_whitespace().map(str::to_owned).collect();
        thread::spawn(move || lines.for_each(drop));
        let password = words.last().unwrap().trim_end_matches(')').to_owned();
        Dev { place, _process: Running(process), port: words[3].clone(), password }
    }

    fn sftp(&self, batch: &str) {
        let mut sftp = Command::new("sshpass")
            .args(["-p", &self.password, "sftp", "-q", "-P", &self.port])
            .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"])
            .args(["-o", "PubkeyAuthentication=no", "partner@127.0.0.1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("`./test` installs sshpass and the sftp client");
        sftp.stdin.take().unwrap().write_all(batch.as_bytes()).unwrap();
        assert!(sftp.wait().unwrap().success(), "{batch}");
    }

    fn is_landed(&self, name: &str) -> bool {
        self.place.workspace().join("storage/landing/flights").join(name).exists()
    }

    /// Waits until the present version of every landed file is loaded, and at least `count` are.
    fn wait_for_loaded(&self, count: u64) {
        wait_for("the files to be loaded", || {
            let output = self.place.command(&["status", "--json"]);
            let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
            let feed = &status["feeds"][0];
            (feed["loaded"].as_u64()? >= count && feed["waiting"] == 0).then_some(())
        });
    }
}

#[test]
fn a_file_that_is_put_is_counted_and_one_that_still_grows_is_not_taken() {
    let dev = Dev::start();
    let february = text_of(FILES[1]);
    let local = dev.place.path().join("2013-02.csv");
    std::fs::write(&local, &february).unwrap();

    // January grows for as long as February takes to get all the way.
    let january = text_of(FILES[0]);
    let growing = dev.place.inbox().join("flights/2013-01.csv");
    let go_on = Arc::new(AtomicBool::new(true));
    let writer = thread::spawn({
        let (go_on, january) = (go_on.clone(), january.clone());
        move || {
            let mut file = OpenOptions::new().create(true).append(true).open(growing).unwrap();
            let mut lines = january.split_inclusive('\n');
            while go_on.load(Ordering::Relaxed) {
                lines.by_ref().take(10).for_each(|line| file.write_all(line.as_bytes()).unwrap());
                thread::sleep(Duration::from_millis(50));
            }
            lines.for_each(|line| file.write_all(line.as_bytes()).unwrap());
        }
    });
    dev.sftp(&format!("cd flights\nput {} 2013-02.csv.part\nrename 2013-02.csv.part 2013-02.csv\n", local.display()));
    dev.wait_for_loaded(1);
    assert!(!dev.is_landed("2013-01.csv"), "a file that grows is not taken");
    assert!(!dev.is_landed("2013-02.csv.part"), "a name that means an upload is not taken");
    go_on.store(false, Ordering::Relaxed);
    writer.join().unwrap();
    wait_for("January in landing", || dev.is_landed("2013-01.csv").then_some(()));
    dev.wait_for_loaded(2);

    let Dev { place, _process: process, .. } = dev;
    drop(process);
    assert_same_summaries(&place.once()["summaries"], &truth(&[january, february]));
}
