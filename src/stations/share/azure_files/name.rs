//! The names of staged copies: `<hash>.<incarnation>.<staged bytes>`.

use uuid::Uuid;

use super::super::StagedName;
use crate::names::Sha256;

/// The name of one copy, which says how many bytes of it are staged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CopyName {
    pub of: StagedName,
    pub incarnation: Uuid,
    pub staged: u64,
}

impl CopyName {
    /// A copy of which nothing is staged yet.
    pub fn new(of: &StagedName, incarnation: Uuid) -> Self {
        CopyName { of: of.clone(), incarnation, staged: 0 }
    }

    pub fn with_staged(&self, staged: u64) -> Self {
        CopyName { staged, ..self.clone() }
    }

    /// What the names of all copies of a file begin with.
    pub fn prefix(of: &StagedName) -> String {
        format!("{}.", of.as_str())
    }

    /// `None`: it is not ours.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (hash, incarnation, staged) = (parts.next()?, parts.next()?, parts.next()?);
        let copy = CopyName {
            of: StagedName(Sha256::new(hash).ok()?),
            incarnation: Uuid::try_parse(incarnation).ok()?,
            staged: staged.parse().ok()?,
        };
        // Only what we would write ourselves, so that a copy has one name.
        (copy.to_string() == text).then_some(copy)
    }
}

impl std::fmt::Display for CopyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.of.as_str(), self.incarnation.simple(), self.staged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::FeedName;

    fn name() -> StagedName {
        StagedName::of(&FeedName::new("flights").unwrap(), b"/out/a.csv", 10, 1_700_000_000)
    }

    #[test]
    fn a_name_is_read_as_it_was_written() {
        let copy = CopyName::new(&name(), Uuid::new_v4()).with_staged(5 << 40);
        let text = copy.to_string();
        assert!(text.starts_with(&CopyName::prefix(&name())) && text.len() < 255, "{text}");
        assert_eq!(CopyName::parse(&text), Some(copy));
    }

    #[test]
    fn strangers_are_not_ours() {
        let ours = CopyName::new(&name(), Uuid::new_v4()).to_string();
        for stranger in
            ["README", name().as_str(), &ours.to_uppercase(), &format!("{ours}.bak"), &format!("{ours}0"), &ours[1..]]
        {
            assert_eq!(CopyName::parse(stranger), None, "{stranger}");
        }
    }
}
