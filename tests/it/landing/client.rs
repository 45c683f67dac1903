//! The SFTP client against OpenSSH's server.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use futures::{StreamExt, TryStreamExt};
use millrace::stations::sftp::{
    Connector, EndpointLogin, PAGE_ENTRIES, READ_BYTES, RemoteEntry, RemoteFile, Sftp, SftpEndpoint, SftpError,
    SshConnector,
};

use super::{bytes_of_length, remote};
use crate::sshd::{HOST_KEY_TYPES, PASSPHRASE, Sshd, credential};

async fn read_all(sftp: &dyn Sftp, file: &RemoteFile, offset: u64) -> Vec<u8> {
    let blocks: Vec<bytes::Bytes> = sftp.read(file, offset).await.unwrap().try_collect().await.unwrap();
    assert!(blocks.iter().all(|block| block.len() <= READ_BYTES));
    blocks.concat()
}

async fn list(sftp: &dyn Sftp, directory: &Path) -> Result<Vec<RemoteEntry>, SftpError> {
    let pages: Vec<Vec<RemoteEntry>> = sftp.list(&remote(directory)).await?.try_collect().await?;
    Ok(pages.concat())
}

#[tokio::test]
async fn the_client_tells_files_from_folders_and_links_whatever_their_names() {
    let Some(sshd) = Sshd::start() else { return };
    let out = sshd.out();
    let odd = std::ffi::OsStr::from_bytes(b"M\xfcnchen.csv");
    for name in [odd, "50%#1~ \u{fc}.csv".as_ref(), "plain.csv".as_ref()] {
        std::fs::write(out.join(name), "content").unwrap();
    }
    std::fs::create_dir(out.join("folder")).unwrap();
    std::os::unix::fs::symlink("plain.csv", out.join("link.csv")).unwrap();
    std::os::unix::fs::symlink("/etc", out.join("etc")).unwrap();
    let sftp = SshConnector::default().connect(&sshd.endpoint()).await.unwrap();

    let listed = list(sftp.as_ref(), &out).await.unwrap();
    let mut others = listed.clone();
    others.retain(|entry| !matches!(entry, RemoteEntry::File(_)));
    assert_eq!(others.len(), 3);
    for expected in [
        RemoteEntry::Directory(remote(&out.join("folder"))),
        RemoteEntry::Link(remote(&out.join("link.csv"))),
        RemoteEntry::Link(remote(&out.join("etc"))),
    ] {
        assert!(others.contains(&expected), "{others:?}");
    }
    let mut files: Vec<RemoteFile> = listed
        .into_iter()
        .filter_map(|entry| match entry {
            RemoteEntry::File(file) => Some(file),
            _ => None,
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let names: Vec<&[u8]> = files.iter().map(|file| file.path.name()).collect();
    assert_eq!(names, ["50%#1~ \u{fc}.csv".as_bytes(), odd.as_bytes(), b"plain.csv"]);
    for file in &files {
        assert_eq!(sftp.stat(&file.path).await.unwrap().as_ref(), Some(file));
        assert_eq!(read_all(sftp.as_ref(), file, 3).await, b"tent");
    }
    for not_regular in ["folder", "link.csv", "nothing"] {
        assert_eq!(sftp.stat(&remote(&out.join(not_regular))).await.unwrap(), None, "{not_regular}");
    }
    let missing = list(sftp.as_ref(), &out.join("missing")).await.unwrap_err();
    assert!(matches!(missing, SftpError::Gone { .. }), "{missing}");
}

#[tokio::test]
async fn the_client_lists_many_files_page_by_page() {
    let Some(sshd) = Sshd::start() else { return };
    for number in 0..2 * PAGE_ENTRIES + 500 {
        std::fs::write(sshd.out().join(format!("{number}.csv")), "").unwrap();
    }
    let sftp = SshConnector::default().connect(&sshd.endpoint()).await.unwrap();
    let pages: Vec<Vec<RemoteEntry>> = sftp.list(&remote(&sshd.out())).await.unwrap().try_collect().await.unwrap();
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [PAGE_ENTRIES, PAGE_ENTRIES, 500]);

    let mut given_up = sftp.list(&remote(&sshd.out())).await.unwrap();
    given_up.next().await.unwrap().unwrap();
    drop(given_up);
    assert!(sftp.stat(&remote(&sshd.out().join("0.csv"))).await.unwrap().is_some(), "the session still serves");
}

#[tokio::test]
async fn the_client_reads_from_any_offset_and_one_byte_beyond_what_it_expects() {
    let Some(sshd) = Sshd::start() else { return };
    let body = bytes_of_length(2 * READ_BYTES + 12_345);
    let path = sshd.out().join("large.bin");
    std::fs::write(&path, &body).unwrap();
    let sftp = SshConnector::default().connect(&sshd.endpoint()).await.unwrap();
    let file = sftp.stat(&remote(&path)).await.unwrap().unwrap();
    for offset in [0, 1, READ_BYTES, body.len() - 1, body.len()] {
        assert!(read_all(sftp.as_ref(), &file, offset as u64).await == body[offset..], "from {offset}");
    }
    let as_expected = RemoteFile { size_bytes: 10, ..file.clone() };
    assert_eq!(read_all(sftp.as_ref(), &as_expected, 4).await, body[4..11]);

    let mut given_up = sftp.read(&file, 0).await.unwrap();
    given_up.next().await.unwrap().unwrap();
    drop(given_up);
    assert_eq!(sftp.stat(&file.path).await.unwrap(), Some(file), "the session still serves");
}

#[tokio::test]
async fn the_client_moves_and_removes_and_overwrites_nothing() {
    let Some(sshd) = Sshd::start() else { return };
    let out = sshd.out();
    let [a, b, moved] = ["a", "b", "archive/2013/a"].map(|name| out.join(name));
    std::fs::write(&a, "a").unwrap();
    std::fs::write(&b, "b").unwrap();
    let sftp = SshConnector::default().connect(&sshd.endpoint()).await.unwrap();
    let occupied = sftp.rename(&remote(&a), &remote(&b)).await.unwrap_err();
    assert!(matches!(occupied, SftpError::Occupied { .. }), "{occupied}");
    for _ in 0..2 {
        sftp.create_directory(&remote(moved.parent().unwrap())).await.unwrap();
    }
    sftp.rename(&remote(&a), &remote(&moved)).await.unwrap();
    assert_eq!(std::fs::read_to_string(&moved).unwrap(), "a");
    sftp.remove(&remote(&b)).await.unwrap();
    assert!(!b.exists());
    for gone in [sftp.rename(&remote(&a), &remote(&b)).await, sftp.remove(&remote(&b)).await] {
        assert!(matches!(gone, Err(SftpError::Gone { .. })), "{gone:?}");
    }
}

#[tokio::test]
async fn any_pinned_key_of_the_server_will_do_and_no_other() {
    let Some(sshd) = Sshd::start() else { return };
    for (kind, fingerprint) in HOST_KEY_TYPES.iter().zip(&sshd.host_keys) {
        let endpoint = SftpEndpoint { host_keys: vec!["SHA256:old".into(), fingerprint.clone()], ..sshd.endpoint() };
        assert!(SshConnector::default().connect(&endpoint).await.is_ok(), "{kind}");
    }
    let endpoint = SftpEndpoint { host_keys: vec!["SHA256:old".into()], ..sshd.endpoint() };
    let error = SshConnector::default().connect(&endpoint).await.err().unwrap();
    let (port, offered) = (sshd.port, &sshd.host_keys[0]);
    assert_eq!(
        error.to_string(),
        format!(
            "host key of 127.0.0.1:{port} is {offered}, which feed `flights` does not pin; if the partner confirms the \
             change, add it: host_key = [\"{offered}\", \"SHA256:old\"]"
        )
    );
}

#[tokio::test]
async fn a_failed_login_names_who_where_and_which_setting() {
    let Some(sshd) = Sshd::start() else { return };
    let connect = async |login: EndpointLogin| {
        let outcome = SshConnector::default().connect(&SftpEndpoint { login, ..sshd.endpoint() }).await;
        outcome.map(|_| ()).map_err(|error| error.to_string())
    };
    let key = |text: &str| EndpointLogin::PrivateKey { key: credential("FLIGHTS_KEY", text), passphrase: None };
    let with_passphrase = |passphrase: &str| EndpointLogin::PrivateKey {
        key: credential("FLIGHTS_KEY", &sshd.encrypted_user_key),
        passphrase: Some(credential("FLIGHTS_PASSPHRASE", passphrase)),
    };
    assert_eq!(connect(key(&sshd.user_key.trim().replace('\n', "\\n"))).await, Ok(()));
    assert_eq!(connect(with_passphrase(PASSPHRASE)).await, Ok(()));

    let wrong_passphrase = connect(with_passphrase("wrong")).await.unwrap_err();
    assert!(wrong_passphrase.contains("`FLIGHTS_PASSPHRASE`"), "{wrong_passphrase}");
    assert!(wrong_passphrase.contains("passphrase is not the right one"), "{wrong_passphrase}");
    let no_passphrase = connect(key(&sshd.encrypted_user_key)).await.unwrap_err();
    assert!(no_passphrase.contains("names no passphrase"), "{no_passphrase}");
    let password = connect(EndpointLogin::Password(credential("FLIGHTS_PASSWORD", "hunter2"))).await.unwrap_err();
    let server = format!("127.0.0.1:{}", sshd.port);
    for part in [server.as_str(), "`FLIGHTS_PASSWORD`", "it takes: publickey"] {
        assert!(password.contains(part), "{password}");
    }
    assert!(!password.contains("hunter2"));

    let stranger = Sshd::start().unwrap();
    let refused = connect(key(&stranger.user_key)).await.unwrap_err();
    assert!(refused.contains("refused the login") && refused.contains("`FLIGHTS_KEY`"), "{refused}");
}

#[tokio::test]
async fn a_server_that_is_away_is_told_by_its_name() {
    let Some(sshd) = Sshd::start() else { return };
    // Nobody listens at tcpmux.
    let endpoint = SftpEndpoint { port: 1, ..sshd.endpoint() };
    let error = SshConnector::default().connect(&endpoint).await.err().unwrap();
    assert!(matches!(error, SftpError::Connect { .. }), "{error}");
    assert!(error.to_string().contains(&endpoint.server()), "{error}");
}
