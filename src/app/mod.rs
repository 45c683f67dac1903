use std::path::Path;
use std::time::Duration;
pub fn faults_of_functions(_: &Path) -> Vec<String> { vec![] }
pub fn function_timeout(_: &Path) -> Result<Option<Duration>, String> { Ok(None) }
