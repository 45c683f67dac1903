//! The containers landing, quarantine, curated and millrace-state: blobs with versions. The port is `object_store`'s
//! trait; two things that it lacks are ours: the conditional commit of a large blob, and a list that an odd name does
//! not stop.
//!
//! The shape that the rest of the program builds on:
//!
//! ```text
//! Containers { landing: Container, quarantine: Container, curated: Container, state: Container }
//! Containers::open(location: &StorageLocation) -> Result<Containers, ContainerError>
//!
//! Container::url(&self) -> &str                                        // file:///…/landing
//! Container::head(&self, &BlobName) -> Result<Option<BlobFacts>>       // None: gone
//! Container::read(&self, &BlobName, Range<u64>, if_match: &ETag) -> Result<Bytes>   // Superseded | Gone
//! Container::get(&self, &BlobName) -> Result<Option<Bytes>>            // small records, whole
//! Container::put(&self, &BlobName, Bytes) -> Result<ETag>              // small records, whole
//! Container::put_new(&self, &BlobName, Bytes) -> Result<bool>          // false: it is there already
//! Container::delete(&self, &BlobName) -> Result<()>                    // gone already is fine
//! Container::list(&self, prefix: &str, after: Option<&str>) -> stream of Result<BlobFacts>, sorted by name
//! Container::upload(&self, &BlobName) -> Result<Upload>                // Upload::write(Bytes), commit(Condition) -> ETag, abort()
//! BlobFacts { name: BlobName, etag: ETag, size_bytes: u64, last_modified: DateTime<Utc> }
//! Condition { Absent, Is(ETag) }
//! ContainerError::disposition(); variants Superseded{blob}, Gone{blob}, …
//! ```
