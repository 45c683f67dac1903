//! One decoded chunk to one part for each summary, and the rows that rules and keys refuse.
//!
//! Polars evaluates the row-wise expressions; an expression that is just a column is not evaluated, and one that stands
//! in several places is evaluated once. Grouping is our own: keys packed into bytes and numbered by one hash table, then
//! each measure folded in column by column. By `benches/summarise.rs` that takes about as long as Polars' `group_by`
//! alone (0.9 to 1.4 times its speed), and it yields the very structure that parts merge by, sums integers in 128 bits
//! without a cast, and does not wait for Polars' thread pool.

mod count;
mod prepare;
mod refused;

use millrace_decode::columns::DecodedChunk;
use millrace_decode::contract::Column as ContractColumn;
use polars::prelude::*;

use self::count::Views;
use self::prepare::{Plan, Planner, Slot};
use self::refused::Rejections;
use crate::expression::OutputType;
use crate::frame::{Wanted, frame_of};
use crate::part::Part;
use crate::plan::SummaryPlan;

/// A `[[feed.rule]]`: a row for which `sql` is not true is bad, with the rule's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub name: String,
    /// A row-wise boolean expression over the contract's columns.
    pub sql: String,
}

/// A plan or rule that does not fit the columns it is given; `typing` would have said so too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{subject} of feed `{feed}`: `{sql}` {reason}")]
pub struct PlanError {
    pub feed: String,
    /// "rule `sane delay`" or "summary `flight_days`".
    pub subject: String,
    pub sql: String,
    pub reason: String,
}

/// A chunk over which an expression cannot be evaluated: a CAST or a sum of integers that some row breaks. It is the
/// file's fault, and trying again cannot help.
#[derive(Debug, thiserror::Error)]
pub enum SummariseError {
    #[error("an expression over feed `{feed}` fails for some row: {reason}; write TRY_CAST where values may not fit")]
    Expression { feed: String, reason: String },
    #[error("a chunk of feed `{feed}` was decoded to {found} columns where {expected} were asked for")]
    Columns { feed: String, expected: usize, found: usize },
}

/// What one chunk contributes.
#[derive(Debug)]
pub struct ChunkSummary {
    /// One for each plan, in the order that [`Summariser::new`] was given.
    pub parts: Vec<Part>,
    /// Sorted by row; at most one for each row.
    pub rejected: Vec<RejectedRow>,
}

/// A row that was decoded and counts in no summary all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    /// Counted from 0 within the chunk, bad rows included.
    pub row: u32,
    pub reason: String,
}

/// The rules and summaries of one feed, planned once and shared by all threads.
pub struct Summariser {
    feed: String,
    column_count: usize,
    /// Each distinct expression once, under its name in the evaluated frame.
    computed: Vec<(Expr, OutputType)>,
    /// What `computed` reads.
    read: Vec<Wanted>,
    rules: Vec<(String, Slot)>,
    plans: Vec<Plan>,
}

impl Summariser {
    /// `columns` are those that chunks will hold, in that order.
    pub fn new(
        columns: &[ContractColumn],
        rules: &[Rule],
        plans: &[SummaryPlan],
        feed: &str,
    ) -> Result<Summariser, PlanError> {
        let mut planner = Planner::new(feed, columns);
        let rules = rules
            .iter()
            .map(|rule| {
                let subject = format!("rule `{}`", rule.name);
                let (slot, output) = planner.slot(&subject, &rule.sql)?;
                planner.require(&subject, &rule.sql, output, OutputType::Bool)?;
                Ok((rule.name.clone(), slot))
            })
            .collect::<Result<_, _>>()?;
        let plans = plans.iter().map(|plan| planner.plan(plan)).collect::<Result<_, _>>()?;
        let computed = planner.computed;
        let read = columns
            .iter()
            .enumerate()
            .filter(|(_, column)| computed.iter().any(|(expr, _)| reads(expr, &column.name)))
            .map(|(position, column)| Wanted {
                position,
                name: PlSmallStr::from_str(&column.name),
                column_type: column.column_type,
            })
            .collect();
        Ok(Summariser { feed: feed.to_owned(), column_count: columns.len(), computed, read, rules, plans })
    }

    /// The parts of one chunk's good rows. Several threads may call it at once.
    pub fn summarise(&self, chunk: &DecodedChunk) -> Result<ChunkSummary, SummariseError> {
        if chunk.columns.len() != self.column_count {
            return Err(SummariseError::Columns {
                feed: self.feed.clone(),
                expected: self.column_count,
                found: chunk.columns.len(),
            });
        }
        let failed = |error: PolarsError| SummariseError::Expression {
            feed: self.feed.clone(),
            reason: error.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        let evaluated = self.evaluate(chunk).map_err(failed)?;
        let views = Views { chunk, evaluated: &evaluated };
        let mut rejections = Rejections::new(chunk.good_row_count());
        for (name, slot) in &self.rules {
            let holds = views.column(*slot).map_err(failed)?;
            rejections.reject_unless(|row| holds.is_true(row), |_| format!("rule `{name}` does not hold"));
        }
        // A row that one summary refuses counts in none: all summaries look before any counts.
        for plan in &self.plans {
            plan.look(&views, &mut rejections).map_err(failed)?;
        }
        let parts = self
            .plans
            .iter()
            .map(|plan| plan.count(&views, &rejections))
            .collect::<PolarsResult<_>>()
            .map_err(failed)?;
        Ok(ChunkSummary { parts, rejected: rejections.into_rows(chunk) })
    }

    fn evaluate(&self, chunk: &DecodedChunk) -> PolarsResult<Vec<(Series, OutputType)>> {
        if self.computed.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = (0..self.computed.len()).map(|number| format!("\u{1}{number}")).collect();
        let outputs: Vec<Expr> =
            self.computed.iter().zip(&names).map(|((expr, _), name)| expr.clone().alias(name.as_str())).collect();
        // `with_columns`, since `select` would make a frame of one row where all outputs are literals. Without the
        // optimisations for whole queries, which cost more than they find in one step.
        let frame = frame_of(chunk, &self.read)?
            .lazy()
            .with_optimizations(OptFlags::TYPE_COERCION | OptFlags::TYPE_CHECK | OptFlags::SIMPLIFY_EXPR)
            .with_columns(outputs)
            .collect()?;
        names
            .iter()
            .zip(&self.computed)
            .map(|(name, (_, output))| {
                let series = frame.column(name)?.as_materialized_series().rechunk();
                Ok((series.to_physical_repr().into_owned(), *output))
            })
            .collect()
    }
}

fn reads(expr: &Expr, column: &str) -> bool {
    expr.into_iter().any(|node| matches!(node, Expr::Column(name) if name.as_str() == column))
}
