//! Formats that are known by the bytes they begin with.

use crate::inflate::Compression;

/// What a file turned out to be, and what a person can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// As it stands behind "the file is".
    pub what: &'static str,
    pub remedy: &'static str,
}

const UNPACK: &str = "ask the sender for the file itself, as it is or as .gz, .zst or .zip";
const NO_PGP: &str = "ask the sender for the file without PGP: SFTP encrypts the transfer";
const EXPORT: &str = "ask the sender to export the data; this is made to be looked at";
const ASK: &str = "ask the sender what the file is, and for the format that was agreed";
const PARQUET: &str = "ask the sender for the format that was agreed, or set format = \"parquet\" of the feed";

pub(super) const NO_PARQUET: Known = Known {
    what: "something else",
    remedy: "ask the sender for Parquet, or set format of the feed to what its files are",
};

const OFFICE_DOCUMENT: Known = Known {
    what: "an Office document, such as an .xlsx workbook",
    remedy: "ask the sender to export each sheet as CSV, or for the data as its system has it",
};

/// What begins with what.
const FORMATS: [(&[u8], &str, &str); 17] = [
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document, such as an .xls workbook", OFFICE_DOCUMENT.remedy),
    (b"-----BEGIN PGP ", "encrypted or signed with PGP", NO_PGP),
    (b"PAR1", "Parquet", PARQUET),
    (
        b"PARE",
        "Parquet with an encrypted footer",
        "ask the sender for Parquet without encryption: SFTP encrypts the transfer",
    ),
    (b"PK\x07\x08", "one part of a split zip archive", UNPACK),
    (b"\xfd7zXZ\0", "compressed with xz", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!\x1a\x07", "a rar archive", UNPACK),
    (b"\x04\x22\x4d\x18", "compressed with lz4", UNPACK),
    (b"\xff\x06\0\0sNaPpY", "compressed with snappy", UNPACK),
    (b"Obj\x01", "Avro", ASK),
    (b"ARROW1\0\0", "Arrow", ASK),
    (b"SQLite format 3\0", "an SQLite database", ASK),
    (b"%PDF-", "a PDF document", EXPORT),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", EXPORT),
    (b"\xff\xd8\xff", "a JPEG picture", EXPORT),
    (b"\x7fELF", "a program for Linux", ASK),
];

/// Where a tar archive says that it is one.
const TAR_MAGIC_AT: usize = 257;

/// How the names of an Office document's members begin.
const OFFICE_NAMES: [&[u8]; 6] = [b"[Content_Types].xml", b"_rels/", b"docProps/", b"xl/", b"word/", b"ppt/"];

/// How the bytes are compressed, if they are and we could undo it. An Office document is no mere archive.
pub(super) fn compression(first_bytes: &[u8]) -> Option<Compression> {
    match first_bytes {
        [0x1f, 0x8b, 0x08, ..] => Some(Compression::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Compression::Zstd),
        [b'P', b'K', 3, 4, ..] if !is_office_document(first_bytes) => Some(Compression::Zip),
        [b'P', b'K', 5, 6, ..] => Some(Compression::Zip),
        _ => None,
    }
}

/// Whether the bytes are too few to tell and could begin a file that is compressed in this way.
pub(super) fn may_become(first_bytes: &[u8], compression: Compression) -> bool {
    let beginnings: &[&[u8]] = match compression {
        Compression::None => &[],
        Compression::Gzip => &[b"\x1f\x8b"],
        Compression::Zstd if matches!(first_bytes, [0x50..=0x5f, ..]) => {
            return b"\x2a\x4d\x18".starts_with(&first_bytes[1..]);
        }
        Compression::Zstd => &[b"\x28\xb5\x2f\xfd"],
        Compression::Zip => &[b"PK\x03\x04", b"PK\x05\x06"],
    };
    beginnings.iter().any(|beginning| beginning.starts_with(first_bytes))
}

/// A file that is compressed where its name says something else.
pub(super) fn compressed(found: Compression) -> Known {
    let what = match found {
        Compression::None => "not compressed",
        Compression::Gzip => "compressed with gzip",
        Compression::Zstd => "compressed with zstd",
        Compression::Zip => "a zip archive",
    };
    Known { what, remedy: "ask the sender to name the file as it is compressed: .gz, .zst or .zip" }
}

/// The same of what is inside a compressed file.
pub(super) fn compressed_inside(found: Compression) -> Known {
    let what = match found {
        Compression::None => "not compressed",
        Compression::Gzip => "compressed with gzip a second time",
        Compression::Zstd => "compressed with zstd a second time",
        Compression::Zip => "a zip archive inside",
    };
    Known { what, remedy: "ask the sender to compress the file once" }
}

pub(super) fn is_parquet(first_bytes: &[u8]) -> bool {
    let magic = b"PAR1";
    first_bytes.starts_with(magic) || magic.starts_with(first_bytes)
}

/// A format that is read nowhere, or not where it stands.
pub(super) fn known(first_bytes: &[u8]) -> Option<Known> {
    if is_office_document(first_bytes) {
        return Some(OFFICE_DOCUMENT);
    }
    if let [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] = first_bytes
        && (rest.starts_with(b"1AY&SY") || rest.starts_with(b"\x17\x72\x45\x38\x50\x90"))
    {
        return Some(Known { what: "compressed with bzip2", remedy: UNPACK });
    }
    if first_bytes.get(TAR_MAGIC_AT..).is_some_and(|bytes| bytes.starts_with(b"ustar")) {
        return Some(Known { what: "a tar archive", remedy: UNPACK });
    }
    let format = FORMATS.iter().find(|(magic, ..)| first_bytes.starts_with(magic));
    format.map(|&(_, what, remedy)| Known { what, remedy })
}

/// By its first member, which another archive has not.
fn is_office_document(first_bytes: &[u8]) -> bool {
    let Some(header) = first_bytes.first_chunk::<30>().filter(|header| header.starts_with(b"PK\x03\x04")) else {
        return false;
    };
    let name_length = usize::from(u16::from_le_bytes([header[26], header[27]]));
    let Some((name, content)) = first_bytes[header.len()..].split_at_checked(name_length) else {
        return false;
    };
    let is_part = name.ends_with(b".xml") || name.ends_with(b".rels");
    is_part && OFFICE_NAMES.iter().any(|begin| name.starts_with(begin))
        // OpenDocument: the first member is stored and says what the rest is.
        || name == b"mimetype" && content.starts_with(b"application/vnd.oasis.opendocument")
}

/// A PGP message begins with the packet of an encrypted session key: a tag (RFC 9580, 4.2), a length, a version. None
/// of these tags begins a UTF-8 text, but for 0xC3, which a length below 0x80 can not follow there; in encodings of one
/// byte a version would be a control character.
pub(super) fn pgp_packet(first_bytes: &[u8]) -> Option<Known> {
    let is_public_key_version = |version: u8| matches!(version, 2 | 3 | 6);
    let is_password_version = |version: u8| matches!(version, 4..=6);
    let is_message = match *first_bytes {
        [0x84, _, version, ..] | [0x85, _, _, version, ..] => is_public_key_version(version),
        [0xc1, length, version, ..] if length < 0xc0 => is_public_key_version(version),
        [0xc1, length, _, version, ..] if length < 0xe0 => is_public_key_version(version),
        [0x8c, _, version, ..] => is_password_version(version),
        [0xc3, length, version, ..] if length < 0x80 => is_password_version(version),
        _ => false,
    };
    is_message.then_some(Known { what: "encrypted with PGP", remedy: NO_PGP })
}
