//! Containers of Azure Blob Storage, and of Azurite.
//!
//! Every request is one of the REST interface, over [`StorageClient`]. `object_store`'s own client is not used: it lacks
//! the condition on a list of blocks and on a removal, stops a list at a name that its paths cannot hold, cannot read
//! such a blob either, and deletes by a batch that an account's signature does not open at Azurite.
//!
//! A write under a condition carries a mark of its own as metadata. If its answer is lost and the second try finds the
//! condition broken, the mark tells whether the first one broke it.

mod list;
mod writer;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{BoxStream, StreamExt};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;
use uuid::Uuid;

use self::writer::BlockWriter;
use super::{Backend, BlobFacts, BlobWriter, Condition, ContainerError, Listed, quoted};
use crate::names::{BlobName, ETag};
use crate::stations::azure_storage::{Answer, StorageAccount, StorageClient, StorageError, StorageRequest, Verb};

/// The first version whose lists begin at a name (`startFrom`).
const SERVICE_VERSION: &str = "2026-02-06";
const MARK: &str = "x-ms-meta-millracewrite";
/// What needs no `%` in a path. All else is escaped, so that no library on the way has anything to tidy.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// <https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata>
const SEGMENT_LIMIT: usize = 254;

/// One container of an account. Cheap to clone.
#[derive(Clone)]
pub(super) struct AzureContainer {
    client: Arc<StorageClient>,
    name: &'static str,
    /// Without a trailing `/`.
    url: Url,
}

pub(super) fn client(account: &StorageAccount) -> Result<Arc<StorageClient>, StorageError> {
    Ok(Arc::new(StorageClient::new(account.clone(), SERVICE_VERSION)?))
}

impl AzureContainer {
    /// Asks for nothing. A container that is not there is empty.
    pub fn look_at(client: &Arc<StorageClient>, name: &'static str) -> Result<Self, ContainerError> {
        let url = client.account().endpoint.join(name);
        let source = |error: url::ParseError| ContainerError::OpenAzure {
            container: name,
            url: client.account().endpoint.to_string(),
            source: error.into(),
        };
        Ok(AzureContainer { client: Arc::clone(client), name, url: url.map_err(source)? })
    }

    /// Creates the container if it is missing and the login may do so.
    ///
    /// # Errors
    /// Where there is no such container afterwards, or the login may not even list it.
    pub async fn open(client: &Arc<StorageClient>, name: &'static str) -> Result<Self, ContainerError> {
        let container = AzureContainer::look_at(client, name)?;
        let request = StorageRequest::new(Verb::Put, container.url.clone()).query("restype", "container");
        let failure = |source: StorageError| ContainerError::OpenAzure {
            container: name,
            url: container.url.to_string(),
            source: source.into(),
        };
        let answer = client.send(&request).await.map_err(failure)?;
        match (answer.status, answer.code()) {
            (201, _) | (409, Some("ContainerAlreadyExists")) => {}
            (403, _) => {
                let look = StorageRequest::new(Verb::Get, container.url.clone())
                    .query("restype", "container")
                    .query("comp", "list")
                    .query("maxresults", "1");
                let look = client.send(&look).await.map_err(failure)?;
                if !look.is_success() {
                    return Err(failure(client.refusal(&look)));
                }
            }
            _ => return Err(failure(client.refusal(&answer))),
        }
        Ok(container)
    }

    fn request(&self, verb: Verb, blob: &BlobName) -> StorageRequest {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{}", url.path(), utf8_percent_encode(blob.as_str(), IN_PATH)));
        StorageRequest::new(verb, url)
    }

    async fn send(
        &self,
        operation: &'static str,
        blob: &BlobName,
        request: &StorageRequest,
    ) -> Result<Answer, ContainerError> {
        self.client.send(request).await.map_err(|source| self.failure(operation, blob, source))
    }

    fn failure(&self, operation: &'static str, blob: &BlobName, source: StorageError) -> ContainerError {
        ContainerError::Store { operation, container: self.name, blob: blob.clone(), source: source.into() }
    }

    fn refusal(&self, operation: &'static str, blob: &BlobName, answer: &Answer) -> ContainerError {
        self.failure(operation, blob, self.client.refusal(answer))
    }

    fn superseded(&self, blob: &BlobName) -> ContainerError {
        ContainerError::Superseded { container: self.name, blob: blob.clone() }
    }

    fn gone(&self, blob: &BlobName) -> ContainerError {
        ContainerError::Gone { container: self.name, blob: blob.clone() }
    }

    fn etag(&self, operation: &'static str, blob: &BlobName, answer: &Answer) -> Result<ETag, ContainerError> {
        let etag = answer.header("etag").and_then(|text| ETag::new(text).ok());
        etag.ok_or_else(|| self.failure(operation, blob, self.client.strange("it has no ETag")))
    }

    fn facts(&self, blob: &BlobName, answer: &Answer) -> Result<BlobFacts, ContainerError> {
        let strange = |what: &str| self.failure("head", blob, self.client.strange(what));
        let size = answer.header("content-length").and_then(|text| text.parse().ok());
        let time = answer.header("last-modified").and_then(time_of);
        Ok(BlobFacts {
            name: blob.clone(),
            etag: self.etag("head", blob, answer)?,
            size_bytes: size.ok_or_else(|| strange("it has no Content-Length"))?,
            last_modified: time.ok_or_else(|| strange("it has no Last-Modified"))?,
        })
    }

    /// Sends a write under a condition, marked, and says what became of it.
    async fn write(
        &self,
        operation: &'static str,
        blob: &BlobName,
        request: StorageRequest,
        condition: &Condition,
    ) -> Result<ETag, ContainerError> {
        let mark = Uuid::new_v4().simple().to_string();
        let request = match condition {
            Condition::Absent => request.header("if-none-match", "*"),
            Condition::Is(etag) => request.header("if-match", quoted(etag)),
        };
        let request = request.header(MARK, mark.clone());
        let answer = self.send(operation, blob, &request).await?;
        if answer.is_success() {
            return self.etag(operation, blob, &answer);
        }
        match verdict(&answer) {
            Verdict::ConditionBroken if answer.may_have_happened_before => {
                let now = self.send(operation, blob, &self.request(Verb::Head, blob)).await?;
                if now.header(MARK) == Some(&mark) {
                    return self.etag(operation, blob, &now);
                }
                Err(self.superseded(blob))
            }
            Verdict::ConditionBroken => Err(self.superseded(blob)),
            // A commit by somebody else throws away all blocks that wait. If it did, it broke our condition too.
            Verdict::BlocksGone => {
                let now = self.send(operation, blob, &self.request(Verb::Head, blob)).await?;
                if now.is_success() && now.header(MARK) == Some(&mark) {
                    return self.etag(operation, blob, &now);
                }
                let present = if now.is_success() { Some(self.etag(operation, blob, &now)?) } else { None };
                if condition.holds(present.as_ref()) {
                    return Err(self.refusal(operation, blob, &answer));
                }
                Err(self.superseded(blob))
            }
            Verdict::Other => Err(self.refusal(operation, blob, &answer)),
        }
    }
}

enum Verdict {
    ConditionBroken,
    BlocksGone,
    Other,
}

/// What a refusal of a write or a removal under a condition means. A lease's refusal is a 412 too, and no other version.
fn verdict(answer: &Answer) -> Verdict {
    match (answer.status, answer.code()) {
        (412, None | Some("ConditionNotMet" | "TargetConditionNotMet")) => Verdict::ConditionBroken,
        (409, Some("BlobAlreadyExists")) | (404, Some("BlobNotFound")) => Verdict::ConditionBroken,
        (400, Some("InvalidBlockList")) => Verdict::BlocksGone,
        _ => Verdict::Other,
    }
}

fn time_of(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text).ok().map(|time| time.with_timezone(&Utc))
}

#[async_trait]
impl Backend for AzureContainer {
    fn url(&self) -> &str {
        self.url.as_str()
    }

    fn objection(&self, blob: &BlobName) -> Option<&'static str> {
        let name = blob.as_str();
        if name.split('/').any(|segment| segment == "." || segment == "..") {
            return Some("it has a segment `.` or `..`, which no address can hold");
        }
        if name.contains('\\') {
            // Seen at Azurite, whatever its encoding in the address.
            return Some("it has a backslash, which the service takes for `/`");
        }
        if name.chars().any(|c| c.is_control()) {
            return Some("it has a control character");
        }
        (name.split('/').count() > SEGMENT_LIMIT).then_some("it has more than 254 parts between `/`")
    }

    async fn head(&self, blob: &BlobName) -> Result<Option<BlobFacts>, ContainerError> {
        let answer = self.send("head", blob, &self.request(Verb::Head, blob)).await?;
        match answer.status {
            200 => self.facts(blob, &answer).map(Some),
            404 => Ok(None),
            _ => Err(self.refusal("head", blob, &answer)),
        }
    }

    async fn read(&self, blob: &BlobName, range: Range<u64>, if_match: &ETag) -> Result<Bytes, ContainerError> {
        let request = self
            .request(Verb::Get, blob)
            .header("range", format!("bytes={}-{}", range.start, range.end - 1))
            .header("if-match", quoted(if_match));
        let answer = self.send("read", blob, &request).await?;
        match (answer.status, answer.code()) {
            (200 | 206, _) => Ok(answer.body),
            (404, _) => Err(self.gone(blob)),
            // Azurite finds a condition broken where there is no blob.
            (412, _) => match self.head(blob).await? {
                None => Err(self.gone(blob)),
                Some(_) => Err(self.superseded(blob)),
            },
            (416, _) => Err(ContainerError::OutOfRange { container: self.name, blob: blob.clone(), range }),
            _ => Err(self.refusal("read", blob, &answer)),
        }
    }

    async fn get(&self, blob: &BlobName) -> Result<Option<(Bytes, ETag)>, ContainerError> {
        let answer = self.send("get", blob, &self.request(Verb::Get, blob)).await?;
        match answer.status {
            200 => {
                let etag = self.etag("get", blob, &answer)?;
                Ok(Some((answer.body, etag)))
            }
            404 => Ok(None),
            _ => Err(self.refusal("get", blob, &answer)),
        }
    }

    async fn put(&self, blob: &BlobName, body: Bytes, condition: Option<Condition>) -> Result<ETag, ContainerError> {
        let request = self.request(Verb::Put, blob).header("x-ms-blob-type", "BlockBlob").body(body);
        if let Some(condition) = condition {
            return self.write("put", blob, request, &condition).await;
        }
        let answer = self.send("put", blob, &request).await?;
        if answer.is_success() {
            return self.etag("put", blob, &answer);
        }
        Err(self.refusal("put", blob, &answer))
    }

    async fn delete(&self, blob: &BlobName) -> Result<(), ContainerError> {
        let answer = self.send("delete", blob, &self.removal(blob)).await?;
        match answer.status {
            202 | 404 => Ok(()),
            _ => Err(self.refusal("delete", blob, &answer)),
        }
    }

    async fn delete_version(&self, blob: &BlobName, etag: &ETag) -> Result<(), ContainerError> {
        let answer = self.send("delete", blob, &self.removal(blob).header("if-match", quoted(etag))).await?;
        match (answer.status, verdict(&answer)) {
            (202 | 404, _) => Ok(()),
            (_, Verdict::ConditionBroken) => match self.head(blob).await? {
                None => Ok(()),
                Some(_) => Err(self.superseded(blob)),
            },
            _ => Err(self.refusal("delete", blob, &answer)),
        }
    }

    async fn begin(&self, blob: &BlobName) -> Result<Box<dyn BlobWriter>, ContainerError> {
        Ok(Box::new(BlockWriter::new(self.clone(), blob.clone())))
    }

    fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'static, Result<Listed, ContainerError>> {
        list::list(self.clone(), prefix.to_owned(), after.map(str::to_owned)).boxed()
    }
}

impl AzureContainer {
    /// Snapshots go too: they are the same content.
    fn removal(&self, blob: &BlobName) -> StorageRequest {
        self.request(Verb::Delete, blob).header("x-ms-delete-snapshots", "include")
    }
}
