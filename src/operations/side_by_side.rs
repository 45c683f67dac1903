//! A feed's landing and its ledger, side by side by the bytes of their names: a page of each is held, never a whole list.

use std::collections::VecDeque;

use futures::TryStreamExt;
use futures::stream::BoxStream;

use super::OperationError;
use crate::names::{BlobName, FeedName};
use crate::stations::containers::{BlobFacts, Container, ContainerError};
use crate::stations::warehouse::{UnitRecord, Warehouse};

/// Units that are read from the ledger at a time.
const PAGE: usize = 1_000;

/// What is known of one name; at least one of the two is there.
#[derive(Clone, Debug)]
pub struct Pair {
    pub blob: BlobName,
    pub unit: Option<UnitRecord>,
    pub landed: Option<BlobFacts>,
}

pub struct SideBySide<'a> {
    feed: FeedName,
    warehouse: &'a dyn Warehouse,
    landed: BoxStream<'static, Result<BlobFacts, ContainerError>>,
    next_landed: Option<BlobFacts>,
    units: VecDeque<UnitRecord>,
    /// Where the next page begins; `None`: there is no further one.
    after: Option<Option<BlobName>>,
    has_begun: bool,
}

impl<'a> SideBySide<'a> {
    pub fn new(feed: &FeedName, landing: &Container, warehouse: &'a dyn Warehouse) -> Self {
        SideBySide {
            feed: feed.clone(),
            warehouse,
            landed: landing.list(&format!("{feed}/"), None),
            next_landed: None,
            units: VecDeque::new(),
            after: Some(None),
            has_begun: false,
        }
    }

    /// The next name; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Pair>, OperationError> {
        if !self.has_begun {
            self.next_landed = self.landed.try_next().await?;
            self.has_begun = true;
        }
        if self.units.is_empty() {
            self.read_page().await?;
        }
        let landed_name = self.next_landed.as_ref().map(|facts| facts.name.clone());
        let unit_name = self.units.front().map(|record| record.unit.blob.clone());
        let Some(blob) = landed_name.into_iter().chain(unit_name).min() else { return Ok(None) };
        let unit = match self.units.front() {
            Some(record) if record.unit.blob == blob => self.units.pop_front(),
            _ => None,
        };
        let landed = match &self.next_landed {
            Some(facts) if facts.name == blob => {
                let following = self.landed.try_next().await?;
                std::mem::replace(&mut self.next_landed, following)
            }
            _ => None,
        };
        Ok(Some(Pair { blob, unit, landed }))
    }

    async fn read_page(&mut self) -> Result<(), OperationError> {
        let Some(after) = self.after.take() else { return Ok(()) };
        let page = self.warehouse.units(&self.feed, after.as_ref(), PAGE).await?;
        if page.len() == PAGE {
            self.after = Some(page.last().map(|record| record.unit.blob.clone()));
        }
        self.units = page.into();
        Ok(())
    }
}
