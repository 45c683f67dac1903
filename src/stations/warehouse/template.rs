//! Templates of SQL: text with `{name}` in it. It knows no SQL.

/// Puts values into `{name}` in one pass, so that a value is never searched itself.
pub fn fill(template: &str, placeholders: &[(&'static str, String)]) -> String {
    let mut filled = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let known = after
            .split_once('}')
            .and_then(|(name, tail)| Some((placeholders.iter().find(|(known, _)| *known == name)?, tail)));
        match known {
            Some(((_, value), tail)) => {
                filled.push_str(value);
                rest = tail;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_not_searched_for_placeholders() {
        let placeholders = [("a", "{b}".to_owned()), ("b", "no".to_owned())];
        assert_eq!(fill("{a} {b} {c} {", &placeholders), "{b} no {c} {");
    }
}
