//! A feed, its landing container and its summaries, for one case.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use millrace::names::{BlobName, ETag, FeedName, Sha256};
use millrace::stations::warehouse::{
    FeedMeaning, FileLoad, FileUnit, LandedVersion, Outcome, Schema, Source, SummaryPart, UnitRecord, Warehouse,
    WarehouseError,
};
use millrace_frames::part::{Row, Value};
use millrace_frames::plan::{AggregateCall, KeyType, MeasureType, SummaryColumn, SummaryPlan, SummaryRole};

/// The landing container: which version of each blob is there.
#[derive(Default)]
pub struct Landing(Mutex<HashMap<String, String>>);

impl Landing {
    pub fn upload(&self, blob: &str, etag: &str) {
        self.0.lock().unwrap().insert(blob.to_owned(), etag.to_owned());
    }

    pub fn delete(&self, blob: &str) {
        self.0.lock().unwrap().remove(blob);
    }

    pub fn version(&self, blob: &str) -> Option<String> {
        self.0.lock().unwrap().get(blob).cloned()
    }
}

#[async_trait]
impl LandedVersion for Landing {
    async fn current(&self, blob: &BlobName) -> Result<Option<ETag>, Source> {
        tokio::task::yield_now().await;
        Ok(self.version(blob.as_str()).map(|etag| ETag::new(etag).unwrap()))
    }
}

pub struct Stage<'a> {
    pub warehouse: &'a dyn Warehouse,
    pub landing: Landing,
    pub feed: FeedName,
    pub plans: Vec<SummaryPlan>,
    pub generation: i64,
}

/// A name that no other case has.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}_{}", &uuid::Uuid::new_v4().simple().to_string()[..12])
}

/// A meaning made of a word.
pub fn meaning(feed: &FeedName, word: &str) -> FeedMeaning {
    FeedMeaning { feed: feed.clone(), fingerprint: Sha256::of(word) }
}

impl<'a> Stage<'a> {
    /// A migrated feed with one summary of days and carriers.
    pub async fn new(warehouse: &'a dyn Warehouse) -> Self {
        Self::with(warehouse, |feed| vec![days(feed, &unique("flight_days"))]).await
    }

    pub async fn with(warehouse: &'a dyn Warehouse, plans: impl FnOnce(&FeedName) -> Vec<SummaryPlan>) -> Self {
        let feed = FeedName::new(unique("flights")).unwrap();
        let plans = plans(&feed);
        let mut stage = Stage { warehouse, landing: Landing::default(), feed, plans, generation: 0 };
        stage.migrate("first").await;
        stage
    }

    /// Migrates to the stage's plans under a meaning made of a word.
    pub async fn migrate(&mut self, word: &str) {
        let meaning = meaning(&self.feed, word);
        self.warehouse.migrate(&self.schema(word)).await.unwrap();
        self.generation = self.warehouse.generation(&meaning).await.unwrap();
    }

    pub fn schema(&self, word: &str) -> Schema {
        Schema { meanings: vec![meaning(&self.feed, word)], summaries: self.plans.clone() }
    }

    pub fn blob(&self, file: &str) -> String {
        format!("{}/{file}", self.feed)
    }

    /// A counted file with these rows for each plan, in order.
    pub fn load(&self, file: &str, etag: &str, parts: Vec<Vec<Row>>) -> FileLoad {
        let parts = self.plans.iter().cloned().zip(parts).map(|(plan, rows)| SummaryPart { plan, rows }).collect();
        FileLoad {
            record: UnitRecord {
                unit: FileUnit { feed: self.feed.clone(), blob: BlobName::new(self.blob(file)).unwrap() },
                etag: ETag::new(etag).unwrap(),
                generation: self.generation,
                load_id: unique("load"),
                size_bytes: 2_481_495,
                sha256: None,
                rows_read: 842,
                rows_rejected: 0,
                quarantine: None,
                curated: None,
                committed_at: DateTime::from_timestamp_micros(1_357_034_400_123_456).unwrap(),
                retracted_at: None,
            },
            parts,
        }
    }

    pub async fn commit(&self, load: &FileLoad) -> Result<Outcome, WarehouseError> {
        self.warehouse.commit_file(load, &self.landing).await
    }

    /// Lands a version of a file and commits what it counts into the first plan.
    pub async fn count(&self, file: &str, etag: &str, rows: Vec<Row>) -> Outcome {
        self.landing.upload(&self.blob(file), etag);
        self.commit(&self.load(file, etag, vec![rows])).await.unwrap()
    }

    /// The first plan's table.
    pub async fn rows(&self) -> Vec<Row> {
        self.rows_of(0).await
    }

    pub async fn rows_of(&self, plan: usize) -> Vec<Row> {
        self.warehouse.summary(&self.plans[plan]).await.unwrap().rows
    }

    pub async fn recorded(&self, file: &str) -> Option<UnitRecord> {
        let unit = FileUnit { feed: self.feed.clone(), blob: BlobName::new(self.blob(file)).unwrap() };
        self.warehouse.unit(&unit).await.unwrap()
    }
}

pub fn key(name: &str, key_type: KeyType) -> SummaryColumn {
    SummaryColumn { name: name.to_owned(), role: SummaryRole::Key { expression: name.to_owned(), key_type } }
}

pub fn measure(name: &str, call: AggregateCall, measure_type: MeasureType) -> SummaryColumn {
    SummaryColumn { name: name.to_owned(), role: SummaryRole::Measure { call, measure_type } }
}

pub fn plan(feed: &FeedName, table: &str, columns: Vec<SummaryColumn>) -> SummaryPlan {
    let id = Sha256::of(unique(table)).as_str()[..16].to_owned();
    SummaryPlan { id, table: table.to_owned(), feed: feed.to_string(), columns, filter: None }
}

/// `day, carrier, flights = COUNT(*), miles = SUM(distance), worst = MAX(delay), fares = SUM(fare), earliest = MIN(lead)`
pub fn days(feed: &FeedName, table: &str) -> SummaryPlan {
    let columns = vec![
        key("day", KeyType::Date),
        key("carrier", KeyType::Text { max_utf16: 8 }),
        measure("flights", AggregateCall::CountRows, MeasureType::Int64),
        measure("miles", AggregateCall::Sum("distance".to_owned()), MeasureType::Int64),
        measure("worst", AggregateCall::Max("delay".to_owned()), MeasureType::Float64),
        measure("fares", AggregateCall::Sum("fare".to_owned()), decimal(38, 2)),
        measure("earliest", AggregateCall::Min("lead".to_owned()), decimal(9, 1)),
    ];
    plan(feed, table, columns)
}

pub fn decimal(precision: u8, scale: u8) -> MeasureType {
    MeasureType::Decimal { precision, scale }
}

/// A row of [`days`]. A mile costs 1.15, and `earliest` is the opposite of `worst`.
pub fn day(
    days: i32,
    carrier: &str,
    flights: i64,
    miles: impl Into<Option<i64>>,
    worst: impl Into<Option<f64>>,
) -> Row {
    let (miles, worst) = (miles.into(), worst.into());
    let decimal = |units: Option<i128>, scale| units.map_or(Value::Null, |units| Value::Decimal { units, scale });
    vec![
        Value::Date(days),
        Value::Text(carrier.to_owned()),
        Value::Int64(flights),
        miles.map_or(Value::Null, Value::Int64),
        worst.map_or(Value::Null, Value::Float64),
        decimal(miles.map(|miles| i128::from(miles) * 115), 2),
        decimal(worst.map(|worst: f64| (worst * -10.0) as i128), 1),
    ]
}

pub fn time(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}
