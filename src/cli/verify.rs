//! `millrace verify`: the summary tables held against their parts, and landing against the ledger.

use anyhow::bail;
use clap::Args;
use indicatif::HumanCount;
use millrace_frames::part::Value;

use super::context::AppArguments;
use super::values::cell;
use super::wiring;
use crate::names::FeedName;
use crate::operations::landing_check::{LandingCheck, Listed, check_landing};
use crate::stations::warehouse::{Difference, Remedy, TableCheck};
use crate::words::{counted, shown};

/// Differing keys of each table that are listed.
const DIFFERENCES_LISTED: usize = 20;

/// Recounts every summary table from its parts and compares; compares landing with the ledger
///
/// Nothing but `load` and `retract` writes the tables; if somebody else did, this finds it. Fails if anything differs and
/// was not repaired.
#[derive(Args)]
#[command(after_help = "Example: millrace verify && echo all is as it was counted")]
pub struct VerifyArguments {
    /// Write what differs anew from the parts, under the locks of a commit
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    app: AppArguments,
}

pub async fn run(arguments: VerifyArguments) -> anyhow::Result<()> {
    let context = arguments.app.open().await?;
    let warehouse = context.stations.warehouse.as_ref();
    let schema = wiring::schema(&context.pipeline);
    let remedy = if arguments.repair { Remedy::Repair } else { Remedy::Report };
    let mut wrong = Wrong::default();
    for check in warehouse.verify(&schema, remedy, DIFFERENCES_LISTED).await? {
        print!("{}", table_text(&check, remedy));
        wrong.tables += usize::from(!check.is_right() && remedy == Remedy::Report);
    }
    for meaning in &schema.meanings {
        let check = check_landing(meaning, &context.stations.containers, warehouse).await?;
        print!("{}", landing_text(&meaning.feed, &check));
        wrong.lost += check.lost.count;
    }
    wrong.into_result()
}

/// What is wrong and was not repaired.
#[derive(Default)]
struct Wrong {
    tables: usize,
    lost: u64,
}

impl Wrong {
    fn into_result(self) -> anyhow::Result<()> {
        match (self.tables, self.lost) {
            (0, 0) => Ok(()),
            (0, _) => bail!("files are marked as loaded that the ledger does not have: replay them"),
            (1, _) => bail!("a table differs from its parts: run `millrace verify --repair`"),
            (tables, _) => bail!("{tables} tables differ from their parts: run `millrace verify --repair`"),
        }
    }
}

fn table_text(check: &TableCheck, remedy: Remedy) -> String {
    let rows = format!("{}: {}", check.table, counted(check.rows, "row", "rows"));
    if check.is_right() {
        return format!("{rows}, each as its parts say\n");
    }
    let mut text = format!("{rows}, {}\n", counted(check.differing, "key differs", "keys differ"));
    for difference in &check.differences {
        text.push_str(&difference_text(difference, check));
    }
    let left_out = check.differing - check.differences.len() as u64;
    if left_out > 0 {
        text.push_str(&format!("  … and {} more\n", HumanCount(left_out)));
    }
    let orphans = [
        (check.parts_without_unit, "of files that the ledger does not have"),
        (check.parts_of_retracted, "of files that are retracted"),
    ];
    for (count, whose) in orphans.into_iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!("  {} {whose}\n", counted(count, "part", "parts")));
    }
    if remedy == Remedy::Repair {
        text.push_str("  repaired: every row is as its parts say\n");
    }
    text
}

/// Only the measures that differ.
fn difference_text(difference: &Difference, check: &TableCheck) -> String {
    let named = |names: &[String], values: &[Value]| {
        let cells = names.iter().zip(values).map(|(name, value)| format!("{name} = {}", cell(value)));
        cells.collect::<Vec<_>>().join(", ")
    };
    let key = named(&check.keys, &difference.key);
    match (&difference.has, &difference.should) {
        (Some(has), Some(should)) => {
            let differing =
                check.measures.iter().zip(has.iter().zip(should)).filter(|(_, (has, should))| has != should);
            let differing = differing
                .map(|(name, (has, should))| format!("{name} is {}, its parts say {}", cell(has), cell(should)));
            format!("  {key}: {}\n", differing.collect::<Vec<_>>().join("; "))
        }
        (None, Some(should)) => format!("  {key}: is missing, its parts say {}\n", named(&check.measures, should)),
        (Some(has), None) => format!("  {key}: has {}, and no part has this key\n", named(&check.measures, has)),
        (None, None) => format!("  {key}: is neither in the table nor in its parts\n"),
    }
}

fn landing_text(feed: &FeedName, check: &LandingCheck) -> String {
    let mut text = format!(
        "{feed}: {}, {} counted, {} dead, {} retracted, {} waiting\n",
        counted(check.landed, "landed file", "landed files"),
        HumanCount(check.counted),
        HumanCount(check.dead),
        HumanCount(check.retracted),
        HumanCount(check.waiting.count)
    );
    let lists = [
        (&check.waiting, "wait to be loaded", String::new()),
        (
            &check.lost,
            "marked as loaded, and the ledger does not have them",
            format!("; `millrace replay {feed}` counts them again"),
        ),
        (&check.gone, "counted, and not in landing any more (their counts stand)", String::new()),
        (
            &check.older_meaning,
            "counted by an older meaning of the feed",
            format!("; `millrace replay {feed}` counts them anew"),
        ),
    ];
    for (list, what, remedy) in lists {
        text.push_str(&list_text(list, what, &remedy));
    }
    text
}

fn list_text(list: &Listed, what: &str, remedy: &str) -> String {
    if list.count == 0 {
        return String::new();
    }
    let mut text = format!("  {} {what}{remedy}\n", HumanCount(list.count));
    for blob in &list.first {
        text.push_str(&format!("    {}\n", shown(blob.as_str())));
    }
    let left_out = list.count - list.first.len() as u64;
    if left_out > 0 {
        text.push_str(&format!("    … and {} more\n", HumanCount(left_out)));
    }
    text
}
