//! `millrace dead-letters`: what failed, why, and another try.

use std::collections::BTreeSet;

use anyhow::bail;
use clap::{Args, Subcommand};
use futures::TryStreamExt;

use super::context::{AppArguments, Context};
use super::replay::announce_again;
use crate::records::attempts;
use crate::records::dead_letters::{self, DeadLetter};
use crate::stations::containers::Container;
use crate::words::{moment, shown};

/// Letters that are listed; the count says what is left out.
const LISTED: usize = 1_000;

/// Shows what failed and why, and gives it another try
#[derive(Args)]
#[command(
    after_help = "Example: millrace dead-letters retry 1f0c2a9be774\n\nAn ID may be cut short as long as it is the only one \
                        that begins so."
)]
pub struct DeadLettersArguments {
    #[command(flatten)]
    app: AppArguments,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// A few lines each (what is done without a word, too)
    #[command(after_help = "Example: millrace dead-letters list --json | jq '.[].blob'")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Everything known of one, as JSON
    #[command(after_help = "Example: millrace dead-letters show 1f0c2a9be774")]
    Show { id: String },
    /// Announce their files again; a letter goes when its file is loaded
    #[command(after_help = "Example: millrace dead-letters retry 1f0c2a9be774")]
    Retry {
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

pub async fn run(arguments: DeadLettersArguments) -> anyhow::Result<()> {
    let context = arguments.app.open().await?;
    let state = &context.stations.containers.state;
    match arguments.action.unwrap_or(Action::List { json: false }) {
        Action::List { json } => list(state, json).await?,
        Action::Show { id } => {
            for letter in find(state, &[id]).await? {
                println!("{}", serde_json::to_string_pretty(&letter)?);
            }
        }
        Action::Retry { ids } => {
            // All are found before the first is tried: a slip in one stops them all.
            for letter in find(state, &ids).await? {
                retry(&letter, &context).await?;
            }
        }
    }
    Ok(())
}

async fn list(state: &Container, json: bool) -> anyhow::Result<()> {
    let letters = dead_letters::list(state, LISTED).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&letters)?);
        return Ok(());
    }
    let count = dead_letters::count(state).await?;
    if count == 0 {
        println!("no dead letters");
    }
    for letter in &letters {
        print!("{}", to_text(letter));
    }
    if count > letters.len() {
        println!("… and {} more", count - letters.len());
    }
    Ok(())
}

/// Id, time of the last try, file; then why and what to do.
fn to_text(letter: &DeadLetter) -> String {
    let (id, blob) = (letter.id(), shown(letter.blob.as_str()));
    let mut text = format!("{id}  {}  {blob}\n    {}\n    {}\n", moment(letter.last_at), letter.reason, letter.remedy);
    if letter.tries > 1 {
        text.push_str(&format!("    {} tries, the first at {}\n", letter.tries, moment(letter.first_at)));
    }
    text
}

/// The letters that ids name, each cut short or whole, in the order in which they are kept.
///
/// # Errors
/// For an id that is of no letter, or of several.
async fn find(state: &Container, ids: &[String]) -> anyhow::Result<Vec<DeadLetter>> {
    let mut found: Vec<Vec<DeadLetter>> = vec![Vec::new(); ids.len()];
    let letters = dead_letters::all(state);
    futures::pin_mut!(letters);
    while let Some(letter) = letters.try_next().await? {
        let own = letter.id();
        for (id, of_id) in ids.iter().zip(&mut found) {
            // Two show that one is not enough; there is no need to hold more.
            if !id.is_empty() && own.starts_with(id.as_str()) && of_id.len() < 2 {
                of_id.push(letter.clone());
            }
        }
    }
    let mut named = Vec::new();
    let mut seen = BTreeSet::new();
    for (id, of_id) in ids.iter().zip(found) {
        match of_id.as_slice() {
            [letter] => {
                if seen.insert(letter.id()) {
                    named.push(letter.clone());
                }
            }
            [] => bail!("no dead letter has the id `{id}`; `millrace dead-letters` lists them"),
            [first, second, ..] => {
                bail!("several dead letters have ids that begin with `{id}`: {} and {}", first.id(), second.id())
            }
        }
    }
    Ok(named)
}

/// The letter stays until the file is loaded: if the next try fails too, it counts one try more.
async fn retry(letter: &DeadLetter, context: &Context) -> anyhow::Result<()> {
    let containers = &context.stations.containers;
    let blob = shown(letter.blob.as_str());
    if letter.quarantine.as_deref() == Some(letter.blob.as_str()) {
        bail!("{blob} is a message on hub `files` that millrace did not send: there is no file to try again");
    }
    if letter.stage == dead_letters::SWEEP {
        bail!("{blob}: {}; {}", letter.reason, letter.remedy);
    }
    let Some(facts) = containers.landing.head(&letter.blob).await? else {
        bail!("{blob} is no longer in landing: upload it again, or have the partner send it again");
    };
    attempts::end(&containers.state, &letter.blob, &letter.etag).await?;
    announce_again(&facts, context).await?;
    if facts.etag == letter.etag {
        println!("announced {blob}");
    } else {
        dead_letters::remove(&containers.state, &letter.blob, &letter.etag).await?;
        println!("announced {blob}, which has a newer version by now; the letter about the older one is gone");
    }
    Ok(())
}
