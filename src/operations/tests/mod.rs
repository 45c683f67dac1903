//! Files in every state of their lives, and what people do with them: over directories and SQLite, with a clock that stands.

mod erasures;
mod landing_checks;
mod stories;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use millrace_frames::part::Value;
use tempfile::TempDir;

use crate::clock::Clock;
use crate::names::{BlobName, ETag, FeedName, Sha256};
use crate::pipeline::Pipeline;
use crate::records::loaded::{self, LoadedMarker};
use crate::records::pulled::{self, AtSource, FileVersion, LandedFile, Landing, PulledKey, RecordState};
use crate::stations::containers::{Condition, Containers, StorageLocation};
use crate::stations::share::DirectoryShare;
use crate::stations::warehouse::sqlite::SqliteWarehouse;
use crate::stations::warehouse::{
    FeedMeaning, FileLoad, FileUnit, LandedVersion, Outcome, Schema, Source, SummaryPart, UnitRecord, Warehouse,
};

const PIPELINE: &str = r#"
[[feed]]
name = "flights"
format = "csv"
[feed.columns]
carrier = "string"
[[feed.sftp]]
url = "sftp://partner@sftp.example.com/outbox"
host_key = "SHA256:lY3pQ0vM8sN5eR2tK7wZ4xC9bJ6hD1gF8aU3iO5qP0E"
password = "env:PASSWORD"
settle = "2s"
[[summary]]
table = "carriers"
feed = "flights"
sql = "SELECT carrier, COUNT(*) AS flights FROM flights GROUP BY carrier"
"#;

struct Place {
    _directory: TempDir,
    pipeline: Pipeline,
    containers: Containers,
    share: DirectoryShare,
    warehouse: SqliteWarehouse,
    clock: Clock,
}

impl Place {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let location = StorageLocation::Directory(directory.path().join("storage"));
        let place = Place {
            pipeline: Pipeline::parse("pipeline.toml", PIPELINE).unwrap(),
            containers: Containers::open(&location).await.unwrap(),
            share: DirectoryShare::open(&directory.path().join("share")).await.unwrap(),
            warehouse: SqliteWarehouse::new(directory.path().join("warehouse.db")),
            clock: Clock::set_to(time("2026-11-25T10:00:00Z")),
            _directory: directory,
        };
        let schema = Schema { meanings: vec![place.meaning()], summaries: place.pipeline.summaries.clone() };
        place.warehouse.migrate(&schema).await.unwrap();
        place
    }

    fn meaning(&self) -> FeedMeaning {
        FeedMeaning { feed: feed(), fingerprint: self.pipeline.fingerprint(&feed()) }
    }

    /// Uploads a version over whatever is there.
    async fn land(&self, blob: &BlobName, body: &str) -> ETag {
        let landing = &self.containers.landing;
        let condition = landing.head(blob).await.unwrap().map_or(Condition::Absent, |facts| Condition::Is(facts.etag));
        let mut upload = landing.upload(blob).await.unwrap();
        upload.write(Bytes::copy_from_slice(body.as_bytes())).await.unwrap();
        upload.commit(condition).await.unwrap()
    }

    /// Writes what a pull would have written about a landed version.
    async fn record_pull(&self, blob: &BlobName, etag: &ETag, version: FileVersion) {
        let key = PulledKey::of_blob(blob).unwrap();
        let landing = Landing {
            sha256: Sha256::of("content"),
            blob: blob.clone(),
            etag: etag.clone(),
            first_seen: self.clock.now() - TimeDelta::seconds(4),
            landed_at: self.clock.now(),
            at_source: AtSource::Keep,
            done_marker: None,
        };
        let file = LandedFile::new(&key, version, landing);
        pulled::write(&self.containers.state, &file, &file.record_name(RecordState::Landed)).await.unwrap();
    }

    /// Counts the landed version as one flight of a carrier, and writes its marker.
    async fn count(&self, blob: &BlobName, etag: &ETag, carrier: &str) -> Outcome {
        let record = UnitRecord {
            unit: unit(blob),
            etag: etag.clone(),
            generation: self.warehouse.generation(&self.meaning()).await.unwrap(),
            load_id: uuid::Uuid::new_v4().simple().to_string(),
            size_bytes: 3,
            sha256: None,
            rows_read: 1,
            rows_rejected: 0,
            quarantine: None,
            curated: None,
            committed_at: self.clock.now(),
            retracted_at: None,
        };
        let rows = vec![vec![Value::Text(carrier.to_owned()), Value::Int64(1)]];
        let parts = vec![SummaryPart { plan: self.pipeline.summaries[0].clone(), rows }];
        let marker = LoadedMarker {
            blob: blob.clone(),
            etag: etag.clone(),
            generation: record.generation,
            load_id: Some(record.load_id.clone()),
            rows_read: 1,
            rows_rejected: 0,
            committed_at: record.committed_at,
        };
        let outcome = self.warehouse.commit_file(&FileLoad { record, parts }, &self.landed_versions()).await.unwrap();
        if matches!(outcome, Outcome::Committed { .. }) {
            loaded::write(&self.containers.state, &marker).await.unwrap();
        }
        outcome
    }

    fn landed_versions(&self) -> impl LandedVersion {
        LandedVersions(self.containers.clone())
    }

    /// Carriers that are counted.
    async fn carriers(&self) -> Vec<String> {
        let rows = self.warehouse.summary(&self.pipeline.summaries[0]).await.unwrap().rows;
        let carrier = |row: Vec<Value>| match row.into_iter().next() {
            Some(Value::Text(carrier)) => carrier,
            other => panic!("a carrier is no {other:?}"),
        };
        rows.into_iter().map(carrier).collect()
    }
}

struct LandedVersions(Containers);

#[async_trait::async_trait]
impl LandedVersion for LandedVersions {
    async fn current(&self, blob: &BlobName) -> Result<Option<ETag>, Source> {
        Ok(self.0.landing.head(blob).await?.map(|facts| facts.etag))
    }
}

fn feed() -> FeedName {
    FeedName::new("flights").unwrap()
}

fn unit(blob: &BlobName) -> FileUnit {
    FileUnit { feed: feed(), blob: blob.clone() }
}

fn blob(name: &str) -> BlobName {
    BlobName::new(name).unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}
