//! Azure Files over REST, at the fake: what the service refuses, what goes wrong on the way to it, and whole pulls.

mod pulls;
mod refusals;
mod trouble;

use bytes::Bytes;
use millrace::names::FeedName;
use millrace::stations::share::StagedName;

use crate::files_server::{FilesServer, Login};

fn name(path: &str) -> StagedName {
    StagedName::of(&FeedName::new("flights").unwrap(), path.as_bytes(), 10, 1_700_000_000)
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[tokio::test]
async fn a_list_goes_on_over_pages_and_leaves_out_what_is_not_ours() {
    let server = FilesServer::start();
    server.set_page_files(2);
    let share = server.share(Login::Key);
    for stranger in ["0", "README & more.txt", "zzz", name("x").as_str()] {
        server.put_file(stranger, b"not ours");
    }
    let mut expected = Vec::new();
    for number in 0..7 {
        let name = name(&number.to_string());
        share.write_at(&name, 0, bytes("x"), 1).await.unwrap();
        expected.push(name.as_str().to_owned());
    }
    let listed = share.list().await.unwrap();
    let mut listed: Vec<_> = listed.iter().map(|file| file.name.as_str().to_owned()).collect();
    expected.sort();
    listed.sort();
    assert_eq!(listed, expected);
    for number in 0..7 {
        share.delete(&name(&number.to_string())).await.unwrap();
    }
    assert_eq!(server.file_names().len(), 4, "strangers stay");
}

#[tokio::test]
async fn a_copy_that_somebody_cut_short_is_not_gone_on_with() {
    let server = FilesServer::start();
    let share = server.share(Login::Key);
    let name = name("short");
    let incarnation = uuid::Uuid::new_v4().simple();
    server.put_file(&format!("{}.{incarnation}.10", name.as_str()), b"012345");
    assert_eq!(share.length(&name).await.unwrap(), None);
    assert_eq!(share.list().await.unwrap()[0].size_bytes, 0, "it is there, and may be removed");
    share.write_at(&name, 0, bytes("01234"), 10).await.unwrap();
    assert_eq!(share.read(&name, 0..5).await.unwrap(), "01234");
    share.delete(&name).await.unwrap();
    assert_eq!(server.file_names(), [""; 0]);
}
