//! A zip archive with one file in it, read from its first byte to its last, as it comes: no seeking.
//!
//! An archive is meant to be read from the directory at its end. Read forwards, the local headers are believed first,
//! and the directory must say the same in the end: one file, with the same name, place, sizes and checksum. Directories
//! beside it are passed over, and so is what the macOS Finder adds.

mod records;
#[cfg(test)]
mod tests;

use flate2::Crc;

use super::deflate::{Deflate, Wrapper};
use super::meter::Meter;
use super::{Compression, InflateError, InflateLimits, PIECE_BYTES};
use crate::reason::shown;
use records::{End, Entry, Sums};

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

#[derive(Debug)]
pub(super) struct Unzip {
    meter: Meter,
    deflate: Deflate,
    place: Place,
    /// What was read of the record at hand, and how long that is.
    record: Vec<u8>,
    record_bytes: usize,
    /// The entry whose data is being read.
    entry: Entry,
    crc: Crc,
    /// The one file, once it was read and found whole.
    member: Option<Entry>,
    counts: Counts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Record(Record),
    Stored {
        /// Bytes that are left.
        rest: u64,
    },
    Deflated,
    /// Behind the last record, where only zeros may come.
    Over,
}

/// What is being gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Record {
    /// Its first four bytes, which say what it is.
    Signature,
    LocalHeader,
    /// With its name and extra fields.
    WholeLocalHeader,
    /// With the beginning of the record behind it.
    Descriptor,
    CentralHeader,
    WholeCentralHeader,
    End64,
    WholeEnd64,
    Locator64,
    End,
    WholeEnd,
}

/// Entries, as far as they were read.
#[derive(Debug, Default)]
struct Counts {
    local: u64,
    central: u64,
    /// Files among those of the directory.
    central_files: u64,
    /// What the record of a large archive says of the directory.
    announced: Option<u64>,
}

const NOT_THE_FORMAT: &str = "it does not follow the format";
const DIRECTORY_DIFFERS: &str = "the directory at its end does not say what is in it";

impl Unzip {
    pub fn new(limits: InflateLimits) -> Self {
        Self {
            meter: Meter::new(Compression::Zip, limits),
            deflate: Deflate::new(Wrapper::None),
            place: Place::Record(Record::Signature),
            record: Vec::new(),
            record_bytes: 4,
            entry: Entry::default(),
            crc: Crc::new(),
            member: None,
            counts: Counts::default(),
        }
    }

    pub fn push<E: From<InflateError>>(
        &mut self,
        mut input: &[u8],
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while !input.is_empty() {
            let taken = match self.place {
                Place::Record(record) => self.gather(record, input)?,
                Place::Stored { rest } => self.copy(rest, input, out)?,
                Place::Deflated => self.inflate(input, out)?,
                Place::Over if input.iter().all(|byte| *byte == 0) => input.len(),
                Place::Over => return Err(self.meter.trailing_garbage().into()),
            };
            input = &input[taken..];
        }
        Ok(())
    }

    pub fn finish(self) -> Result<(), InflateError> {
        match self.place {
            Place::Over => Ok(()),
            _ => Err(self.meter.truncated()),
        }
    }

    fn gather(&mut self, record: Record, input: &[u8]) -> Result<usize, InflateError> {
        let taken = input.len().min(self.record_bytes - self.record.len());
        self.record.extend_from_slice(&input[..taken]);
        self.meter.took(taken);
        if self.record.len() == self.record_bytes {
            self.take_record(record)?;
        }
        Ok(taken)
    }

    /// Continues with a record that is as long as `record_bytes`, of which `record` may hold the beginning.
    fn go_on(&mut self, record: Record, record_bytes: usize) -> Result<(), InflateError> {
        self.place = Place::Record(record);
        self.record_bytes = record_bytes;
        if self.record.len() == record_bytes {
            return self.take_record(record);
        }
        Ok(())
    }

    fn next_record(&mut self) {
        self.record.clear();
        self.place = Place::Record(Record::Signature);
        self.record_bytes = 4;
    }

    fn take_record(&mut self, record: Record) -> Result<(), InflateError> {
        match record {
            Record::Signature => self.take_signature(),
            Record::LocalHeader => self.go_on(Record::WholeLocalHeader, records::local_header_bytes(&self.record)),
            Record::WholeLocalHeader => self.begin_entry(),
            Record::Descriptor => self.take_descriptor(),
            Record::CentralHeader => {
                self.go_on(Record::WholeCentralHeader, records::central_header_bytes(&self.record))
            }
            Record::WholeCentralHeader => self.compare_with_directory(),
            Record::End64 => self.take_end_64(),
            Record::WholeEnd64 | Record::Locator64 => {
                self.next_record();
                Ok(())
            }
            Record::End => {
                let end = End::of_record(&self.record);
                self.go_on(Record::WholeEnd, records::END_BYTES + end.comment_bytes)
            }
            Record::WholeEnd => self.end(),
        }
    }

    fn take_signature(&mut self) -> Result<(), InflateError> {
        let is_first = self.meter.compressed_bytes() == 4;
        let in_directory = self.counts.central > 0;
        match self.record.first_chunk() {
            Some(&records::LOCAL_HEADER) if !in_directory => {
                self.go_on(Record::LocalHeader, records::LOCAL_HEADER_BYTES)
            }
            Some(&records::END) => self.go_on(Record::End, records::END_BYTES),
            _ if is_first => Err(self.meter.another_format()),
            Some(&records::CENTRAL_HEADER) => self.go_on(Record::CentralHeader, records::CENTRAL_HEADER_BYTES),
            Some(&records::END_64) => self.go_on(Record::End64, records::END_64_BYTES),
            Some(&records::LOCATOR_64) => self.go_on(Record::Locator64, records::LOCATOR_64_BYTES),
            _ => Err(self.meter.damaged(NOT_THE_FORMAT)),
        }
    }

    fn begin_entry(&mut self) -> Result<(), InflateError> {
        let offset = self.meter.compressed_bytes() - self.record.len() as u64;
        let entry = Entry::of_local_header(&self.record, offset);
        let name = || shown(&entry.name);
        if !entry.is_companion()
            && let Some(member) = &self.member
        {
            return Err(InflateError::SeveralMembers { first: shown(&member.name), second: name() });
        }
        if entry.is_encrypted() {
            return Err(InflateError::Encrypted { member: name() });
        }
        let is_stored = match entry.method {
            STORED => true,
            // There is not even an empty stream.
            DEFLATED => !entry.has_descriptor() && entry.sums.compressed_bytes == 0,
            method => return Err(InflateError::Method { member: name(), method: records::method_name(method) }),
        };
        let rest = entry.sums.compressed_bytes;
        if is_stored && entry.has_descriptor() && rest == 0 && !entry.is_directory() {
            return Err(InflateError::SizeUnknown { member: name() });
        }
        self.counts.local += 1;
        self.entry = entry;
        self.crc.reset();
        self.deflate.reset();
        match is_stored {
            false => self.place = Place::Deflated,
            true if rest > 0 => self.place = Place::Stored { rest },
            true => self.end_entry(0, 0)?,
        }
        Ok(())
    }

    /// Hands out bytes that are stored as they are. Returns how many of the input.
    fn copy<E: From<InflateError>>(
        &mut self,
        rest: u64,
        input: &[u8],
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<usize, E> {
        let taken = usize::try_from(rest).unwrap_or(usize::MAX).min(input.len()).min(PIECE_BYTES);
        let piece = &input[..taken];
        self.meter.took(taken);
        self.meter.made(taken)?;
        self.crc.update(piece);
        if !self.entry.is_companion() {
            out(piece)?;
        }
        let rest = rest - taken as u64;
        self.place = Place::Stored { rest };
        if rest == 0 {
            let bytes = self.entry.sums.compressed_bytes;
            self.end_entry(bytes, bytes)?;
        }
        Ok(taken)
    }

    /// Decompresses to the end of the entry or of the input. Returns how much of the input it took.
    fn inflate<E: From<InflateError>>(
        &mut self,
        input: &[u8],
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<usize, E> {
        let room = match self.entry.has_descriptor() {
            true => usize::MAX,
            // Smaller than the whole, as the stream would have ended otherwise.
            false => usize::try_from(self.entry.sums.compressed_bytes - self.deflate.total_in()).unwrap_or(usize::MAX),
        };
        let is_companion = self.entry.is_companion();
        let crc = &mut self.crc;
        let mut hand_out = |piece: &[u8]| {
            crc.update(piece);
            if is_companion { Ok(()) } else { out(piece) }
        };
        let step = self.deflate.run(&input[..input.len().min(room)], &mut self.meter, &mut hand_out)?;
        if step.ended {
            self.end_entry(self.deflate.total_in(), self.deflate.total_out())?;
        } else if step.taken == room {
            return Err(self.meter.damaged("a member does not end where its header says").into());
        }
        Ok(step.taken)
    }

    fn end_entry(&mut self, compressed_bytes: u64, uncompressed_bytes: u64) -> Result<(), InflateError> {
        if self.entry.is_directory() && uncompressed_bytes > 0 {
            return Err(self.meter.damaged("a directory in it has content"));
        }
        let sums = Sums { crc32: self.crc.sum(), compressed_bytes, uncompressed_bytes };
        if self.entry.has_descriptor() {
            self.entry.sums = sums;
            self.record.clear();
            return self.go_on(Record::Descriptor, records::DESCRIPTOR_AND_NEXT_BYTES);
        }
        if self.entry.sums != sums {
            let is_checksum = self.entry.sums.crc32 != sums.crc32;
            let detail = if is_checksum { "its checksum does not match" } else { "its size does not match" };
            return Err(self.meter.damaged(detail));
        }
        self.keep_member();
        self.next_record();
        Ok(())
    }

    fn take_descriptor(&mut self) -> Result<(), InflateError> {
        let Some(length) = self.entry.sums.descriptor_bytes(&self.record) else {
            return Err(self.meter.damaged("its checksum or its size does not match"));
        };
        self.keep_member();
        let behind = self.record.split_off(length);
        self.next_record();
        // Shorter than any record: it never completes one.
        let signature_bytes = behind.len().min(4);
        self.record.extend_from_slice(&behind[..signature_bytes]);
        self.go_on(Record::Signature, 4)?;
        self.record.extend_from_slice(&behind[signature_bytes..]);
        Ok(())
    }

    fn keep_member(&mut self) {
        let entry = std::mem::take(&mut self.entry);
        if !entry.is_companion() {
            self.member = Some(entry);
        }
    }

    fn compare_with_directory(&mut self) -> Result<(), InflateError> {
        let listed = Entry::of_central_header(&self.record);
        self.counts.central += 1;
        if !listed.is_companion() {
            self.counts.central_files += 1;
            let is_member = |member: &Entry| {
                (&member.name, member.sums, member.offset) == (&listed.name, listed.sums, listed.offset)
            };
            if !self.member.as_ref().is_some_and(is_member) {
                return Err(self.meter.damaged(DIRECTORY_DIFFERS));
            }
        }
        self.next_record();
        Ok(())
    }

    fn take_end_64(&mut self) -> Result<(), InflateError> {
        let (entries, record_bytes) = records::end_64(&self.record);
        self.counts.announced = Some(entries);
        match usize::try_from(record_bytes) {
            // What may follow its fixed part is for special purposes; nobody writes much of it.
            Ok(record_bytes @ records::END_64_BYTES..=0xffff) => self.go_on(Record::WholeEnd64, record_bytes),
            _ => Err(self.meter.damaged(NOT_THE_FORMAT)),
        }
    }

    fn end(&mut self) -> Result<(), InflateError> {
        let end = End::of_record(&self.record);
        let Counts { local, central, central_files, announced } = self.counts;
        if !matches!(end.disk, 0 | u16::MAX) {
            return Err(self.meter.damaged("it is one part of a split archive"));
        }
        if self.member.is_none() {
            return Err(InflateError::NoMember);
        }
        let is_announced = announced.map_or(central as u16 == end.entries, |entries| entries == central);
        if local != central || central_files != 1 || !is_announced {
            return Err(self.meter.damaged(DIRECTORY_DIFFERS));
        }
        self.record = Vec::new();
        self.place = Place::Over;
        Ok(())
    }
}
