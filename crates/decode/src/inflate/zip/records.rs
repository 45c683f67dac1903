//! The records of a zip archive (APPNOTE.TXT 6.3.10, 4.3), taken apart. It knows no order among them.

pub const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
pub const CENTRAL_HEADER: [u8; 4] = *b"PK\x01\x02";
pub const END: [u8; 4] = *b"PK\x05\x06";
pub const END_64: [u8; 4] = *b"PK\x06\x06";
pub const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";

pub const LOCAL_HEADER_BYTES: usize = 30;
pub const CENTRAL_HEADER_BYTES: usize = 46;
pub const END_BYTES: usize = 22;
pub const END_64_BYTES: usize = 56;
pub const LOCATOR_64_BYTES: usize = 20;

/// As many bytes as the longest data descriptor and the two that begin the record behind it. The shortest archive has
/// more behind its last descriptor.
pub const DESCRIPTOR_AND_NEXT_BYTES: usize = 24 + 2;

/// What is written of one entry, before its data, behind it and in the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub name: Vec<u8>,
    pub flags: u16,
    pub method: u16,
    pub sums: Sums,
    /// Where its local header begins.
    pub offset: u64,
}

/// What proves that an entry's data is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub crc32: u32,
    pub compressed_bytes: u64,
    pub uncompressed_bytes: u64,
}

/// The last record: how many entries the directory has. In a large archive these 16 bits are not the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub disk: u16,
    pub entries: u16,
    pub comment_bytes: usize,
}

/// The bytes of a record that was read whole.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn number<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0[at..].first_chunk().copied().expect("the record was read whole")
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.number(at))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.number(at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.number(at))
    }
}

/// How long a local header is with its name and extra fields; `header` is its fixed part.
pub fn local_header_bytes(header: &[u8]) -> usize {
    let fields = Fields(header);
    LOCAL_HEADER_BYTES + usize::from(fields.u16(26)) + usize::from(fields.u16(28))
}

/// How long an entry of the directory is with its name, extra fields and comment; `header` is its fixed part.
pub fn central_header_bytes(header: &[u8]) -> usize {
    let fields = Fields(header);
    CENTRAL_HEADER_BYTES + [28, 30, 32].map(|at| usize::from(fields.u16(at))).iter().sum::<usize>()
}

impl Entry {
    /// A whole local header, which begins at `offset`.
    pub fn of_local_header(header: &[u8], offset: u64) -> Self {
        let fields = Fields(header);
        let name_end = LOCAL_HEADER_BYTES + usize::from(fields.u16(26));
        let mut entry = Self {
            name: header[LOCAL_HEADER_BYTES..name_end].to_vec(),
            flags: fields.u16(6),
            method: fields.u16(8),
            sums: Sums::of_header(&fields, 14),
            offset,
        };
        entry.widen(&header[name_end..]);
        entry.offset = offset;
        entry
    }

    /// A whole entry of the directory.
    pub fn of_central_header(header: &[u8]) -> Self {
        let fields = Fields(header);
        let name_end = CENTRAL_HEADER_BYTES + usize::from(fields.u16(28));
        let extra_end = name_end + usize::from(fields.u16(30));
        let mut entry = Self {
            name: header[CENTRAL_HEADER_BYTES..name_end].to_vec(),
            flags: fields.u16(8),
            method: fields.u16(10),
            sums: Sums::of_header(&fields, 16),
            offset: u64::from(fields.u32(42)),
        };
        entry.widen(&header[name_end..extra_end]);
        entry
    }

    /// ZIP64: numbers that do not fit 32 bits stand among the extra fields, in this order, where the header has all
    /// ones.
    fn widen(&mut self, mut extra: &[u8]) {
        while let Some(([id_low, id_high, length_low, length_high], rest)) = extra.split_first_chunk() {
            let length = usize::from(u16::from_le_bytes([*length_low, *length_high]));
            let (mut field, rest) = rest.split_at(length.min(rest.len()));
            extra = rest;
            if [*id_low, *id_high] != [1, 0] {
                continue;
            }
            for number in [&mut self.sums.uncompressed_bytes, &mut self.sums.compressed_bytes, &mut self.offset] {
                if *number == u64::from(u32::MAX)
                    && let Some((wide, rest)) = field.split_first_chunk()
                {
                    *number = u64::from_le_bytes(*wide);
                    field = rest;
                }
            }
        }
    }

    pub fn is_encrypted(&self) -> bool {
        self.flags & 1 != 0
    }

    /// Its sums stand behind its data, and what the local header says of them is nothing.
    pub fn has_descriptor(&self) -> bool {
        self.flags & 0b1000 != 0
    }

    pub fn is_directory(&self) -> bool {
        matches!(self.name.last(), Some(b'/' | b'\\'))
    }

    /// Directories, and what the macOS Finder adds of its own.
    pub fn is_companion(&self) -> bool {
        let base_name = self.name.rsplit(|byte| *byte == b'/').next();
        self.is_directory() || self.name.starts_with(b"__MACOSX/") || base_name == Some(b".DS_Store")
    }
}

impl Sums {
    fn of_header(fields: &Fields, at: usize) -> Self {
        Self {
            crc32: fields.u32(at),
            compressed_bytes: u64::from(fields.u32(at + 4)),
            uncompressed_bytes: u64::from(fields.u32(at + 8)),
        }
    }

    /// How long the data descriptor at the start of `bytes` is, if it says these sums: with or without its signature,
    /// its sizes in 32 or 64 bits, all of which is written; behind it another record begins.
    pub fn descriptor_bytes(&self, bytes: &[u8]) -> Option<usize> {
        let crc32 = self.crc32.to_le_bytes();
        let sizes = [self.compressed_bytes, self.uncompressed_bytes];
        let wide = sizes.map(u64::to_le_bytes).concat();
        let narrow = sizes.map(|size| u32::try_from(size).ok()).iter().copied().collect::<Option<Vec<u32>>>();
        let narrow = narrow.map(|sizes| sizes.iter().flat_map(|size| size.to_le_bytes()).collect::<Vec<u8>>());
        let ways = [narrow, Some(wide)];
        let length = |signature: &[u8]| {
            ways.iter().flatten().find_map(|sizes| {
                let descriptor = [signature, &crc32, sizes].concat();
                let behind = bytes.strip_prefix(&descriptor[..])?;
                behind.starts_with(b"PK").then_some(descriptor.len())
            })
        };
        length(&DESCRIPTOR).or_else(|| length(&[]))
    }
}

impl End {
    pub fn of_record(record: &[u8]) -> Self {
        let fields = Fields(record);
        Self { disk: fields.u16(4), entries: fields.u16(10), comment_bytes: usize::from(fields.u16(20)) }
    }
}

/// How many entries the directory of a large archive has, and how long this record is in all.
pub fn end_64(record: &[u8]) -> (u64, u64) {
    let fields = Fields(record);
    (fields.u64(32), fields.u64(4).saturating_add(12))
}

/// What people call a way to compress (APPNOTE.TXT, 4.4.5).
pub fn method_name(method: u16) -> &'static str {
    match method {
        0 => "nothing",
        8 => "deflate",
        9 => "Deflate64",
        12 => "bzip2",
        14 => "LZMA",
        93 => "zstd",
        95 => "xz",
        98 => "PPMd",
        _ => "a method that is not known here",
    }
}
