//! The warehouse on Azure SQL or SQL Server.
//!
//! Nothing is connected before the first call that needs it, and idle connections close, so that a serverless database
//! pauses. The ledger is in schema `millrace`, summaries in `dbo`. Merging is SQL, in `sql/`; only which rows go where is
//! decided here.
//!
//! **What SQL Server needs of us.** No MERGE, which races: updates and inserts under application locks, which belong to the
//! transaction ([`locks`]). READ COMMITTED may mean snapshots here, so nothing is checked without its lock. Temporary tables
//! are made in plain batches ([`incoming`]). After any error the connection goes ([`connection`]), and what is worth another
//! try is tried again ([`retry`]); a COMMIT without an answer is decided by the ledger ([`commit`]).

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use millrace_frames::part::Value;
use millrace_frames::plan::SummaryPlan;

use self::connection::{Connections, SqlTokens};
use self::errors::Fault;
use self::incoming::BulkLoads;
use self::location::{SqlLogin, SqlServerLocation};
use self::retry::RetryPolicy;
use self::session::Session;
use self::table_sql::TableSql;
use self::values::Fields;
use super::shape::TableShape;
use super::{
    Contribution, FeedMeaning, FileLoad, FileUnit, HistoryEntry, LandedVersion, MigrationReport, Outcome,
    QuarantinedEvents, RecordedGap, Remedy, RetractionOrder, RetractionOutcome, Schema, Standing, StreamLoad,
    StreamOutcome, StreamRecord, StreamUnit, SummaryRows, SummarySince, TableCheck, UnitRecord, Warehouse,
    WarehouseError,
};
use crate::identity::{IdentityError, TokenSource};
use crate::names::{BlobName, FeedName};

/// One piece of work on a connection, which is given back after it, tried again as often as its errors are worth it.
macro_rules! retrying {
    ($warehouse:expr, $lease:ident => $work:expr) => {{
        let mut retries = $crate::stations::warehouse::sqlserver::retry::Retries::new(&$warehouse.policy);
        loop {
            let tried = async {
                let mut $lease = $warehouse.connections.lease().await?;
                let found = $work.await?;
                $lease.give_back();
                Ok::<_, $crate::stations::warehouse::sqlserver::errors::Fault>(found)
            };
            match tried.await {
                Ok(found) => break Ok::<_, $crate::stations::warehouse::WarehouseError>(found),
                Err(fault) => retries.after(fault).await?,
            }
        }
    }};
}

mod accumulate;
mod commit;
mod commit_stream;
mod connection;
mod errors;
mod incoming;
mod ledger;
pub mod location;
mod locks;
mod merged_columns;
mod merging;
mod migrate;
mod replace;
mod retract;
mod retry;
mod session;
mod standing;
mod stream_ledger;
mod table_sql;
mod values;
mod verify;
mod verify_sql;

pub use connection::SqlTokens as Tokens;
pub use retry::RetryPolicy as Retrying;

/// A warehouse in a database of Azure SQL or SQL Server.
pub struct SqlServerWarehouse {
    connections: Connections,
    policy: RetryPolicy,
    bulk_loads: BulkLoads,
}

impl SqlServerWarehouse {
    /// Connects to nothing yet.
    pub fn new(location: SqlServerLocation) -> Result<Self, Box<IdentityError>> {
        let tokens: Option<Arc<dyn SqlTokens>> = match &location.login {
            SqlLogin::Password { .. } => None,
            SqlLogin::Entra(principal) => Some(Arc::new(TokenSource::new(principal.clone()).map_err(Box::new)?)),
        };
        Ok(Self::with(location, tokens, RetryPolicy::default()))
    }

    /// For somebody who looks on: a sleeping database is waited for, and a server that is not to be reached is not.
    pub fn for_a_trial(location: SqlServerLocation) -> Result<Self, Box<IdentityError>> {
        let made = SqlServerWarehouse::new(location)?;
        Ok(SqlServerWarehouse { policy: RetryPolicy::for_a_trial(), ..made })
    }

    /// With tokens and pauses of the caller's.
    pub fn with(location: SqlServerLocation, tokens: Option<Arc<dyn SqlTokens>>, policy: RetryPolicy) -> Self {
        let connections = Connections::new(location, tokens);
        SqlServerWarehouse { connections, policy, bulk_loads: BulkLoads::default() }
    }
}

impl fmt::Debug for SqlServerWarehouse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlServerWarehouse").field("connections", &self.connections).finish_non_exhaustive()
    }
}

#[async_trait]
impl Warehouse for SqlServerWarehouse {
    async fn migrate(&self, schema: &Schema) -> Result<MigrationReport, WarehouseError> {
        self.bring_to(schema).await
    }

    fn schema_sql(&self, schema: &Schema) -> String {
        migrate::schema_sql(schema)
    }

    async fn generation(&self, meaning: &FeedMeaning) -> Result<i64, WarehouseError> {
        let known = retrying!(self, lease => read_generation(lease.session(), meaning))?;
        known.ok_or_else(|| WarehouseError::NotMigrated { feed: meaning.feed.clone() })
    }

    async fn unit(&self, unit: &FileUnit) -> Result<Option<UnitRecord>, WarehouseError> {
        retrying!(self, lease => async {
            let session = lease.session();
            ledger::require_schema(session, &unit.feed).await?;
            ledger::read_unit(session, unit).await
        })
    }

    async fn commit_file(&self, load: &FileLoad, landed: &dyn LandedVersion) -> Result<Outcome, WarehouseError> {
        self.commit_version(load, landed).await
    }

    async fn units(
        &self,
        feed: &FeedName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<UnitRecord>, WarehouseError> {
        retrying!(self, lease => async {
            let session = lease.session();
            ledger::require_schema(session, feed).await?;
            ledger::read_units(session, feed, after, limit).await
        })
    }

    async fn history(&self, unit: &FileUnit, limit: usize) -> Result<Vec<HistoryEntry>, WarehouseError> {
        retrying!(self, lease => async {
            let session = lease.session();
            ledger::require_schema(session, &unit.feed).await?;
            ledger::read_history(session, unit, limit).await
        })
    }

    async fn contributions(&self, unit: &FileUnit) -> Result<Vec<Contribution>, WarehouseError> {
        retrying!(self, lease => async {
            let session = lease.session();
            ledger::require_schema(session, &unit.feed).await?;
            retract::contributions(session, unit).await
        })
    }

    async fn retract(&self, order: &RetractionOrder) -> Result<RetractionOutcome, WarehouseError> {
        self.take_back(order).await
    }

    async fn restore(&self, unit: &FileUnit, at: DateTime<Utc>) -> Result<Option<UnitRecord>, WarehouseError> {
        self.forget_retraction(unit, at).await
    }

    async fn stream(&self, unit: &StreamUnit) -> Result<Option<StreamRecord>, WarehouseError> {
        retrying!(self, lease => async {
            let session = lease.session();
            ledger::require_schema(session, &unit.feed).await?;
            stream_ledger::read_stream(session, unit).await
        })
    }

    async fn streams(&self, feed: &FeedName) -> Result<Vec<StreamRecord>, WarehouseError> {
        retrying!(self, lease => async {
            let session = lease.session();
            ledger::require_schema(session, feed).await?;
            stream_ledger::read_streams(session, feed).await
        })
    }

    async fn commit_stream(&self, load: &StreamLoad) -> Result<StreamOutcome, WarehouseError> {
        self.commit_events(load).await
    }

    async fn stream_gaps(&self, feed: &FeedName, limit: usize) -> Result<Vec<RecordedGap>, WarehouseError> {
        retrying!(self, lease => async {
            let session = lease.session();
            ledger::require_schema(session, feed).await?;
            stream_ledger::read_gaps(session, feed, limit).await
        })
    }

    async fn stream_summaries(&self, unit: &StreamUnit) -> Result<Vec<SummarySince>, WarehouseError> {
        retrying!(self, lease => async {
            let session = lease.session();
            ledger::require_schema(session, &unit.feed).await?;
            stream_ledger::read_summaries(session, unit).await
        })
    }

    async fn stream_quarantine(
        &self,
        feed: &FeedName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(StreamUnit, QuarantinedEvents)>, WarehouseError> {
        retrying!(self, lease => async {
            let session = lease.session();
            ledger::require_schema(session, feed).await?;
            stream_ledger::read_quarantine(session, feed, after, limit).await
        })
    }

    async fn verify(&self, schema: &Schema, remedy: Remedy, limit: usize) -> Result<Vec<TableCheck>, WarehouseError> {
        if schema.meanings.is_empty() {
            return Ok(Vec::new());
        }
        self.recount(schema, remedy, limit).await
    }

    async fn standing(&self, schema: &Schema) -> Result<Standing, WarehouseError> {
        retrying!(self, lease => standing::standing(lease.session(), schema))
    }

    async fn summary(&self, plan: &SummaryPlan) -> Result<SummaryRows, WarehouseError> {
        retrying!(self, lease => read_summary(lease.session(), plan))
    }
}

async fn read_generation(session: &mut Session, meaning: &FeedMeaning) -> Result<Option<i64>, Fault> {
    ledger::require_schema(session, &meaning.feed).await?;
    ledger::generation_of(session, meaning).await
}

async fn read_summary(session: &mut Session, plan: &SummaryPlan) -> Result<SummaryRows, Fault> {
    let operation = "reading a summary";
    let feed = FeedName::new(plan.feed.clone())
        .map_err(|error| WarehouseError::Data { table: plan.table.clone(), reason: error.to_string() })?;
    ledger::require_schema(session, &feed).await?;
    ledger::require_shape(session, plan, &feed).await?;
    let shape = TableShape::of(plan)?;
    let sql = TableSql::new(shape.clone()).fill(include_str!("sql/read_summary.sql"));
    let mut rows = Vec::new();
    session
        .for_each_row(&sql, operation, |row| {
            let mut fields = Fields::of(&row);
            let values = shape.columns.iter().map(|column| fields.value(column.kind));
            rows.push(values.collect::<Result<Vec<_>, _>>()?);
            Ok(())
        })
        .await?;
    // The database fills shorter texts up with blanks to compare them.
    let keys: Vec<usize> = (0..shape.columns.len()).filter(|position| shape.columns[*position].is_key()).collect();
    rows.sort_by(|one: &Vec<Value>, other| {
        keys.iter()
            .map(|key| key_order(&one[*key], &other[*key]))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    Ok(SummaryRows { columns: shape.columns.into_iter().map(|column| column.name).collect(), rows })
}

/// Keys of one column are of one type and never null.
fn key_order(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) => one.cmp(other),
        (Value::Int64(one), Value::Int64(other)) | (Value::Timestamp(one), Value::Timestamp(other)) => one.cmp(other),
        (Value::Date(one), Value::Date(other)) => one.cmp(other),
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        _ => Ordering::Equal,
    }
}
