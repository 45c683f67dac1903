//! The files that one load writes beside its counts, `<blob>/<etag>.<load id>.<extension>`: bad rows in container
//! `quarantine`, typed rows in container `curated`. The unit's row in the ledger names those that count.

use crate::names::{BlobName, ETag};

/// Where names go that would be too long together.
const LONG_NAMES: &str = "long-names";

/// The name of what the load `load_id` of one version writes.
pub fn name(blob: &BlobName, etag: &ETag, load_id: &str, extension: &str) -> BlobName {
    let file = format!("{}.{load_id}.{extension}", etag.as_str().replace('/', "%2F"));
    BlobName::new(format!("{blob}/{file}"))
        .or_else(|_| BlobName::new(format!("{LONG_NAMES}/{file}")))
        .expect("an ETag and a load id are short")
}

/// What a file's name tells: whose it is. `None` for files of no load, and for those of blobs with long names.
pub fn parse(name: &BlobName) -> Option<LoadFile> {
    let (blob, file) = name.as_str().rsplit_once('/')?;
    let (stem, _) = file.rsplit_once('.')?;
    let (etag, load_id) = stem.rsplit_once('.')?;
    if blob == LONG_NAMES {
        return None;
    }
    Some(LoadFile {
        blob: BlobName::new(blob).ok()?,
        etag: ETag::new(etag.replace("%2F", "/")).ok()?,
        load_id: load_id.to_owned(),
    })
}

/// Whose a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadFile {
    pub blob: BlobName,
    pub etag: ETag,
    pub load_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_blob_version_and_load() {
        let blob = BlobName::new("flights/a.csv").unwrap();
        let named = name(&blob, &ETag::new("0x1/2").unwrap(), "5f", "ndjson");
        assert_eq!(named.as_str(), "flights/a.csv/0x1%2F2.5f.ndjson");
        let load = LoadFile { blob, etag: ETag::new("0x1/2").unwrap(), load_id: "5f".to_owned() };
        assert_eq!(parse(&named), Some(load));
        assert_eq!(parse(&BlobName::new("messages/5f00").unwrap()), None);
    }

    #[test]
    fn a_blob_with_a_long_name_has_its_files_elsewhere() {
        let blob = BlobName::new(format!("flights/{}", "x".repeat(1010))).unwrap();
        let named = name(&blob, &ETag::new("0x1").unwrap(), "5f", "parquet");
        assert_eq!(named.as_str(), "long-names/0x1.5f.parquet");
        assert_eq!(parse(&named), None);
    }
}
