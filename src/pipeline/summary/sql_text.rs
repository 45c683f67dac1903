//! SQL inside the TOML file: parsing it, and finding the file's line for each place in it.

use sqlparser::ast::{Expr, Spanned, Statement};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token, Tokenizer};

use super::depth::{MOST_OPERATORS, too_deep};
use crate::pipeline::section::Section;

/// In bytes.
const LONGEST: usize = 65_536;

/// The SQL under one key. Faults in it are reported with the file's lines.
pub(in crate::pipeline) struct SqlText<'s, 'a> {
    section: &'s Section<'a>,
    text: &'a str,
    /// The file's line for each line of `text`.
    lines: Vec<usize>,
}

impl<'s, 'a> SqlText<'s, 'a> {
    /// `None` if the key is missing or no string, which is reported.
    pub fn of(section: &'s Section<'a>, key: &str, example: &str) -> Option<Self> {
        let text = section.required_text(key, example)?;
        if text.value.len() > LONGEST {
            let problem = format!("the SQL has {} bytes, and {LONGEST} are taken", text.value.len());
            section.fault(text.line, problem, "split it into several summaries or rules");
            return None;
        }
        let lines = match section.raw(key) {
            Some((raw, first_line)) => file_lines(raw, first_line),
            None => vec![text.line],
        };
        Some(SqlText { section, text: text.value, lines })
    }

    /// Where the SQL begins.
    pub fn first_line(&self) -> usize {
        let blank_lines = self.text.lines().take_while(|line| line.trim().is_empty()).count();
        self.file_line(blank_lines as u64 + 1)
    }

    fn file_line(&self, sql_line: u64) -> usize {
        let position = (sql_line as usize).saturating_sub(1).min(self.lines.len() - 1);
        self.lines[position]
    }

    /// The file's line of a node; `above` for a node that does not know its own.
    pub fn line(&self, node: &impl Spanned, above: usize) -> usize {
        self.line_of_span(node.span(), above)
    }

    pub fn line_of_span(&self, span: Span, above: usize) -> usize {
        if span.start.line == 0 { above } else { self.file_line(span.start.line) }
    }

    pub fn fault(&self, line: usize, problem: impl Into<String>, remedy: impl Into<String>) {
        self.section.fault(line, problem, remedy);
    }

    /// How many faults the file has so far.
    pub fn fault_count(&self) -> usize {
        self.section.report.count()
    }

    /// `None` if it cannot be parsed, which is reported.
    pub fn statements(&self) -> Option<Vec<Statement>> {
        let mut parser = self.parser()?;
        self.reported(parser.parse_statements())
    }

    /// `None` if it is not one expression, which is reported.
    pub fn expression(&self) -> Option<Expr> {
        let mut parser = self.parser()?;
        let expression = parser.parse_expr().and_then(|expression| {
            parser.expect_token(&Token::EOF)?;
            Ok(expression)
        });
        self.reported(expression)
    }

    fn parser(&self) -> Option<Parser<'static>> {
        let tokens = Tokenizer::new(&GenericDialect, self.text).tokenize_with_location();
        let tokens = self.reported(tokens.map_err(ParserError::from))?;
        if let Some(token) = too_deep(&tokens) {
            let problem = format!("this expression has more than {MOST_OPERATORS} operators");
            let line = self.line_of_span(token.span, self.first_line());
            self.fault(line, problem, "use IN or BETWEEN, or split it into several outputs or rules");
            return None;
        }
        Some(Parser::new(&GenericDialect).with_tokens_with_locations(tokens))
    }

    fn reported<T>(&self, parsed: Result<T, ParserError>) -> Option<T> {
        match parsed {
            Ok(parsed) => Some(parsed),
            Err(ParserError::RecursionLimitExceeded) => {
                self.fault(self.first_line(), "the SQL is nested too deeply", "split it into several outputs or rules");
                None
            }
            Err(ParserError::TokenizerError(message) | ParserError::ParserError(message)) => {
                let (words, location) = split_location(&message);
                let (line, remedy) = match location {
                    Some((line, column)) => {
                        (self.file_line(line), format!("look at column {column} of the SQL's line"))
                    }
                    None => (self.first_line(), "look at its end".to_owned()),
                };
                self.fault(
                    line,
                    format!("the SQL cannot be parsed: {}", lower_first(words).replace("EOF", "the end")),
                    remedy,
                );
                None
            }
        }
    }
}

/// The parser puts the place at the end of its message: `… at Line: 1, Column: 8`.
fn split_location(message: &str) -> (&str, Option<(u64, u64)>) {
    let location = |words: &str| -> Option<(u64, u64)> {
        let (line, column) = words.split_once(", Column: ")?;
        Some((line.parse().ok()?, column.parse().ok()?))
    };
    match message.rsplit_once(" at Line: ") {
        Some((words, place)) => (words, location(place)),
        None => (message, None),
    }
}

fn lower_first(words: &str) -> String {
    let mut characters = words.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// For each line of a TOML string's value, the file's line on which it stands. `raw` is the string as written.
fn file_lines(raw: &str, first_line: usize) -> Vec<usize> {
    let mut lines = vec![first_line];
    let mut file_line = first_line;
    let is_basic = raw.starts_with('"');
    let is_multi_line = raw.starts_with("\"\"\"") || raw.starts_with("'''");
    let content = if is_multi_line { &raw[3..] } else { raw };
    let mut rest = content.chars().peekable();
    let mut at_start = is_multi_line;
    while let Some(character) = rest.next() {
        match character {
            '\n' if at_start => {
                file_line += 1;
                lines[0] = file_line;
            }
            '\r' if at_start => continue,
            '\n' => {
                file_line += 1;
                lines.push(file_line);
            }
            '\\' if is_basic => match rest.next() {
                Some('n') => lines.push(file_line),
                // A backslash at the end of a line joins it with the next one that is not blank.
                Some(blank) if blank.is_whitespace() => {
                    file_line += usize::from(blank == '\n');
                    while let Some(blank) = rest.next_if(|c| c.is_whitespace()) {
                        file_line += usize::from(blank == '\n');
                    }
                }
                _ => {}
            },
            _ => {}
        }
        at_start = false;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_string_are_found_whichever_way_it_is_quoted() {
        assert_eq!(file_lines("\"a\"", 3), [3]);
        assert_eq!(file_lines("\"a\\nb\"", 3), [3, 3]);
        assert_eq!(file_lines("\"\"\"\na\nb\"\"\"", 3), [4, 5]);
        assert_eq!(file_lines("\"\"\"\r\na\r\nb\"\"\"", 3), [4, 5]);
        assert_eq!(file_lines("\"\"\"a\n\nb\"\"\"", 3), [3, 4, 5]);
        assert_eq!(file_lines("\"\"\"\na \\\n\n  b\nc\"\"\"", 3), [4, 7]);
        assert_eq!(file_lines("'''\na\\\nb'''", 3), [4, 5]);
    }

    #[test]
    fn a_message_is_parted_from_its_place() {
        assert_eq!(split_location("Expected: x at Line: 2, Column: 14"), ("Expected: x", Some((2, 14))));
        assert_eq!(split_location("no place"), ("no place", None));
    }
}
