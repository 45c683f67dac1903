//! Settings and pipeline.toml to trials, in the order in which data passes the ends.

use std::sync::Arc;
use std::time::Duration;

use crate::cli::wiring;
use crate::functions::pull::PullSource;
use crate::operations::connect::containers::try_containers;
use crate::operations::connect::hub::{NeededHub, try_hub};
use crate::operations::connect::sftp::try_source;
use crate::operations::connect::share::try_share;
use crate::operations::connect::warehouse::try_warehouse;
use crate::operations::connect::{Fault, Trial, Whom};
use crate::operations::met;
use crate::pipeline::Pipeline;
use crate::settings::{EVENT_HUB_CONNECTION, EachEnd, LANDING_STORAGE, STAGING_SHARE, WAREHOUSE};
use crate::stations::containers::{Containers, StorageLocation};
use crate::stations::hub::HubLocation;
use crate::stations::hub::event_hubs::Patience;
use crate::stations::sftp::SshConnector;
use crate::stations::share::{self, ShareLocation};
use crate::stations::warehouse::location::WarehouseLocation;
use crate::stations::warehouse::sqlite::SqliteWarehouse;
use crate::stations::warehouse::sqlserver::SqlServerWarehouse;
use crate::stations::warehouse::{Schema, Warehouse};

/// Above the limits that the stations have themselves, whose errors say more.
const LIMIT: Duration = Duration::from_secs(120);
/// A serverless database takes about a minute to wake.
const WAREHOUSE_LIMIT: Duration = Duration::from_secs(240);

/// An end whose setting is at fault is left out: that has been said already.
pub fn of_all(ends: EachEnd, sources: Vec<PullSource>, pipeline: Option<&Pipeline>) -> Vec<Trial> {
    let mut trials: Vec<Trial> = sources.into_iter().filter_map(of_source).collect();
    trials.extend(ends.storage.ok().map(of_storage));
    trials.extend(ends.share.ok().map(of_share));
    trials.extend(ends.hub.ok().map(|hub| of_hubs(&hub, pipeline)).unwrap_or_default());
    let schema = pipeline.map_or(Schema { meanings: Vec::new(), summaries: Vec::new() }, wiring::schema);
    trials.extend(ends.warehouse.ok().map(|warehouse| of_warehouse(warehouse, schema)));
    trials
}

fn of_source(source: PullSource) -> Option<Trial> {
    let PullSource { feed, source, endpoint } = source;
    let endpoint = endpoint.ok()?;
    let end = match &source.name {
        Some(name) => format!("sftp source `{name}` of feed `{feed}`"),
        None => format!("sftp source of feed `{feed}`"),
    };
    Some(Trial::new(end, LIMIT, |seen| async move {
        seen.note_kind(&met::SFTP);
        try_source(&source, &endpoint, &SshConnector::default(), &seen).await
    }))
}

fn of_storage(location: StorageLocation) -> Trial {
    Trial::new(LANDING_STORAGE, LIMIT, |seen| async move {
        match &location {
            StorageLocation::Directory(directory) => seen.note(format!("directory `{}`", directory.display())),
            StorageLocation::Azure(account) => {
                let whom = Whom::of_storage(account)?;
                whom.note(account.endpoint.as_str(), &met::BLOB_STORAGE, &seen).await?;
            }
        }
        try_containers(&Containers::open(&location).await?, &seen).await
    })
}

fn of_share(location: ShareLocation) -> Trial {
    Trial::new(STAGING_SHARE, LIMIT, |seen| async move {
        match &location {
            ShareLocation::Directory(directory) => seen.note(format!("directory `{}`", directory.display())),
            ShareLocation::AzureFiles(files) => {
                let path = std::iter::once(&files.share).chain(&files.directories).map(String::as_str);
                let place = format!("{}{}", files.account.endpoint, path.collect::<Vec<_>>().join("/"));
                Whom::of_storage(&files.account)?.note(&place, &met::AZURE_FILES, &seen).await?;
            }
        }
        try_share(share::open(&location).await?.as_ref(), &seen).await
    })
}

fn of_hubs(location: &HubLocation, pipeline: Option<&Pipeline>) -> Vec<Trial> {
    let end = |hub: &NeededHub| format!("{EVENT_HUB_CONNECTION}, hub `{}`", hub.name);
    // What is lost is asked for anew once, so that a hub that is away is told soon.
    let patience = Patience { tries: 2, ..Patience::default() };
    let stations = (wiring::hub(location.clone(), patience), whom_at_hubs(location));
    let ((sender, reader), whom) = match stations {
        (Ok(stations), Ok(whom)) => (stations, whom.map(Arc::new)),
        (Err(fault), _) => return vec![Trial::failed(EVENT_HUB_CONNECTION, fault)],
        (_, Err(fault)) => return vec![Trial::failed(EVENT_HUB_CONNECTION, fault)],
    };
    let place = match location {
        HubLocation::Journal(directory) => format!("journal in `{}`", directory.display()),
        HubLocation::EventHubs(location) => location.address.clone().unwrap_or_else(|| location.namespace.clone()),
    };
    let trial = |hub: NeededHub| {
        let (sender, reader, whom, place) = (sender.clone(), reader.clone(), whom.clone(), place.clone());
        Trial::new(end(&hub), LIMIT, |seen| async move {
            match whom {
                Some(whom) => whom.note(&place, &met::EVENT_HUBS, &seen).await?,
                None => seen.note(place),
            }
            try_hub(&hub, sender.as_ref(), reader.as_ref(), &seen).await
        })
    };
    NeededHub::all(pipeline).into_iter().map(trial).collect()
}

fn whom_at_hubs(location: &HubLocation) -> Result<Option<Whom>, crate::identity::IdentityError> {
    match location {
        HubLocation::Journal(_) => Ok(None),
        HubLocation::EventHubs(location) => Whom::of_hubs(location).map(Some),
    }
}

fn of_warehouse(location: WarehouseLocation, schema: Schema) -> Trial {
    Trial::new(WAREHOUSE, WAREHOUSE_LIMIT, |seen| async move {
        let warehouse: Box<dyn Warehouse> = match location {
            WarehouseLocation::Sqlite(file) => Box::new(SqliteWarehouse::new(file)),
            WarehouseLocation::SqlServer(location) => {
                let place = format!("{}:{}", location.host, location.port);
                Whom::of_sql(&location.login)?.note(&place, &met::SQL_SERVER, &seen).await?;
                Box::new(SqlServerWarehouse::for_a_trial(*location).map_err(Fault::from)?)
            }
        };
        try_warehouse(warehouse.as_ref(), &schema, &seen).await
    })
}
