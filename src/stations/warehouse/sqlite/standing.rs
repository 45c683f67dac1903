//! What a trial finds of a file. Changes nothing, and makes none.

use std::path::Path;

use rusqlite::Connection;

use super::connection::failed;
use super::ledger::{known_version, latest_generation, schema_version, stored_shapes};
use crate::stations::warehouse::standing::Found;
use crate::stations::warehouse::{Schema, Standing, WarehouseError};

pub fn of_no_file(file: &Path) -> Standing {
    Standing {
        reached: reached(file),
        to_migrate: vec!["the file is not there yet".to_owned()],
        missing_rights: Vec::new(),
    }
}

pub fn standing(connection: &Connection, file: &Path, schema: &Schema) -> Result<Standing, WarehouseError> {
    let version = schema_version(connection)?;
    let (mut shapes, mut fingerprints) = (Vec::new(), Vec::new());
    if version > 0 {
        shapes = stored_shapes(connection)?;
        for meaning in &schema.meanings {
            let latest = latest_generation(connection, meaning.feed.as_str())?;
            fingerprints.push(latest.map(|(_, fingerprint)| fingerprint));
        }
    }
    let found = Found { version, known_version: known_version(), shapes, fingerprints };
    let is_read_only = connection.is_readonly("main").map_err(failed("asking for rights"))?;
    Ok(Standing {
        reached: reached(file),
        to_migrate: found.to_migrate(schema)?,
        missing_rights: if is_read_only { vec!["to write to the file".to_owned()] } else { Vec::new() },
    })
}

fn reached(file: &Path) -> String {
    format!("SQLite file `{}`", file.display())
}
