//! Archives as several programs write them, and archives as nobody should.

use flate2::{Compress, Compression as Level, FlushCompress};
use proptest::prelude::*;

use super::*;
use crate::inflate::testing::{self, split};

/// One entry and how it is to be written.
#[derive(Clone, Debug)]
struct Written<'a> {
    name: &'a str,
    text: &'a [u8],
    method: u16,
    flags: u16,
    descriptor: Descriptor,
    wide: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Descriptor {
    None,
    Signed,
    Bare,
}

fn deflated<'a>(name: &'a str, text: &'a [u8]) -> Written<'a> {
    Written { name, text, method: DEFLATED, flags: 0, descriptor: Descriptor::None, wide: false }
}

fn stored<'a>(name: &'a str, text: &'a [u8]) -> Written<'a> {
    Written { method: STORED, ..deflated(name, text) }
}

fn directory(name: &str) -> Written<'_> {
    stored(name, b"")
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut stream = Vec::with_capacity(text.len() + 1024);
    Compress::new(Level::default(), false).compress_vec(text, &mut stream, FlushCompress::Finish).unwrap();
    stream
}

/// A header's fields from its flags to its sizes.
fn common(entry: &Written, [crc32, compressed, uncompressed]: [u32; 3]) -> Vec<u8> {
    let flags = entry.flags | if entry.descriptor == Descriptor::None { 0 } else { 8 };
    let mut fields = [flags.to_le_bytes(), entry.method.to_le_bytes(), [0; 2], [0; 2]].concat();
    fields.extend([crc32, compressed, uncompressed].iter().flat_map(|number| number.to_le_bytes()));
    fields
}

fn archive(entries: &[Written]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut central = Vec::new();
    for entry in entries {
        let data = if entry.method == DEFLATED { deflate(entry.text) } else { entry.text.to_vec() };
        let mut crc = Crc::new();
        crc.update(entry.text);
        let offset = file.len() as u32;
        let sums = [crc.sum(), data.len() as u32, entry.text.len() as u32];
        let wide_sizes = [entry.text.len() as u64, data.len() as u64].map(u64::to_le_bytes).concat();
        let extra = if entry.wide { [&[1, 0, 16, 0][..], &wide_sizes].concat() } else { Vec::new() };
        let shown_sums = if entry.wide { [sums[0], u32::MAX, u32::MAX] } else { sums };
        let lengths = [entry.name.len() as u16, extra.len() as u16].map(u16::to_le_bytes).concat();

        let local_sums = if entry.descriptor == Descriptor::None { shown_sums } else { [0; 3] };
        file.extend([&b"PK\x03\x04\x14\0"[..], &common(entry, local_sums), &lengths].concat());
        file.extend([entry.name.as_bytes(), &extra, &data].concat());
        if entry.descriptor == Descriptor::Signed {
            file.extend(b"PK\x07\x08");
        }
        if entry.descriptor != Descriptor::None {
            file.extend(sums[0].to_le_bytes());
            match entry.wide {
                true => file.extend([data.len() as u64, entry.text.len() as u64].iter().flat_map(|n| n.to_le_bytes())),
                false => file.extend([sums[1], sums[2]].iter().flat_map(|number| number.to_le_bytes())),
            }
        }
        central.extend([&b"PK\x01\x02\x14\x03\x14\0"[..], &common(entry, shown_sums), &lengths, &[0; 10]].concat());
        central.extend([&offset.to_le_bytes()[..], entry.name.as_bytes(), &extra].concat());
    }
    let (count, begin) = (entries.len() as u16, file.len() as u32);
    file.extend(&central);
    file.extend([&b"PK\x05\x06\0\0\0\0"[..], &count.to_le_bytes(), &count.to_le_bytes()].concat());
    file.extend([(central.len() as u32).to_le_bytes(), begin.to_le_bytes()].concat());
    file.extend([0, 0]);
    file
}

fn inflate(file: &[u8]) -> Result<Vec<u8>, InflateError> {
    testing::inflate(Compression::Zip, file)
}

fn refusal(file: &[u8]) -> String {
    inflate(file).unwrap_err().to_string()
}

const TEXT: &[u8] = b"some text, some more text, and yet some more text";

#[test]
fn a_member_is_read_however_it_is_written() {
    for method in [STORED, DEFLATED] {
        for wide in [false, true] {
            for text in [TEXT, b""] {
                let entry = Written { method, wide, ..deflated("a.csv", text) };
                assert_eq!(inflate(&archive(&[entry])).unwrap(), text, "{method} {wide}");
            }
        }
    }
    for descriptor in [Descriptor::Signed, Descriptor::Bare] {
        for wide in [false, true] {
            for text in [TEXT, b""] {
                let entry = Written { descriptor, wide, ..deflated("a.csv", text) };
                assert_eq!(inflate(&archive(&[entry])).unwrap(), text, "{descriptor:?} {wide}");
            }
        }
    }
}

#[test]
fn directories_and_what_the_finder_adds_are_no_members() {
    let entries = [
        directory("data/"),
        deflated("data/a.csv", TEXT),
        directory("__MACOSX/"),
        deflated("__MACOSX/data/._a.csv", b"\0\x05\x16\x07"),
        stored("data/.DS_Store", b"\0\0\0\x01Bud1"),
        Written { descriptor: Descriptor::Signed, ..stored("more/", b"") },
        Written { descriptor: Descriptor::Bare, ..deflated("more/b/", b"") },
    ];
    assert_eq!(inflate(&archive(&entries)).unwrap(), TEXT);
    assert_eq!(inflate(&archive(&entries[..2])).unwrap(), TEXT);
}

#[test]
fn a_second_member_is_refused_with_both_names() {
    let file = archive(&[deflated("a.csv", TEXT), directory("data/"), deflated("data/b\x1b.csv", TEXT)]);
    assert_eq!(
        refusal(&file),
        "the zip archive holds more than one file: `a.csv`, `data/b\\u{1b}.csv` and perhaps others"
    );
}

#[test]
fn an_archive_without_a_file_is_refused() {
    assert_eq!(inflate(&archive(&[])), Err(InflateError::NoMember));
    assert_eq!(inflate(&archive(&[directory("data/")])), Err(InflateError::NoMember));
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let encrypted = Written { flags: 1, ..deflated("a.csv", TEXT) };
    assert_eq!(refusal(&archive(&[encrypted])), "`a.csv` in the zip archive is encrypted with a password");
    for (method, name) in [(9, "Deflate64"), (12, "bzip2"), (14, "LZMA"), (77, "a method that is not known here")] {
        let refusal = refusal(&archive(&[Written { method, ..deflated("a.csv", TEXT) }]));
        assert_eq!(refusal, format!("`a.csv` in the zip archive is compressed with {name}; only deflate is read"));
    }
    let unknown = archive(&[Written { descriptor: Descriptor::Signed, ..stored("a.csv", TEXT) }]);
    assert_eq!(inflate(&unknown), Err(InflateError::SizeUnknown { member: "a.csv".to_owned() }));
}

#[test]
fn what_is_no_zip_is_refused() {
    for file in [&b"a,b\n1,2\n"[..], b"PK\x01\x02", b"PK\x07\x08", b"PK\x06\x06"] {
        assert_eq!(inflate(file), Err(InflateError::AnotherFormat { compression: Compression::Zip }));
    }
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    for descriptor in [Descriptor::None, Descriptor::Signed] {
        let file = archive(&[directory("data/"), Written { descriptor, ..deflated("data/a.csv", TEXT) }]);
        for length in 0..file.len() {
            let compressed_bytes = length as u64;
            let error = InflateError::Truncated { compression: Compression::Zip, compressed_bytes };
            assert_eq!(inflate(&file[..length]), Err(error));
        }
    }
}

#[test]
fn zeros_behind_the_archive_are_padding_and_anything_else_is_refused() {
    let file = archive(&[deflated("a.csv", TEXT)]);
    assert_eq!(inflate(&[&file[..], &[0; 100]].concat()).unwrap(), TEXT);
    for garbage in [&b"x"[..], b"\0x", &file] {
        assert!(matches!(inflate(&[&file[..], garbage].concat()), Err(InflateError::TrailingGarbage { .. })));
    }
}

#[test]
fn a_comment_and_the_records_of_a_large_archive_are_passed_over() {
    let mut file = archive(&[deflated("a.csv", TEXT)]);
    let end = file.len() - 22;
    let mut large = [&b"PK\x06\x06"[..], &48_u64.to_le_bytes(), &[0; 12]].concat();
    large.extend([1_u64.to_le_bytes(), 1_u64.to_le_bytes(), [0; 8], [0; 8]].concat());
    large.extend(b"more"); // special purposes
    large.extend([&b"PK\x06\x07"[..], &[0; 16]].concat());
    let at = file.len() - 2;
    file[at] = 5;
    file.extend(b"hello");
    file[end + 8..end + 12].fill(0xff);
    file.splice(end..end, large);
    assert_eq!(inflate(&file).unwrap(), TEXT);
}

#[test]
fn a_wrong_checksum_or_size_is_damage() {
    let file = archive(&[deflated("a.csv", TEXT)]);
    for (at, detail) in [
        (14, "its checksum does not match"),
        (18, "a member does not end where its header says"),
        (22, "its size does not match"),
    ] {
        let mut file = file.clone();
        file[at] -= 1;
        let refusal = refusal(&file);
        assert!(refusal.ends_with(detail), "{refusal}");
    }
    let mut file = archive(&[Written { descriptor: Descriptor::Signed, ..deflated("a.csv", TEXT) }]);
    let descriptor = file.len() - 22 - (46 + 5) - 16;
    file[descriptor + 5] ^= 1;
    assert!(refusal(&file).ends_with("its checksum or its size does not match"));
}

#[test]
fn a_directory_that_says_something_else_is_damage() {
    let file = archive(&[deflated("a.csv", TEXT)]);
    let central = file.len() - 22 - (46 + 5);
    for at in [16, 20, 24, 42, 46] {
        let mut file = file.clone();
        file[central + at] ^= 1;
        assert!(refusal(&file).ends_with("the directory at its end does not say what is in it"), "{at}");
    }
    let mut more = file.clone();
    let end = more.len() - 22;
    more[end + 10] = 2;
    assert!(refusal(&more).ends_with("the directory at its end does not say what is in it"));
    let mut twice = file.clone();
    twice.splice(end..end, file[central..end].to_vec());
    let end = twice.len() - 22;
    twice[end + 10] = 2;
    assert!(refusal(&twice).ends_with("the directory at its end does not say what is in it"));
}

#[test]
fn a_member_that_grows_too_much_is_refused_even_where_it_is_passed_over() {
    let text = vec![b'x'; 1 << 20];
    for name in ["a.csv", "__MACOSX/a"] {
        let file = archive(&[deflated("b.csv", b""), deflated(name, &text)][usize::from(name == "a.csv")..]);
        testing::check_limits(Compression::Zip, &file, 1 << 20);
    }
}

proptest! {
    #[test]
    fn any_split_gives_the_same_bytes(
        text in "[a-c\n]{0,400}",
        cuts in prop::collection::vec(0_usize..300, 0..6),
        method in prop::sample::select(vec![STORED, DEFLATED]),
        wide: bool,
    ) {
        let descriptor = if method == DEFLATED { Descriptor::Bare } else { Descriptor::None };
        let entry = Written { method, descriptor, wide, ..deflated("a.csv", text.as_bytes()) };
        let file = archive(&[directory("data/"), entry]);
        let inflated = testing::inflate_with(Compression::Zip, split(&file, &cuts), InflateLimits::default());
        prop_assert_eq!(inflated, Ok(text.into_bytes()));
    }

    #[test]
    fn damage_is_an_error_and_no_panic(at in 0_usize..300, flip in 1_u8.., text in "[a-z]{20,40}", signed: bool) {
        let descriptor = if signed { Descriptor::Signed } else { Descriptor::None };
        let mut file = archive(&[Written { descriptor, ..deflated("a.csv", text.as_bytes()) }]);
        let at = at % file.len();
        file[at] ^= flip;
        let byte_by_byte = testing::inflate_with(Compression::Zip, file.chunks(1), InflateLimits::default());
        let inflated = testing::inflate_with(Compression::Zip, [&file[..]], InflateLimits::default());
        prop_assert_eq!(byte_by_byte.is_ok(), inflated.is_ok());
        if let Ok(inflated) = inflated {
            prop_assert_eq!(inflated, text.into_bytes(), "headers have bytes of no meaning");
        }
    }
}
