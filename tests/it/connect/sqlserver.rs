//! SQL Server: what a server in `MILLRACE_TEST_SQLSERVER` says of itself, its tables and its rights. What needs no database is in
//! `sqlserver_wire`.

use super::{App, Checked};
use crate::warehouse_conformance::sqlserver::{Raw, empty};

fn connection() -> String {
    std::env::var("MILLRACE_TEST_SQLSERVER").unwrap()
}

fn check(app: &App, connection: &str) -> Checked {
    app.check(&[("Warehouse", connection)])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlserver_says_as_whom_it_is_reached_and_whether_it_is_migrated() {
    let Some((_guard, location)) = empty().await else { return };
    let app = App::new("");
    let checked = check(&app, &connection());
    let said = checked.failed("Warehouse");
    let database = location.database.as_deref().unwrap();
    let place = format!("{}:{} by the password of `", location.host, location.port);
    assert!(said.starts_with(&place) && said.contains(&format!("database `{database}` as user `")), "{said}");
    let none = "(there are no tables of millrace, or none that this user may see): run `millrace migrate`";
    assert!(said.ends_with(none), "{said}");

    app.migrate(&[("Warehouse", &connection())]);
    let checked = check(&app, &connection());
    assert!(checked.reached("Warehouse").ends_with("the tables are as pipeline.toml asks"), "{}", checked.stdout);
    assert_eq!(checked.code, Some(0), "{}{}", checked.stdout, checked.stderr);

    Raw::connect(&location).await.run("UPDATE [millrace].[pipeline_generation] SET [fingerprint] = 'another'").await;
    let said = check(&app, &connection()).failed("Warehouse").to_owned();
    assert!(said.ends_with("(feed `orders` was declared otherwise): run `millrace migrate`"), "{said}");
}

/// Grants as `millrace migrate --print` ends, one of them left out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlserver_rights_that_the_app_lacks_are_named() {
    let Some((_guard, location)) = empty().await else { return };
    let app = App::new("");
    app.migrate(&[("Warehouse", &connection())]);
    let mut raw = Raw::connect(&location).await;
    let login = format!("millrace_connect_{}", uuid::Uuid::new_v4().simple());
    raw.run(&format!("CREATE LOGIN [{login}] WITH PASSWORD = 'Only-4-tests'")).await;
    raw.run(&format!("CREATE USER [{login}] FOR LOGIN [{login}]")).await;
    raw.run(&format!("GRANT SELECT, INSERT, UPDATE, DELETE ON SCHEMA::[millrace] TO [{login}]")).await;
    raw.run(&format!("GRANT SELECT, INSERT, DELETE ON [dbo].[order_days] TO [{login}]")).await;
    let as_app: Vec<String> = connection()
        .split(';')
        .map(|part| match part.split_once('=') {
            Some(("User ID", _)) => format!("User ID={login}"),
            Some(("Password", _)) => "Password=Only-4-tests".to_owned(),
            _ => part.to_owned(),
        })
        .collect();
    let as_app = as_app.join(";");
    let lacking = check(&app, &as_app);
    raw.run(&format!("REVOKE DELETE ON SCHEMA::[millrace] FROM [{login}]")).await;
    let lacking_more = check(&app, &as_app);
    raw.run(&format!("GRANT DELETE ON SCHEMA::[millrace] TO [{login}]")).await;
    raw.run(&format!("GRANT UPDATE ON [dbo].[order_days] TO [{login}]")).await;
    let granted = check(&app, &as_app);
    // Not every server drops a user with its rights.
    raw.run(&format!("REVOKE SELECT, INSERT, UPDATE, DELETE ON [dbo].[order_days] FROM [{login}]")).await;
    raw.run(&format!("REVOKE SELECT, INSERT, UPDATE, DELETE ON SCHEMA::[millrace] FROM [{login}]")).await;
    raw.run(&format!("DROP USER [{login}]")).await;
    raw.run(&format!("DROP LOGIN [{login}]")).await;

    let said = lacking.failed("Warehouse");
    assert!(said.contains(&format!("as user `{login}` (login `{login}`)")), "{said}");
    assert!(
        said.contains("this user lacks rights: UPDATE on [dbo].[order_days]; `millrace migrate --print`"),
        "{said}"
    );
    let said = lacking_more.failed("Warehouse");
    assert!(
        said.contains("lacks rights: DELETE on 10 tables of schema [millrace], UPDATE on [dbo].[order_days];"),
        "{said}"
    );
    lacking.is_silent_about("Only-4-tests");
    assert!(granted.reached("Warehouse").ends_with("the tables are as pipeline.toml asks"), "{}", granted.stdout);
}
