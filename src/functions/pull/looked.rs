//! Keeps what a pull came to at a source for the status page.

use chrono::{DateTime, Utc};
use tracing::warn;

use super::{PullSource, SourceReport};
use crate::records::sources::{self, Look};
use crate::stations::containers::Container;
use crate::telemetry::chain;

/// A store that cannot keep it has said so to the pull already, and fails no file for it.
pub(super) async fn note(source: &PullSource, report: &SourceReport, state: &Container, now: DateTime<Utc>) {
    let name = source.source.name.as_ref();
    if let Err(error) = sources::note(state, &source.feed, name, look(report), now).await {
        warn!("{}: what was seen there could not be kept: {}", report.place(), chain(&error));
    }
}

fn look(report: &SourceReport) -> Look {
    match report.failures.iter().find(|failure| failure.path.is_none()) {
        Some(failure) => Look::Failed { message: failure.message.clone() },
        None => Look::Went {
            waiting: report.seen.saturating_sub(report.known + report.pulled + report.unchanged),
            files_failed: report.failed,
            file_failure: report.failures.first().map(|failure| failure.message.clone()),
        },
    }
}
