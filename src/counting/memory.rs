//! What a chunk takes of the process's memory, and what it holds of it on its way.

use tokio::sync::OwnedSemaphorePermit;

/// Memory is counted in these.
pub(super) const UNIT_BYTES: usize = 1 << 10;

/// What a chunk of text takes for each of its bytes: itself, its columns, and what evaluating them needs.
pub(super) const BYTES_FOR_A_BYTE_OF_TEXT: usize = 4;

/// What decoded columns take for each of their bytes: themselves, and what evaluating them needs.
const BYTES_FOR_A_DECODED_BYTE: usize = 2;

/// What a chunk takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    bytes: usize,
}

impl Cost {
    /// In the units of the budget.
    pub(super) fn units(self) -> usize {
        self.bytes.div_ceil(UNIT_BYTES).max(1)
    }

    pub fn of_text(bytes: usize) -> Self {
        Cost { bytes: bytes.saturating_mul(BYTES_FOR_A_BYTE_OF_TEXT) }
    }

    pub fn of_decoded(bytes: usize) -> Self {
        Cost { bytes: bytes.saturating_mul(BYTES_FOR_A_DECODED_BYTE) }
    }
}

/// Memory that a chunk has. It is given back when it is dropped.
#[derive(Debug)]
pub struct Memory {
    permit: OwnedSemaphorePermit,
    /// Among the chunks of its load.
    _place: Option<OwnedSemaphorePermit>,
}

impl Memory {
    pub(super) fn new(permit: OwnedSemaphorePermit) -> Self {
        Memory { permit, _place: None }
    }

    pub(super) fn at(self, place: OwnedSemaphorePermit) -> Self {
        Memory { _place: Some(place), ..self }
    }

    pub(super) fn is_enough_for(&self, cost: Cost) -> bool {
        self.permit.num_permits() >= cost.bytes.div_ceil(UNIT_BYTES)
    }

    /// Gives back what is more than `cost`.
    pub(super) fn shrink_to(&mut self, cost: Cost) {
        let wanted = cost.bytes.div_ceil(UNIT_BYTES).max(1);
        let surplus = self.permit.num_permits().saturating_sub(wanted);
        drop(self.permit.split(surplus));
    }
}
