//! One hub: its properties, the right to send to it, and the consumer groups through which it is read.
//!
//! Nothing is sent, and no reader has an owner level, so that a host that reads there goes on undisturbed.

use super::{Fault, Seen};
use crate::pipeline::Pipeline;
use crate::records::landed::FILES_HUB;
use crate::stations::hub::{GroupTrial, HubReader, HubSender};
use crate::words::{counted, moment};

/// A hub that the app needs, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededHub {
    pub name: String,
    pub sends: Sends,
    pub groups: Vec<NeededGroup>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sends {
    /// `announce` does.
    Ours,
    /// Others do.
    Theirs,
}

/// A consumer group, and who reads through it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NeededGroup {
    /// The Functions host, with an owner level.
    Host(String),
    /// `stream` and the sweep, and nobody else.
    Repair(String),
}

impl NeededHub {
    /// `files`, and the hubs of streams in the order of the feeds. Every hub has the group `$Default`.
    pub fn all(pipeline: Option<&Pipeline>) -> Vec<NeededHub> {
        let mut hubs = vec![NeededHub { name: FILES_HUB.to_owned(), sends: Sends::Ours, groups: Vec::new() }];
        for source in pipeline.into_iter().flat_map(|pipeline| &pipeline.feeds).filter_map(|feed| feed.stream.as_ref())
        {
            let place = match hubs.iter().position(|hub| hub.name.eq_ignore_ascii_case(&source.hub)) {
                Some(place) => place,
                None => {
                    hubs.push(NeededHub { name: source.hub.clone(), sends: Sends::Theirs, groups: Vec::new() });
                    hubs.len() - 1
                }
            };
            let groups = &mut hubs[place].groups;
            if !source.consumer_group.eq_ignore_ascii_case("$Default") {
                groups.push(NeededGroup::Host(source.consumer_group.clone()));
            }
            groups.push(NeededGroup::Repair(source.repair_group.clone()));
        }
        hubs
    }
}

pub async fn try_hub(
    hub: &NeededHub,
    sender: &dyn HubSender,
    reader: &dyn HubReader,
    seen: &Seen,
) -> Result<(), Fault> {
    let properties = reader.properties(&hub.name).await?;
    let partitions = counted(properties.partitions.len() as u64, "partition", "partitions");
    seen.note(format!("{partitions}, made {}", moment(properties.created_on)));
    if hub.sends == Sends::Ours {
        sender.try_sending(&hub.name).await?;
        seen.note("may send (nothing was sent)");
    }
    for group in &hub.groups {
        try_group(hub, group, reader, seen).await?;
    }
    Ok(())
}

async fn try_group(hub: &NeededHub, group: &NeededGroup, reader: &dyn HubReader, seen: &Seen) -> Result<(), Fault> {
    let (NeededGroup::Host(name) | NeededGroup::Repair(name)) = group;
    let found = reader.try_group(&hub.name, name).await.map_err(|source| {
        let remedy = format!("give hub `{}` the consumer group `{name}` if it has none", hub.name);
        Fault::from(GroupFault { remedy, source: source.into() })
    })?;
    seen.note(match (group, found) {
        (_, GroupTrial::Read) => format!("consumer group `{name}` can be read through"),
        (_, GroupTrial::NothingToRead) => {
            format!("consumer group `{name}` lets us in, as far as a hub without events can tell")
        }
        (NeededGroup::Host(_), GroupTrial::Occupied) => format!("consumer group `{name}` is there, and a host reads through it"),
        (NeededGroup::Repair(_), GroupTrial::Occupied) => {
            return Err(format!(
                "somebody has consumer group `{name}` for himself: `repair_group` must be one that nobody else reads through"
            )
            .into());
        }
    });
    Ok(())
}

#[derive(Debug, thiserror::Error)]
#[error("{remedy}")]
struct GroupFault {
    remedy: String,
    source: Fault,
}
