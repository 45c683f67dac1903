//! SFTP sources: OpenSSH's server, and the embedded one where a password is needed.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use millrace::secret::Secret;
use millrace::standin::sftp_server::{SftpServer, SftpServerOptions};

use super::App;
use crate::sshd::{PASSPHRASE, Sshd};

const SOURCE: &str = "sftp source of feed `orders`";
const KEY: &str = "private_key = \"env:ORDERS_SFTP_KEY\"";

fn source(sshd: &Sshd, directory: &str, host_key: &str, more: &str) -> String {
    let endpoint = sshd.endpoint();
    let url = format!("sftp://{}@{}:{}{}{directory}", endpoint.user, endpoint.host, endpoint.port, endpoint.directory);
    format!("[[feed.sftp]]\nurl = \"{url}\"\nhost_key = \"{host_key}\"\n{more}\n")
}

#[test]
fn a_source_is_reached_by_its_key_and_says_what_it_lists() {
    let Some(sshd) = Sshd::start() else { return };
    for number in 0..3 {
        fs::write(sshd.out().join(format!("{number}.csv")), "day\n").unwrap();
    }
    let app = App::new(&source(&sshd, "", &sshd.host_keys[0], KEY));
    app.migrate(&[]);
    let checked = app.check(&[("ORDERS_SFTP_KEY", &sshd.user_key)]);
    let endpoint = sshd.endpoint();
    assert_eq!(
        checked.reached(SOURCE),
        format!("{endpoint} by the private key in `ORDERS_SFTP_KEY`; its host key is pinned; lists 3 entries")
    );
    assert!(checked.lines()[0].contains(SOURCE), "the order in which data passes: {}", checked.stdout);
    assert_eq!(checked.code, Some(0), "{}{}", checked.stdout, checked.stderr);
    checked.is_silent_about(sshd.user_key.lines().nth(1).unwrap());
}

#[test]
fn what_would_take_a_file_of_the_partners_is_not_tried_and_said() {
    let Some(sshd) = Sshd::start_read_only() else { return };
    fs::write(sshd.out().join("a.csv"), "day\n").unwrap();
    let secrets = format!("{KEY}\npassphrase = \"env:ORDERS_PASSPHRASE\"");
    for (after, words) in [
        ("delete", "lists 1 entry; whether files may be deleted there (`after = \"delete\"`) was not tried"),
        ("move:/archive", "whether files may be moved there (`after = \"move:/archive\"`) was not tried"),
    ] {
        let app = App::new(&source(&sshd, "", &sshd.host_keys[2], &format!("{secrets}\nafter = \"{after}\"")));
        let settings = [("ORDERS_SFTP_KEY", sshd.encrypted_user_key.as_str()), ("ORDERS_PASSPHRASE", PASSPHRASE)];
        let checked = app.check(&settings);
        let said = checked.reached(SOURCE);
        assert!(said.contains("by the private key in `ORDERS_SFTP_KEY` (passphrase: `ORDERS_PASSPHRASE`)"), "{said}");
        assert!(said.contains(words), "{said}");
        checked.is_silent_about(PASSPHRASE);
    }
    assert_eq!(fs::read_dir(sshd.out()).unwrap().count(), 1);
}

#[test]
fn a_changed_host_key_says_the_line_to_pin() {
    let Some(sshd) = Sshd::start() else { return };
    let old = "SHA256:lY3pQ0vM8sN5eR2tK7wZ4xC9bJ6hD1gF8aU3iO5qP0E";
    let app = App::new(&source(&sshd, "", old, KEY));
    let checked = app.check(&[("ORDERS_SFTP_KEY", &sshd.user_key)]);
    let said = checked.failed(SOURCE);
    let line = format!("add it: host_key = [\"{}\", \"{old}\"]", sshd.host_keys[0]);
    assert!(said.ends_with(&line), "{said}");
}

#[test]
fn a_key_that_is_not_let_in_names_user_and_setting() {
    let Some(sshd) = Sshd::start() else { return };
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("stranger");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&file).status().unwrap();
    assert!(made.success());
    let stranger = fs::read_to_string(file).unwrap();
    let app = App::new(&source(&sshd, "", &sshd.host_keys[1], KEY));
    let checked = app.check(&[("ORDERS_SFTP_KEY", &stranger)]);
    let said = checked.failed(SOURCE);
    let user = sshd.endpoint().user;
    assert!(said.contains(&format!("refused the login of `{user}`")), "{said}");
    assert!(said.contains("the secret in setting `ORDERS_SFTP_KEY`"), "{said}");
    checked.is_silent_about(stranger.lines().nth(1).unwrap());
}

#[test]
fn a_directory_that_is_missing_is_named() {
    let Some(sshd) = Sshd::start() else { return };
    let app = App::new(&source(&sshd, "/ordres", &sshd.host_keys[0], KEY));
    let checked = app.check(&[("ORDERS_SFTP_KEY", &sshd.user_key)]);
    let said = checked.failed(SOURCE);
    assert!(said.contains("; its host key is pinned; "), "how far it came: {said}");
    assert!(said.contains(&format!("has no directory `{}/ordres`", sshd.out().display())), "{said}");
    assert!(said.ends_with("correct the path in the feed's url"), "{said}");
}

#[test]
fn of_a_large_directory_a_page_is_read() {
    let Some(sshd) = Sshd::start() else { return };
    for number in 0..1_500 {
        fs::write(sshd.out().join(format!("{number}.csv")), "").unwrap();
    }
    let app = App::new(&source(&sshd, "", &sshd.host_keys[0], KEY));
    let checked = app.check(&[("ORDERS_SFTP_KEY", &sshd.user_key)]);
    let said = checked.reached(SOURCE);
    assert!(said.ends_with("lists 1,000 entries and perhaps more"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_told_by_its_setting_and_a_wrong_one_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let partner = SftpServer::start(SftpServerOptions {
        root: place.path().join("inbox"),
        address: ([127, 0, 0, 1], 0).into(),
        user: "partner".to_owned(),
        password: Secret::new("open sesame"),
        public_key: None,
        host_key: place.path().join("host_key"),
    })
    .await
    .unwrap();
    let port = partner.address().port();
    let url = format!("sftp://partner@127.0.0.1:{port}/");
    let fingerprint = partner.fingerprint();
    // A dead server and a secret that is not set, beside it: neither hides the others.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = free.local_addr().unwrap().port();
    drop(free);
    let app = App::new(&format!(
        "[[feed.sftp]]\nname = \"acme\"\nurl = \"{url}\"\nhost_key = \"{fingerprint}\"\npassword = \"env:ACME_PASSWORD\"\n\
         [[feed.sftp]]\nname = \"dead\"\nurl = \"sftp://partner@127.0.0.1:{dead}/\"\nhost_key = \"{fingerprint}\"\n\
         password = \"env:ACME_PASSWORD\"\n\
         [[feed.sftp]]\nname = \"unset\"\nurl = \"{url}\"\nhost_key = \"{fingerprint}\"\npassword = \"env:UNSET_PASSWORD\"\n"
    ));
    let checked = app.check(&[("ACME_PASSWORD", "open sesame")]);
    let said = checked.reached("sftp source `acme` of feed `orders`");
    assert!(said.starts_with(&format!("{url} by the password in `ACME_PASSWORD`; ")), "{said}");
    assert!(said.ends_with("lists 0 entries"), "{said}");
    let said = checked.failed("sftp source `dead` of feed `orders`");
    assert!(said.contains(&format!("server 127.0.0.1:{dead} cannot be reached: check host and port")), "{said}");
    assert!(checked.stdout.contains("setting `UNSET_PASSWORD` is missing"), "{}", checked.stdout);
    assert!(!checked.stdout.contains("sftp source `unset`"), "{}", checked.stdout);
    checked.is_silent_about("open sesame");

    let checked = app.check(&[("ACME_PASSWORD", "hidden"), ("UNSET_PASSWORD", "open sesame")]);
    let said = checked.failed("sftp source `acme` of feed `orders`");
    assert!(said.contains("refused the login of `partner`") && said.contains("`ACME_PASSWORD`"), "{said}");
    checked.reached("sftp source `unset` of feed `orders`");
    checked.is_silent_about("hidden");
}
