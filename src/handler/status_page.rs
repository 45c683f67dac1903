//! In which form the status report goes out: to a browser as a page, to a program as JSON, to a terminal as text.

use serde_json::{Value, json};

use super::answer::HttpAnswer;
use super::envelope::Invocation;
use crate::functions::status::{PageLinks, StatusReport};

/// What was asked for.
#[derive(Clone, Debug)]
pub struct StatusRequest {
    form: Form,
    links: PageLinks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    Html,
}

impl StatusRequest {
    /// `?format=` counts more than `Accept`.
    ///
    /// # Errors
    /// The answer to a format that there is not.
    pub fn new(query: &[(String, String)], accept: Option<&str>) -> Result<Self, HttpAnswer> {
        let form = match query.iter().find(|(name, _)| name == "format").map(|(_, format)| format.as_str()) {
            None => accepted(accept.unwrap_or_default()),
            Some("text") => Form::Text,
            Some("json") => Form::Json,
            Some("html") => Form::Html,
            Some(_) => {
                let body = json!({ "error": "there is no such format: ask for text, json or html" }).to_string();
                return Err(HttpAnswer { status: 400, content_type: "application/json", body });
            }
        };
        Ok(StatusRequest { form, links: PageLinks::of(query) })
    }

    /// The request as it stands in an envelope, where the host does not forward it.
    pub fn of(invocation: &Invocation) -> Result<Self, HttpAnswer> {
        let request = invocation.binding("request").unwrap_or(Value::Null);
        let member = |name: &str| match &request[name] {
            Value::String(text) => serde_json::from_str(text).unwrap_or(Value::Null),
            other => other.clone(),
        };
        let text = |value: &Value| match value {
            Value::Array(values) => values.first().and_then(Value::as_str).map(str::to_owned),
            value => value.as_str().map(str::to_owned),
        };
        let pairs = |object: Value| -> Vec<(String, String)> {
            let object = object.as_object().cloned().unwrap_or_default();
            object.into_iter().filter_map(|(name, value)| Some((name, text(&value)?))).collect()
        };
        let headers = pairs(member("Headers"));
        let accept = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("accept"));
        StatusRequest::new(&pairs(member("Query")), accept.map(|(_, value)| value.as_str()))
    }

    pub fn answer(&self, report: &StatusReport) -> HttpAnswer {
        let (content_type, body) = match self.form {
            Form::Text => ("text/plain; charset=utf-8", report.to_text()),
            Form::Html => ("text/html; charset=utf-8", report.to_html(&self.links)),
            Form::Json => {
                let body = serde_json::to_string_pretty(report).expect("a report holds text, numbers and times");
                ("application/json", body)
            }
        };
        HttpAnswer { status: 200, content_type, body }
    }
}

/// What the reader names first of what there is; a browser begins with `text/html`.
fn accepted(accept: &str) -> Form {
    let kinds = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let form = |kind: String| match kind.as_str() {
        "text/html" | "application/xhtml+xml" => Some(Form::Html),
        "application/json" => Some(Form::Json),
        "text/plain" => Some(Form::Text),
        _ => None,
    };
    kinds.filter_map(form).next().unwrap_or(Form::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(query: &[(&str, &str)], accept: Option<&str>) -> Form {
        let query: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        StatusRequest::new(&query, accept).unwrap().form
    }

    #[test]
    fn a_browser_has_the_page_and_a_program_has_json() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert_eq!(form(&[], Some(browser)), Form::Html);
        assert_eq!(form(&[], Some("application/json")), Form::Json);
        assert_eq!(form(&[], Some("application/json, text/html;q=0.5")), Form::Json);
        assert_eq!(form(&[], Some("*/*")), Form::Text);
        assert_eq!(form(&[], None), Form::Text);
        assert_eq!(form(&[("code", "k"), ("format", "json")], Some(browser)), Form::Json);
        assert_eq!(form(&[("format", "text")], Some(browser)), Form::Text);
        assert_eq!(form(&[("format", "html")], None), Form::Html);
        let refused = StatusRequest::new(&[("format".to_owned(), "xml".to_owned())], None).unwrap_err();
        assert_eq!(refused.status, 400);
    }

    #[test]
    fn a_request_in_an_envelope_is_understood_in_both_forms() {
        for (query, headers) in [
            (json!("{\"format\":\"json\"}"), json!({ "Accept": ["text/html"] })),
            (json!({ "format": "json" }), json!("{\"accept\":\"text/html\"}")),
        ] {
            let body = json!({ "Data": { "request": { "Query": query, "Headers": headers } }, "Metadata": {} });
            let invocation = Invocation::parse("status", "", body.to_string().as_bytes()).unwrap();
            assert_eq!(StatusRequest::of(&invocation).unwrap().form, Form::Json);
        }
        let body = json!({ "Data": { "request": { "Query": "{}", "Headers": { "Accept": ["text/html"] } } } });
        let invocation = Invocation::parse("status", "", body.to_string().as_bytes()).unwrap();
        assert_eq!(StatusRequest::of(&invocation).unwrap().form, Form::Html);
    }
}
