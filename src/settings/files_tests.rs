//! The three settings files that the repository gives as examples, and compose.yaml, which one of them goes with.

use std::path::Path;

use super::*;
use crate::pipeline::{Login, Pipeline};
use crate::records::landed::FILES_HUB;
use crate::stations::azure_storage::StorageLogin;
use crate::stations::hub::event_hubs;

/// `Values` of `local.settings.json.<kind>`.
fn example(kind: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let file = root().join(format!("local.settings.json.{kind}"));
    std::fs::copy(&file, folder.path().join("local.settings.json")).unwrap();
    Settings::local(folder.path()).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn each_names_all_four_ends_and_every_secret_of_pipeline_toml() {
    let pipeline = Pipeline::read(&root().join("pipeline.toml")).unwrap();
    for kind in ["embedded", "example", "azure"] {
        let settings = example(kind);
        settings.ends().unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert!(settings.get(PULL_SCHEDULE).is_some(), "{kind}");
        assert_eq!(settings.get("FUNCTIONS_WORKER_RUNTIME"), Some("custom"), "{kind}");
        for source in pipeline.feeds.iter().flat_map(|feed| &feed.sources) {
            let (Login::Password(secret) | Login::PrivateKey { key: secret, .. }) = &source.login;
            assert!(settings.get(&secret.setting).is_some(), "{kind}: {}", secret.setting);
        }
    }
}

#[test]
fn the_one_for_azure_holds_no_secret_and_goes_everywhere_as_the_apps_identity() {
    let settings = example("azure");
    let ends = settings.ends().unwrap();
    let StorageLocation::Azure(account) = ends.storage else { panic!("a directory") };
    assert!(matches!(account.login, StorageLogin::Identity(_)));
    let ShareLocation::AzureFiles(files) = ends.share else { panic!("a directory") };
    assert!(matches!(files.account.login, StorageLogin::Identity(_)));
    let HubLocation::EventHubs(hubs) = ends.hub else { panic!("a journal") };
    assert!(matches!(hubs.login, event_hubs::Login::Identity(_)));
    let WarehouseLocation::SqlServer(_) = ends.warehouse else { panic!("a file") };
    for (name, value) in settings.all() {
        let is_reference = value.starts_with("@Microsoft.KeyVault(SecretUri=");
        assert_eq!(name.ends_with("_KEY"), is_reference, "{name}");
        assert!(!value.contains("Password=") && !value.contains("Key="), "{name}");
    }
}

#[test]
fn the_one_for_emulators_finds_what_compose_yaml_starts() {
    let ends = example("example").ends().unwrap();
    let compose = std::fs::read_to_string(root().join("compose.yaml")).unwrap();
    let StorageLocation::Azure(account) = ends.storage else { panic!("a directory") };
    assert_eq!(account.endpoint.as_str(), "http://127.0.0.1:10000/devstoreaccount1/");
    let HubLocation::EventHubs(hubs) = ends.hub else { panic!("a journal") };
    assert_eq!(hubs.address.as_deref(), Some("amqp://localhost:5672"));
    let WarehouseLocation::SqlServer(server) = ends.warehouse else { panic!("a file") };
    assert_eq!((server.port, server.database.as_deref()), (1433, Some("millrace")));
    for expected in ["127.0.0.1:10000:10000", "127.0.0.1:5672:5672", "127.0.0.1:1433:1433", "CREATE DATABASE millrace"]
    {
        assert!(compose.contains(expected), "{expected}");
    }
    let warehouse = example("example");
    let password = warehouse.get(WAREHOUSE).unwrap().split("Password=").nth(1).unwrap().split(';').next().unwrap();
    assert!(compose.contains(&format!("MSSQL_SA_PASSWORD: \"{password}\"")), "{password}");
}

/// Both `files` and the hubs of pipeline.toml's streams, each with the consumer group through which gaps are repaired.
#[test]
fn the_emulators_hubs_are_those_that_pipeline_toml_needs() {
    let text = std::fs::read_to_string(root().join("emulators/event-hubs.json")).unwrap();
    let configuration: serde_json::Value = serde_json::from_str(&text).unwrap();
    let entities = configuration["UserConfig"]["NamespaceConfig"][0]["Entities"].as_array().unwrap();
    let has_group = |hub: &str, group: &str| {
        let entity = entities.iter().find(|entity| entity["Name"] == hub).unwrap_or_else(|| panic!("no hub {hub}"));
        entity["ConsumerGroups"].as_array().unwrap().iter().any(|one| one["Name"] == group)
    };
    assert!(entities.iter().any(|entity| entity["Name"] == FILES_HUB));
    let pipeline = Pipeline::read(&root().join("pipeline.toml")).unwrap();
    for stream in pipeline.feeds.iter().filter_map(|feed| feed.stream.as_ref()) {
        assert!(has_group(&stream.hub, &stream.repair_group), "{}", stream.hub);
    }
}
