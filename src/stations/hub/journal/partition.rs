//! One partition on disk: `<n>.events` holds the records, `<n>.index` says where each ends, and [`super::gone`] which of
//! them are gone.
//!
//! A record counts once it stands in the index, and it is entered there only after its bytes are safe on the disk: a
//! reader never sees an event that a power cut could take back. What a crash leaves after the last indexed record is
//! looked at by the next writer: whole records are entered, a torn one is cut off. An index that does not fit the
//! records (it is not synced) is built again from them.
//!
//! ```text
//! events   u32 length of the rest after the sum · u64 sum (of the rest: the first 8 bytes of its SHA-256)
//!          · u64 sequence number · i64 enqueued, µs since 1970 · u16 length of the key · key · body
//! index    u64 end of record 0 · u64 end of record 1 · …          all little-endian
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut, Bytes};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::gone::Gone;
use super::{BODY_LIMIT_BYTES, JournalError, JournalEvent};
use crate::stations::hub::{PartitionBounds, ReadLimit};

const HEAD_BYTES: usize = 4 + 8;
const FIXED_BYTES: usize = 8 + 8 + 2;
const REST_LIMIT_BYTES: usize = FIXED_BYTES + u16::MAX as usize + BODY_LIMIT_BYTES;
const INDEX_ENTRY_BYTES: u64 = 8;
/// Positions that are looked up at a time.
const READ_STEP: u64 = 4096;

pub(super) struct NewRecord {
    pub enqueued_at: DateTime<Utc>,
    pub partition_key: String,
    pub body: Bytes,
}

#[derive(Clone)]
pub(super) struct PartitionFiles {
    events: PathBuf,
    index: PathBuf,
    gone: PathBuf,
}

impl PartitionFiles {
    pub(super) fn in_directory(directory: &Path, partition: u32) -> Self {
        PartitionFiles {
            events: directory.join(format!("{partition}.events")),
            index: directory.join(format!("{partition}.index")),
            gone: directory.join(format!("{partition}.gone")),
        }
    }

    pub(super) fn bounds(&self) -> Result<PartitionBounds, JournalError> {
        let begins = self.open_gone()?.begins();
        let mut index = self.open_index()?;
        let count = entries(&index).map_err(|source| self.index_failed(source))?;
        let Some(last) = count.checked_sub(1) else {
            return Ok(PartitionBounds { begins, last_enqueued: None, last_enqueued_at: None });
        };
        let starts_at = end_of(&mut index, last).map_err(|source| self.index_failed(source))?;
        let mut head = [0; HEAD_BYTES + FIXED_BYTES];
        let mut events = self.open_events(starts_at)?;
        events.read_exact(&mut head).map_err(|source| self.events_failed(source))?;
        let mut fixed = &head[HEAD_BYTES..];
        let number = fixed.get_u64_le();
        let enqueued_at = DateTime::from_timestamp_micros(fixed.get_i64_le()).filter(|_| number == last);
        match enqueued_at {
            Some(_) => Ok(PartitionBounds { begins, last_enqueued: Some(last), last_enqueued_at: enqueued_at }),
            None => Err(self.damaged(last)),
        }
    }

    /// Events from number `from` on that are not gone: at most `limit.events`, and `limit.bytes` of bodies unless the
    /// first alone is larger.
    pub(super) fn read(&self, from: u64, limit: ReadLimit) -> Result<Vec<JournalEvent>, JournalError> {
        let mut index = self.open_index()?;
        let count = entries(&index).map_err(|source| self.index_failed(source))?;
        let gone = self.open_gone()?;
        let mut found = Vec::new();
        let mut found_bytes = 0;
        let mut next = from;
        while found.len() < limit.events {
            let run = gone.kept(next, count).map_err(|source| self.gone_failed(source))?;
            let Some(run) = run else { break };
            let wanted = (run.end - run.start).min((limit.events - found.len()) as u64).min(READ_STEP);
            next = run.start + wanted;
            for event in self.records(&mut index, run.start..next)? {
                let event = event?;
                found_bytes += event.body.len();
                if found_bytes > limit.bytes && !found.is_empty() {
                    return Ok(found);
                }
                found.push(event);
            }
        }
        Ok(found)
    }

    /// Records that are all there, gone or not, each read when it is asked for.
    fn records(
        &self,
        index: &mut File,
        numbers: Range<u64>,
    ) -> Result<impl Iterator<Item = Result<JournalEvent, JournalError>>, JournalError> {
        let wanted = numbers.end - numbers.start;
        let ends = ends_of(index, numbers.start, wanted).map_err(|source| self.index_failed(source))?;
        let mut events = self.open_events(ends[0])?;
        let numbered = numbers.enumerate();
        Ok(numbered.map(move |(position, number)| self.record(&mut events, number, ends[position], ends[position + 1])))
    }

    fn record(&self, events: &mut File, number: u64, begin: u64, end: u64) -> Result<JournalEvent, JournalError> {
        let size = end.checked_sub(begin).ok_or_else(|| self.damaged(number))? as usize;
        if size > HEAD_BYTES + REST_LIMIT_BYTES {
            return Err(self.damaged(number));
        }
        let mut record = vec![0; size];
        events.read_exact(&mut record).map_err(|source| self.events_failed(source))?;
        let event = decode(record.into(), begin).filter(|event| event.sequence_number == number);
        event.ok_or_else(|| self.damaged(number))
    }

    /// Lets go of numbers for ever: those before `begins`, and `holes`, as far as they were given yet.
    pub(super) fn let_go(&self, begins: u64, holes: &[RangeInclusive<u64>]) -> Result<(), JournalError> {
        self.open_writer()?.locked(|writer| {
            let (count, _) = writer.catch_up()?;
            let given = |hole: &RangeInclusive<u64>| *hole.start()..=(*hole.end()).min(count.saturating_sub(1));
            let holes: Vec<_> = if count == 0 { Vec::new() } else { holes.iter().map(given).collect() };
            self.open_gone()?.write(&self.gone, begins.min(count), &holes)
        })
    }

    pub(super) fn make_where_missing(&self) -> Result<(), JournalError> {
        let made = OpenOptions::new().append(true).create(true).open(&self.events);
        // The file's name must survive a power cut as its records do.
        let directory = self.events.parent().expect("a partition is in its hub's directory");
        let made = made.and_then(|_| File::open(directory)).and_then(|directory| directory.sync_all());
        made.map_err(|source| self.events_failed(source))
    }

    /// Opens the partition for appending, and repairs what a crash has left.
    pub(super) fn open_writer(&self) -> Result<PartitionWriter, JournalError> {
        let for_append = || OpenOptions::new().read(true).append(true).clone();
        let events = for_append().open(&self.events).map_err(|source| self.events_failed(source))?;
        let index = for_append().create(true).open(&self.index).map_err(|source| self.index_failed(source))?;
        let mut writer = PartitionWriter { files: self.clone(), events, index };
        writer.locked(|writer| {
            writer.drop_index_that_does_not_fit()?;
            writer.catch_up().map(|_| ())
        })?;
        Ok(writer)
    }

    fn open_index(&self) -> Result<File, JournalError> {
        File::open(&self.index).map_err(|source| self.index_failed(source))
    }

    fn open_events(&self, offset: u64) -> Result<File, JournalError> {
        let opened = File::open(&self.events).and_then(|mut file| file.seek(SeekFrom::Start(offset)).map(|_| file));
        opened.map_err(|source| self.events_failed(source))
    }

    fn open_gone(&self) -> Result<Gone, JournalError> {
        Gone::open(&self.gone).map_err(|source| self.gone_failed(source))
    }

    fn damaged(&self, sequence_number: u64) -> JournalError {
        JournalError::Damaged { path: self.events.clone(), sequence_number }
    }

    fn gone_failed(&self, source: io::Error) -> JournalError {
        JournalError::File { path: self.gone.clone(), source }
    }

    fn events_failed(&self, source: io::Error) -> JournalError {
        JournalError::File { path: self.events.clone(), source }
    }

    fn index_failed(&self, source: io::Error) -> JournalError {
        JournalError::File { path: self.index.clone(), source }
    }
}

pub(super) struct PartitionWriter {
    files: PartitionFiles,
    events: File,
    index: File,
}

impl PartitionWriter {
    /// Appends all records with one write and one sync. On an error none of them is readable yet; a later writer may
    /// still enter those that reached the disk whole.
    pub(super) fn append(&mut self, records: &[NewRecord]) -> Result<(), JournalError> {
        self.locked(|writer| {
            let (first, mut end) = writer.catch_up()?;
            let mut bytes = Vec::new();
            let mut ends = Vec::new();
            for (sequence_number, record) in (first..).zip(records) {
                let before = bytes.len();
                encode(&mut bytes, sequence_number, record);
                end += (bytes.len() - before) as u64;
                ends.put_u64_le(end);
            }
            let written = writer.events.write_all(&bytes).and_then(|()| writer.events.sync_data());
            written.map_err(|source| writer.files.events_failed(source))?;
            writer.index.write_all(&ends).map_err(|source| writer.files.index_failed(source))
        })
    }

    /// One writer at a time, among threads and processes: the lock belongs to the open file.
    fn locked<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, JournalError>) -> Result<T, JournalError> {
        self.events.lock().map_err(|source| self.files.events_failed(source))?;
        let outcome = work(self);
        let unlocked = self.events.unlock().map_err(|source| self.files.events_failed(source));
        outcome.and_then(|value| unlocked.map(|()| value))
    }

    /// Enters the whole records behind the last indexed one, cuts off a torn one. Returns the next sequence number and
    /// where its record will begin. Costs two small reads where there is nothing to do.
    fn catch_up(&mut self) -> Result<(u64, u64), JournalError> {
        self.catch_up_files().map_err(|source| self.files.events_failed(source))
    }

    fn catch_up_files(&mut self) -> io::Result<(u64, u64)> {
        let mut count = entries(&self.index)?;
        self.index.set_len(count * INDEX_ENTRY_BYTES)?;
        let mut end = end_of(&mut self.index, count)?;
        let size = self.events.metadata()?.len();
        if size == end {
            return Ok((count, end));
        }
        if size < end {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the index names records that are not there"));
        }
        self.events.sync_data()?;
        let mut rest = BufReader::new(File::open(&self.files.events)?);
        rest.seek(SeekFrom::Start(end))?;
        while let Some(record) = next_whole_record(&mut rest, end, count)? {
            end += record;
            count += 1;
            self.index.write_all(&end.to_le_bytes())?;
        }
        self.events.set_len(end)?;
        Ok((count, end))
    }

    /// The index is not synced: after a power cut it may end in zeros, or be ahead of records that never came to be.
    fn drop_index_that_does_not_fit(&mut self) -> Result<(), JournalError> {
        let count = entries(&self.index).map_err(|source| self.files.index_failed(source))?;
        let fits = match count.checked_sub(1) {
            None => true,
            Some(last) => {
                let read = self.files.records(&mut self.index, last..count);
                read.is_ok_and(|mut records| records.next().is_some_and(|record| record.is_ok()))
            }
        };
        if fits { Ok(()) } else { self.index.set_len(0).map_err(|source| self.files.index_failed(source)) }
    }
}

fn entries(index: &File) -> io::Result<u64> {
    Ok(index.metadata()?.len() / INDEX_ENTRY_BYTES)
}

/// The end of the record before number `count`, which is where that record begins.
fn end_of(index: &mut File, count: u64) -> io::Result<u64> {
    Ok(ends_of(index, count, 0)?[0])
}

/// Where record `from` begins, and where it and the records after it end: `wanted + 1` positions.
fn ends_of(index: &mut File, from: u64, wanted: u64) -> io::Result<Vec<u64>> {
    let mut ends = Vec::with_capacity(wanted as usize + 1);
    let first_entry = match from.checked_sub(1) {
        None => {
            ends.push(0);
            0
        }
        Some(before) => before,
    };
    let entries_to_read = wanted + 1 - ends.len() as u64;
    index.seek(SeekFrom::Start(first_entry * INDEX_ENTRY_BYTES))?;
    let mut bytes = vec![0; (entries_to_read * INDEX_ENTRY_BYTES) as usize];
    index.read_exact(&mut bytes)?;
    let mut rest = bytes.as_slice();
    while rest.has_remaining() {
        ends.push(rest.get_u64_le());
    }
    Ok(ends)
}

fn encode(bytes: &mut Vec<u8>, sequence_number: u64, record: &NewRecord) {
    // Azure's partition keys have at most 128 characters; the count of bytes must fit its field.
    let key = &record.partition_key.as_bytes()[..record.partition_key.len().min(u16::MAX as usize)];
    let mut rest = Vec::with_capacity(FIXED_BYTES + key.len() + record.body.len());
    rest.put_u64_le(sequence_number);
    rest.put_i64_le(record.enqueued_at.timestamp_micros());
    rest.put_u16_le(key.len() as u16);
    rest.put_slice(key);
    rest.put_slice(&record.body);
    bytes.put_u32_le(rest.len() as u32);
    bytes.put_u64_le(checksum(&rest));
    bytes.put_slice(&rest);
}

/// The record, if it is whole and its sum is right.
fn decode(mut record: Bytes, offset: u64) -> Option<JournalEvent> {
    if record.len() < HEAD_BYTES + FIXED_BYTES {
        return None;
    }
    let length = record.get_u32_le() as usize;
    let sum = record.get_u64_le();
    if record.len() != length || checksum(&record) != sum {
        return None;
    }
    let sequence_number = record.get_u64_le();
    let enqueued_at = DateTime::from_timestamp_micros(record.get_i64_le())?;
    let key_length = record.get_u16_le() as usize;
    if record.len() < key_length {
        return None;
    }
    let partition_key = String::from_utf8_lossy(&record.split_to(key_length)).into_owned();
    Some(JournalEvent { sequence_number, offset, enqueued_at, partition_key, body: record })
}

/// The size of the record that begins here, if it is whole and has the number that is due.
fn next_whole_record(events: &mut impl Read, offset: u64, sequence_number: u64) -> io::Result<Option<u64>> {
    let mut record = Vec::new();
    events.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut record)?;
    let Some(length) = record.get(..4).map(|mut head| head.get_u32_le() as usize) else {
        return Ok(None);
    };
    if length > REST_LIMIT_BYTES {
        return Ok(None);
    }
    events.by_ref().take(length as u64).read_to_end(&mut record)?;
    let size = record.len() as u64;
    let event = decode(record.into(), offset);
    Ok(event.filter(|event| event.sequence_number == sequence_number).map(|_| size))
}

fn checksum(rest: &[u8]) -> u64 {
    let digest = Sha256::digest(rest);
    u64::from_be_bytes([digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7]])
}
