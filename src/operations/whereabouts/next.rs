//! Where a file stands, and what comes next: by itself, or by somebody. Pure.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use super::story::{Event, FileStory, LedgerAnswer, Standing, VersionStory};
use crate::functions::sweep;
use crate::pipeline::SftpSource;

pub(super) fn standing(story: &FileStory) -> Standing {
    let Some(version) = present(story) else {
        return standing_without_blob(story);
    };
    // The ledger wins over every record, where it has this version.
    match &story.ledger {
        LedgerAnswer::Unit { etag, retracted, .. } if version.etag.as_ref() == Some(etag) => {
            if *retracted {
                Standing::Retracted
            } else {
                Standing::Counted
            }
        }
        _ if version.letter.is_some() => Standing::Dead,
        _ if version.attempts > 0 => Standing::Loading,
        LedgerAnswer::Away { .. } if version.retracted.is_some() => Standing::Retracted,
        LedgerAnswer::Away { .. } if version.loaded => Standing::Counted,
        _ => Standing::Waiting,
    }
}

fn standing_without_blob(story: &FileStory) -> Standing {
    let is_erased = story.versions.iter().any(|version| version.retracted.as_ref().is_some_and(|marker| marker.erased));
    match &story.ledger {
        LedgerAnswer::Unit { retracted: false, .. } => return Standing::Counted,
        LedgerAnswer::Unit { retracted: true, .. } if !is_erased => return Standing::Retracted,
        LedgerAnswer::Away { .. } if story.versions.iter().any(|version| version.loaded) => return Standing::Counted,
        _ => {}
    }
    if is_erased {
        return Standing::Erased;
    }
    if story.versions.iter().any(|version| version.letter.is_some()) {
        return Standing::Dead;
    }
    let has_landed = story.versions.iter().any(|version| version.etag.is_some());
    if has_landed { Standing::Gone } else { Standing::Seen }
}

/// The landed version.
fn present(story: &FileStory) -> Option<&VersionStory> {
    story.versions.iter().find(|version| version.is_landed)
}

pub(super) fn next(story: &FileStory, source: Option<&SftpSource>, now: DateTime<Utc>) -> String {
    let of_landed = of_landed(story, now);
    let coming = story.versions.iter().filter(|version| version.etag.is_none());
    let coming = coming.map(|version| of_seen(version, source, now));
    let said: Vec<String> = of_landed.into_iter().chain(stands(story)).chain(coming).collect();
    said.join("; ")
}

/// What counts until the landed version does.
fn stands(story: &FileStory) -> Option<String> {
    let LedgerAnswer::Unit { etag, retracted: false, .. } = &story.ledger else { return None };
    let is_landed = present(story).is_some_and(|version| version.etag.as_ref() != Some(etag));
    is_landed.then(|| format!("until then the counts of version {etag} stand"))
}

/// What becomes of a version that was seen and has not landed.
fn of_seen(version: &VersionStory, source: Option<&SftpSource>, now: DateTime<Utc>) -> String {
    let Some(source) = source else {
        return "no source of pipeline.toml takes it any more".to_owned();
    };
    if let (Some(staged), Some(seen_as)) = (version.staged_bytes, version.seen_as) {
        return format!(
            "a pull has brought {staged} of {} bytes; it is under way, or the next one goes on with it",
            seen_as.size_bytes
        );
    }
    let marker = source
        .done_marker
        .as_ref()
        .map(|suffix| format!(", and once its done marker (its name and `{suffix}`) is there"));
    let marker = marker.unwrap_or_default();
    let settled_at = version.first_seen.map(|first_seen| first_seen + source.settle);
    match settled_at {
        Some(at) if at > now => format!(
            "waits for its second look, {} after {}{marker}",
            seconds(source.settle),
            moment(version.first_seen.unwrap_or(at))
        ),
        _ => format!(
            "has settled ({} are over): the next pull takes it if it still looks the same{marker}",
            seconds(source.settle)
        ),
    }
}

fn of_landed(story: &FileStory, now: DateTime<Utc>) -> Option<String> {
    let replay = |blob: &str| {
        let feed = story.feed.as_ref().map_or("FEED", |feed| feed.as_str());
        format!("`millrace replay {feed} --blob {}`", quoted(blob))
    };
    let version = present(story);
    Some(match story.standing {
        Standing::Seen => return None,
        Standing::Waiting => waiting(version, now),
        Standing::Loading => match version.map_or(0, |version| version.attempts) {
            0 | 1 => {
                "the load is under way, or its handler was killed: then the next delivery runs it alone".to_owned()
            }
            begun => format!(
                "{begun} loads have begun and not ended: if none is under way, the next delivery makes it a dead letter"
            ),
        },
        Standing::Counted => counted(story, &replay),
        Standing::Dead => {
            let letter = version.or(story.versions.last()).and_then(|version| version.letter.as_ref());
            let remedy = letter.map(|letter| letter.remedy.as_str()).unwrap_or_default();
            let id = letter.map(|letter| letter.id()).unwrap_or_default();
            format!("{remedy} (`millrace dead-letters retry {id}`)")
        }
        Standing::Retracted => {
            format!(
                "counts nothing; a new version counts as ever, and {} counts this one again",
                replay(story.blob.as_str())
            )
        }
        Standing::Erased => "counts nothing and is removed; if a new version of it is sent, that one counts".to_owned(),
        Standing::Gone => {
            "its blob was deleted before it was counted: upload it again, or have it sent again".to_owned()
        }
    })
}

fn waiting(version: Option<&VersionStory>, now: DateTime<Utc>) -> String {
    let landed_at = version.into_iter().flat_map(|version| &version.events);
    let landed_at =
        landed_at.filter(|moment| matches!(moment.event, Event::Landed { .. })).map(|moment| moment.at).max();
    let again = sweep::next_announcement(landed_at.unwrap_or(now), now);
    format!(
        "waits to be loaded; if its message was lost, the sweep announces it again, at {} or soon after",
        moment(again)
    )
}

fn counted(story: &FileStory, replay: &dyn Fn(&str) -> String) -> String {
    let mut said = match &story.ledger {
        LedgerAnswer::Unit { generation, current_generation: Some(current), .. } if current > generation => format!(
            "was counted by generation {generation}, and pipeline.toml means generation {current} now: {} counts it anew",
            replay(story.blob.as_str())
        ),
        _ => "nothing is left to do".to_owned(),
    };
    if present(story).is_none() {
        said.push_str("; its blob is not in landing any more, its counts stand");
    }
    said
}

/// For a shell.
fn quoted(name: &str) -> String {
    format!("'{}'", name.replace('\'', "'\\''"))
}

pub(super) fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `2 s`, `5 min`
fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        whole if whole >= 60 && whole.is_multiple_of(60) => format!("{} min", whole / 60),
        whole => format!("{whole} s"),
    }
}
