//! Settings named `AzureFunctionsJobHost__a__b` in place of host.json's `a.b`. Names match in any case, as everything in
//! .NET's configuration does.

use serde_json::{Map, Value};

use super::Settings;

const PREFIX: &str = "AzureFunctionsJobHost__";

pub(super) fn apply(host: &mut Value, settings: &Settings) {
    for (name, text) in settings {
        let is_ours = name.get(..PREFIX.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(PREFIX));
        if is_ours {
            let segments: Vec<&str> = name[PREFIX.len()..].split("__").collect();
            set(host, &segments, value_of(text));
        }
    }
}

fn set(at: &mut Value, segments: &[&str], value: Value) {
    let Some((first, rest)) = segments.split_first() else {
        *at = value;
        return;
    };
    if at.is_null() && *first == "0" {
        *at = Value::Array(Vec::new());
    }
    if let (Value::Array(items), Ok(index)) = (&mut *at, first.parse::<usize>()) {
        if index == items.len() {
            items.push(Value::Null);
        }
        // Configuration has no holes: an index further out names nothing.
        if let Some(item) = items.get_mut(index) {
            set(item, rest, value);
        }
        return;
    }
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    let Value::Object(members) = at else { return };
    let known = members.keys().find(|key| key.eq_ignore_ascii_case(first)).cloned();
    set(members.entry(known.unwrap_or_else(|| (*first).to_owned())).or_insert(Value::Null), rest, value);
}

/// Settings are texts; the binder reads what a member needs out of them. `arguments` may be a list in one text.
fn value_of(text: &str) -> Value {
    let lower = text.to_ascii_lowercase();
    match serde_json::from_str(&lower) {
        Ok(simple @ (Value::Bool(_) | Value::Number(_))) => simple,
        _ => match serde_json::from_str(text) {
            Ok(list @ Value::Array(_)) => list,
            _ => Value::String(text.to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_setting_replaces_a_member_in_any_case_and_adds_what_is_missing() {
        let mut host =
            json!({"customHandler": {"description": {"arguments": ["serve", "a"]}}, "functionTimeout": "-1"});
        let settings = Settings::from(
            [
                ("AzureFunctionsJobHost__CustomHandler__enableForwardingHttpRequest", "True"),
                ("azurefunctionsjobhost__extensions__eventHubs__maxEventBatchSize", "7"),
                ("AzureFunctionsJobHost__functionTimeout", "00:05:00"),
                ("AzureFunctionsJobHost__customHandler__description__arguments__1", "b"),
                ("AzureFunctionsJobHost__customHandler__description__workerArguments__0", "c"),
                ("Other__functionTimeout", "00:01:00"),
            ]
            .map(|(name, text)| (name.to_owned(), text.to_owned())),
        );
        apply(&mut host, &settings);
        assert_eq!(
            host,
            json!({
                "customHandler": {
                    "description": {"arguments": ["serve", "b"], "workerArguments": ["c"]},
                    "enableForwardingHttpRequest": true,
                },
                "functionTimeout": "00:05:00",
                "extensions": {"eventHubs": {"maxEventBatchSize": 7}},
            })
        );
    }

    #[test]
    fn a_list_may_be_written_in_one_setting() {
        let mut host = json!({});
        let name = "AzureFunctionsJobHost__customHandler__description__arguments".to_owned();
        apply(&mut host, &Settings::from([(name, r#"["--a", "b"]"#.to_owned())]));
        assert_eq!(host["customHandler"]["description"]["arguments"], json!(["--a", "b"]));
    }
}
