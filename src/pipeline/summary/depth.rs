//! How deep an expression will be, told from its tokens.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// The parser makes a chain of operators as deep as it is long, and whoever walks it (Polars too, or just to drop it)
/// uses the stack. So chains must be short before they are parsed.
pub(super) const MOST_OPERATORS: usize = 100;

/// The first token at which an expression has too many operators, counting those around it.
pub(super) fn too_deep(tokens: &[TokenWithSpan]) -> Option<&TokenWithSpan> {
    let mut outer_levels = Vec::new();
    let mut level = Level::default();
    tokens.iter().find(|token| {
        match effect_on_depth(&token.token) {
            Effect::Opens => {
                outer_levels.push(level);
                level = Level { around: level.around + level.operators, operators: 0 };
            }
            // With a bracket too many there is no outer level: the parser will say so.
            Effect::Closes => level = outer_levels.pop().unwrap_or_default(),
            Effect::Separates => level.operators = 0,
            Effect::Deepens => level.operators += 1,
            Effect::None => {}
        }
        level.around + level.operators > MOST_OPERATORS
    })
}

/// What was counted within one pair of brackets, or one CASE.
#[derive(Clone, Copy, Default)]
struct Level {
    /// In the expressions around it.
    around: usize,
    /// In its expression so far.
    operators: usize,
}

enum Effect {
    Opens,
    Closes,
    Separates,
    Deepens,
    None,
}

fn effect_on_depth(token: &Token) -> Effect {
    match token {
        Token::LParen => Effect::Opens,
        Token::RParen => Effect::Closes,
        Token::Comma | Token::SemiColon => Effect::Separates,
        Token::Whitespace(_) | Token::Number(..) | Token::SingleQuotedString(_) | Token::Period | Token::EOF => {
            Effect::None
        }
        Token::Word(word) if word.quote_style.is_some() => Effect::None,
        Token::Word(word) => match word.keyword {
            Keyword::CASE => Effect::Opens,
            Keyword::END => Effect::Closes,
            Keyword::SELECT
            | Keyword::FROM
            | Keyword::WHERE
            | Keyword::GROUP
            | Keyword::WHEN
            | Keyword::THEN
            | Keyword::ELSE => Effect::Separates,
            Keyword::AND
            | Keyword::OR
            | Keyword::NOT
            | Keyword::IS
            | Keyword::IN
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::BETWEEN
            | Keyword::UNION
            | Keyword::EXCEPT
            | Keyword::INTERSECT
            | Keyword::JOIN => Effect::Deepens,
            _ => Effect::None,
        },
        _ => Effect::Deepens,
    }
}
