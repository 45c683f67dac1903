//! The warehouse: as which user it is reached, and what it lacks.

use super::{Fault, Seen};
use crate::stations::warehouse::{Schema, Standing, Warehouse};

/// Wakes a database that sleeps.
pub async fn try_warehouse(warehouse: &dyn Warehouse, schema: &Schema, seen: &Seen) -> Result<(), Fault> {
    let Standing { reached, to_migrate, missing_rights } = warehouse.standing(schema).await?;
    seen.note(reached);
    let mut faults = Vec::new();
    if !missing_rights.is_empty() {
        let missing = missing_rights.join(", ");
        faults.push(format!("this user lacks rights: {missing}; `millrace migrate --print` ends with what to grant"));
    }
    if !to_migrate.is_empty() {
        faults.push(format!("it is not as pipeline.toml asks ({}): run `millrace migrate`", to_migrate.join(", ")));
    }
    if !faults.is_empty() {
        return Err(faults.join("; ").into());
    }
    // Of a pipeline.toml that cannot be read nothing can be said.
    if !schema.meanings.is_empty() {
        seen.note("the tables are as pipeline.toml asks");
    }
    Ok(())
}
