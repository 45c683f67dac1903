//! What passes, what does not, and the words.

use encoding_rs::{ISO_8859_2, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::*;

const UTF_8_CSV: Content = Content::Text { encoding: UTF_8 };
const UTF_16LE_CSV: Content = Content::Text { encoding: UTF_16LE };

/// A zip archive as far as its first member.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let length = (name.len() as u16).to_le_bytes();
    [&b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0............"[..], &length, &[0, 0], name.as_bytes(), content].concat()
}

fn workbook() -> Vec<u8> {
    zip("[Content_Types].xml", b"\xb5\x54")
}

fn outer(first_bytes: &[u8], declared: Compression) -> String {
    sniff(first_bytes, declared).unwrap_err().to_string()
}

fn inner(first_bytes: &[u8], expected: Content) -> String {
    let refusal = sniff_content(first_bytes, expected).unwrap_err();
    assert!(!refusal.remedy().is_empty());
    refusal.to_string()
}

fn utf_16le(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn utf_16be(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

#[test]
fn a_compressed_file_and_its_name_belong_together() {
    for (first_bytes, declared) in [
        (&b"\x1f\x8b\x08\0\0"[..], Compression::Gzip),
        (b"\x28\xb5\x2f\xfd\x04", Compression::Zstd),
        (b"\x50\x2a\x4d\x18\x04\0\0\0", Compression::Zstd),
        (&zip("a.csv", b""), Compression::Zip),
        (&zip("xl/a.csv", b""), Compression::Zip),
        (b"PK\x05\x06\0\0", Compression::Zip),
        (b"a,b\n1,2\n", Compression::None),
    ] {
        assert_eq!(sniff(first_bytes, declared), Ok(()));
    }
    assert_eq!(
        outer(b"\x1f\x8b\x08\0\0", Compression::None),
        "the file is compressed with gzip, but its name does not end in .gz"
    );
    assert_eq!(
        outer(&zip("a.csv", b""), Compression::None),
        "the file is a zip archive, but its name does not end in .zip"
    );
    assert_eq!(
        outer(b"\x28\xb5\x2f\xfd\x04", Compression::None),
        "the file is compressed with zstd, but its name does not end in .zst"
    );
    assert_eq!(
        outer(b"\x28\xb5\x2f\xfd\x04", Compression::Gzip),
        "the file's name ends in .gz, but it is compressed with zstd"
    );
    assert_eq!(outer(b"a,b\n", Compression::Gzip), "the file's name ends in .gz, but it is not compressed in that way");
    assert_eq!(
        outer(&workbook(), Compression::Zip),
        "the file's name ends in .zip, but it is an Office document, such as an .xlsx workbook"
    );
    assert_eq!(
        outer(b"\x85\x01\x0c\x03\x12\x34", Compression::Gzip),
        "the file's name ends in .gz, but it is encrypted with PGP"
    );
    assert_eq!(sniff(b"\x1f\x8b\x08", Compression::None).unwrap_err().remedy(), "ask the sender to name it .gz");
}

#[test]
fn a_compressed_file_too_short_to_tell_is_left_to_the_inflater() {
    for (first_bytes, declared) in [
        (&b""[..], Compression::Gzip),
        (b"\x1f", Compression::Gzip),
        (b"\x1f\x8b", Compression::Gzip),
        (b"\x28\xb5", Compression::Zstd),
        (b"\x5f", Compression::Zstd),
        (b"\x5f\x2a", Compression::Zstd),
        (b"PK\x05", Compression::Zip),
    ] {
        assert_eq!(sniff(first_bytes, declared), Ok(()));
    }
}

#[test]
fn csv_passes_in_its_encoding() {
    for text in [
        "",
        "a",
        "a,b\n1,2\n",
        "\u{feff}a,b\n",
        "Ã\u{4},b\n",
        "état,b\n",
        "PK,name\n",
        "PAR,x\n",
        "BZh,x\n",
        "<id>,b\n",
        "[Order Id],[Name]\n",
        "{id},{name}\n",
        "{\"a\"},b\n",
        "xml,html\n",
    ] {
        assert_eq!(sniff_content(text.as_bytes(), UTF_8_CSV), Ok(()), "{text}");
        for encoding in [UTF_16LE, UTF_16BE] {
            let file = if encoding == UTF_16LE { utf_16le(text) } else { utf_16be(text) };
            assert_eq!(sniff_content(&file, Content::Text { encoding }), Ok(()), "{text} in {}", encoding.name());
        }
    }
    assert_eq!(sniff_content(b"caf\xe9,b\n", UTF_8_CSV), Ok(()), "rows with such cells are bad, not the file");
    for encoding in [WINDOWS_1252, ISO_8859_2] {
        assert_eq!(sniff_content(b"caf\xe9,b\n\x84x\x93\n", Content::Text { encoding }), Ok(()));
    }
    let chinese = utf_16le("日期,金额\n2013年1月1日,数百万\n");
    assert_eq!(sniff_content(&chinese, UTF_16LE_CSV), Ok(()));
}

#[test]
fn what_is_no_text_is_called_by_its_name() {
    assert_eq!(
        inner(&workbook(), UTF_8_CSV),
        "the file is an Office document, such as an .xlsx workbook, where CSV in UTF-8 is expected"
    );
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    for (first_bytes, what) in [
        (&zip("a.csv", b"")[..], "a zip archive inside"),
        (b"\x1f\x8b\x08\0", "gzip a second time"),
        (&zip("xl/workbook.xml", b""), "Office"),
        (&zip("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"), "Office"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ".xls"),
        (b"-----BEGIN PGP MESSAGE-----\n", "PGP"),
        (b"\x85\x01\x0c\x03\x12\x34", "PGP"),
        (b"\x84\x5e\x03\x12\x34", "PGP"),
        (b"\xc1\xc0\x4c\x03\x12\x34", "PGP"),
        (b"\x8c\x0d\x04\x09\x03", "PGP"),
        (b"\xc3\x0d\x04\x09\x03", "PGP"),
        (b"BZh91AY&SY\0", "bzip2"),
        (b"\xfd7zXZ\0\0", "xz"),
        (b"PAR1\x15\x04", "the file is Parquet"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\x7fELF\x02", "program"),
        (&tar, "tar archive"),
    ] {
        for expected in [UTF_8_CSV, Content::Ndjson] {
            let refusal = inner(first_bytes, expected);
            assert!(refusal.contains(what), "{refusal}");
        }
    }
}

#[test]
fn a_page_is_no_data() {
    for page in ["<!DOCTYPE html>\n<html>", "\r\n<HTML><body>", "\u{feff}<html lang=\"de\">"] {
        for expected in [UTF_8_CSV, Content::Ndjson, Content::Text { encoding: WINDOWS_1252 }] {
            if page.starts_with('\u{feff}') && expected.encoding() != UTF_8 {
                continue;
            }
            assert!(inner(page.as_bytes(), expected).starts_with("the file is an HTML page, "), "{page}");
        }
    }
    assert!(inner(&utf_16le("<!doctype html>"), UTF_16LE_CSV).starts_with("the file is an HTML page, "));
    let error = b"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>";
    assert_eq!(inner(error, UTF_8_CSV), "the file is XML, where CSV in UTF-8 is expected");
}

#[test]
fn another_unicode_than_declared_is_refused() {
    assert_eq!(
        inner(b"\xff\xfea\0,\0", UTF_8_CSV),
        "the file is UTF-16LE text, by its byte order mark, where CSV in UTF-8 is expected"
    );
    assert_eq!(
        inner(&utf_16le("a,b\n1,2\n"), Content::Text { encoding: WINDOWS_1252 }),
        "the file is UTF-16LE text, as every second byte is NUL, where CSV in windows-1252 is expected"
    );
    assert_eq!(
        inner(b"\xef\xbb\xbfa,b\n", UTF_16LE_CSV),
        "the file is UTF-8 text, by its byte order mark, where CSV in UTF-16LE is expected"
    );
    assert_eq!(
        inner(b"time_hour,carrier\n2013-01-01,UA\n", UTF_16LE_CSV),
        "the file is text in UTF-8 or an encoding of single bytes, where CSV in UTF-16LE is expected"
    );
    let windows_1252 = Content::Text { encoding: WINDOWS_1252 };
    for (first_bytes, expected, what) in [
        (&b"\xfe\xff\0a\0,"[..], UTF_8_CSV, "UTF-16BE"),
        (&utf_16be("a,b\n1,2\n"), UTF_8_CSV, "UTF-16BE"),
        (&utf_16be("a,b\n1,2\n"), UTF_16LE_CSV, "UTF-16BE"),
        (&utf_16le("Größe,日期,数百万\n1,2\n"), UTF_8_CSV, "UTF-16LE"),
        (&utf_16le("{\"a\":1}\n"), Content::Ndjson, "UTF-16LE"),
        (b"\xef\xbb\xbfa,b\n", windows_1252, "UTF-8"),
        (b"\xff\xfe\0\0a\0\0\0", UTF_16LE_CSV, "UTF-32"),
        ("Größe,Straße,Hausnummer\n".as_bytes(), UTF_16LE_CSV, "UTF-8"),
        (b"Gr\xf6\xdfe;Stra\xdfe;Hausnummer\n", UTF_16LE_CSV, "single bytes"),
    ] {
        let refusal = inner(first_bytes, expected);
        assert!(refusal.contains(what), "{refusal}");
    }
    let refusal = sniff_content(b"\xff\xfea\0,\0", UTF_8_CSV).unwrap_err();
    assert!(refusal.remedy().starts_with("set encoding = \"utf-16le\""));
}

#[test]
fn a_nul_tells_of_no_text_unless_it_stands_alone_among_the_rows() {
    assert_eq!(
        inner(b"a\0,b\n1,2\n", UTF_8_CSV),
        "the file is not CSV in UTF-8: there is a NUL byte at byte 1, as in a binary format or another encoding"
    );
    assert!(inner(b"a\n\0\0\0\x01\x02", UTF_8_CSV).contains("at byte 2"));
    assert_eq!(sniff_content(b"key,name\n1,one\0\n2,two\n3,three\n4,four\n", UTF_8_CSV), Ok(()));
}

#[test]
fn parquet_is_parquet_and_nothing_else() {
    for first_bytes in [&b""[..], b"P", b"PAR1", b"PAR1\x15\x04"] {
        assert_eq!(sniff_content(first_bytes, Content::Parquet), Ok(()));
    }
    for (first_bytes, what) in [
        (&b"a,b\n1,2\n"[..], "something else"),
        (b"PARE\x15\x04", "an encrypted footer"),
        (b"<html>", "something else"),
        (b"\x1f\x8b\x08\0", "gzip a second time"),
        (&workbook(), "Office"),
        (b"\x85\x01\x0c\x03\x12\x34", "PGP"),
    ] {
        let refusal = inner(first_bytes, Content::Parquet);
        assert!(refusal.contains(what) && refusal.ends_with("where Parquet is expected"), "{refusal}");
    }
}

#[test]
fn json_where_rows_should_be_is_refused() {
    for (text, what) in [
        ("{\"a\": 1, \"b\": 2}\n{\"a\": 3}\n", "NDJSON"),
        ("\u{feff}{\"a\":1}\r\n", "NDJSON"),
        ("{\"error\": \"not found\"}", "NDJSON"),
        ("{\n  \"a\": 1\n}\n", "JSON spread over several lines"),
        ("[{\"a\":1}]", "a JSON array"),
        ("[\n  {\n    \"a\": 1", "a JSON array"),
    ] {
        let refusal = inner(text.as_bytes(), UTF_8_CSV);
        assert_eq!(refusal, format!("the file is {what}, where CSV in UTF-8 is expected"));
    }
    for text in ["{\"a\":1};x\n", "{\"a\n", "[a]\n", "[1],[2]\n"] {
        assert_eq!(sniff_content(text.as_bytes(), UTF_8_CSV), Ok(()), "{text}");
    }
}

#[test]
fn rows_where_json_should_be_are_refused_but_one_odd_row_is_not() {
    for text in
        ["", "\n\n", "{\"a\":1}\n", "oops\n{\"a\":1}\n", "\u{feff}{\"a\":1}", "oops", "x\ny\n {\"a\":1}\n", "{oops\n"]
    {
        assert_eq!(sniff_content(text.as_bytes(), Content::Ndjson), Ok(()), "{text}");
    }
    for (text, what) in [
        ("a,b\n1,2\n", "text without JSON objects, such as CSV"),
        (" [1, 2]\n", "a JSON array"),
        ("[\n{\"a\":1},\n{\"a\":2}\n]\n", "a JSON array"),
        ("{\n \"a\": 1\n}\n", "JSON spread over several lines"),
    ] {
        assert_eq!(inner(text.as_bytes(), Content::Ndjson), format!("the file is {what}, where NDJSON is expected"));
    }
}
