use super::*; use std::path::Path;
pub struct JournalHub; impl JournalHub { pub fn open(_: &Path) -> std::io::Result<Self> { Ok(JournalHub) } }
#[async_trait] impl HubSender for JournalHub { async fn send(&self, _: &str, _: &str, _: Bytes) -> Result<(), HubError> { Ok(()) } }
