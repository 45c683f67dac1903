//! Refusals and lists, as the service writes them.

use std::fmt::Write;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder};
use chrono::{DateTime, Utc};

use super::store::Entry;

/// <https://learn.microsoft.com/rest/api/storageservices/file-service-error-codes> and `common-rest-api-error-codes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub message: &'static str,
}

macro_rules! refusals {
    ($($name:ident = $status:literal $code:literal $message:literal;)*) => {
        impl Refusal {
            $(pub const $name: Refusal = Refusal { status: $status, code: $code, message: $message };)*
        }
    };
}

refusals! {
    AUTHENTICATION_FAILED = 403 "AuthenticationFailed" "Server failed to authenticate the request. Make sure the value of \
        Authorization header is formed correctly including the signature.";
    INVALID_AUTHENTICATION_INFO = 401 "InvalidAuthenticationInfo" "Server failed to authenticate the request. Please refer \
        to the information in the www-authenticate header.";
    NO_AUTHENTICATION_INFORMATION = 401 "NoAuthenticationInformation" "Server failed to authenticate the request. Please \
        refer to the information in the www-authenticate header.";
    PERMISSION_MISMATCH = 403 "AuthorizationPermissionMismatch" "This request is not authorized to perform this operation \
        using this permission.";
    RESOURCE_TYPE_MISMATCH = 403 "AuthorizationResourceTypeMismatch" "This request is not authorized to perform this \
        operation using this resource type.";
    MISSING_HEADER = 400 "MissingRequiredHeader" "An HTTP header that's mandatory for this request is not specified.";
    INVALID_HEADER = 400 "InvalidHeaderValue" "The value for one of the HTTP headers is not in the correct format.";
    INVALID_RESOURCE_NAME = 400 "InvalidResourceName" "The specified resource name contains invalid characters.";
    PATH_TOO_LONG = 400 "InvalidFileOrDirectoryPathName" "File or directory path is too long.";
    QUERY_OUT_OF_RANGE = 400 "OutOfRangeQueryParameterValue" "One of the query parameters specified in the request URI is \
        outside the permissible range.";
    UNSUPPORTED_QUERY = 400 "UnsupportedQueryParameter" "One of the query parameters specified in the request URI is not \
        supported.";
    UNSUPPORTED_VERB = 405 "UnsupportedHttpVerb" "The resource doesn't support specified HTTP Verb.";
    SHARE_NOT_FOUND = 404 "ShareNotFound" "The specified share does not exist.";
    SHARE_ALREADY_EXISTS = 409 "ShareAlreadyExists" "The specified share already exists.";
    PARENT_NOT_FOUND = 404 "ParentNotFound" "The specified parent path does not exist.";
    RESOURCE_NOT_FOUND = 404 "ResourceNotFound" "The specified resource does not exist.";
    RESOURCE_ALREADY_EXISTS = 409 "ResourceAlreadyExists" "The specified resource already exists.";
    RESOURCE_TYPE_DIFFERS = 409 "ResourceTypeMismatch" "The specified resource type does not match the type of the \
        existing resource.";
    DIRECTORY_NOT_EMPTY = 409 "DirectoryNotEmpty" "The specified directory is not empty.";
    INVALID_RANGE = 416 "InvalidRange" "The range specified is invalid for the current size of the resource.";
    BODY_TOO_LARGE = 413 "RequestBodyTooLarge" "The request body is too large and exceeds the maximum permissible limit.";
    SHARE_FULL = 403 "ShareSizeLimitReached" "The specified share is full.";
}

impl Refusal {
    /// A HEAD has no body.
    pub fn answer(self, of_head: bool) -> HttpResponse {
        let mut response = builder(self.status);
        response.insert_header(("x-ms-error-code", self.code));
        if self.status == 401 {
            let challenge = "Bearer authorization_uri=https://login.microsoftonline.com/t/oauth2/authorize \
                             resource_id=https://storage.azure.com";
            response.insert_header(("www-authenticate", challenge));
        }
        if of_head {
            return response.finish();
        }
        let body = format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{}</Code><Message>{}\n\
             RequestId:00000000-0000-0000-0000-000000000000\nTime:{}</Message></Error>",
            self.code,
            escaped(self.message),
            time(Utc::now())
        );
        response.content_type("application/xml").body(body)
    }
}

pub fn builder(status: u16) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap());
    response.insert_header(("server", "a fake of Azure Files"));
    response.insert_header(("x-ms-request-id", "00000000-0000-0000-0000-000000000000"));
    response.insert_header(("x-ms-version", "2025-11-05"));
    response
}

/// What is said of a file or a directory with most answers.
pub fn describe(response: &mut HttpResponseBuilder, entry: &Entry) {
    let (created, etag) = (time(entry.last_modified), entry.etag.clone());
    response.insert_header(("etag", etag));
    response.insert_header(("last-modified", rfc1123(entry.last_modified)));
    response.insert_header(("x-ms-server-encrypted", "true"));
    response.insert_header(("x-ms-file-attributes", if entry.file().is_some() { "Archive" } else { "Directory" }));
    for name in ["x-ms-file-creation-time", "x-ms-file-last-write-time", "x-ms-file-change-time"] {
        response.insert_header((name, created.clone()));
    }
    response.insert_header(("x-ms-file-permission-key", "0*0"));
    response.insert_header(("x-ms-file-id", "1"));
    response.insert_header(("x-ms-file-parent-id", "0"));
    for (name, value) in &entry.metadata {
        response.insert_header((format!("x-ms-meta-{name}"), value.clone()));
    }
}

/// What a list was asked for, as its answer repeats it.
pub struct Listed<'a> {
    pub endpoint: &'a str,
    pub share: &'a str,
    pub directory: &'a str,
    pub prefix: &'a str,
    pub marker: &'a str,
    pub page_files: usize,
    pub with_times: bool,
}

pub fn list(asked: &Listed<'_>, entries: &[&Entry], next_marker: &str) -> HttpResponse {
    let mut body = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"{}\" ShareName=\"{}\" \
         DirectoryPath=\"{}\"><Prefix>{}</Prefix><Marker>{}</Marker><MaxResults>{}</MaxResults><DirectoryId>0</DirectoryId>\
         <Entries>",
        asked.endpoint,
        asked.share,
        escaped(asked.directory),
        escaped(asked.prefix),
        escaped(asked.marker),
        asked.page_files
    );
    for entry in entries {
        let times = match asked.with_times {
            true => {
                let (at, modified) = (time(entry.last_modified), rfc1123(entry.last_modified));
                let etag = escaped(&entry.etag);
                format!(
                    "<CreationTime>{at}</CreationTime><LastAccessTime>{at}</LastAccessTime><LastWriteTime>{at}\
                     </LastWriteTime><ChangeTime>{at}</ChangeTime><Last-Modified>{modified}</Last-Modified><Etag>{etag}</Etag>"
                )
            }
            false => String::new(),
        };
        let name = escaped(entry.name());
        let written = match entry.file() {
            Some((bytes, _)) => write!(
                body,
                "<File><FileId>1</FileId><Name>{name}</Name><Properties><Content-Length>{}</Content-Length>{times}\
                 </Properties></File>",
                bytes.len()
            ),
            None => write!(
                body,
                "<Directory><FileId>1</FileId><Name>{name}</Name><Properties>{times}</Properties></Directory>"
            ),
        };
        written.unwrap();
    }
    write!(body, "</Entries><NextMarker>{}</NextMarker></EnumerationResults>", escaped(next_marker)).unwrap();
    builder(200).content_type("application/xml").body(body)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn rfc1123(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S.0000000Z").to_string()
}
