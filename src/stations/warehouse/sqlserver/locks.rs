//! The locks of a transaction: named, owned by it, gone with it.
//!
//! **Order.** First the schema's, which writers share and `migrate` has alone; then a feed's; then the summaries', in the
//! byte order of their names. Nobody asks for one that stands before one that he holds.

use std::time::Duration;

use tiberius::ColumnData;

use super::errors::{Fault, SqlError};
use super::session::Session;
use super::values::text;
use crate::names::FeedName;

/// Longer than a large commit takes; then the work begins again.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    Shared,
    Exclusive,
}

/// What the tables are like.
pub async fn lock_schema(session: &mut Session, mode: LockMode) -> Result<(), Fault> {
    lock(session, "millrace:schema", mode).await
}

/// The units of a feed.
pub async fn lock_feed(session: &mut Session, feed: &FeedName) -> Result<(), Fault> {
    lock(session, &format!("millrace:feed:{feed}"), LockMode::Exclusive).await
}

/// A summary table and its parts.
pub async fn lock_summary(session: &mut Session, table: &str, mode: LockMode) -> Result<(), Fault> {
    lock(session, &format!("millrace:summary:{table}"), mode).await
}

async fn lock(session: &mut Session, resource: &str, mode: LockMode) -> Result<(), Fault> {
    let operation = "waiting for a lock";
    let mode = match mode {
        LockMode::Shared => "Shared",
        LockMode::Exclusive => "Exclusive",
    };
    let limit = i32::try_from(LOCK_TIMEOUT.as_millis()).expect("a minute fits");
    let parameters = vec![text(resource), text(mode), ColumnData::I32(Some(limit))];
    let answer = session.number(include_str!("sql/take_lock.sql"), parameters, operation).await?;
    if answer >= 0 {
        return Ok(());
    }
    let code = i32::try_from(answer).unwrap_or(i32::MIN);
    Err(Fault::Sql { operation, error: SqlError::Lock { resource: resource.to_owned(), code } })
}

pub async fn begin(session: &mut Session) -> Result<(), Fault> {
    session.batch(include_str!("sql/begin.sql"), "beginning a transaction").await
}

pub async fn commit(session: &mut Session) -> Result<(), Fault> {
    session.batch(include_str!("sql/commit.sql"), "committing").await
}

pub async fn roll_back(session: &mut Session) -> Result<(), Fault> {
    session.batch(include_str!("sql/rollback.sql"), "rolling back").await
}
