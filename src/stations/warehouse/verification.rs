//! What `verify` finds in the summary tables: keys whose row is not the merge of its parts. It knows no SQL.

use millrace_frames::part::Value;

/// What is done about what differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    Report,
    /// Remove parts of no unit, and write the differing rows anew from the parts, under the locks of a commit.
    Repair,
}

/// One summary table, recounted.
#[derive(Clone, Debug, PartialEq)]
pub struct TableCheck {
    pub table: String,
    pub keys: Vec<String>,
    pub measures: Vec<String>,
    /// Rows that the table has.
    pub rows: u64,
    /// Keys whose row differs from its parts, is missing, or has no part.
    pub differing: u64,
    /// The first of them, in the order of the keys.
    pub differences: Vec<Difference>,
    /// Rows in the parts table whose unit the ledger does not have.
    pub parts_without_unit: u64,
    /// Rows in the parts table whose unit is retracted.
    pub parts_of_retracted: u64,
}

/// One key, with what its row has and what the parts say. A value that is not of its column's type is text that says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    pub key: Vec<Value>,
    /// `None`: there is no such row.
    pub has: Option<Vec<Value>>,
    /// `None`: no part has this key.
    pub should: Option<Vec<Value>>,
}

impl TableCheck {
    pub fn is_right(&self) -> bool {
        self.differing == 0 && self.parts_without_unit == 0 && self.parts_of_retracted == 0
    }
}
