//! Where the sweep stands: in landing, `sweep/position`; in `quarantine` and `curated`, `sweep/leftovers`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::names::BlobName;
use crate::stations::containers::{Container, ContainerError};

/// Landing is swept in lanes, one for each feed and one for what is of no feed, so that a feed with very many files holds up
/// no other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepPosition {
    /// By feed; what is of no feed under the empty name.
    #[serde(default)]
    pub lanes: BTreeMap<String, LanePosition>,
}

/// How far a round through one lane has come, and when the places behind it were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanePosition {
    /// The last name that this round has looked at; `None` at the beginning of a round.
    pub after: Option<String>,
    /// The looks of this round, in the order of the names: one for each tick.
    pub looks: Vec<Look>,
    /// Those of the round before, which went to the end.
    pub looks_before: Vec<Look>,
    /// Blobs that could not be looked at or announced at the last tick, and are tried once more at the next.
    pub failed: Vec<String>,
}

/// At `at`, a tick looked at everything up to a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// `None`: up to the end.
    pub through: Option<String>,
    pub at: DateTime<Utc>,
}

impl LanePosition {
    /// When the last round looked at the place where this name stands; `None`: there was none yet.
    pub fn last_look(&self, name: &str) -> Option<DateTime<Utc>> {
        let passed = |look: &Look| look.through.as_deref().is_some_and(|through| through < name);
        self.looks_before.get(self.looks_before.partition_point(passed)).map(|look| look.at)
    }

    /// When any part of the lane was looked at last.
    pub fn newest_look(&self) -> Option<DateTime<Utc>> {
        self.looks.last().or(self.looks_before.last()).map(|look| look.at)
    }

    /// Everything up to `name` was looked at.
    pub fn come_to(&mut self, name: &str, at: DateTime<Utc>) {
        self.after = Some(name.to_owned());
        self.note(Some(name.to_owned()), at);
    }

    /// The end was reached: the next round begins at the beginning.
    pub fn end_round(&mut self, at: DateTime<Utc>) {
        self.note(None, at);
        self.after = None;
        self.looks_before = std::mem::take(&mut self.looks);
    }

    /// A tick that goes on extends its look.
    fn note(&mut self, through: Option<String>, at: DateTime<Utc>) {
        match self.looks.last_mut() {
            Some(look) if look.at == at => look.through = through,
            _ => self.looks.push(Look { through, at }),
        }
    }
}

fn name() -> BlobName {
    BlobName::new("sweep/position").expect("the name has 14 characters")
}

/// One that cannot be read is the beginning of everything.
pub async fn read(state: &Container) -> Result<SweepPosition, ContainerError> {
    Ok(super::read(state, &name()).await?.unwrap_or_default())
}

pub async fn write(state: &Container, position: &SweepPosition) -> Result<(), ContainerError> {
    super::write(state, &name(), position).await
}

/// A round through the containers in which loads leave files, once a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftoversPosition {
    pub round_began: DateTime<Utc>,
    /// The last file that was looked at; empty at the beginning, `None` at the end.
    pub quarantine: Option<String>,
    pub curated: Option<String>,
}

impl LeftoversPosition {
    pub fn begin(now: DateTime<Utc>) -> Self {
        LeftoversPosition { round_began: now, quarantine: Some(String::new()), curated: Some(String::new()) }
    }

    pub fn is_round_over(&self) -> bool {
        self.quarantine.is_none() && self.curated.is_none()
    }
}

fn name_of_leftovers() -> BlobName {
    BlobName::new("sweep/leftovers").expect("the name has 15 characters")
}

pub async fn read_leftovers(state: &Container) -> Result<LeftoversPosition, ContainerError> {
    let never = LeftoversPosition { round_began: DateTime::UNIX_EPOCH, quarantine: None, curated: None };
    Ok(super::read(state, &name_of_leftovers()).await?.unwrap_or(never))
}

pub async fn write_leftovers(state: &Container, position: &LeftoversPosition) -> Result<(), ContainerError> {
    super::write(state, &name_of_leftovers(), position).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::TimeDelta::minutes(minute)
    }

    #[test]
    fn a_place_was_looked_at_when_the_tick_of_the_last_whole_round_passed_it() {
        let mut lane = LanePosition::default();
        assert_eq!(lane.last_look("a"), None);
        lane.come_to("b", at(1));
        lane.come_to("d", at(1));
        lane.come_to("f", at(2));
        assert_eq!(lane.last_look("a"), None, "the first round is not over");
        lane.end_round(at(3));
        assert_eq!(lane.looks_before.len(), 3, "one look a tick");
        for (name, minute) in [("a", 1), ("d", 1), ("d2", 2), ("f", 2), ("g", 3)] {
            assert_eq!(lane.last_look(name), Some(at(minute)), "{name}");
        }
        lane.come_to("c", at(9));
        assert_eq!(lane.last_look("a"), Some(at(1)), "a round under way has no say");
        assert_eq!((lane.newest_look(), lane.after.as_deref()), (Some(at(9)), Some("c")));
        lane.end_round(at(9));
        assert_eq!((lane.last_look("zzz"), lane.after), (Some(at(9)), None));
    }
}
