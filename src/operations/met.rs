//! What each end has been run against so far, and what it has not met. `check` says it of the ends that it tries, and
//! OPERATIONS.md holds the whole list: a test keeps it there word by word.

/// One end, in one of its forms.
#[derive(Debug, PartialEq, Eq)]
pub struct Met {
    pub end: &'static str,
    pub run_against: &'static str,
    pub not_met: &'static str,
}

pub const SFTP: Met = Met {
    end: "SFTP servers",
    run_against: "OpenSSH's server (Debian); the server inside `millrace dev`",
    not_met: "servers of other makers",
};

pub const BLOB_STORAGE: Met = Met {
    end: "`LandingStorage`: Blob Storage",
    run_against: "Azurite 3.37, by account key, signature and token",
    not_met: "Azure Blob Storage; accounts with a hierarchical namespace, which are refused if their lists are not in the order of names",
};

pub const AZURE_FILES: Met = Met {
    end: "`StagingShare`: Azure Files over REST",
    run_against: "a fake in the tests that checks signatures, headers and limits as Microsoft documents them, and that \
                  Microsoft's SDK for Python works against; no emulator has file shares",
    not_met: "Azure Files",
};

pub const DIRECTORY: Met = Met {
    end: "`StagingShare`: a directory",
    run_against: "a directory on a local disk",
    not_met: "a share mounted by SMB or NFS",
};

pub const EVENT_HUBS: Met = Met {
    end: "`EventHubConnection`: Event Hubs",
    run_against: "a broker in the tests over plain AMQP, that Microsoft's SDK for Python works against",
    not_met: "Azure Event Hubs, and so AMQP over TLS; Microsoft's emulator",
};

pub const SQL_SERVER: Met = Met {
    end: "`Warehouse`: SQL Server",
    run_against: "Babelfish 4.3, an engine that speaks SQL Server's language and protocol; logins, certificates, redirects and \
                  error numbers against parts of a server in the tests",
    not_met: "SQL Server; Azure SQL; logins by Entra ID",
};

pub const IDENTITY: Met = Met {
    end: "the app's identity",
    run_against: "a token endpoint in the tests, of the form that Functions and App Service have",
    not_met: "Entra ID",
};

pub const FUNCTIONS_HOST: Met = Met {
    end: "the Functions host",
    run_against: "the stand-in of `millrace dev` and `millrace host`, written from the host's sources",
    not_met: "`func start`; Azure Functions",
};

pub const EMULATORS: Met = Met {
    end: "compose.yaml",
    run_against: "its form was checked, its SFTP server run outside a container",
    not_met: "the containers themselves",
};

/// In the order in which the data passes them.
pub const ALL: [&Met; 9] =
    [&SFTP, &DIRECTORY, &AZURE_FILES, &BLOB_STORAGE, &EVENT_HUBS, &SQL_SERVER, &IDENTITY, &FUNCTIONS_HOST, &EMULATORS];

/// The list as a table in Markdown.
pub fn as_markdown() -> String {
    let head = "| | was run against | has not met |\n|---|---|---|\n".to_owned();
    ALL.iter().fold(head, |table, met| table + &format!("| {} | {} | {} |\n", met.end, met.run_against, met.not_met))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_md_holds_the_list_as_it_is_here() {
        let manual = include_str!("../../OPERATIONS.md");
        assert!(manual.contains(&as_markdown()), "OPERATIONS.md must hold:\n{}", as_markdown());
    }
}
