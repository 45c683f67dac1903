//! Text that is written in another notation than was declared: markup, JSON where rows should be, rows where JSON should
//! be.

use super::Content;
use super::formats::Known;
use crate::values::check_json;

const PAGE: Known = Known {
    what: "an HTML page, such as servers send with an error",
    remedy: "look into the file for what its server says, and ask the sender for the data",
};
const XML: Known = Known {
    what: "XML",
    remedy: "look into the file: if it is an error message, ask the sender for the data, else for the format that was agreed",
};
const JSON_ARRAY: Known = Known {
    what: "a JSON array",
    remedy: "ask the sender for one object a line, which `jq -c '.[]'` makes of it, with format = \"ndjson\" of the feed",
};
const SPREAD_JSON: Known = Known {
    what: "JSON spread over several lines",
    remedy: "ask the sender for one object a line, which `jq -c .` makes of it, with format = \"ndjson\" of the feed",
};
const NDJSON: Known = Known {
    what: "NDJSON",
    remedy: "set format = \"ndjson\" of the feed, or ask the sender for the format that was agreed",
};
const ROWS: Known = Known {
    what: "text without JSON objects, such as CSV",
    remedy: "set format = \"csv\" of the feed if that is what it is, or ask the sender for one JSON object a line",
};

/// How an HTML page begins, in any case.
const PAGE_BEGINNINGS: [&str; 5] = ["<!doctype", "<html", "<head", "<body", "<script"];

/// So many lines without an object are no accident.
const TELLING_LINES: usize = 2;

/// Whether the text, in UTF-8 or another encoding that has ASCII, is certain not to be what was expected.
pub(super) fn another_than(expected: Content, text: &[u8]) -> Option<Known> {
    let text = text.trim_ascii_start();
    let begins = |with: &str| text.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with.as_bytes()));
    if PAGE_BEGINNINGS.iter().any(|beginning| begins(beginning)) {
        return Some(PAGE);
    }
    if begins("<?xml") {
        return Some(XML);
    }
    let first_line = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let inside = text.get(1..).unwrap_or_default().trim_ascii_start();
    match (text.first(), expected) {
        (Some(b'{'), _) if first_line == b"{" && inside.starts_with(b"\"") => Some(SPREAD_JSON),
        (Some(b'{'), Content::Text { .. }) if check_json(first_line).is_ok() => Some(NDJSON),
        (Some(b'['), Content::Ndjson) => Some(JSON_ARRAY),
        // Names in square brackets are SQL Server's.
        (Some(b'['), Content::Text { .. }) if inside.starts_with(b"{") => Some(JSON_ARRAY),
        (Some(_), Content::Ndjson) if !has_objects(text) => Some(ROWS),
        _ => None,
    }
}

/// Whether a line begins like an object, or there are too few lines to tell.
fn has_objects(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let first_lines: Vec<&[u8]> = lines.by_ref().take(TELLING_LINES).collect();
    first_lines.len() < TELLING_LINES || first_lines.into_iter().chain(lines).any(|line| line.starts_with(b"{"))
}
