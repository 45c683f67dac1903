//! <https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-shares--directories--files--and-metadata>

use percent_encoding::percent_decode_str;

use super::answers::Refusal;

const COMPONENT_LIMIT: usize = 255;
const PATH_LIMIT: usize = 2048;
const DEPTH_LIMIT: usize = 250;

/// The share, and the path below it, of a path as it stands in a request.
pub fn share_and_path(raw: &str) -> Result<(String, String), Refusal> {
    // An escaped `/` parts names too: Microsoft's SDK writes them so.
    let decoded = percent_decode_str(raw).decode_utf8().map_err(|_| Refusal::INVALID_RESOURCE_NAME)?;
    let mut parts: Vec<String> = decoded.trim_matches('/').split('/').map(str::to_owned).collect();
    let share = parts.remove(0);
    let is_share = (3..=63).contains(&share.len())
        && share.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !share.starts_with('-')
        && !share.ends_with('-')
        && !share.contains("--");
    if !is_share {
        return Err(Refusal::INVALID_RESOURCE_NAME);
    }
    for part in &mut parts {
        // Without x-ms-allow-trailing-dot they are lost.
        part.truncate(part.trim_end_matches('.').len());
        if part.is_empty() || part.chars().any(|c| c.is_control() || "\"\\/:|<>*?".contains(c)) {
            return Err(Refusal::INVALID_RESOURCE_NAME);
        }
        if part.encode_utf16().count() > COMPONENT_LIMIT {
            return Err(Refusal::PATH_TOO_LONG);
        }
    }
    let path = parts.join("/");
    if path.encode_utf16().count() > PATH_LIMIT || parts.len() > DEPTH_LIMIT {
        return Err(Refusal::PATH_TOO_LONG);
    }
    Ok((share, path))
}
