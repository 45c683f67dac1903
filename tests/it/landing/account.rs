//! A user of this machine with a password of his own, for as long as a test runs.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

pub struct Account {
    pub name: String,
    pub password: String,
}

/// The files of accounts are changed by one process at a time.
static CHANGING: Mutex<()> = Mutex::new(());
static MADE: AtomicU32 = AtomicU32::new(0);

impl Account {
    /// `None`, said loudly, where the tests may not make one.
    pub fn make() -> Option<Account> {
        let id = Command::new("id").arg("-u").output().unwrap();
        if id.stdout != b"0\n" {
            eprintln!(
                "SKIPPED: a user with a password can only be made by root. To run this test: sudo ./test landing"
            );
            return None;
        }
        let number = MADE.fetch_add(1, Ordering::SeqCst);
        let name = format!("millrace-{}-{number}", std::process::id());
        let account = Account { password: format!("open {name}"), name };
        let _alone = CHANGING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        run(Command::new("useradd").arg("--no-create-home").arg(&account.name), "");
        run(&mut Command::new("chpasswd"), &format!("{}:{}\n", account.name, account.password));
        Some(account)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _alone = CHANGING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // A process of his may still be there; the account goes all the same.
        let _ = Command::new("userdel").arg("--force").arg(&self.name).stderr(Stdio::null()).status();
    }
}

fn run(command: &mut Command, input: &str) {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}
