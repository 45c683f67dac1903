//! Certificates that nobody knows, and TLS as SQL Server wraps it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use mssql_mock_tds::protocol::PacketType;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A certificate for `localhost` from an authority that nobody knows: the authority's file, and the server's identity.
pub fn certificates(folder: &Path) -> (PathBuf, MockIdentity) {
    let path = |name: &str| folder.join(name).display().to_string();
    let openssl = |arguments: &[&str]| {
        let done = Command::new("openssl").args(arguments).output().expect("the tests need the program `openssl`");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    std::fs::write(folder.join("leaf.ext"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n").unwrap();
    let (ca, ca_key, leaf, leaf_key) = (path("ca.pem"), path("ca.key"), path("leaf.pem"), path("leaf.key"));
    let request = path("leaf.csr");
    let new_key = ["-newkey", "rsa:2048", "-nodes"];
    let authority = ["req", "-x509", "-days", "2", "-subj", "/CN=an authority", "-out", &ca, "-keyout", &ca_key];
    openssl(&[&authority[..], &new_key[..]].concat());
    let asked = ["req", "-subj", "/CN=localhost", "-out", &request, "-keyout", &leaf_key];
    openssl(&[&asked[..], &new_key[..]].concat());
    openssl(&[
        "x509",
        "-req",
        "-days",
        "2",
        "-in",
        &request,
        "-CA",
        &ca,
        "-CAkey",
        &ca_key,
        "-CAcreateserial",
        "-out",
        &leaf,
        "-extfile",
        &path("leaf.ext"),
    ]);
    (
        PathBuf::from(ca),
        MockIdentity { certificate: std::fs::read(leaf).unwrap(), key: std::fs::read(leaf_key).unwrap() },
    )
}

/// A door to a server on `port`. During the handshake SQL Server sends TLS in packets of the pre-login; the server of these
/// tests sends it in packets of answers, and goes on with packets where the handshake has ended for the client.
pub async fn as_servers_wrap_tls(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let door = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                let has_ended = AtomicBool::new(false);
                let there = async {
                    loop {
                        let first = from_client.read_u8().await?;
                        if first != PacketType::PreLogin as u8 {
                            to_server.write_all(&[first]).await?;
                            break;
                        }
                        let packet = rest_of_packet(first, &mut from_client).await?;
                        if ends_handshake(&packet[8..]) {
                            has_ended.store(true, Ordering::SeqCst);
                        }
                        to_server.write_all(&packet).await?;
                    }
                    tokio::io::copy(&mut from_client, &mut to_server).await
                };
                let back = async {
                    to_client.write_all(&read_packet(&mut from_server).await?).await?;
                    loop {
                        let first = from_server.read_u8().await?;
                        if first != PacketType::TabularResult as u8 {
                            to_client.write_all(&[first]).await?;
                            break;
                        }
                        let mut packet = rest_of_packet(first, &mut from_server).await?;
                        packet[0] = PacketType::PreLogin as u8;
                        let from = if has_ended.load(Ordering::SeqCst) { 8 } else { 0 };
                        to_client.write_all(&packet[from..]).await?;
                    }
                    tokio::io::copy(&mut from_server, &mut to_client).await
                };
                let _: Result<_, std::io::Error> = tokio::try_join!(there, back);
            });
        }
    });
    door
}

/// Whether there is a record of encrypted data among these: in TLS 1.3 the first of a client is its end of the handshake.
fn ends_handshake(mut records: &[u8]) -> bool {
    const ENCRYPTED: u8 = 0x17;
    while let [kind, _, _, high, low, ..] = records {
        if *kind == ENCRYPTED {
            return true;
        }
        records = records.get(5 + usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default();
    }
    false
}

pub struct MockIdentity {
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
}

pub async fn read_packet(from: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let first = from.read_u8().await?;
    rest_of_packet(first, from).await
}

async fn rest_of_packet(first: u8, from: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut packet = vec![first];
    packet.resize(8, 0);
    from.read_exact(&mut packet[1..]).await?;
    packet.resize(usize::from(u16::from_be_bytes([packet[2], packet[3]])), 0);
    from.read_exact(&mut packet[8..]).await?;
    Ok(packet)
}
