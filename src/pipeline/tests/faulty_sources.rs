//! Faulty `[[feed.sftp]]` tables.

use super::{FLIGHTS, check_cases, faults};

/// The source begins on line 12.
fn faults_of_source(source: &str) -> String {
    faults(&format!("{FLIGHTS}[[feed.sftp]]\n{source}"))
}

/// What stands after a url, a host key and a login begins on line 15.
fn faults_of_setting(setting: &str) -> String {
    faults_of_source(&format!(
        "url = \"sftp://p@h/out\"\nhost_key = \"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"\npassword = \"env:PW\"\n{setting}"
    ))
}

#[test]
fn a_source_needs_a_server_a_host_key_and_a_login() {
    let cases = [
        (
            r#"url = "sftp://p@h/out"
password = "env:PW""#,
            r#"pipeline.toml:11: feed `flights`, sftp source: `host_key` is missing: without it, anybody could answer for this server; run `ssh-keyscan -p 22 h | ssh-keygen -lf -`, compare with what the partner says, and write `host_key = "SHA256:…"`"#,
        ),
        (
            r#"host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
password = "env:PW""#,
            r#"pipeline.toml:11: feed `flights`, sftp source: `url` is missing; write `url = "sftp://partner@sftp.example.com:22/outbox/flights"`"#,
        ),
        (
            r#"url = "ftp://p@h/out"
host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
password = "env:PW""#,
            r#"pipeline.toml:12: feed `flights`, sftp source: `url` begins with `ftp:`, but only sftp is read; write `url = "sftp://partner@sftp.example.com:22/outbox/flights"`"#,
        ),
        (
            r#"url = "sftp://h/out"
host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
password = "env:PW""#,
            r#"pipeline.toml:12: feed `flights`, sftp source: `url` names no user; write `url = "sftp://partner@sftp.example.com:22/outbox/flights"`"#,
        ),
        (
            r#"url = "sftp://p:hunter2@h/out"
host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
password = "env:PW""#,
            r#"pipeline.toml:12: feed `flights`, sftp source: `url` holds a password (not shown here); take it out, put it into a setting, and write `password = "env:NAME"`"#,
        ),
        (
            r#"url = "sftp://p@h/out?x=1"
host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
password = "env:PW""#,
            "pipeline.toml:12: feed `flights`, sftp source: `url` has a `?` or `#`, which no path on a server needs; write such characters as %3F or %23",
        ),
        (
            r#"url = "sftp://p@h:2222/out"
host_key = "MD5:aa:bb"
password = "env:PW""#,
            r#"pipeline.toml:13: feed `flights`, sftp source: a host key is `SHA256:` and 43 letters, digits, + or /, and this is not; run `ssh-keyscan -p 2222 h | ssh-keygen -lf -`, compare with what the partner says, and write `host_key = "SHA256:…"`"#,
        ),
        (
            r#"url = "sftp://p@h/out"
host_key = []
password = "env:PW""#,
            r#"pipeline.toml:13: feed `flights`, sftp source: `host_key` is empty; run `ssh-keyscan -p 22 h | ssh-keygen -lf -`, compare with what the partner says, and write `host_key = "SHA256:…"`"#,
        ),
        (
            r#"url = "sftp://p@h/out"
host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA""#,
            r#"pipeline.toml:11: feed `flights`, sftp source: neither `private_key` nor `password` is given; write `private_key = "env:NAME"` or `password = "env:NAME"`, NAME being a setting"#,
        ),
        (
            r#"url = "sftp://p@h/out"
host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
password = "hunter2""#,
            r#"pipeline.toml:14: feed `flights`, sftp source: `password` must name a setting, and not be the secret itself (not shown here); put the secret into a setting and write `password = "env:NAME"`"#,
        ),
        (
            r#"url = "sftp://p@h/out"
host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
password = "env:my password""#,
            r#"pipeline.toml:14: feed `flights`, sftp source: `password` names no setting: what follows `env:` is letters, digits and _, no digit first; write `password = "env:FLIGHTS_SFTP_KEY"`"#,
        ),
        (
            r#"url = "sftp://p@h/out"
host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
password = "env:A"
private_key = "env:B""#,
            "pipeline.toml:15: feed `flights`, sftp source: both `password` and `private_key` are given; keep one: the server is asked for one way in only",
        ),
        (
            r#"url = "sftp://p@h/out"
host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
password = "env:A"
passphrase = "env:B""#,
            r#"pipeline.toml:15: feed `flights`, sftp source: `passphrase` opens a private key, and none is given; write `private_key = "env:NAME"` too, or leave the passphrase out"#,
        ),
    ];
    check_cases(&cases, faults_of_source);
}

#[test]
fn a_faulty_setting_of_a_source_says_what_to_write_instead() {
    let cases = [
        (
            r#"name = "ACME""#,
            "pipeline.toml:15: feed `flights`, sftp source `ACME`: the name is not one that folders take everywhere; begin with a-z, go on with a-z, 0-9 or _, at most 63 characters",
        ),
        (
            r#"include = "*.csv""#,
            r#"pipeline.toml:15: feed `flights`, sftp source: `include` must be an array of strings, but a string stands here; write `include = ["*.csv"]`"#,
        ),
        (
            r#"include = ["a[.csv"]"#,
            "pipeline.toml:15: feed `flights`, sftp source: `include` holds `a[.csv`, which is no glob: unclosed character class; missing ']'; write a literal bracket or brace as `[[]` or `[{]`",
        ),
        (
            r#"include = ["sub/*.csv"]"#,
            "pipeline.toml:15: feed `flights`, sftp source: `include` holds `sub/*.csv`, but folders below the url's are not read; write `recursive = true`, or put the folder into `url`, in a source of its own",
        ),
        (
            r#"exclude = [""]"#,
            r#"pipeline.toml:15: feed `flights`, sftp source: `exclude` holds an empty glob; write `exclude = ["*.part"]`"#,
        ),
        (
            "settle = 30",
            r#"pipeline.toml:15: feed `flights`, sftp source: `settle` must be a string, but a whole number stands here; write `settle = "30s"`"#,
        ),
        (
            r#"settle = "soon""#,
            r#"pipeline.toml:15: feed `flights`, sftp source: `settle` is `soon`, which is no duration; write a whole number and ms, s, m or h: `settle = "30s"`"#,
        ),
        (
            r#"settle = "48h""#,
            r#"pipeline.toml:15: feed `flights`, sftp source: `settle` is longer than 24 hours; write `settle = "30s"`"#,
        ),
        (
            r#"after = "archive""#,
            "pipeline.toml:15: feed `flights`, sftp source: `after` cannot be `archive`; write `keep`, `delete` or `move:/archive/flights`",
        ),
        (
            r#"after = "move:archive""#,
            "pipeline.toml:15: feed `flights`, sftp source: `after` moves to `archive`, which is not an absolute path without `.` and `..`; write `move:/archive/flights`",
        ),
        (
            r#"after = "move:/out/""#,
            "pipeline.toml:15: feed `flights`, sftp source: `after` moves files to `/out`, where they come from: they would be seen again; name another directory",
        ),
        (
            "parallel = 0",
            "pipeline.toml:15: feed `flights`, sftp source: `parallel` is 0, but 1 to 16 transfers may run at a time; write `parallel = 4`",
        ),
        (
            r#"parallel = "four""#,
            "pipeline.toml:15: feed `flights`, sftp source: `parallel` must be a whole number, but a string stands here; write `parallel = 4`",
        ),
        (
            r#"done_marker = """#,
            "pipeline.toml:15: feed `flights`, sftp source: `done_marker` is empty: every file would be its own marker; write what is added to a file's name: with `done_marker = \".done\"`, a.csv waits for a.csv.done",
        ),
        (
            r#"done_marker = "*.done""#,
            "pipeline.toml:15: feed `flights`, sftp source: `done_marker` is `*.done`, which looks like a glob; write what is added to a file's name: with `done_marker = \".done\"`, a.csv waits for a.csv.done",
        ),
        (
            r#"done_marker = "done/""#,
            "pipeline.toml:15: feed `flights`, sftp source: `done_marker` is `done/`, but a marker lies beside its file; write what is added to a file's name: with `done_marker = \".done\"`, a.csv waits for a.csv.done",
        ),
        (
            "done_marker = true",
            r#"pipeline.toml:15: feed `flights`, sftp source: `done_marker` must be a string, but a boolean stands here; write `done_marker = ".done"`"#,
        ),
        (
            r#"recursive = "yes""#,
            "pipeline.toml:15: feed `flights`, sftp source: `recursive` must be true or false, but a string stands here; write `recursive = true`",
        ),
        (
            "recursive = true\ninclude = [\"*.csv\", \"*.gz\"]",
            "pipeline.toml:16: feed `flights`, sftp source: `recursive` reads the folders below too, but `include` takes nothing there: `*` stops at `/`; write `**/*.csv`, which takes the url's own files too",
        ),
        (
            "recursive = true\nexclude = [\"*.part\"]",
            "pipeline.toml:16: feed `flights`, sftp source: `exclude` holds `*.part`, which leaves out nothing in the folders below: `*` stops at `/`; write `**/*.part`, which leaves out the url's own files too",
        ),
        (
            r#"newer_than = "last year""#,
            r#"pipeline.toml:15: feed `flights`, sftp source: `newer_than` is `last year`, which is neither a date nor a time with its offset; write `newer_than = "2026-01-01"`, which begins at midnight UTC, or a time such as `2026-01-01T08:00:00Z`"#,
        ),
        (
            "newer_than = 2026-01-01T08:00:00",
            r#"pipeline.toml:15: feed `flights`, sftp source: `newer_than` is `2026-01-01T08:00:00`, which is neither a date nor a time with its offset; write `newer_than = "2026-01-01"`, which begins at midnight UTC, or a time such as `2026-01-01T08:00:00Z`"#,
        ),
        (
            "newer_than = 2026",
            r#"pipeline.toml:15: feed `flights`, sftp source: `newer_than` must be a date or time, but a whole number stands here; write `newer_than = "2026-01-01"`"#,
        ),
        (
            r#"hostkey = "x""#,
            "pipeline.toml:15: feed `flights`, sftp source: unknown key `hostkey`; did you mean `host_key`?",
        ),
        (
            r#"[[feed.sftp]]
name = "b"
url = "sftp://p@h/b"
host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
password = "env:PW""#,
            r#"pipeline.toml:11: feed `flights`, sftp source number 1: one of several sources needs a name, since its files land in a folder of this name; write `name = "acme"`"#,
        ),
        (
            r#"name = "b"
[[feed.sftp]]
name = "b"
url = "sftp://p@h/b"
host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
password = "env:PW""#,
            "pipeline.toml:17: feed `flights`, sftp source `b`: another source of this feed has this name already, on line 11; give each source a name of its own, since its files land in a folder of this name",
        ),
        (
            r#"[[feed]]
name = "other"
format = "csv"
[feed.columns]
a = "int64"
[[feed.sftp]]
url = "sftp://q@H/out/"
host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
password = "env:PW"
after = "delete""#,
            r#"pipeline.toml:15: feed `other`: it reads the same files of `/out` as feed `flights`, and one of them takes files away after landing; write `after = "keep"` for both, or another `include`"#,
        ),
        (
            r#"recursive = true
after = "delete"
[[feed]]
name = "other"
format = "csv"
[feed.columns]
a = "int64"
[[feed.sftp]]
url = "sftp://q@h/out/2026"
host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
password = "env:PW""#,
            r#"pipeline.toml:17: feed `other`: it reads the same files of `/out/2026` as feed `flights`, and one of them takes files away after landing; write `after = "keep"` for both, or another `include`"#,
        ),
    ];
    check_cases(&cases, faults_of_setting);
}
