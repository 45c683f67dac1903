//! What List Directories and Files answers.

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// <https://learn.microsoft.com/rest/api/storageservices/list-directories-and-files>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EnumerationResults {
    #[serde(default)]
    entries: Entries,
    next_marker: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Entries {
    /// Among them stand elements `Directory`, which are not ours.
    #[serde(rename = "File", default)]
    files: Vec<File>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    name: Name,
    properties: Properties,
}

/// A name that XML cannot hold comes percent-encoded, with an attribute that says so; none of ours does.
#[derive(Debug, Deserialize)]
struct Name {
    #[serde(rename = "$text", default)]
    text: String,
}

#[derive(Debug, Deserialize)]
struct Properties {
    #[serde(rename = "Content-Length")]
    content_length: u64,
    #[serde(rename = "Last-Modified")]
    last_modified: Option<String>,
}

/// One page of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub files: Vec<ListedFile>,
    /// Where the next page begins; `None`: this is the last.
    pub next_marker: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListedFile {
    pub name: String,
    pub size_bytes: u64,
    pub last_modified: DateTime<Utc>,
}

/// `Err` says what is wrong with the page.
pub(super) fn parse(body: &[u8]) -> Result<Page, String> {
    // The service begins its pages with a byte order mark.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let parsed: EnumerationResults =
        quick_xml::de::from_reader(body).map_err(|error| format!("the list is not what it should be: {error}"))?;
    let mut page = Page { files: Vec::new(), next_marker: parsed.next_marker.filter(|marker| !marker.is_empty()) };
    for file in parsed.entries.files {
        let time = file.properties.last_modified.as_deref().and_then(|text| DateTime::parse_from_rfc2822(text).ok());
        let Some(time) = time else {
            return Err(format!("the list has no Last-Modified of `{}`", file.name.text));
        };
        page.files.push(ListedFile {
            name: file.name.text,
            size_bytes: file.properties.content_length,
            last_modified: time.with_timezone(&Utc),
        });
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_and_directories_between_them_are_not() {
        let body = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults \
            ServiceEndpoint=\"https://acme.file.core.windows.net/\" ShareName=\"staging\" DirectoryPath=\"\"><Prefix \
            /><Marker /><MaxResults>5000</MaxResults><DirectoryId>0</DirectoryId><Entries><File><FileId>1</FileId>\
            <Name>a &amp; b</Name><Properties><Content-Length>7</Content-Length><CreationTime>2026-01-01T00:00:00.\
            0000000Z</CreationTime><Last-Modified>Thu, 26 Nov 2026 08:00:00 GMT</Last-Modified><Etag>\"0x1\"</Etag>\
            </Properties></File><Directory><Name>old</Name><Properties /></Directory><File><Name Encoded=\"true\">\
            %EF%BF%BE</Name><Properties><Content-Length>0</Content-Length><Last-Modified>Thu, 26 Nov 2026 09:00:00 \
            GMT</Last-Modified></Properties></File></Entries><NextMarker>m 1</NextMarker></EnumerationResults>";
        let page = parse(body.as_bytes()).unwrap();
        let files: Vec<_> = page.files.iter().map(|file| (file.name.as_str(), file.size_bytes)).collect();
        assert_eq!(files, [("a & b", 7), ("%EF%BF%BE", 0)]);
        assert_eq!(page.files[0].last_modified.to_rfc3339(), "2026-11-26T08:00:00+00:00");
        assert_eq!(page.next_marker.as_deref(), Some("m 1"));
    }

    #[test]
    fn an_empty_list_is_a_list() {
        for entries in ["<Entries />", "<Entries></Entries>"] {
            let body = format!("<EnumerationResults>{entries}<NextMarker /></EnumerationResults>");
            assert_eq!(parse(body.as_bytes()), Ok(Page::default()), "{entries}");
        }
    }

    #[test]
    fn what_is_no_list_is_told_from_an_empty_one() {
        assert!(parse(b"<html>the proxy says hello").is_err());
        let body = "<EnumerationResults><Entries><File><Name>a</Name><Properties><Content-Length>1</Content-Length>\
                    </Properties></File></Entries><NextMarker /></EnumerationResults>";
        assert_eq!(parse(body.as_bytes()), Err("the list has no Last-Modified of `a`".to_owned()));
    }
}
