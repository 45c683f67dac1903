//! One decoded chunk to one part for each summary.

/// A `[[feed.rule]]`: a row for which `sql` is not true is bad, with the rule's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub name: String,
    /// A row-wise boolean expression over the contract's columns.
    pub sql: String,
}
