//! Which server, and which secrets open it. A secret itself never stands in the file; where one does, it is refused
//! without being shown.

use percent_encoding::percent_decode_str;
use url::Url;

use super::section::Section;
use super::sftp::without_trailing_slash;
use super::{Login, SecretReference, SftpUrl};

const URL_EXAMPLE: &str = "url = \"sftp://partner@sftp.example.com:22/outbox/flights\"";
const DEFAULT_PORT: u16 = 22;

/// Messages about the url do not show it: it may hold a password.
pub(super) fn sftp_url(section: &Section<'_>) -> Option<SftpUrl> {
    let written = section.required_text("url", URL_EXAMPLE)?;
    let fault = |problem: &str, remedy: &str| -> Option<SftpUrl> {
        section.fault(written.line, problem, remedy);
        None
    };
    let example = format!("write `{URL_EXAMPLE}`");
    let Ok(url) = Url::parse(written.value) else {
        return fault("`url` is no url", &example);
    };
    if url.scheme() != "sftp" {
        return fault(&format!("`url` begins with `{}:`, but only sftp is read", url.scheme()), &example);
    }
    if url.password().is_some() {
        return fault(
            "`url` holds a password (not shown here)",
            "take it out, put it into a setting, and write `password = \"env:NAME\"`",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return fault("`url` has a `?` or `#`, which no path on a server needs", "write such characters as %3F or %23");
    }
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return fault("`url` names no server", &example);
    }
    let user = percent_decode_str(url.username()).decode_utf8_lossy().into_owned();
    if user.is_empty() {
        return fault("`url` names no user", &example);
    }
    let Ok(path) = percent_decode_str(url.path()).decode_utf8() else {
        return fault("`url` has a path that is not UTF-8", &example);
    };
    Some(SftpUrl {
        user,
        host: host.to_owned(),
        port: url.port().unwrap_or(DEFAULT_PORT),
        directory: without_trailing_slash(&path),
    })
}

pub(super) fn login(section: &Section<'_>) -> Option<Login> {
    let has = |key| section.has(key);
    if has("password") && has("private_key") {
        section.fault(
            section.line_of("private_key"),
            "both `password` and `private_key` are given",
            "keep one: the server is asked for one way in only",
        );
    }
    if !has("password") && !has("private_key") {
        section.fault(
            section.line,
            "neither `private_key` nor `password` is given",
            "write `private_key = \"env:NAME\"` or `password = \"env:NAME\"`, NAME being a setting",
        );
    }
    if has("passphrase") && !has("private_key") {
        section.fault(
            section.line_of("passphrase"),
            "`passphrase` opens a private key, and none is given",
            "write `private_key = \"env:NAME\"` too, or leave the passphrase out",
        );
    }
    let password = secret(section, "password");
    let key = secret(section, "private_key");
    let passphrase = secret(section, "passphrase");
    match (password, key) {
        (Some(password), None) => Some(Login::Password(password)),
        (None, Some(key)) => Some(Login::PrivateKey { key, passphrase }),
        _ => None,
    }
}

fn secret(section: &Section<'_>, key: &str) -> Option<SecretReference> {
    let example = format!("{key} = \"env:NAME\"");
    let written = section.text(key, &example)?;
    let Some(setting) = written.value.strip_prefix("env:") else {
        section.fault(
            written.line,
            format!("`{key}` must name a setting, and not be the secret itself (not shown here)"),
            format!("put the secret into a setting and write `{example}`"),
        );
        return None;
    };
    let mut characters = setting.chars();
    let is_setting = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_setting {
        section.fault(
            written.line,
            format!("`{key}` names no setting: what follows `env:` is letters, digits and _, no digit first"),
            format!("write `{key} = \"env:FLIGHTS_SFTP_KEY\"`"),
        );
        return None;
    }
    Some(SecretReference { setting: setting.to_owned() })
}
