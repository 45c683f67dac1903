//! `include` and `exclude`: globs on the path below the url's directory. `*` and `?` stop at `/`, `**` does not.

use globset::GlobBuilder;

use super::Folders;
use super::section::{Found, Section};

const INCLUDE_EXAMPLE: &str = "include = [\"*.csv\"]";
const EXCLUDE_EXAMPLE: &str = "exclude = [\"*.part\"]";

pub(super) fn include(section: &Section<'_>, folders: Folders) -> Vec<String> {
    let Some(globs) = globs(section, "include", INCLUDE_EXAMPLE) else {
        return Vec::new();
    };
    match folders {
        Folders::Left => {
            for glob in globs.iter().filter(|glob| glob.value.trim_start_matches("**/").contains('/')) {
                let problem = format!("`include` holds `{}`, but folders below the url's are not read", glob.value);
                let remedy = "write `recursive = true`, or put the folder into `url`, in a source of its own";
                section.fault(glob.line, problem, remedy);
            }
        }
        Folders::Read => {
            // One that names a file of the url's directory may stand beside others that lead into folders.
            if let (Some(first), true) = (globs.first(), globs.iter().all(stays_at_the_top)) {
                let problem =
                    "`recursive` reads the folders below too, but `include` takes nothing there: `*` stops at `/`";
                section.fault(
                    first.line,
                    problem,
                    format!("write `**/{}`, which takes the url's own files too", first.value),
                );
            }
        }
    }
    owned(&globs)
}

pub(super) fn exclude(section: &Section<'_>, folders: Folders) -> Vec<String> {
    let Some(globs) = globs(section, "exclude", EXCLUDE_EXAMPLE) else {
        return Vec::new();
    };
    // What is not excluded in the folders is pulled from there, half-written files too.
    if folders == Folders::Read {
        for glob in globs.iter().filter(|glob| glob.value.starts_with('*') && stays_at_the_top(glob)) {
            let problem = format!(
                "`exclude` holds `{}`, which leaves out nothing in the folders below: `*` stops at `/`",
                glob.value
            );
            section.fault(
                glob.line,
                problem,
                format!("write `**/{}`, which leaves out the url's own files too", glob.value),
            );
        }
    }
    owned(&globs)
}

fn stays_at_the_top(glob: &Found<&str>) -> bool {
    !glob.value.contains('/') && !glob.value.contains("**")
}

fn owned(globs: &[Found<&str>]) -> Vec<String> {
    globs.iter().map(|glob| glob.value.to_owned()).collect()
}

fn globs<'a>(section: &Section<'a>, key: &str, example: &str) -> Option<Vec<Found<&'a str>>> {
    let written = section.texts(key, example)?;
    for glob in &written {
        if glob.value.is_empty() {
            section.fault(glob.line, format!("`{key}` holds an empty glob"), format!("write `{example}`"));
        } else if let Err(error) = GlobBuilder::new(glob.value).literal_separator(true).build() {
            let problem = format!("`{key}` holds `{}`, which is no glob: {}", glob.value, error.kind());
            section.fault(glob.line, problem, "write a literal bracket or brace as `[[]` or `[{]`");
        }
    }
    Some(written)
}
