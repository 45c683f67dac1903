//! What a server offers in the key exchange, read off the wire: libssh2 says that nothing was found in common, and not what there
//! was. Knows the first packet of the protocol (RFC 4253, sections 4.2, 6 and 7.1) and nothing behind it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use ssh2::{MethodType, Session};

const OUR_IDENTIFICATION: &[u8] = b"SSH-2.0-millrace\r\n";
const KEXINIT: u8 = 20;
const COOKIE_BYTES: usize = 16;
/// RFC 4253, section 6.1: nobody has to take larger ones.
const LARGEST_PACKET_BYTES: usize = 35_000;
/// Lines that a server may say before it names its protocol.
const MOST_LINES: usize = 50;
const LONGEST_LINE_BYTES: u64 = 8192;

/// The name-lists of a KEXINIT, in its order, and what people call them. Languages are not looked at.
const KINDS: [(&str, MethodType); 8] = [
    ("key exchange", MethodType::Kex),
    ("host key", MethodType::HostKey),
    ("cipher", MethodType::CryptCs),
    ("cipher", MethodType::CryptSc),
    ("MAC", MethodType::MacCs),
    ("MAC", MethodType::MacSc),
    ("compression", MethodType::CompCs),
    ("compression", MethodType::CompSc),
];

/// Algorithms of one kind, of which the server and we have none in common.
#[derive(Debug, PartialEq, Eq)]
pub struct NothingInCommon {
    pub kind: &'static str,
    pub offered: String,
    pub ours: String,
}

/// Looks for what the server and we have not in common. `None`: nothing is missing, or the server did not say.
pub fn nothing_in_common(stream: TcpStream) -> Option<NothingInCommon> {
    let session = Session::new().ok()?;
    let offered = read_offer(stream).ok()?;
    let mut kinds = Vec::new();
    for ((kind, method), offered) in KINDS.into_iter().zip(offered) {
        kinds.push(Kind { name: kind, offered, ours: session.supported_algs(method).ok()? });
    }
    first_without_a_match(&kinds)
}

struct Kind {
    name: &'static str,
    offered: Vec<String>,
    ours: Vec<&'static str>,
}

impl Kind {
    /// The first of ours that the server has.
    fn agreed(&self) -> Option<&'static str> {
        self.ours.iter().copied().find(|one| self.offered.iter().any(|offered| offered == one))
    }
}

fn first_without_a_match(kinds: &[Kind]) -> Option<NothingInCommon> {
    let mut cipher_authenticates = false;
    for kind in kinds {
        match (kind.name, kind.agreed()) {
            ("cipher", Some(cipher)) => cipher_authenticates = cipher.contains("gcm") || cipher.contains("poly1305"),
            (_, Some(_)) => {}
            ("MAC", None) if cipher_authenticates => {}
            (name, None) => {
                let (offered, ours) = (kind.offered.join(", "), kind.ours.join(", "));
                return Some(NothingInCommon { kind: name, offered, ours });
            }
        }
    }
    None
}

fn read_offer(mut stream: TcpStream) -> io::Result<Vec<Vec<String>>> {
    stream.write_all(OUR_IDENTIFICATION)?;
    let mut reader = BufReader::new(stream);
    for _ in 0..MOST_LINES {
        let mut line = Vec::new();
        (&mut reader).take(LONGEST_LINE_BYTES).read_until(b'\n', &mut line)?;
        if line.starts_with(b"SSH-") {
            return name_lists(&read_packet(&mut reader)?).ok_or_else(|| io::ErrorKind::InvalidData.into());
        }
        if line.is_empty() {
            break;
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

/// The payload of a packet before any keys: length, length of the padding, payload, padding.
fn read_packet(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    reader.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if !(2..=LARGEST_PACKET_BYTES).contains(&length) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut packet = vec![0; length];
    reader.read_exact(&mut packet)?;
    let padding = usize::from(packet[0]);
    let end = length.checked_sub(padding).filter(|end| *end >= 1).ok_or(io::ErrorKind::InvalidData)?;
    Ok(packet[1..end].to_vec())
}

fn name_lists(payload: &[u8]) -> Option<Vec<Vec<String>>> {
    let (kind, rest) = payload.split_first()?;
    if *kind != KEXINIT {
        return None;
    }
    let mut rest = rest.get(COOKIE_BYTES..)?;
    let mut lists = Vec::new();
    for _ in KINDS {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let (names, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        let names = str::from_utf8(names).ok()?.split(',');
        // Some entries are no algorithms, but say what else the server understands (RFC 8308; OpenSSH's strict key exchange).
        let algorithms = names.filter(|name| !name.starts_with("ext-info-") && !name.starts_with("kex-strict-"));
        lists.push(algorithms.map(str::to_owned).collect());
        rest = behind;
    }
    Some(lists)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kexinit(lists: &[&str]) -> Vec<u8> {
        let mut payload = vec![KEXINIT];
        payload.extend([7; COOKIE_BYTES]);
        for list in lists {
            payload.extend((list.len() as u32).to_be_bytes());
            payload.extend(list.as_bytes());
        }
        payload
    }

    #[test]
    fn a_packet_is_read_without_its_padding() {
        let mut packet = vec![0, 0, 0, 8, 4, 20, 1, 2];
        packet.extend([0; 4]);
        assert_eq!(read_packet(&mut packet.as_slice()).unwrap(), [20, 1, 2]);
        for bad in [&[0, 0, 0, 1, 0][..], &[255, 255, 255, 255], &[0, 0, 0, 2, 9, 20], &[0, 0, 0, 9, 4]] {
            assert!(read_packet(&mut &bad[..]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_cipher_that_authenticates_needs_no_mac() {
        let kind = |name, offered: &str, ours| Kind { name, offered: vec![offered.to_owned()], ours };
        let mac = || kind("MAC", "umac-64@openssh.com", vec!["hmac-sha2-256"]);
        let gcm = kind("cipher", "aes128-gcm@openssh.com", vec!["aes128-ctr", "aes128-gcm@openssh.com"]);
        assert_eq!(first_without_a_match(&[gcm, mac()]), None);
        let counter = kind("cipher", "aes128-ctr", vec!["aes128-ctr", "aes128-gcm@openssh.com"]);
        assert_eq!(first_without_a_match(&[counter, mac()]).unwrap().kind, "MAC");
    }

    #[test]
    fn the_lists_are_algorithms_alone() {
        let lists = [
            "curve25519-sha256,ext-info-s,kex-strict-s-v00@openssh.com",
            "ssh-ed25519",
            "a",
            "b",
            "c",
            "d",
            "none",
            "",
        ];
        let found = name_lists(&kexinit(&lists)).unwrap();
        assert_eq!(
            (found[0].as_slice(), found[1].as_slice()),
            (&["curve25519-sha256".to_owned()][..], &["ssh-ed25519".to_owned()][..])
        );
        assert_eq!(name_lists(&kexinit(&lists[..7])), None, "cut off");
        assert_eq!(name_lists(&[21]), None);
    }
}
