//! A landed blob → a message with its address and facts.
//!
//! The blob trigger, or Event Grid through a queue, may name a blob twice, late, and in versions that are gone; so this looks
//! at the blob as it is now and says that. Saying it twice does no harm.

use percent_encoding::percent_decode_str;
use thiserror::Error;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::faults;
use crate::names::BlobName;
use crate::pipeline::{Feed, Format, Pipeline};
use crate::records::blob_created::{self, BadEvent};
use crate::records::dead_letters::{self, DeadLetter};
use crate::records::landed::{FILES_HUB, LandedFile};
use crate::records::pulled::{self, PulledError};
use crate::records::quarantined_events;
use crate::stations::Disposition;
use crate::stations::containers::{BlobFacts, Container, ContainerError};
use crate::stations::hub::{HubError, HubSender};
use millrace_decode::inflate::Compression;

/// What `announce` works with.
pub struct AnnounceStations<'a> {
    pub pipeline: &'a Pipeline,
    pub landing: &'a Container,
    pub state: &'a Container,
    pub hub: &'a dyn HubSender,
    pub clock: &'a Clock,
}

/// What became of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announced {
    Sent(LandedFile),
    /// It is of no feed, and now a dead letter.
    DeadLettered,
    /// It was gone before it could be announced.
    Gone,
}

#[derive(Debug, Error)]
pub enum AnnounceError {
    #[error("the trigger's address `{uri}` is not in the landing container {container}: see `LandingStorage`")]
    ForeignAddress { uri: String, container: String },
    #[error(transparent)]
    Event(#[from] BadEvent),
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error(transparent)]
    Pulled(#[from] PulledError),
    #[error(transparent)]
    Hub(#[from] HubError),
}

impl AnnounceError {
    pub fn disposition(&self) -> Disposition {
        match self {
            AnnounceError::ForeignAddress { .. } | AnnounceError::Event(_) => Disposition::Reject,
            AnnounceError::Container(error) => error.disposition(),
            // A record that cannot be read stops no file for good: the next try finds it mended or gone.
            AnnounceError::Pulled(_) => Disposition::Retry,
            AnnounceError::Hub(error) => error.disposition(),
        }
    }
}

/// Announces the blob that the trigger's `Uri` names.
pub async fn announce(uri: &str, at: &AnnounceStations<'_>) -> Result<Announced, AnnounceError> {
    let blob = blob_at(uri, at.landing)?;
    match at.landing.head(&blob).await? {
        Some(facts) => announce_blob(&facts, at).await,
        None => {
            info!("{blob} is gone; there is nothing to announce");
            Ok(Announced::Gone)
        }
    }
}

/// Announces the blobs that an Event Grid message in a queue names. Nothing but the message itself says which: its members
/// may stand among the invocation's metadata too, and could be anybody's there.
pub async fn announce_message(message: &[u8], at: &AnnounceStations<'_>) -> Result<Vec<Announced>, AnnounceError> {
    let mut announced = Vec::new();
    for uri in blob_created::addresses(message)? {
        announced.push(announce(&uri, at).await?);
    }
    Ok(announced)
}

/// Announces a blob as it is now; also for `sweep` and `replay`.
pub async fn announce_blob(facts: &BlobFacts, at: &AnnounceStations<'_>) -> Result<Announced, AnnounceError> {
    let Some(feed) = facts.name.feed().and_then(|name| at.pipeline.feed(&name)) else {
        dead_letters::write(at.state, of_no_feed(facts, at)).await?;
        warn!("{} is of no feed: it is a dead letter now", facts.name);
        return Ok(Announced::DeadLettered);
    };
    let landed = LandedFile {
        feed: feed.name.clone(),
        blob: facts.name.clone(),
        etag: facts.etag.clone(),
        size_bytes: facts.size_bytes,
        sha256: pulled::of_blob(at.state, &facts.name, &facts.etag).await?.map(|pulled| pulled.sha256),
        format: format_of(&facts.name, feed).to_owned(),
        compression: Compression::of_name(facts.name.as_str()).name().to_owned(),
    };
    let body = landed.encode(at.landing.url(), at.clock.now());
    faults::point("announce.found");
    at.hub.send(FILES_HUB, facts.name.as_str(), body.into()).await?;
    faults::point("announce.sent");
    info!("announced {}", facts.name);
    Ok(Announced::Sent(landed))
}

fn format_of(blob: &BlobName, feed: &Feed) -> &'static str {
    if quarantined_events::is_landed(blob) { Format::Ndjson.name() } else { feed.format.name() }
}

/// The blob that a trigger's address means. The host writes the address percent-encoded.
fn blob_at(uri: &str, landing: &Container) -> Result<BlobName, AnnounceError> {
    let foreign = || AnnounceError::ForeignAddress { uri: uri.to_owned(), container: landing.url().to_owned() };
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let path = decoded(path).ok_or_else(foreign)?;
    let container = decoded(landing.url()).ok_or_else(foreign)?;
    let name = path.strip_prefix(&container).and_then(|rest| rest.strip_prefix('/')).ok_or_else(foreign)?;
    BlobName::new(name).map_err(|_| foreign())
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned())
}

fn of_no_feed(facts: &BlobFacts, at: &AnnounceStations<'_>) -> DeadLetter {
    let feeds: Vec<&str> = at.pipeline.feeds.iter().map(|feed| feed.name.as_str()).collect();
    let now = at.clock.now();
    DeadLetter {
        blob: facts.name.clone(),
        etag: facts.etag.clone(),
        stage: "announce".to_owned(),
        reason: format!(
            "no feed of pipeline.toml takes blobs under `{}/`; its feeds are {}",
            facts.name.as_str().split('/').next().unwrap_or_default(),
            feeds.join(", ")
        ),
        remedy: "upload it under landing/<feed>/, or declare the feed and retry the dead letter".to_owned(),
        row: None,
        quarantine: None,
        tries: 1,
        first_at: now,
        last_at: now,
    }
}
