//! How far each partition of the streams was counted, from the stored positions, beside where the hub ends now.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{StatusStations, StreamGap, StreamStatus};
use crate::functions::stream::unit_in;
use crate::names::FeedName;
use crate::records::streams::{self, StreamPosition};
use crate::stations::containers::ContainerError;
use crate::stations::hub::{HubError, HubProperties, PartitionBounds};
use crate::telemetry::chain;

/// A page must not wait for a hub that is away.
const HUB_PATIENCE: Duration = Duration::from_secs(5);

pub async fn stream_statuses(at: &StatusStations<'_>) -> Result<Vec<StreamStatus>, ContainerError> {
    let mut statuses = Vec::new();
    for feed in &at.pipeline.feeds {
        let Some(source) = &feed.stream else { continue };
        let positions: Vec<StreamPosition> = streams::of_feed(at.state, &feed.name).await?;
        let positions: Vec<StreamPosition> =
            positions.into_iter().filter(|position| position.hub == source.hub).collect();
        match in_time(at.hub.properties(&source.hub)).await {
            Ok(properties) => {
                for partition in partitions(&properties, &positions) {
                    let bounds = in_time(at.hub.bounds(&source.hub, &partition)).await;
                    let unit = unit_in(&source.hub, &properties, &partition, &feed.name);
                    let position = positions.iter().find(|position| position.partition == partition);
                    let is_of_the_hub_before = position.is_some_and(|position| !position.is_of(&unit));
                    let position = position.filter(|position| position.is_of(&unit));
                    let mut status = of_partition(&feed.name, &source.hub, &partition, position, bounds);
                    if is_of_the_hub_before {
                        status
                            .notes
                            .push("the hub was made anew, and nothing of the new one is counted yet".to_owned());
                    }
                    statuses.push(status);
                }
            }
            Err(away) => {
                for position in &positions {
                    let bounds = Err(away.clone());
                    statuses.push(of_partition(&feed.name, &source.hub, &position.partition, Some(position), bounds));
                }
            }
        }
    }
    Ok(statuses)
}

/// The hub's answer, or in words why there is none.
async fn in_time<T>(asking: impl Future<Output = Result<T, HubError>>) -> Result<T, String> {
    match tokio::time::timeout(HUB_PATIENCE, asking).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(chain(&error)),
        Err(_) => Err(format!("no answer within {} seconds", HUB_PATIENCE.as_secs())),
    }
}

/// Those that the hub has, and those that only the records have; numbers in their order.
fn partitions(properties: &HubProperties, positions: &[StreamPosition]) -> Vec<String> {
    let of_records = positions.iter().map(|position| &position.partition);
    let all: BTreeSet<(usize, &String)> =
        properties.partitions.iter().chain(of_records).map(|partition| (partition.len(), partition)).collect();
    all.into_iter().map(|(_, partition)| partition.clone()).collect()
}

fn of_partition(
    feed: &FeedName,
    hub: &str,
    partition: &str,
    position: Option<&StreamPosition>,
    bounds: Result<PartitionBounds, String>,
) -> StreamStatus {
    let next = position.map(|position| position.next);
    let mut notes = Vec::new();
    let (last_enqueued, begins) = match &bounds {
        Ok(bounds) => (bounds.last_enqueued, Some(bounds.begins)),
        Err(why) => {
            notes.push(format!("the hub cannot be asked where it ends: {why}"));
            (None, None)
        }
    };
    let from = next.or(begins);
    let lag = last_enqueued.zip(from).map(|(last, from)| (last + 1).saturating_sub(from));
    if let Some(position) = position {
        notes.extend(position.since.iter().cloned());
        if let Some(bad) = &position.too_many_bad {
            notes.push(format!(
                "{} of {} events were bad at {}, more than max_reject_ratio allows; `millrace replay {feed} --quarantine` \
                 brings them back once the cause is mended",
                bad.rejected,
                bad.read,
                bad.at.format("%FT%TZ")
            ));
        }
    }
    let gaps = position.map(|position| position.gaps.as_slice()).unwrap_or_default().iter();
    StreamStatus {
        feed: feed.clone(),
        hub: hub.to_owned(),
        partition: partition.to_owned(),
        applied: next.and_then(|next| next.checked_sub(1)),
        last_enqueued,
        lag,
        rows_rejected: position.map_or(0, |position| position.events_rejected),
        gaps: gaps.map(|gap| StreamGap { first: gap.first, last: gap.last, reason: gap.reason.clone() }).collect(),
        last_applied_at: position.map(|position| position.committed_at),
        notes,
    }
}
