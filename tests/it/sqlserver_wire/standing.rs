//! What a trial says of a server, and that its remedies fit its errors.

use millrace::stations::warehouse::{Schema, Standing};

use super::*;

fn nothing() -> Schema {
    Schema { meanings: Vec::new(), summaries: Vec::new() }
}

/// Servers of these tests look for upper-case letters.
const WHO: &str = "ORIGINAL_LOGIN()";

async fn tells_who(server: &Running, texts: [&str; 4]) {
    let columns = texts.map(|_| ColumnDefinition::new("", SqlDataType::NVarChar)).to_vec();
    let values = texts.map(|text| ColumnValue::NVarChar(text.to_owned())).to_vec();
    server.registry.lock().await.register(WHO, QueryResponse::new(columns, vec![Row::new(values)]));
}

#[tokio::test]
async fn a_server_says_as_whom_it_was_reached() {
    let server = Running::plain().await;
    tells_who(&server, ["app", "dbo", "sales", "Microsoft SQL Azure (RTM) - 12.0.2000.8 \n\tOct 2 2026"]).await;
    let standing = warehouse(location(server.port)).standing(&nothing()).await.unwrap();
    let expected = Standing {
        reached: "database `sales` as user `dbo` (login `app`), Microsoft SQL Azure (RTM) - 12.0.2000.8".to_owned(),
        to_migrate: vec!["there are no tables of millrace, or none that this user may see".to_owned()],
        missing_rights: Vec::new(),
    };
    assert_eq!(standing, expected);
}

#[tokio::test]
async fn a_login_that_is_refused_says_what_to_do() {
    for (number, remedy) in [
        (18456, "an identity needs a user in this very database: CREATE USER"),
        (916, "the login has no user in this database: CREATE USER there"),
        (40615, "let this machine's address or network through on the server's networking page"),
        (47073, "the server is reached by its private endpoint only"),
        (18488, "the password has expired"),
    ] {
        let (port, _) = logins(vec![number; 1 + RETRIES]).await;
        let error = words(&warehouse(location(port)).standing(&nothing()).await.unwrap_err());
        assert!(error.contains(&format!("(error {number}); ")) && error.contains(remedy), "{error}");
    }
}

#[tokio::test]
async fn a_trial_waits_for_no_server_that_is_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = location(listener.local_addr().unwrap().port());
    drop(listener);
    let trial = SqlServerWarehouse::for_a_trial(location).unwrap();
    let error = words(&trial.standing(&nothing()).await.unwrap_err());
    assert!(error.contains("check `Server` in `Warehouse`, the server's networking page"), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_told_at_once() {
    let server = Running::plain().await;
    let mut location = location(server.port);
    location.transport = Transport::TrustingAnyone;
    let trial = SqlServerWarehouse::for_a_trial(location).unwrap();
    let error = words(&trial.standing(&nothing()).await.unwrap_err());
    assert!(error.contains("it offers no TLS, without which no password goes to it"), "{error}");
}
