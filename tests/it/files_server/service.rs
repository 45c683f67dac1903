//! The operations of the service.

use std::collections::BTreeMap;
use std::sync::Mutex;

use actix_web::body::SizedStream;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use percent_encoding::percent_decode_str;
use url::Url;

use super::answers::{Listed, Refusal, builder, describe, list};
use super::login::{Entrance, Needs, Signed, check, check_signature};
use super::names::share_and_path;
use super::store::{Content, Entry, FileShare, PAGE_LIMIT, Store, parent};

const RANGE_LIMIT: u64 = 4 * 1024 * 1024;
const FILE_LIMIT: u64 = 4 << 40;
/// Those that the service has had since tokens open everything, as far as they are known.
const VERSIONS: [&str; 9] = [
    "2024-11-04",
    "2025-01-05",
    "2025-05-05",
    "2025-07-05",
    "2025-11-05",
    "2026-02-06",
    "2026-04-06",
    "2026-06-06",
    "2026-10-06",
];

/// A request, taken apart.
struct Request {
    method: String,
    raw_path: String,
    share: String,
    /// Below the share; empty: its root.
    path: String,
    query: Vec<(String, String)>,
    headers: BTreeMap<String, String>,
    body: web::Bytes,
}

type Answer = Result<HttpResponse, Refusal>;
type Operation = fn(&mut Store, &Request, Entrance) -> Answer;

pub async fn serve(request: HttpRequest, body: web::Bytes, store: web::Data<Mutex<Store>>) -> HttpResponse {
    let is_head = request.method() == "HEAD";
    let mut store = store.lock().unwrap();
    if request.path() == "/msi/token" {
        return token(&store);
    }
    let line = format!("{} {}", request.method(), request.uri().path_and_query().map_or("/", |all| all.as_str()));
    let answer = taken_apart(&request, body).and_then(|request| operate(&mut store, &request));
    let response = answer.unwrap_or_else(|refusal| refusal.answer(is_head));
    store.served.push((line, response.status().as_u16()));
    response
}

/// As App Service serves tokens, version 2019-08-01.
fn token(store: &Store) -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({
        "access_token": store.token, "expires_on": "4102444800", "resource": "https://storage.azure.com",
        "token_type": "Bearer",
    }))
}

fn taken_apart(request: &HttpRequest, body: web::Bytes) -> Result<Request, Refusal> {
    let headers: BTreeMap<String, String> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_lowercase(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    let query = url::form_urlencoded::parse(request.query_string().as_bytes());
    let query = query.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let raw_path = request.uri().path().to_owned();
    let (share, path) = share_and_path(&raw_path)?;
    Ok(Request { method: request.method().to_string(), raw_path, share, path, query, headers, body })
}

fn operate(store: &mut Store, request: &Request) -> Answer {
    let (needs, operation) = operation(request)?;
    let signed =
        Signed { method: &request.method, path: &request.raw_path, query: &request.query, headers: &request.headers };
    match request.header("x-ms-version") {
        Some(version) if VERSIONS.contains(&version) => {}
        Some(_) => return Err(Refusal::INVALID_HEADER),
        None => return Err(Refusal::MISSING_HEADER),
    }
    let entrance = check(store, &signed, &request.share, needs)?;
    operation(store, request, entrance)
}

fn operation(request: &Request) -> Result<(Needs, Operation), Refusal> {
    const CREATE: Needs = Needs { rights: "cw", resource_type: 'o' };
    const WRITE: Needs = Needs { rights: "w", resource_type: 'o' };
    const READ: Needs = Needs { rights: "r", resource_type: 'o' };
    const DELETE: Needs = Needs { rights: "d", resource_type: 'o' };
    const LIST: Needs = Needs { rights: "l", resource_type: 'c' };
    const OF_SHARE: Needs = Needs { rights: "cw", resource_type: 'c' };
    let (kind, comp) = (request.query("restype"), request.query("comp"));
    Ok(match (request.method.as_str(), kind, comp) {
        ("PUT", "share", "") => (OF_SHARE, create_share),
        ("PUT", "directory", "") => (CREATE, create_directory),
        ("DELETE", "directory", "") => (DELETE, delete_directory),
        ("GET", "directory", "list") => (LIST, list_directory),
        ("PUT", "", "") => (CREATE, create_file),
        ("PUT", "", "range") => (WRITE, put_range),
        ("PUT", "", "rename") => (WRITE, rename),
        ("GET", "", "") => (READ, get_file),
        ("HEAD", "", "") => (READ, properties),
        ("DELETE", "", "") => (DELETE, delete_file),
        ("GET" | "HEAD" | "PUT" | "DELETE", _, _) => return Err(Refusal::UNSUPPORTED_QUERY),
        _ => return Err(Refusal::UNSUPPORTED_VERB),
    })
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn query(&self, name: &str) -> &str {
        self.query.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    fn key(&self) -> String {
        self.path.to_lowercase()
    }

    fn number(&self, header: &str) -> Result<u64, Refusal> {
        let text = self.header(header).ok_or(Refusal::MISSING_HEADER)?;
        text.parse().map_err(|_| Refusal::INVALID_HEADER)
    }

    /// The first byte and the one behind the last.
    fn range(&self) -> Result<Option<(u64, u64)>, Refusal> {
        let Some(text) = self.header("x-ms-range").or(self.header("range")) else { return Ok(None) };
        let bounds = text.strip_prefix("bytes=").and_then(|bounds| bounds.split_once('-'));
        let (first, last) = bounds.ok_or(Refusal::INVALID_HEADER)?;
        let first: u64 = first.parse().map_err(|_| Refusal::INVALID_HEADER)?;
        let last: u64 =
            if last.is_empty() { u64::MAX - 1 } else { last.parse().map_err(|_| Refusal::INVALID_HEADER)? };
        if last < first { Err(Refusal::INVALID_HEADER) } else { Ok(Some((first, last + 1))) }
    }

    fn metadata(&self) -> Vec<(String, String)> {
        let named = self.headers.iter().filter_map(|(name, value)| Some((name.strip_prefix("x-ms-meta-")?, value)));
        named.map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }
}

fn share<'a>(store: &'a mut Store, request: &Request) -> Result<&'a mut FileShare, Refusal> {
    store.shares.get_mut(&request.share).ok_or(Refusal::SHARE_NOT_FOUND)
}

fn file<'a>(share: &'a mut FileShare, request: &Request) -> Result<&'a mut Entry, Refusal> {
    if !share.has_directory(parent(&request.key())) {
        return Err(Refusal::PARENT_NOT_FOUND);
    }
    let found = share.entries.get_mut(&request.key()).ok_or(Refusal::RESOURCE_NOT_FOUND)?;
    if found.file().is_some() { Ok(found) } else { Err(Refusal::RESOURCE_TYPE_DIFFERS) }
}

fn create_share(store: &mut Store, request: &Request, _: Entrance) -> Answer {
    if store.create_share(&request.share) { Ok(builder(201).finish()) } else { Err(Refusal::SHARE_ALREADY_EXISTS) }
}

fn create_directory(store: &mut Store, request: &Request, _: Entrance) -> Answer {
    let etag = store.next_etag();
    let share = share(store, request)?;
    if !share.has_directory(parent(&request.key())) {
        return Err(Refusal::PARENT_NOT_FOUND);
    }
    if request.path.is_empty() || share.entries.contains_key(&request.key()) {
        return Err(Refusal::RESOURCE_ALREADY_EXISTS);
    }
    Ok(insert(share, request, Content::Directory, etag))
}

/// Create File: replaces one that is there.
fn create_file(store: &mut Store, request: &Request, _: Entrance) -> Answer {
    let etag = store.next_etag();
    let share = share(store, request)?;
    match request.header("x-ms-type") {
        Some("file") => {}
        Some(_) => return Err(Refusal::INVALID_HEADER),
        None => return Err(Refusal::MISSING_HEADER),
    }
    let size = request.number("x-ms-content-length")?;
    if size > FILE_LIMIT || !request.body.is_empty() {
        return Err(Refusal::INVALID_HEADER);
    }
    if request.path.is_empty() {
        return Err(Refusal::INVALID_RESOURCE_NAME);
    }
    if !share.has_directory(parent(&request.key())) {
        return Err(Refusal::PARENT_NOT_FOUND);
    }
    if share.has_directory(&request.key()) {
        return Err(Refusal::RESOURCE_TYPE_DIFFERS);
    }
    Ok(insert(share, request, Content::File { bytes: vec![0; size as usize], written: 0 }, etag))
}

fn insert(share: &mut FileShare, request: &Request, content: Content, etag: String) -> HttpResponse {
    let (path, metadata) = (request.path.clone(), request.metadata());
    let entry = Entry { path, content, etag, last_modified: Utc::now(), metadata };
    let mut response = builder(201);
    describe(&mut response, &entry);
    share.entries.insert(request.key(), entry);
    response.finish()
}

/// Put Range: at most 4 MiB, within the file.
fn put_range(store: &mut Store, request: &Request, _: Entrance) -> Answer {
    let etag = store.next_etag();
    let share = share(store, request)?;
    let (used, quota) = (share.used_bytes(), share.quota_bytes);
    let entry = file(share, request)?;
    match request.header("x-ms-write") {
        Some("update") => {}
        Some(_) => return Err(Refusal::INVALID_HEADER),
        None => return Err(Refusal::MISSING_HEADER),
    }
    let (start, end) = request.range()?.ok_or(Refusal::MISSING_HEADER)?;
    if end - start > RANGE_LIMIT {
        return Err(Refusal::BODY_TOO_LARGE);
    }
    if end - start != request.body.len() as u64 {
        return Err(Refusal::INVALID_HEADER);
    }
    let Content::File { bytes, written } = &mut entry.content else { return Err(Refusal::RESOURCE_TYPE_DIFFERS) };
    if end > bytes.len() as u64 {
        return Err(Refusal::INVALID_RANGE);
    }
    if used + end.saturating_sub(*written as u64) > quota {
        return Err(Refusal::SHARE_FULL);
    }
    bytes[start as usize..end as usize].copy_from_slice(&request.body);
    *written = (*written).max(end as usize);
    (entry.etag, entry.last_modified) = (etag, Utc::now());
    let mut response = builder(201);
    describe(&mut response, entry);
    Ok(response.finish())
}

fn rename(store: &mut Store, request: &Request, entrance: Entrance) -> Answer {
    let source = request.header("x-ms-file-rename-source").ok_or(Refusal::MISSING_HEADER)?;
    let source = Url::parse(source).map_err(|_| Refusal::INVALID_HEADER)?;
    let authority = format!("{}:{}", source.host_str().unwrap_or_default(), source.port().unwrap_or(80));
    if request.header("host") != Some(&authority) {
        return Err(Refusal::INVALID_HEADER);
    }
    let (source_share, source_path) = share_and_path(source.path())?;
    if source_share != request.share {
        return Err(Refusal::INVALID_HEADER);
    }
    if entrance == Entrance::Signature {
        // As Microsoft's SDKs do it: the source has its own.
        let query: Vec<(String, String)> = source.query_pairs().into_owned().collect();
        check_signature(store, &query, &source_share, Needs { rights: "w", resource_type: 'o' })?;
    }
    let replaces = match request.header("x-ms-file-rename-replace-if-exists").map(str::to_lowercase).as_deref() {
        Some("true") => true,
        Some("false") | None => false,
        Some(_) => return Err(Refusal::INVALID_HEADER),
    };
    let etag = store.next_etag();
    let share = share(store, request)?;
    if !share.has_directory(parent(&request.key())) {
        return Err(Refusal::PARENT_NOT_FOUND);
    }
    let source_key = source_path.to_lowercase();
    if share.entries.get(&source_key).is_none_or(|entry| entry.file().is_none()) {
        return Err(Refusal::RESOURCE_NOT_FOUND);
    }
    if share.entries.contains_key(&request.key()) && !replaces {
        return Err(Refusal::RESOURCE_ALREADY_EXISTS);
    }
    let moved = share.entries.remove(&source_key).ok_or(Refusal::RESOURCE_NOT_FOUND)?;
    let entry = Entry { path: request.path.clone(), etag, last_modified: Utc::now(), ..moved };
    let mut response = builder(200);
    describe(&mut response, &entry);
    share.entries.insert(request.key(), entry);
    Ok(response.finish())
}

fn get_file(store: &mut Store, request: &Request, _: Entrance) -> Answer {
    let entry = file(share(store, request)?, request)?;
    let (bytes, _) = entry.file().expect("a file was looked for");
    let size = bytes.len() as u64;
    let mut response = match request.range()? {
        None => builder(200),
        Some((start, _)) if start >= size => return Err(Refusal::INVALID_RANGE),
        Some((start, end)) => {
            let mut response = builder(206);
            response.insert_header(("content-range", format!("bytes {start}-{}/{size}", end.min(size) - 1)));
            response
        }
    };
    describe(&mut response, entry);
    response.insert_header(("x-ms-type", "File")).insert_header(("accept-ranges", "bytes"));
    let (start, end) = request.range()?.unwrap_or((0, size));
    let part = bytes[start as usize..end.min(size) as usize].to_vec();
    Ok(response.content_type("application/octet-stream").body(part))
}

fn properties(store: &mut Store, request: &Request, _: Entrance) -> Answer {
    let entry = file(share(store, request)?, request)?;
    let mut response = builder(200);
    describe(&mut response, entry);
    let size = entry.file().map_or(0, |(bytes, _)| bytes.len());
    response.insert_header(("x-ms-type", "File")).insert_header(("accept-ranges", "bytes"));
    // Of a HEAD only the length is sent.
    let no_bytes = futures::stream::empty::<Result<web::Bytes, actix_web::Error>>();
    Ok(response.body(SizedStream::new(size as u64, no_bytes)))
}

fn delete_file(store: &mut Store, request: &Request, _: Entrance) -> Answer {
    let share = share(store, request)?;
    file(share, request)?;
    share.entries.remove(&request.key());
    Ok(builder(202).finish())
}

fn delete_directory(store: &mut Store, request: &Request, _: Entrance) -> Answer {
    let share = share(store, request)?;
    if request.path.is_empty() || !share.has_directory(&request.key()) {
        return Err(Refusal::RESOURCE_NOT_FOUND);
    }
    if share.children(&request.key()).next().is_some() {
        return Err(Refusal::DIRECTORY_NOT_EMPTY);
    }
    share.entries.remove(&request.key());
    Ok(builder(202).finish())
}

fn list_directory(store: &mut Store, request: &Request, _: Entrance) -> Answer {
    let asked_for = match request.query("maxresults") {
        "" => PAGE_LIMIT,
        text => {
            text.parse().ok().filter(|files| (1..=PAGE_LIMIT).contains(files)).ok_or(Refusal::QUERY_OUT_OF_RANGE)?
        }
    };
    let page_files = asked_for.min(store.page_files);
    let share = share(store, request)?;
    if !share.has_directory(&request.key()) {
        return Err(Refusal::RESOURCE_NOT_FOUND);
    }
    // What the next page begins with; clients may not look into it.
    let from = percent_decode_str(request.query("marker")).decode_utf8_lossy().into_owned();
    let prefix = request.query("prefix").to_lowercase();
    let key = request.key();
    let mut entries = share.children(&key).filter(|entry| {
        let name = entry.name().to_lowercase();
        name.starts_with(&prefix) && name >= from
    });
    let page: Vec<&Entry> = entries.by_ref().take(page_files).collect();
    let next = entries.next().map(|entry| {
        let name = entry.name().to_lowercase();
        percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC).to_string()
    });
    let include = request.query("include").to_lowercase();
    let endpoint = format!("http://{}/", request.header("host").unwrap_or_default());
    let asked = Listed {
        endpoint: &endpoint,
        share: &request.share,
        directory: &request.path,
        prefix: request.query("prefix"),
        marker: request.query("marker"),
        page_files: asked_for,
        with_times: include.split(',').any(|one| one == "timestamps"),
    };
    Ok(list(&asked, &page, next.as_deref().unwrap_or_default()))
}
