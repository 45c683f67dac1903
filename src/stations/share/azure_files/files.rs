//! The requests to one directory of a share. Each says in words what its answers mean.

use std::ops::Range;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::super::StagedName;
use super::error::AzureFilesError;
use super::name::CopyName;
use super::{AzureFilesLocation, list};
use crate::stations::azure_storage::{Answer, StorageClient, StorageLogin, StorageRequest, Verb};

/// From 2024-11-04 on, tokens open all operations. This one is served in every region
/// (<https://learn.microsoft.com/rest/api/storageservices/versioning-for-the-azure-storage-services>).
const SERVICE_VERSION: &str = "2025-11-05";
/// The most that one Put Range may write.
const RANGE_LIMIT: usize = 4 * 1024 * 1024;
/// The most that one page of a list may have.
const PAGE_FILES: &str = "5000";
/// What needs no `%` in a path. All else is escaped, so that no library on the way has anything to tidy.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) struct Files {
    client: StorageClient,
    /// The share, and each directory on the way to ours.
    levels: Vec<Url>,
}

/// How something was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    Once,
    /// It took several tries, and one that seemed to fail may have done it, or may do it yet.
    PerhapsTwice,
}

impl Done {
    fn by(answer: &Answer) -> Self {
        if answer.may_have_happened_before { Done::PerhapsTwice } else { Done::Once }
    }
}

/// A staged copy that a list showed.
#[derive(Debug)]
pub(super) struct Found {
    pub copy: CopyName,
    pub size_bytes: u64,
    pub last_modified: DateTime<Utc>,
}

impl Found {
    /// Somebody else may have cut it short.
    pub fn is_sound(&self) -> bool {
        self.size_bytes >= self.copy.staged
    }
}

impl Files {
    pub fn new(location: &AzureFilesLocation) -> Result<Self, AzureFilesError> {
        let client = StorageClient::new(location.account.clone(), SERVICE_VERSION)?;
        let mut url = location.account.endpoint.clone();
        let mut levels = Vec::new();
        for part in std::iter::once(&location.share).chain(&location.directories) {
            url = below(&url, part);
            levels.push(url.clone());
        }
        Ok(Files { client, levels })
    }

    /// The directory's address, without a login.
    pub fn url(&self) -> &str {
        self.directory().as_str()
    }

    fn directory(&self) -> &Url {
        self.levels.last().expect("a share is a level at least")
    }

    fn file(&self, copy: &CopyName) -> Url {
        below(self.directory(), &copy.to_string())
    }

    async fn send(&self, request: StorageRequest) -> Result<Answer, AzureFilesError> {
        let request = match self.client.account().login {
            // With it, the role counts and not the permissions of each file
            // (<https://learn.microsoft.com/azure/storage/files/authorize-oauth-rest>).
            StorageLogin::Identity(_) => request.header("x-ms-file-request-intent", "backup"),
            StorageLogin::AccountKey(_) | StorageLogin::SharedAccessSignature(_) => request,
        };
        Ok(self.client.send(&request).await?)
    }

    fn refusal(&self, answer: &Answer) -> AzureFilesError {
        AzureFilesError::refused(self.client.account(), answer)
    }

    /// Create File. Makes the directories too, where they are missing.
    pub async fn create(&self, copy: &CopyName, size_bytes: u64) -> Result<Done, AzureFilesError> {
        let request = StorageRequest::new(Verb::Put, self.file(copy))
            .header("x-ms-type", "file")
            .header("x-ms-content-length", size_bytes.to_string());
        let mut answer = self.send(request.clone()).await?;
        if is_parent_missing(&answer) {
            self.create_directories().await?;
            answer = self.send(request).await?;
        }
        match answer.status {
            201 => Ok(Done::by(&answer)),
            _ => Err(self.refusal(&answer)),
        }
    }

    /// Create Directory, for each from the outermost on. The share is for people to create: it has a size and a price.
    async fn create_directories(&self) -> Result<(), AzureFilesError> {
        for directory in &self.levels[1..] {
            let request = StorageRequest::new(Verb::Put, directory.clone()).query("restype", "directory");
            let answer = self.send(request).await?;
            match (answer.status, answer.code()) {
                (201, _) | (409, Some("ResourceAlreadyExists")) => {}
                _ => return Err(self.refusal(&answer)),
            }
        }
        Ok(())
    }

    /// Put Range, as often as it takes. `None`: there is no such file.
    pub async fn put(&self, copy: &CopyName, offset: u64, bytes: &Bytes) -> Result<Option<()>, AzureFilesError> {
        let mut at = offset;
        for start in (0..bytes.len()).step_by(RANGE_LIMIT) {
            let part = bytes.slice(start..bytes.len().min(start + RANGE_LIMIT));
            let end = at + part.len() as u64;
            let request = StorageRequest::new(Verb::Put, self.file(copy))
                .query("comp", "range")
                .header("x-ms-write", "update")
                .header("x-ms-range", range_header(&(at..end)))
                .body(part);
            let answer = self.send(request).await?;
            match answer.status {
                201 => at = end,
                404 if is_file_missing(&answer) => return Ok(None),
                _ => return Err(self.refusal(&answer)),
            }
        }
        Ok(Some(()))
    }

    /// Get File, one range. `None`: there is no such file.
    pub async fn get(&self, copy: &CopyName, range: &Range<u64>) -> Result<Option<Bytes>, AzureFilesError> {
        if range.is_empty() {
            return Ok(Some(Bytes::new()));
        }
        let request = StorageRequest::new(Verb::Get, self.file(copy)).header("x-ms-range", range_header(range));
        let answer = self.send(request).await?;
        match answer.status {
            200 | 206 if answer.body.len() as u64 == range.end - range.start => Ok(Some(answer.body)),
            200 | 206 => {
                let problem = format!("{} bytes for bytes {}..{}", answer.body.len(), range.start, range.end);
                Err(self.client.strange(problem).into())
            }
            404 if is_file_missing(&answer) => Ok(None),
            // Cut short since it was listed.
            416 => Ok(None),
            _ => Err(self.refusal(&answer)),
        }
    }

    /// Rename File. `None`: there is no such file.
    pub async fn rename(&self, from: &CopyName, to: &CopyName) -> Result<Option<Done>, AzureFilesError> {
        let mut source = self.file(from);
        if let StorageLogin::SharedAccessSignature(signature) = &self.client.account().login {
            source.set_query(Some(signature.reveal()));
        }
        let request = StorageRequest::new(Verb::Put, self.file(to))
            .query("comp", "rename")
            .header("x-ms-file-rename-source", source.as_str())
            .header("x-ms-file-rename-replace-if-exists", "false");
        let answer = self.send(request).await?;
        match answer.status {
            200 | 201 => Ok(Some(Done::by(&answer))),
            // The try whose answer was lost may have done it.
            404 | 409 if answer.may_have_happened_before && self.is_there(to).await? => Ok(Some(Done::PerhapsTwice)),
            404 if is_file_missing(&answer) => Ok(None),
            _ => Err(self.refusal(&answer)),
        }
    }

    /// Get File Properties.
    async fn is_there(&self, copy: &CopyName) -> Result<bool, AzureFilesError> {
        let answer = self.send(StorageRequest::new(Verb::Head, self.file(copy))).await?;
        match answer.status {
            200 => Ok(true),
            404 => Ok(false),
            _ => Err(self.refusal(&answer)),
        }
    }

    /// Delete File. That it is gone already is fine.
    pub async fn delete(&self, copy: &CopyName) -> Result<(), AzureFilesError> {
        let answer = self.send(StorageRequest::new(Verb::Delete, self.file(copy))).await?;
        match answer.status {
            202 => Ok(()),
            404 if is_file_missing(&answer) => Ok(()),
            _ => Err(self.refusal(&answer)),
        }
    }

    /// List Directories and Files, page by page: the copies of one file, or all.
    pub async fn list(&self, of: Option<&StagedName>) -> Result<Vec<Found>, AzureFilesError> {
        let mut found = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let mut request = StorageRequest::new(Verb::Get, self.directory().clone())
                .query("restype", "directory")
                .query("comp", "list")
                .query("include", "Timestamps")
                .query("maxresults", PAGE_FILES)
                .header("x-ms-file-extended-info", "true");
            if let Some(name) = of {
                request = request.query("prefix", &CopyName::prefix(name));
            }
            if let Some(marker) = &marker {
                request = request.query("marker", marker);
            }
            let answer = self.send(request).await?;
            match answer.status {
                200 => {}
                // No file was staged yet, so nobody has made the directory.
                404 if is_file_missing(&answer) && self.levels.len() > 1 => return Ok(found),
                _ => return Err(self.refusal(&answer)),
            }
            let page = list::parse(&answer.body).map_err(|problem| self.client.strange(problem))?;
            found.extend(page.files.into_iter().filter_map(|file| {
                let copy = CopyName::parse(&file.name)?;
                let (size_bytes, last_modified) = (file.size_bytes, file.last_modified);
                of.is_none_or(|name| *name == copy.of).then_some(Found { copy, size_bytes, last_modified })
            }));
            if page.next_marker.is_none() {
                return Ok(found);
            }
            if page.next_marker == marker {
                return Err(self.client.strange("the list goes on where it began").into());
            }
            marker = page.next_marker;
        }
    }
}

fn is_parent_missing(answer: &Answer) -> bool {
    answer.status == 404 && matches!(answer.code(), Some("ParentNotFound" | "ResourceNotFound"))
}

/// Not the share: that it is missing is an error.
fn is_file_missing(answer: &Answer) -> bool {
    answer.status == 404 && answer.code() != Some("ShareNotFound")
}

fn range_header(range: &Range<u64>) -> String {
    format!("bytes={}-{}", range.start, range.end - 1)
}

fn below(url: &Url, part: &str) -> Url {
    let mut deeper = url.clone();
    let path = url.path().trim_end_matches('/');
    deeper.set_path(&format!("{path}/{}", utf8_percent_encode(part, IN_PATH)));
    deeper
}
