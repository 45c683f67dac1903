//! The dictionary of a column chunk.

use bytes::Bytes;

use super::Broken;
use super::pages::{DictionaryPage, Lease};
use super::stored::{Family, Span, Stored, read_plain};

/// Its entries, decoded once.
pub(super) struct Dictionary {
    pub bytes: Bytes,
    pub entries: Stored,
    /// Counted against the reader's budget for as long as the dictionary lives.
    _lease: Lease,
}

impl Dictionary {
    pub fn new(page: DictionaryPage, family: Family) -> Result<Self, Broken> {
        let mut entries = Stored::new(family);
        let mut position = 0;
        read_plain(&page.bytes, &mut position, family, page.count, &mut entries)?;
        Ok(Self { bytes: page.bytes, entries, _lease: page.lease })
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The text of an entry that is there.
    pub fn text(&self, entry: u32) -> &[u8] {
        match &self.entries {
            Stored::Texts(spans) => spans.get(entry as usize).map_or(&[], |span: &Span| span.of(&self.bytes)),
            _ => &[],
        }
    }
}
