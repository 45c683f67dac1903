//! What a trial finds of a warehouse: as whom it is reached, whether it is as pipeline.toml asks, and which rights are missing.

use super::shape::TableShape;
use super::{Schema, WarehouseError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which database it is and as whom, in words.
    pub reached: String,
    /// What `migrate` has to do; empty: nothing.
    pub to_migrate: Vec<String>,
    /// `INSERT on [dbo].[flight_days]`, as far as the database tells; empty too where there are no tables yet.
    pub missing_rights: Vec<String>,
}

/// What a database holds, as far as `migrate` looks at it.
pub(super) struct Found {
    pub version: i64,
    pub known_version: i64,
    pub shapes: Vec<TableShape>,
    /// The fingerprint of each feed's latest meaning, in the order of the schema's meanings; `None`: the feed is unknown.
    pub fingerprints: Vec<Option<String>>,
}

impl Found {
    /// # Errors
    /// `Data`, for tables that no warehouse can have.
    pub fn to_migrate(&self, schema: &Schema) -> Result<Vec<String>, WarehouseError> {
        let wanted = TableShape::of_all(&schema.summaries)?;
        if self.version == 0 {
            return Ok(vec!["there are no tables of millrace, or none that this user may see".to_owned()]);
        }
        let mut to_migrate = Vec::new();
        if self.version < self.known_version {
            to_migrate
                .push(format!("its schema has version {}, and this program {}", self.version, self.known_version));
        }
        for shape in &wanted {
            match self.shapes.iter().find(|known| known.table == shape.table) {
                None => to_migrate.push(format!("table `{}` is missing", shape.table)),
                Some(known) if !known.agrees_with(shape) => {
                    to_migrate.push(format!("table `{}` has other columns", shape.table));
                }
                Some(_) => {}
            }
        }
        for (meaning, latest) in schema.meanings.iter().zip(&self.fingerprints) {
            match latest {
                None => to_migrate.push(format!("feed `{}` is unknown", meaning.feed)),
                Some(latest) if latest != meaning.fingerprint.as_str() => {
                    to_migrate.push(format!("feed `{}` was declared otherwise", meaning.feed));
                }
                Some(_) => {}
            }
        }
        Ok(to_migrate)
    }
}

#[cfg(test)]
mod tests {
    use millrace_frames::plan::{AggregateCall, KeyType, MeasureType, SummaryColumn, SummaryPlan, SummaryRole};

    use super::*;
    use crate::names::{FeedName, Sha256};
    use crate::stations::warehouse::FeedMeaning;

    fn schema(measures: &[&str]) -> Schema {
        let key = SummaryRole::Key { expression: "day".to_owned(), key_type: KeyType::Date };
        let measure = SummaryRole::Measure { call: AggregateCall::CountRows, measure_type: MeasureType::Int64 };
        let day = SummaryColumn { name: "day".to_owned(), role: key };
        let counts = measures.iter().map(|name| SummaryColumn { name: (*name).to_owned(), role: measure.clone() });
        let columns = std::iter::once(day).chain(counts).collect();
        let (id, table, feed) = ("1".to_owned(), "flight_days".to_owned(), "flights".to_owned());
        let of_feed = |feed: &str| FeedMeaning {
            feed: FeedName::new(feed).unwrap(),
            fingerprint: Sha256::of_fields(&[feed.as_bytes()]),
        };
        let meanings = ["events", "flights"].map(of_feed).to_vec();
        Schema { meanings, summaries: vec![SummaryPlan { id, table, feed, columns, filter: None }] }
    }

    fn found(version: i64, schema: &Schema) -> Found {
        let shapes = TableShape::of_all(&schema.summaries).unwrap();
        let fingerprints = schema.meanings.iter().map(|meaning| Some(meaning.fingerprint.as_str().to_owned()));
        Found { version, known_version: 3, shapes, fingerprints: fingerprints.collect() }
    }

    #[test]
    fn a_database_as_the_pipeline_asks_needs_no_migration() {
        let schema = schema(&["flights"]);
        assert_eq!(found(3, &schema).to_migrate(&schema).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn each_difference_is_named() {
        let one = schema(&["flights"]);
        let other = schema(&["flights", "delayed"]);
        let mut old = found(2, &one);
        old.fingerprints = vec![None, Some("another".to_owned())];
        let expected = [
            "its schema has version 2, and this program 3",
            "table `flight_days` has other columns",
            "feed `events` is unknown",
            "feed `flights` was declared otherwise",
        ];
        assert_eq!(old.to_migrate(&other).unwrap(), expected);
        let empty = Found { shapes: Vec::new(), ..found(3, &one) };
        assert_eq!(empty.to_migrate(&one).unwrap(), ["table `flight_days` is missing"]);
        let none = found(0, &one).to_migrate(&one).unwrap();
        assert_eq!(none, ["there are no tables of millrace, or none that this user may see"]);
    }
}
