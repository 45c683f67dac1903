//! Where the sweep stands: in landing, `sweep/position`; in `quarantine` and `curated`, `sweep/leftovers`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::names::BlobName;
use crate::stations::containers::{Container, ContainerError};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepPosition {
    /// The last blob that was looked at; `None` at the beginning of a round.
    pub after: Option<String>,
    /// When this round through landing began.
    pub this_round: DateTime<Utc>,
    /// When the round before began; at first, the beginning of time.
    pub previous_round: DateTime<Utc>,
}

impl SweepPosition {
    /// Begins a tick: at the beginning of landing a new round begins too.
    pub fn begin_tick(&mut self, now: DateTime<Utc>) {
        if self.after.is_none() {
            self.previous_round = self.this_round;
            self.this_round = now;
        }
    }
}

fn name() -> BlobName {
    BlobName::new("sweep/position").expect("the name has 14 characters")
}

pub async fn read(state: &Container) -> Result<SweepPosition, ContainerError> {
    let never = DateTime::UNIX_EPOCH;
    let beginning = SweepPosition { after: None, this_round: never, previous_round: never };
    Ok(super::read(state, &name()).await?.unwrap_or(beginning))
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
