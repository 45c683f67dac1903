//! The status page for a browser: one plain document without scripts, whose style stands in it, in the reader's colours.
//!
//! Every text that comes from outside goes through [`escaped`]; what a state means stands in words, never in a colour alone.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use super::text::{maybe, notes, stream_notes};
use super::{FeedStatus, FileCounts, LetterOnPage, StatusReport, StreamStatus};
use crate::words::{ago, counted, moment, number, shown, size};

const STYLE: &str = include_str!("html/page.css");

/// Where the page's own links lead: the query of the request that asked for it, which may carry the function's key.
#[derive(Clone, Debug, Default)]
pub struct PageLinks {
    query: Vec<(String, String)>,
}

impl PageLinks {
    pub fn of(query: &[(String, String)]) -> Self {
        PageLinks { query: query.iter().filter(|(name, _)| name != "format").cloned().collect() }
    }

    fn to_format(&self, format: &str) -> String {
        let mut link = url::form_urlencoded::Serializer::for_suffix(String::from("?"), 1);
        link.extend_pairs(&self.query).append_pair("format", format);
        escaped(&link.finish())
    }
}

impl StatusReport {
    pub fn to_html(&self, links: &PageLinks) -> String {
        let mut page = String::with_capacity(16 << 10);
        let _ = write!(
            page,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <title>millrace: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>millrace</h1>\n\
             <p>As of {}. The same as <a href=\"{}\">JSON</a> or <a href=\"{}\">text</a>.</p>\n</header>\n<main>\n",
            escaped(&self.in_a_word()),
            time(self.at, self.at),
            links.to_format("json"),
            links.to_format("text"),
        );
        write_files(self, &mut page);
        for feed in &self.feeds {
            write_feed(&mut page, feed, self.at);
        }
        write_streams(self, &mut page);
        write_letters(self, &mut page);
        page.push_str("</main>\n</body>\n</html>\n");
        page
    }

    /// What a tab among many says.
    fn in_a_word(&self) -> String {
        let waiting: usize = self.feeds.iter().map(|feed| feed.files.waiting).sum();
        match (self.dead_letter_count, waiting) {
            (0, 0) => "nothing waits".to_owned(),
            (0, waiting) => counted(waiting as u64, "file waits", "files wait"),
            (dead, _) => counted(dead as u64, "dead letter", "dead letters"),
        }
    }
}

fn write_files(report: &StatusReport, page: &mut String) {
    page.push_str("<section>\n<h2>Files</h2>\n");
    open_table(
        page,
        "Where the files of each feed and source stand",
        &["Feed, source", "At source", "Staged", "Landed", "Loaded", "Waiting", "Dead", "Retracted", "Last seen"],
    );
    for feed in &report.feeds {
        let last = feed
            .last_landed
            .map_or_else(|| "nothing landed yet".to_owned(), |last| format!("landed {}", time(last, report.at)));
        write_counts(page, "feed", feed.feed.as_str(), &feed.files, &last);
        for source in &feed.sources {
            let looked = source
                .last_looked_at
                .map_or_else(|| "never looked at".to_owned(), |last| format!("looked at {}", time(last, report.at)));
            let last = if source.failing { format!("<strong>failing</strong>; {looked}") } else { looked };
            write_counts(page, "source", source.shown_name(), &source.files, &last);
        }
    }
    close_table(page);
    page.push_str("</section>\n");
}

fn write_streams(report: &StatusReport, page: &mut String) {
    if report.streams.is_empty() {
        return;
    }
    page.push_str("<section>\n<h2>Streams</h2>\n");
    open_table(
        page,
        "How far each partition has come",
        &["Feed, hub", "Partition", "Applied", "Enqueued", "Lag", "Rows rejected", "Last applied"],
    );
    for stream in &report.streams {
        let last = stream.last_applied_at.map_or_else(|| "never".to_owned(), |last| time(last, report.at));
        let _ = write!(
            page,
            "<tr><th scope=\"row\">{}, {}</th><td>{}</td>",
            escaped(stream.feed.as_str()),
            escaped(&stream.hub),
            escaped(&stream.partition)
        );
        let numbers =
            [maybe(stream.applied), maybe(stream.last_enqueued), maybe(stream.lag), number(stream.rows_rejected)];
        for text in numbers {
            let _ = write!(page, "<td class=\"number\">{text}</td>");
        }
        let _ = writeln!(page, "<td>{last}</td></tr>");
    }
    close_table(page);
    let place = |stream: &StreamStatus| format!("{}, partition {}: ", stream.feed, stream.partition);
    let notes = report
        .streams
        .iter()
        .flat_map(|stream| stream_notes(stream).into_iter().map(move |note| format!("{}{note}", place(stream))));
    write_list(page, &notes.collect::<Vec<_>>());
    page.push_str("</section>\n");
}

fn write_letters(report: &StatusReport, page: &mut String) {
    page.push_str("<section>\n<h2>Dead letters</h2>\n");
    if report.dead_letter_count == 0 {
        page.push_str("<p>None.</p>\n</section>\n");
        return;
    }
    let caption = match report.dead_letter_count - report.dead_letters.len().min(report.dead_letter_count) {
        0 => "Files that failed, why, and what to do".to_owned(),
        more => format!("Files that failed, why, and what to do; {} more are not shown", number(more as u64)),
    };
    open_table(page, &caption, &["Id", "File", "Reason", "What to do", "Last tried"]);
    for LetterOnPage { id, letter } in &report.dead_letters {
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\"><code>{}</code></th><td class=\"name\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(id),
            escaped(letter.blob.as_str()),
            escaped(&letter.reason),
            escaped(&letter.remedy),
            time(letter.last_at, report.at)
        );
    }
    close_table(page);
    page.push_str("</section>\n");
}

fn write_counts(page: &mut String, class: &str, name: &str, files: &FileCounts, last: &str) {
    let _ = write!(page, "<tr class=\"{class}\"><th scope=\"row\">{}</th>", escaped(name));
    let staged = match files.staged {
        0 => "0".to_owned(),
        staged => format!("{} ({})", number(staged as u64), size(files.staged_bytes)),
    };
    let landed = match files.landed {
        0 => "0".to_owned(),
        landed => format!("{} ({})", number(landed as u64), size(files.landed_bytes)),
    };
    let plain = |count: usize| number(count as u64);
    let alarming = |count: usize| if count > 0 { format!("<strong>{}</strong>", plain(count)) } else { plain(count) };
    let cells = [
        plain(files.at_source),
        staged,
        landed,
        plain(files.loaded),
        plain(files.waiting),
        alarming(files.dead),
        plain(files.retracted),
    ];
    for cell in cells {
        let _ = write!(page, "<td class=\"number\">{cell}</td>");
    }
    let _ = writeln!(page, "<td>{last}</td></tr>");
}

fn write_feed(page: &mut String, feed: &FeedStatus, now: DateTime<Utc>) {
    let notes = notes(feed, now);
    if notes.is_empty() && feed.counted.generations.is_empty() {
        return;
    }
    let _ = writeln!(page, "<section>\n<h2>Feed {}</h2>", escaped(feed.feed.as_str()));
    write_list(page, &notes);
    if !feed.counted.generations.is_empty() {
        open_table(page, "What each generation has counted", &["Generation", "Files", "Rows read", "Rows rejected"]);
        for of in &feed.counted.generations {
            let rows = |count: i64| number(u64::try_from(count).unwrap_or(0));
            let _ = writeln!(
                page,
                "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td class=\"number\">{}</td>\
                 <td class=\"number\">{}</td></tr>",
                of.generation,
                number(of.files as u64),
                rows(of.rows_read),
                rows(of.rows_rejected)
            );
        }
        close_table(page);
    }
    page.push_str("</section>\n");
}

fn write_list(page: &mut String, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    page.push_str("<ul>\n");
    for line in lines {
        let _ = writeln!(page, "<li>{}</li>", escaped(line));
    }
    page.push_str("</ul>\n");
}

fn open_table(page: &mut String, caption: &str, heads: &[&str]) {
    // A wide table scrolls in its own frame, which the keyboard must reach.
    let _ = write!(
        page,
        "<div class=\"table\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n<table>\n\
         <caption>{caption}</caption>\n<thead><tr>",
        caption = escaped(caption)
    );
    for head in heads {
        let _ = write!(page, "<th scope=\"col\">{}</th>", escaped(head));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
}

fn close_table(page: &mut String) {
    page.push_str("</tbody>\n</table>\n</div>\n");
}

fn time(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let text = moment(time);
    format!(
        "<time datetime=\"{text}\" title=\"{text}\">{} ({})</time>",
        time.format("%Y-%m-%d %H:%M UTC"),
        ago(time, now)
    )
}

/// Fit to stand in the page's text and in its quoted attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in shown(text).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            plain => out.push(plain),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::{as_kept, empty_report, hostile_report, report};
    use super::*;

    #[test]
    fn everything_stands_in_the_page() {
        let page = report().to_html(&PageLinks::default()).replace(STYLE, "");
        as_kept("status.html", &page);
    }

    #[test]
    fn what_comes_from_outside_is_text_wherever_it_stands() {
        let query = [("code".to_owned(), "\"><script>alert(1)</script>".to_owned())];
        let page = hostile_report().to_html(&PageLinks::of(&query));
        let outside = page.split('<').skip(1).filter(|tag| tag.starts_with("script") || tag.starts_with("img"));
        assert_eq!(outside.count(), 0, "{page}");
        assert!(page.contains("&lt;script&gt;"), "{page}");
        assert!(!page.contains("onerror=x>"), "{page}");
        assert!(!page.contains('\u{1b}'), "{page}");
        let attributes_end = page.matches("\" onmouseover").count();
        assert_eq!(attributes_end, 0, "{page}");
    }

    #[test]
    fn links_keep_the_key_and_replace_the_format() {
        let query = [("code", "a b&c"), ("format", "html")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(PageLinks::of(&query).to_format("json"), "?code=a+b%26c&amp;format=json");
        assert_eq!(PageLinks::default().to_format("text"), "?format=text");
    }

    #[test]
    fn every_element_that_is_opened_is_closed() {
        for report in [report(), hostile_report(), empty_report()] {
            let page = report.to_html(&PageLinks::default());
            for element in
                ["html", "head", "body", "header", "main", "section", "table", "tr", "td", "th", "ul", "li", "div"]
            {
                let opened =
                    page.matches(&format!("<{element}>")).count() + page.matches(&format!("<{element} ")).count();
                assert_eq!(opened, page.matches(&format!("</{element}>")).count(), "{element}");
            }
            assert!(!page.contains("<script") && page.contains("prefers-color-scheme"));
        }
    }
}
