//! What a storage service answered, whole.

use std::collections::BTreeMap;

use bytes::Bytes;

/// An answer that is no passing trouble: what was asked for, or a refusal.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// By their names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub body: Bytes,
    /// An earlier try of the same request may have been carried out before its answer was lost.
    pub may_have_happened_before: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The service's own word for a refusal: `ConditionNotMet`. A HEAD has no body, so the header counts.
    pub fn code(&self) -> Option<&str> {
        self.header("x-ms-error-code")
    }

    /// What the service says of a refusal: the message's first line, without the request's id and time.
    pub fn message(&self) -> String {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Refusal {
            #[serde(default)]
            message: String,
        }
        let parsed = quick_xml::de::from_reader::<_, Refusal>(&*self.body);
        let message = parsed.map(|refusal| refusal.message).unwrap_or_default();
        message.lines().next().unwrap_or_default().trim().trim_end_matches('.').to_owned()
    }
}
