//! Where the sweep stands in landing, `sweep/position`.

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
