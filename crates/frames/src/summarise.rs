//! One decoded chunk to one part for each summary, and the rows that rules and keys refuse.
//!
//! Polars evaluates the row-wise expressions; an expression that is just a column is not evaluated, and one that stands
//! in several places is evaluated once. Grouping is our own: keys packed into bytes and numbered by one hash table, then
//! each measure folded in column by column. On the query of `benches/summarise.rs` (a date of a timestamp and a short
//! string, COUNT(*)) this is several times as fast as Polars' `group_by` on the same columns, sums integers in 128 bits
//! without a cast, and yields the very structure that parts merge by.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_decode::columns::DecodedChunk;
use millrace_decode::contract::Column as ContractColumn;
use polars::prelude::*;

use crate::cells::SKIPPED;
use crate::expression::{Expression, OutputType};
use crate::frame::frame_of;
use crate::part::{Part, Shape, pack_text};
use crate::plan::{AggregateCall, KeyType, MeasureType, SummaryPlan, SummaryRole};
use crate::view::{ColumnView, ValuesView, utf16_units, without_trailing_blanks};

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
    Columns {
        feed: String,
        expected: usize,
        found: usize,
    },
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
    read: Vec<(usize, PlSmallStr)>,
    rules: Vec<(String, Slot)>,
    plans: Vec<Plan>,
}

/// Where an expression's values are found.
#[derive(Clone, Copy)]
enum Slot {
    Decoded(usize),
    Computed(usize),
}

struct Plan {
    table: String,
    shape: Arc<Shape>,
    filter: Option<Slot>,
    keys: Vec<Key>,
    /// `None` for COUNT(*).
    measures: Vec<Option<Slot>>,
    /// Measures that could be NaN or infinite, with their names.
    may_be_infinite: Vec<(String, Slot)>,
}

struct Key {
    name: String,
    expression: String,
    key_type: KeyType,
    slot: Slot,
}

impl Summariser {
    /// `columns` are those that chunks will hold, in that order.
    pub fn new(
        columns: &[ContractColumn],
        rules: &[Rule],
        plans: &[SummaryPlan],
        feed: &str,
    ) -> Result<Summariser, PlanError> {
        let mut planner = Planner {
            feed,
            columns,
            computed: Vec::new(),
            known: HashMap::new(),
        };
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
            .map(|(position, column)| (position, PlSmallStr::from_str(&column.name)))
            .collect();
        Ok(Summariser {
            feed: feed.to_owned(),
            column_count: columns.len(),
            computed,
            read,
            rules,
            plans,
        })
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
        let views = Views {
            chunk,
            evaluated: &evaluated,
        };
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
        Ok(ChunkSummary {
            parts,
            rejected: rejections.into_rows(chunk),
        })
    }

    fn evaluate(&self, chunk: &DecodedChunk) -> PolarsResult<Vec<(Series, OutputType)>> {
        if self.computed.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = (0..self.computed.len())
            .map(|number| format!("\u{1}{number}"))
            .collect();
        let outputs: Vec<Expr> = self
            .computed
            .iter()
            .zip(&names)
            .map(|((expr, _), name)| expr.clone().alias(name.as_str()))
            .collect();
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

struct Planner<'a> {
    feed: &'a str,
    columns: &'a [ContractColumn],
    computed: Vec<(Expr, OutputType)>,
    /// By the SQL as it was written.
    known: HashMap<String, (Slot, OutputType)>,
}

impl Planner<'_> {
    fn slot(&mut self, subject: &str, sql: &str) -> Result<(Slot, OutputType), PlanError> {
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

    fn require(&self, subject: &str, sql: &str, found: OutputType, wanted: OutputType) -> Result<(), PlanError> {
        if found == wanted {
            return Ok(());
        }
        Err(self.error(
            subject,
            sql,
            format!("is {} where the plan says {}", found.name(), wanted.name()),
        ))
    }

    fn error(&self, subject: &str, sql: &str, reason: String) -> PlanError {
        PlanError {
            feed: self.feed.to_owned(),
            subject: subject.to_owned(),
            sql: sql.to_owned(),
            reason,
        }
    }

    fn plan(&mut self, plan: &SummaryPlan) -> Result<Plan, PlanError> {
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
        Ok(Plan {
            table: plan.table.clone(),
            shape,
            filter,
            keys,
            measures,
            may_be_infinite,
        })
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
                self.require(subject, over, output, output_of_measure(measure_type))?;
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

fn output_of_measure(measure_type: MeasureType) -> OutputType {
    match measure_type {
        MeasureType::Int64 => OutputType::Int64,
        MeasureType::Float64 => OutputType::Float64,
        MeasureType::Date => OutputType::Date,
        MeasureType::Timestamp => OutputType::Timestamp,
    }
}

fn reads(expr: &Expr, column: &str) -> bool {
    expr.into_iter()
        .any(|node| matches!(node, Expr::Column(name) if name.as_str() == column))
}

struct Views<'a> {
    chunk: &'a DecodedChunk,
    evaluated: &'a [(Series, OutputType)],
}

impl<'a> Views<'a> {
    fn column(&self, slot: Slot) -> PolarsResult<ColumnView<'a>> {
        match slot {
            Slot::Decoded(position) => Ok(ColumnView::of_decoded(self.chunk, position)),
            Slot::Computed(number) => {
                let (series, output) = &self.evaluated[number];
                ColumnView::of_series(series, *output)
            }
        }
    }
}

impl Plan {
    /// Rejects the rows that this summary cannot count: those that pass WHERE and have a key that is null or too long,
    /// or a measure that is no finite number.
    fn look(&self, views: &Views, rejections: &mut Rejections) -> PolarsResult<()> {
        let filter = self.filter.map(|slot| views.column(slot)).transpose()?;
        let passes = |row: usize| filter.as_ref().is_none_or(|filter| filter.is_true(row));
        for Key {
            name,
            expression,
            key_type,
            slot,
        } in &self.keys
        {
            let column = views.column(*slot)?;
            if column.may_hold_nulls() {
                rejections.reject_unless(
                    |row| column.is_valid(row) || !passes(row),
                    |_| null_key(name, expression, *key_type, &self.table),
                );
            }
            if let (KeyType::Text { max_utf16 }, ValuesView::Text(text)) = (key_type, &column.values) {
                let longest = usize::from(*max_utf16);
                let units = |row| text.with_bytes(row, |bytes| utf16_units(without_trailing_blanks(bytes)));
                rejections.reject_unless(
                    // No text has more UTF-16 units than bytes.
                    |row| text.length(row) <= longest || !column.is_valid(row) || units(row) <= longest || !passes(row),
                    |row| {
                        let units = units(row);
                        format!(
                            "key `{name}` of summary `{}` has {units} UTF-16 units, its key_length is {longest}",
                            self.table
                        )
                    },
                );
            }
        }
        for (name, slot) in &self.may_be_infinite {
            let column = views.column(*slot)?;
            if let ValuesView::Float64(numbers) = &column.values {
                rejections.reject_unless(
                    |row| numbers[row].is_finite() || !column.is_valid(row) || !passes(row),
                    |_| format!("measure `{name}` of summary `{}` is not finite", self.table),
                );
            }
        }
        Ok(())
    }

    fn count(&self, views: &Views, rejections: &Rejections) -> PolarsResult<Part> {
        let mut part = Part::of_shape(self.shape.clone());
        let groups = self.group(views, rejections, &mut part)?;
        for (measure, cells) in self.measures.iter().zip(&mut part.cells) {
            cells.resize(part.groups.len());
            match measure {
                None => cells.count_rows(&groups),
                Some(slot) => cells.fold(&groups, &views.column(*slot)?),
            }
        }
        Ok(part)
    }

    /// The number of each row's group.
    fn group(&self, views: &Views, rejections: &Rejections, part: &mut Part) -> PolarsResult<Vec<u32>> {
        let filter = self.filter.map(|slot| views.column(slot)).transpose()?;
        let keys: Vec<ColumnView> = self
            .keys
            .iter()
            .map(|key| views.column(key.slot))
            .collect::<PolarsResult<_>>()?;
        let mut packed = Vec::with_capacity(64);
        let groups = (0..rejections.row_count)
            .map(|row| {
                let skipped = rejections.holds(row) || filter.as_ref().is_some_and(|filter| !filter.is_true(row));
                if skipped {
                    return SKIPPED;
                }
                packed.clear();
                for key in &keys {
                    pack_key(&mut packed, &key.values, row);
                }
                part.groups.number_of(&packed)
            })
            .collect();
        Ok(groups)
    }
}

#[inline]
fn pack_key(packed: &mut Vec<u8>, values: &ValuesView, row: usize) {
    match values {
        ValuesView::Text(text) => text.with_bytes(row, |bytes| pack_text(packed, without_trailing_blanks(bytes))),
        ValuesView::Int64(numbers) => packed.extend_from_slice(&numbers[row].to_le_bytes()),
        ValuesView::Date(days) => packed.extend_from_slice(&days[row].to_le_bytes()),
        ValuesView::Bool(flags) => packed.push(u8::from(flags.get(row))),
        ValuesView::Float64(_) => unreachable!("`Summariser::new` takes no float64 as a key"),
    }
}

fn null_key(name: &str, expression: &str, key_type: KeyType, table: &str) -> String {
    let substitute = match key_type {
        KeyType::Text { .. } => "'unknown'",
        KeyType::Int64 => "0",
        KeyType::Bool => "FALSE",
        KeyType::Date => "DATE '1970-01-01'",
        KeyType::Timestamp => "TIMESTAMP '1970-01-01 00:00:00'",
    };
    format!(
        "key `{name}` of summary `{table}` is null; write COALESCE({expression}, {substitute}) in the summary to count \
         such rows"
    )
}

/// The rows refused so far, by their position in the columns; the first reason stands.
struct Rejections {
    row_count: usize,
    /// Empty while there is none.
    refused: Vec<bool>,
    reasons: Vec<(usize, String)>,
}

impl Rejections {
    fn new(row_count: usize) -> Rejections {
        Rejections {
            row_count,
            refused: Vec::new(),
            reasons: Vec::new(),
        }
    }

    #[inline]
    fn holds(&self, row: usize) -> bool {
        !self.refused.is_empty() && self.refused[row]
    }

    fn reject_unless(&mut self, is_good: impl Fn(usize) -> bool, reason: impl Fn(usize) -> String) {
        for row in 0..self.row_count {
            if is_good(row) || self.holds(row) {
                continue;
            }
            self.refused.resize(self.row_count, false);
            self.refused[row] = true;
            self.reasons.push((row, reason(row)));
        }
    }

    /// In the chunk's own numbering, which counts the rows that did not decode. One walk over both lists, where
    /// `DecodedChunk::row_of` would walk for every row.
    fn into_rows(mut self, chunk: &DecodedChunk) -> Vec<RejectedRow> {
        self.reasons.sort_by_key(|(position, _)| *position);
        let mut undecoded = chunk.bad.iter().map(|bad| bad.row as usize).peekable();
        let mut passed = 0;
        self.reasons
            .into_iter()
            .map(|(position, reason)| {
                while undecoded.next_if(|row| *row <= position + passed).is_some() {
                    passed += 1;
                }
                RejectedRow {
                    row: (position + passed) as u32,
                    reason,
                }
            })
            .collect()
    }
}
