//! Rules and summaries to slots: what must be evaluated, and where each key and measure finds its values.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_decode::contract::Column as ContractColumn;
use polars::prelude::Expr;

use super::PlanError;
use crate::expression::{Expression, OutputType};
use crate::part::Shape;
use crate::plan::{AggregateCall, KeyType, MeasureType, SummaryPlan, SummaryRole};
use crate::typing::measure_type_of;

/// Where an expression's values are found.
#[derive(Clone, Copy)]
pub(super) enum Slot {
    Decoded(usize),
    Computed(usize),
}

pub(super) struct Plan {
    pub(super) table: String,
    pub(super) shape: Arc<Shape>,
    pub(super) filter: Option<Slot>,
    pub(super) keys: Vec<Key>,
    /// `None` for COUNT(*).
    pub(super) measures: Vec<Option<Slot>>,
    /// Measures that could be NaN or infinite, with their names.
    pub(super) may_be_infinite: Vec<(String, Slot)>,
}

pub(super) struct Key {
    pub(super) name: String,
    pub(super) expression: String,
    pub(super) key_type: KeyType,
    pub(super) slot: Slot,
}

/// Plans the rules and summaries of one feed, each distinct expression once.
pub(super) struct Planner<'a> {
    feed: &'a str,
    columns: &'a [ContractColumn],
    pub(super) computed: Vec<(Expr, OutputType)>,
    /// By the SQL as it was written.
    known: HashMap<String, (Slot, OutputType)>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(feed: &'a str, columns: &'a [ContractColumn]) -> Planner<'a> {
        Planner { feed, columns, computed: Vec::new(), known: HashMap::new() }
    }

    pub(super) fn slot(&mut self, subject: &str, sql: &str) -> Result<(Slot, OutputType), PlanError> {
        if let Some(known) = self.known.get(sql) {
            return Ok(*known);
        }
        let expression = Expression::plan(sql, self.feed, self.columns)
            .map_err(|reason| self.error(subject, sql, format!("cannot be used: {reason}")))?;
        let output = expression.output();
        let slot = match expression {
            Expression::Column { position, .. } => Slot::Decoded(position),
            Expression::Computed { expr, .. } => {
                self.computed.push((expr, output));
                Slot::Computed(self.computed.len() - 1)
            }
        };
        self.known.insert(sql.to_owned(), (slot, output));
        Ok((slot, output))
    }

    pub(super) fn require(
        &self,
        subject: &str,
        sql: &str,
        found: OutputType,
        wanted: OutputType,
    ) -> Result<(), PlanError> {
        if found == wanted {
            return Ok(());
        }
        Err(self.error(subject, sql, format!("is {found} where the plan says {wanted}")))
    }

    fn error(&self, subject: &str, sql: &str, reason: String) -> PlanError {
        PlanError { feed: self.feed.to_owned(), subject: subject.to_owned(), sql: sql.to_owned(), reason }
    }

    pub(super) fn plan(&mut self, plan: &SummaryPlan) -> Result<Plan, PlanError> {
        let subject = format!("summary `{}`", plan.table);
        let mut filter = None;
        if let Some(sql) = &plan.filter {
            let (slot, output) = self.slot(&subject, sql)?;
            self.require(&subject, sql, output, OutputType::Bool)?;
            filter = Some(slot);
        }
        let mut keys = Vec::new();
        let mut measures = Vec::new();
        let mut may_be_infinite = Vec::new();
        for column in &plan.columns {
            match &column.role {
                SummaryRole::Key { expression, key_type } => {
                    let (slot, output) = self.slot(&subject, expression)?;
                    self.require(&subject, expression, output, output_of_key(*key_type))?;
                    keys.push(Key {
                        name: column.name.clone(),
                        expression: expression.clone(),
                        key_type: *key_type,
                        slot,
                    });
                }
                SummaryRole::Measure { call, measure_type } => {
                    let slot = self.measure(&subject, call, *measure_type)?;
                    if let Some(computed @ Slot::Computed(_)) = slot
                        && *measure_type == MeasureType::Float64
                    {
                        may_be_infinite.push((column.name.clone(), computed));
                    }
                    measures.push(slot);
                }
            }
        }
        let shape = Shape::of(plan);
        Ok(Plan { table: plan.table.clone(), shape, filter, keys, measures, may_be_infinite })
    }

    fn measure(
        &mut self,
        subject: &str,
        call: &AggregateCall,
        measure_type: MeasureType,
    ) -> Result<Option<Slot>, PlanError> {
        match call {
            AggregateCall::CountRows => Ok(None),
            AggregateCall::Count(over) => Ok(Some(self.slot(subject, over)?.0)),
            AggregateCall::Sum(over) | AggregateCall::Min(over) | AggregateCall::Max(over) => {
                let (slot, output) = self.slot(subject, over)?;
                if measure_type_of(call, output) != Some(measure_type) {
                    let reason = format!("is {output} where the plan says {measure_type}");
                    return Err(self.error(subject, over, reason));
                }
                Ok(Some(slot))
            }
        }
    }
}

fn output_of_key(key_type: KeyType) -> OutputType {
    match key_type {
        KeyType::Text { .. } => OutputType::Text,
        KeyType::Int64 => OutputType::Int64,
        KeyType::Bool => OutputType::Bool,
        KeyType::Date => OutputType::Date,
        KeyType::Timestamp => OutputType::Timestamp,
    }
}
