//! `millrace dead-letters`: what failed, why, and another try.

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

use super::context::{AppArguments, Context};
use super::replay::announce_again;
use crate::records::attempts;
use crate::records::dead_letters::{self, DeadLetter};

/// More than anybody reads; the count says what is left out.
const LIMIT: usize = 1_000;

/// Shows what failed and why, and gives it another try
#[derive(Args)]
#[command(after_help = "Example: millrace dead-letters retry 1f0c2a9be774")]
pub struct DeadLettersArguments {
    #[command(flatten)]
    app: AppArguments,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// A line each (what is done without a word, too)
    List,
    /// Everything known of one
    Show { id: String },
    /// Announce their files again
    Retry {
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

pub async fn run(arguments: DeadLettersArguments) -> anyhow::Result<()> {
    let context = arguments.app.open().await?;
    let state = &context.stations.containers.state;
    let letters = dead_letters::list(state, LIMIT).await?;
    match arguments.action.unwrap_or(Action::List) {
        Action::List => list(&letters, dead_letters::count(state).await?),
        Action::Show { id } => println!("{}", serde_json::to_string_pretty(find(&letters, &id)?)?),
        Action::Retry { ids } => {
            for id in ids {
                retry(find(&letters, &id)?, &context).await?;
            }
        }
    }
    Ok(())
}

fn list(letters: &[DeadLetter], count: usize) {
    if count == 0 {
        println!("no dead letters");
    }
    for letter in letters {
        println!("{}  {}\n    {}\n    {}", letter.id(), letter.blob, letter.reason, letter.remedy);
    }
    if count > letters.len() {
        println!("… and {} more", count - letters.len());
    }
}

fn find<'a>(letters: &'a [DeadLetter], id: &str) -> anyhow::Result<&'a DeadLetter> {
    letters
        .iter()
        .find(|letter| letter.id() == id)
        .with_context(|| format!("no dead letter has the id `{id}`; `millrace dead-letters` lists them"))
}

/// The letter stays until the file is loaded: if the next try fails too, it counts one try more.
async fn retry(letter: &DeadLetter, context: &Context) -> anyhow::Result<()> {
    let containers = &context.stations.containers;
    let Some(facts) = containers.landing.head(&letter.blob).await? else {
        bail!("{} is no longer in landing: upload it again, or have the partner send it again", letter.blob);
    };
    attempts::end(&containers.state, &letter.blob, &letter.etag).await?;
    announce_again(&facts, context).await?;
    if facts.etag == letter.etag {
        println!("announced {}", letter.blob);
    } else {
        dead_letters::remove(&containers.state, &letter.blob, &letter.etag).await?;
        println!("announced {}, which has a newer version by now; the letter about the older one is gone", letter.blob);
    }
    Ok(())
}
