//! What a file's first bytes betray. Read as text it would be rubbish, row after row; better one refusal, with words.

use super::Compression;

/// Why a file is not what its name says, or nothing that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the file is compressed with gzip, but its name does not end in .gz")]
    GzipUnderPlainName,
    #[error("the file's name ends in .gz, but it is {what} and not gzip")]
    NoGzip { what: &'static str },
    #[error("the file is {what}; plain text and gzip are read")]
    NoText { what: &'static str },
    #[error("the file is UTF-16 text, by its byte order mark; UTF-8 is read")]
    Utf16,
    #[error("the file is no UTF-8 text: there is a NUL byte at byte {offset} (UTF-16, or a binary format)")]
    Nul { offset: usize },
}

const GZIP: &[u8] = b"\x1f\x8b";

/// What begins with what.
const FORMATS: [(&[u8], &str); 10] = [
    (GZIP, "compressed with gzip a second time"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document, such as an .xls workbook"),
    (b"-----BEGIN PGP ", "encrypted or signed with PGP"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ\0", "compressed with xz"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF-", "a PDF document"),
];

/// Whether a file can be what its name declares, by its first bytes (some hundred do; fewer only of a shorter file).
/// What is inside gzip is [`sniff_text`]'s to judge, once it is decompressed.
pub fn sniff(first_bytes: &[u8], declared: Compression) -> Result<(), Refusal> {
    let is_gzip = first_bytes.starts_with(GZIP);
    match declared {
        Compression::None if is_gzip => Err(Refusal::GzipUnderPlainName),
        Compression::None => sniff_text(first_bytes),
        Compression::Gzip if is_gzip || first_bytes.is_empty() || first_bytes == &GZIP[..1] => Ok(()),
        Compression::Gzip => Err(Refusal::NoGzip { what: known_format(first_bytes).unwrap_or("something else") }),
    }
}

/// Whether uncompressed bytes can be the start of UTF-8 text.
pub fn sniff_text(first_bytes: &[u8]) -> Result<(), Refusal> {
    if first_bytes.starts_with(b"\xff\xfe") || first_bytes.starts_with(b"\xfe\xff") {
        return Err(Refusal::Utf16);
    }
    if let Some(what) = known_format(first_bytes) {
        return Err(Refusal::NoText { what });
    }
    match memchr::memchr(0, first_bytes) {
        Some(offset) => Err(Refusal::Nul { offset }),
        None => Ok(()),
    }
}

fn known_format(first_bytes: &[u8]) -> Option<&'static str> {
    if first_bytes.starts_with(b"PK\x03\x04") {
        let holds = |name: &[u8]| memchr::memmem::find(first_bytes, name).is_some();
        let is_workbook = holds(b"[Content_Types].xml") || holds(b"xl/");
        return Some(if is_workbook { "an .xlsx workbook" } else { "a zip archive" });
    }
    if is_pgp_message(first_bytes) {
        return Some("encrypted with PGP");
    }
    FORMATS.iter().find(|(magic, _)| first_bytes.starts_with(magic)).map(|(_, what)| *what)
}

/// A PGP message begins with the packet of an encrypted session key: a tag (RFC 9580, 4.2), a length, a version. None
/// of these tags begins a UTF-8 text, but for 0xC3, which a length below 0x80 can not follow there.
fn is_pgp_message(first_bytes: &[u8]) -> bool {
    let is_public_key_version = |version: u8| matches!(version, 2 | 3 | 6);
    let is_password_version = |version: u8| matches!(version, 4..=6);
    match *first_bytes {
        [0x84, _, version, ..] | [0x85, _, _, version, ..] => is_public_key_version(version),
        [0xc1, length, version, ..] if length < 0xc0 => is_public_key_version(version),
        [0xc1, length, _, version, ..] if length < 0xe0 => is_public_key_version(version),
        [0x8c, _, version, ..] => is_password_version(version),
        [0xc3, length, version, ..] if length < 0x80 => is_password_version(version),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(first_bytes: &[u8], declared: Compression) -> String {
        sniff(first_bytes, declared).unwrap_err().to_string()
    }

    #[test]
    fn text_in_utf_8_passes() {
        for text in ["", "a", "a,b\n1,2\n", "\u{feff}a,b\n", "Ã\u{4},b\n", "état,b\n", "PK,name\n", "PAR,x\n"] {
            assert_eq!(sniff(text.as_bytes(), Compression::None), Ok(()), "{text}");
        }
        assert_eq!(sniff(b"caf\xe9,b\n", Compression::None), Ok(()), "rows with such cells are bad, not the file");
    }

    #[test]
    fn gzip_and_its_name_belong_together() {
        assert_eq!(sniff(b"\x1f\x8b\x08\0\0", Compression::Gzip), Ok(()));
        assert_eq!(
            refusal(b"\x1f\x8b\x08\0\0", Compression::None),
            "the file is compressed with gzip, but its name does not end in .gz"
        );
        assert_eq!(
            refusal(b"a,b\n", Compression::Gzip),
            "the file's name ends in .gz, but it is something else and not gzip"
        );
        assert_eq!(
            refusal(b"\x28\xb5\x2f\xfd\0", Compression::Gzip),
            "the file's name ends in .gz, but it is compressed with zstd and not gzip"
        );
    }

    #[test]
    fn a_gzip_file_too_short_to_tell_is_left_to_the_inflater() {
        assert_eq!(sniff(b"", Compression::Gzip), Ok(()));
        assert_eq!(sniff(b"\x1f", Compression::Gzip), Ok(()));
    }

    #[test]
    fn what_is_no_text_is_called_by_its_name() {
        let workbook = b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0........[Content_Types].xml";
        assert_eq!(refusal(workbook, Compression::None), "the file is an .xlsx workbook; plain text and gzip are read");
        for (first_bytes, what) in [
            (&b"PK\x03\x04\x14\0\0\0data.csv"[..], "zip"),
            (b"-----BEGIN PGP MESSAGE-----\n", "PGP"),
            (b"\x85\x01\x0c\x03\x12\x34", "PGP"),
            (b"\x84\x5e\x03\x12\x34", "PGP"),
            (b"\xc1\xc0\x4c\x03\x12\x34", "PGP"),
            (b"\x8c\x0d\x04\x09\x03", "PGP"),
            (b"\xc3\x0d\x04\x09\x03", "PGP"),
            (b"\xff\xfea\0,\0", "UTF-16"),
            (b"\xfe\xff\0a\0,", "UTF-16"),
            (b"a\0,\0b\0", "NUL byte at byte 1"),
            (b"PAR1\x15\x04", "Parquet"),
        ] {
            let refusal = refusal(first_bytes, Compression::None);
            assert!(refusal.contains(what), "{refusal}");
        }
    }

    #[test]
    fn gzip_inside_gzip_is_refused() {
        assert!(sniff_text(b"\x1f\x8b\x08").unwrap_err().to_string().contains("a second time"));
    }
}
