//! How far each partition of each stream has come: by the positions that were written after commits.

use super::{StatusError, StatusStations, StreamGap, StreamStatus};
use crate::records::streams::{self, GapOnPage, StreamPosition};
use crate::words::{counted, moment};

pub(super) async fn stream_statuses(at: &StatusStations<'_>) -> Result<Vec<StreamStatus>, StatusError> {
    let mut statuses = Vec::new();
    for feed in &at.pipeline.feeds {
        statuses.extend(streams::of_feed(at.state, &feed.name).await?.into_iter().map(status_of));
    }
    Ok(statuses)
}

fn status_of(position: StreamPosition) -> StreamStatus {
    let mut notes = position.since;
    if let Some(bad) = &position.too_many_bad {
        let events = counted(bad.read, "event", "events");
        notes.push(format!(
            "at {} {} of {events} were bad, more than max_reject_ratio allows; `millrace replay {} --quarantine` lands them \
             again once they are mended",
            moment(bad.at),
            bad.rejected,
            position.feed
        ));
    }
    let gap = |GapOnPage { first, last, reason }| StreamGap { first, last, reason };
    StreamStatus {
        feed: position.feed,
        hub: position.hub,
        partition: position.partition,
        applied: position.next.checked_sub(1),
        // Only the hub knows, and a page asks no hub.
        last_enqueued: None,
        lag: None,
        rows_rejected: position.events_rejected,
        gaps: position.gaps.into_iter().map(gap).collect(),
        last_applied_at: Some(position.committed_at),
        notes,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::names::FeedName;
    use crate::records::streams::TooManyBad;

    #[test]
    fn a_position_tells_how_far_what_was_lost_and_what_was_bad() {
        let position = StreamPosition {
            feed: FeedName::new("events").unwrap(),
            namespace: "journal".to_owned(),
            hub: "events".to_owned(),
            incarnation: DateTime::UNIX_EPOCH,
            partition: "0".to_owned(),
            generation: 1,
            next: 42,
            applied_enqueued_at: None,
            events_read: 42,
            events_rejected: 7,
            gaps: vec![GapOnPage { first: 3, last: 4, reason: "no longer retained".to_owned() }],
            too_many_bad: Some(TooManyBad { read: 10, rejected: 7, at: DateTime::UNIX_EPOCH }),
            since: vec!["`event_days` since event 5".to_owned()],
            committed_at: DateTime::UNIX_EPOCH,
        };
        let status = status_of(position.clone());
        assert_eq!((status.applied, status.rows_rejected, status.last_enqueued), (Some(41), 7, None));
        assert_eq!((status.gaps[0].first, status.gaps[0].last), (3, 4));
        assert!(status.notes[0].contains("since event 5") && status.notes[1].contains("7 of 10 events"), "{status:?}");
        assert_eq!(status_of(StreamPosition { next: 0, ..position }).applied, None, "nothing was counted yet");
    }
}
