//! A container's blobs, page by page. The answers are XML; a name that no blob of ours can have stands there as an odd one.

use std::sync::Arc;

use futures::stream::{self, Stream, StreamExt};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::{AzureContainer, time_of};
use crate::names::{BlobName, ETag};
use crate::stations::azure_storage::{Answer, StorageError, StorageRequest, Verb};
use crate::stations::containers::listed::shown;
use crate::stations::containers::{BlobFacts, ContainerError, Listed, OddBlob};

/// Where a list goes on: at the service's marker, behind the last name that was listed.
enum Progress {
    Begin,
    At { marker: String, behind: String },
    Ended,
}

/// One page holds up to 5,000 blobs, and no more than one is held.
pub(super) fn list(
    container: AzureContainer,
    prefix: String,
    after: Option<String>,
) -> impl Stream<Item = Result<Listed, ContainerError>> + Send {
    let asked = Arc::new(Asked { container, prefix, after });
    let pages = stream::unfold(Progress::Begin, move |progress| {
        let asked = Arc::clone(&asked);
        async move {
            match asked.page(progress).await {
                Ok(None) => None,
                Ok(Some((found, next))) => Some((found.into_iter().map(Ok).collect(), next)),
                Err(source) => Some((vec![Err(asked.failure(source))], Progress::Ended)),
            }
        }
    });
    pages.map(stream::iter).flatten()
}

/// Everything that goes on where it stopped, and everything that holds two lists against each other, needs one order.
const OUT_OF_ORDER: &str = "this account does not list blobs in the order of their names, as one with a hierarchical namespace \
                            may, and files could be missed; use an account without one";

/// By the bytes of the names, or by their UTF-16 units, which differs only beyond U+FFFF.
fn is_in_order(earlier: &str, later: &str) -> bool {
    earlier <= later || earlier.encode_utf16().le(later.encode_utf16())
}

struct NamedEntry {
    name: String,
    properties: Properties,
}

impl NamedEntry {
    fn of(entry: Entry) -> Self {
        NamedEntry { name: entry.name.text(), properties: entry.properties }
    }
}

struct Asked {
    container: AzureContainer,
    prefix: String,
    after: Option<String>,
}

impl Asked {
    async fn page(&self, progress: Progress) -> Result<Option<(Vec<Listed>, Progress)>, StorageError> {
        let container = &self.container;
        let mut request =
            StorageRequest::new(Verb::Get, container.url.clone()).query("restype", "container").query("comp", "list");
        if !self.prefix.is_empty() {
            request = request.query("prefix", &self.prefix);
        }
        let mut behind = String::new();
        match (progress, &self.after) {
            (Progress::Ended, _) => return Ok(None),
            (Progress::At { marker, behind: last }, _) => {
                request = request.query("marker", &marker);
                behind = last;
            }
            // What begins with the prefix comes after a name before it: the service wants no such beginning.
            (Progress::Begin, Some(after)) if *after > self.prefix => request = request.query("startFrom", after),
            (Progress::Begin, _) => {}
        }
        let answer = container.client.send(&request).await?;
        if answer.status == 404 && answer.code() == Some("ContainerNotFound") {
            return Ok(None);
        }
        if !answer.is_success() {
            return Err(container.client.refusal(&answer));
        }
        let page = Page::parse(&answer).map_err(|problem| container.client.strange(problem))?;
        let mut found = Vec::new();
        for entry in page.blobs.all {
            let entry = NamedEntry::of(entry);
            if !is_in_order(&behind, &entry.name) {
                return Err(container.client.strange(format!("{} stands behind {behind}: {OUT_OF_ORDER}", entry.name)));
            }
            behind.clone_from(&entry.name);
            found.extend(self.listed(entry));
        }
        let next = match page.next_marker {
            Some(marker) if !marker.is_empty() => Progress::At { marker, behind },
            _ => Progress::Ended,
        };
        Ok(Some((found, next)))
    }

    fn listed(&self, NamedEntry { name, properties }: NamedEntry) -> Option<Listed> {
        // A hierarchical namespace lists its folders too.
        if properties.resource_type.as_deref() == Some("directory") {
            return None;
        }
        // `startFrom` includes its name.
        if self.after.as_deref().is_some_and(|after| name.as_str() <= after) {
            return None;
        }
        let listed = properties.listed(&name);
        if listed.is_none() {
            let container = self.container.name;
            tracing::warn!(container, blob = name, "passed over a blob whose properties cannot be understood");
        }
        listed
    }

    fn failure(&self, source: StorageError) -> ContainerError {
        let container = self.container.name;
        ContainerError::List { container, prefix: self.prefix.clone(), source: source.into() }
    }
}

/// <https://learn.microsoft.com/rest/api/storageservices/list-blobs>
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    blobs: Blobs,
    next_marker: Option<String>,
}

#[derive(Deserialize, Default)]
struct Blobs {
    #[serde(rename = "Blob", default)]
    all: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    name: Name,
    properties: Properties,
}

#[derive(Deserialize)]
struct Name {
    #[serde(rename = "@Encoded", default)]
    is_encoded: bool,
    #[serde(rename = "$text", default)]
    text: String,
}

#[derive(Deserialize)]
struct Properties {
    #[serde(rename = "Last-Modified")]
    last_modified: Option<String>,
    #[serde(rename = "Content-Length")]
    content_length: Option<u64>,
    #[serde(rename = "Etag", alias = "ETag")]
    etag: Option<String>,
    #[serde(rename = "ResourceType")]
    resource_type: Option<String>,
}

impl Page {
    fn parse(answer: &Answer) -> Result<Page, String> {
        quick_xml::de::from_reader(&*answer.body).map_err(|error| format!("as a list of blobs, {error}"))
    }
}

impl Name {
    /// The service escapes names with characters that XML cannot hold.
    fn text(self) -> String {
        if !self.is_encoded {
            return self.text;
        }
        percent_decode_str(&self.text).decode_utf8_lossy().into_owned()
    }
}

impl Properties {
    fn listed(self, name: &str) -> Option<Listed> {
        let etag = ETag::new(self.etag?).ok()?;
        let last_modified = time_of(&self.last_modified?)?;
        Some(match BlobName::new(name) {
            Ok(name) => Listed::Blob(BlobFacts { name, etag, size_bytes: self.content_length?, last_modified }),
            Err(_) => Listed::Odd(OddBlob {
                position: name.to_owned(),
                shown: shown(name),
                etag,
                last_modified,
                reason: "its name is longer than a blob's may be",
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(xml: &str) -> Page {
        quick_xml::de::from_reader(xml.as_bytes()).unwrap()
    }

    #[test]
    fn a_page_is_read_as_the_service_writes_it() {
        let page = page(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\
             <EnumerationResults ServiceEndpoint=\"https://acme.blob.core.windows.net/\" ContainerName=\"landing\">\
             <Prefix>a</Prefix><Blobs>\
             <Blob><Name> a &lt;&amp;&#x41;> </Name><Properties><Creation-Time>x</Creation-Time>\
             <Last-Modified>Wed, 21 Oct 2026 07:28:00 GMT</Last-Modified><Etag>0x8D</Etag>\
             <Content-Length>7</Content-Length><Content-Type /><LeaseStatus>unlocked</LeaseStatus></Properties>\
             <OrMetadata /></Blob>\
             <Blob><Name Encoded=\"true\">a%0Ab%EF%BF%BE%25</Name><Properties>\
             <Last-Modified>Wed, 21 Oct 2026 07:28:00 GMT</Last-Modified><Etag>0x8E</Etag>\
             <Content-Length>0</Content-Length><ResourceType>file</ResourceType></Properties></Blob>\
             </Blobs><NextMarker>2!92!x</NextMarker></EnumerationResults>",
        );
        assert_eq!(page.next_marker.as_deref(), Some("2!92!x"));
        let names: Vec<String> = page.blobs.all.into_iter().map(|entry| entry.name.text()).collect();
        assert_eq!(names, [" a <&A> ", "a\nb\u{fffe}%"]);
    }

    #[test]
    fn an_order_by_folders_is_noticed() {
        let by_bytes = ["a", "a.csv", "a.csv.gz/=1", "a.csv/=1", "a/b", "a\u{ff01}", "a\u{1f600}"];
        for pair in by_bytes.windows(2) {
            assert!(is_in_order(pair[0], pair[1]), "{pair:?}");
        }
        assert!(is_in_order("a\u{1f600}", "a\u{ff01}"), "by UTF-16 units");
        assert!(!is_in_order("a.csv/=1", "a.csv.gz/=1"), "folder after folder");
        assert!(!is_in_order("b", "a"));
    }

    #[test]
    fn an_empty_page_ends_the_list() {
        for blobs in ["<Blobs />", "<Blobs></Blobs>", ""] {
            let page = page(&format!(
                "<EnumerationResults><MaxResults>1</MaxResults>{blobs}<NextMarker /></EnumerationResults>"
            ));
            assert!(page.blobs.all.is_empty());
            assert_eq!(page.next_marker.unwrap_or_default(), "");
        }
    }
}
