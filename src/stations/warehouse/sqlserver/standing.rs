//! What a trial finds of a database. Changes nothing.

use tiberius::Row;

use super::errors::{Fault, SqlError, failed};
use super::ledger::{known_version, latest_generation, schema_version, stored_shapes};
use super::session::Session;
use super::table_sql::summary_name;
use super::values::{Fields, text};
use crate::stations::warehouse::shape::TableShape;
use crate::stations::warehouse::standing::Found;
use crate::stations::warehouse::{Schema, Standing};
use crate::words::counted;

pub async fn standing(session: &mut Session, schema: &Schema) -> Result<Standing, Fault> {
    let reached = who_am_i(session).await?;
    let version = schema_version(session).await?;
    let (mut shapes, mut fingerprints, mut missing_rights) = (Vec::new(), Vec::new(), Vec::new());
    if version > 0 {
        missing_rights = rights_missing_on_ledger(session).await?;
        // Of what may not be read nothing can be told.
        if missing_rights.iter().any(|right| right.starts_with("SELECT")) {
            return Ok(Standing { reached, to_migrate: Vec::new(), missing_rights });
        }
        shapes = stored_shapes(session).await?;
        for meaning in &schema.meanings {
            let latest = latest_generation(session, meaning.feed.as_str()).await?;
            fingerprints.push(latest.map(|(_, fingerprint)| fingerprint));
        }
        for wanted in TableShape::of_all(&schema.summaries)? {
            if shapes.iter().any(|shape: &TableShape| shape.table == wanted.table) {
                missing_rights.extend(rights_missing_on(session, &summary_name(&wanted.table)).await?);
            }
        }
    }
    let found = Found { version, known_version: known_version(), shapes, fingerprints };
    Ok(Standing { reached, to_migrate: found.to_migrate(schema)?, missing_rights })
}

async fn who_am_i(session: &mut Session) -> Result<String, Fault> {
    let operation = "asking as whom we are there";
    let rows = session.rows(include_str!("sql/who_am_i.sql"), Vec::new(), operation).await?;
    let told = rows.first().map(in_words).transpose().map_err(failed(operation))?;
    told.ok_or_else(|| {
        let error = SqlError::NotOurs { found: "no answer".to_owned(), expected: "a user" };
        Fault::Sql { operation, error }
    })
}

fn in_words(row: &Row) -> Result<String, SqlError> {
    let mut fields = Fields::of(row);
    let mut field = || Ok::<_, SqlError>(fields.optional_text()?.unwrap_or_else(|| "unknown".to_owned()));
    let (login, user, database, version) = (field()?, field()?, field()?, field()?);
    let version = version.lines().next().unwrap_or_default().trim().to_owned();
    Ok(format!("database `{database}` as user `{user}` (login `{login}`), {version}"))
}

async fn rights_missing_on_ledger(session: &mut Session) -> Result<Vec<String>, Fault> {
    let operation = "asking for rights";
    let rows = session.rows(include_str!("sql/missing_rights_on_ledger.sql"), Vec::new(), operation).await?;
    let missing = rows.iter().map(|row: &Row| {
        let mut fields = Fields::of(row);
        let (permission, tables) = (fields.text()?, fields.count()?);
        Ok(format!("{permission} on {} of schema [millrace]", counted(tables, "table", "tables")))
    });
    missing.collect::<Result<_, SqlError>>().map_err(failed(operation))
}

async fn rights_missing_on(session: &mut Session, table: &str) -> Result<Vec<String>, Fault> {
    let operation = "asking for rights";
    let rows = session.rows(include_str!("sql/missing_rights.sql"), vec![text(table)], operation).await?;
    let missing = rows.iter().map(|row: &Row| Ok(format!("{} on {table}", Fields::of(row).text()?)));
    missing.collect::<Result<_, SqlError>>().map_err(failed(operation))
}
