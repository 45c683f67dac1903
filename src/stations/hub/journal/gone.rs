//! Which numbers of a partition are gone: `<n>.gone`, which is missing while none is.
//!
//! ```text
//! gone     u64 first number that is retained
//!          · for each hole, ascending and never touching: u64 first · u64 last          all little-endian
//! ```
//!
//! The file is replaced as a whole and never changed, so that who has it open sees one state of it. A number is looked up
//! by halving: a partition with many holes is read as quickly as one with none.

use std::fs::File;
use std::io;
use std::ops::{Range, RangeInclusive};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::JournalError;
use super::incarnation::write_whole;

const HEAD_BYTES: u64 = 8;
const HOLE_BYTES: u64 = 16;

pub(super) struct Gone {
    begins: u64,
    /// `None` where there are no holes.
    file: Option<File>,
    holes: u64,
}

impl Gone {
    pub fn open(path: &Path) -> io::Result<Gone> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                return Ok(Gone { begins: 0, file: None, holes: 0 });
            }
            Err(other) => return Err(other),
        };
        let size = file.metadata()?.len();
        if size < HEAD_BYTES || !(size - HEAD_BYTES).is_multiple_of(HOLE_BYTES) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its length is not that of a list of holes"));
        }
        let holes = (size - HEAD_BYTES) / HOLE_BYTES;
        Ok(Gone { begins: u64_at(&file, 0)?, file: (holes > 0).then_some(file), holes })
    }

    /// The first number that is retained. It may be in a hole.
    pub fn begins(&self) -> u64 {
        self.begins
    }

    /// The first numbers from `from` on, and below `end`, of which none is gone; `None` if all of them are.
    pub fn kept(&self, from: u64, end: u64) -> io::Result<Option<Range<u64>>> {
        let mut from = from.max(self.begins);
        let mut end = end;
        if let Some(file) = &self.file {
            let mut position = self.first_hole_that_ends_at_or_after(file, from)?;
            if position < self.holes {
                let hole = hole_at(file, position)?;
                if *hole.start() <= from {
                    from = hole.end().saturating_add(1);
                    position += 1;
                }
            }
            if position < self.holes {
                end = end.min(*hole_at(file, position)?.start());
            }
        }
        Ok((from < end).then_some(from..end))
    }

    fn first_hole_that_ends_at_or_after(&self, file: &File, number: u64) -> io::Result<u64> {
        let (mut low, mut high) = (0, self.holes);
        while low < high {
            let middle = low + (high - low) / 2;
            if *hole_at(file, middle)?.end() < number {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn all_holes(&self) -> io::Result<Vec<RangeInclusive<u64>>> {
        let Some(file) = &self.file else { return Ok(Vec::new()) };
        (0..self.holes).map(|position| hole_at(file, position)).collect()
    }

    /// Writes the file anew, with more that is gone.
    pub fn write(&self, path: &Path, begins: u64, more: &[RangeInclusive<u64>]) -> Result<(), JournalError> {
        let mut holes = self.all_holes().map_err(|source| JournalError::File { path: path.to_owned(), source })?;
        holes.extend(more.iter().filter(|hole| !hole.is_empty()).cloned());
        let begins = begins.max(self.begins);
        let mut bytes = begins.to_le_bytes().to_vec();
        for hole in joined(holes).into_iter().filter(|hole| *hole.end() >= begins) {
            bytes.extend(hole.start().to_le_bytes());
            bytes.extend(hole.end().to_le_bytes());
        }
        write_whole(path, &bytes)
    }
}

/// Ascending, and one where several touch.
fn joined(mut holes: Vec<RangeInclusive<u64>>) -> Vec<RangeInclusive<u64>> {
    holes.sort_by_key(|hole| *hole.start());
    let mut joined: Vec<RangeInclusive<u64>> = Vec::new();
    for hole in holes {
        match joined.last_mut() {
            Some(last) if *hole.start() <= last.end().saturating_add(1) => {
                *last = *last.start()..=*last.end().max(hole.end());
            }
            _ => joined.push(hole),
        }
    }
    joined
}

fn u64_at(file: &File, offset: u64) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(u64::from_le_bytes(bytes))
}

fn hole_at(file: &File, position: u64) -> io::Result<RangeInclusive<u64>> {
    let offset = HEAD_BYTES + position * HOLE_BYTES;
    Ok(u64_at(file, offset)?..=u64_at(file, offset + 8)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_kept_is_what_no_hole_holds(
            steps in prop::collection::vec((0..60_u64, prop::collection::vec((0..60_u64, 0..6_u64), 0..6)), 0..5),
            from in 0..70_u64,
        ) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("0.gone");
            let mut is_gone = [false; 70];
            let mut begins = 0;
            for (forgotten, holes) in steps {
                let holes: Vec<_> = holes.into_iter().map(|(first, more)| first..=first + more).collect();
                Gone::open(&path).unwrap().write(&path, forgotten, &holes).unwrap();
                begins = begins.max(forgotten);
                for number in holes.into_iter().flatten() {
                    is_gone[number as usize] = true;
                }
            }
            let gone = Gone::open(&path).unwrap();
            prop_assert_eq!(gone.begins(), begins);
            let mut kept = Vec::new();
            let mut next = from;
            while let Some(run) = gone.kept(next, 64).unwrap() {
                next = run.end;
                kept.extend(run);
            }
            let expected: Vec<u64> = (from.max(begins)..64).filter(|number| !is_gone[*number as usize]).collect();
            prop_assert_eq!(kept, expected);
        }
    }

    #[test]
    fn a_file_of_another_length_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0.gone");
        for length in [0, 7, 9, 25] {
            std::fs::write(&path, vec![0; length]).unwrap();
            assert!(Gone::open(&path).is_err(), "{length}");
        }
    }
}
