//! The staging share: a few bytes are staged, read and removed, in the form of a transfer.

use bytes::Bytes;
use uuid::Uuid;

use super::{Fault, Seen};
use crate::stations::share::{Share, StagedName};

const WORDS: &[u8] = b"staged by `millrace check --connect`";

/// What a trial that was killed leaves behind is an orphan like others, and goes with them.
pub async fn try_share(share: &dyn Share, seen: &Seen) -> Result<(), Fault> {
    let name = StagedName::of_trial(&Uuid::new_v4().simple().to_string());
    let length = WORDS.len() as u64;
    let staged = async {
        share.write_at(&name, 0, Bytes::from_static(WORDS), length).await?;
        share.sync(&name).await?;
        share.read(&name, 0..length).await
    };
    let staged = staged.await;
    let removed = share.delete(&name).await;
    if staged? != WORDS {
        return Err("what was staged did not come back as it was written".into());
    }
    removed?;
    seen.note("a file was written, read and removed");
    Ok(())
}
