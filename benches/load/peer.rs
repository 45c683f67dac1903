//! The same count over the same file by others, through Python.

use std::process::Command;

use crate::file::{EventFile, Format};

/// A program that counts what we count.
pub struct Peer {
    pub name: &'static str,
    /// What brings it.
    pub install: &'static str,
    script: &'static str,
}

impl Peer {
    pub fn of(format: Format) -> Peer {
        match format {
            Format::Csv => Peer {
                name: "DuckDB",
                install: "pip install duckdb",
                script: "import duckdb, sys, time\n\
                    duckdb.execute('SET threads = 2')\n\
                    duckdb.execute('SET enable_progress_bar = false')\n\
                    began = time.perf_counter()\n\
                    duckdb.execute(\"SELECT CAST(eventTime AS DATE), eventType, COUNT(*) FROM read_csv(?, header = true, \
                    columns = {'eventId': 'VARCHAR', 'eventTime': 'TIMESTAMP', 'eventType': 'VARCHAR', \
                    'eventData': 'VARCHAR'}) GROUP BY ALL\", [sys.argv[1]]).fetchall()\n\
                    print(time.perf_counter() - began)",
            },
            Format::Ndjson => Peer {
                name: "DuckDB",
                install: "pip install duckdb",
                script: "import duckdb, sys, time\n\
                    duckdb.execute('SET threads = 2')\n\
                    duckdb.execute('SET enable_progress_bar = false')\n\
                    began = time.perf_counter()\n\
                    duckdb.execute(\"SELECT CAST(eventTime AS DATE), eventType, COUNT(*) FROM read_ndjson(?, \
                    columns = {'eventId': 'VARCHAR', 'eventTime': 'TIMESTAMP', 'eventType': 'VARCHAR', \
                    'eventData': 'VARCHAR'}) GROUP BY ALL\", [sys.argv[1]]).fetchall()\n\
                    print(time.perf_counter() - began)",
            },
            Format::Parquet => Peer {
                name: "Polars",
                install: "pip install polars",
                script: "import os, sys, time\n\
                    os.environ['POLARS_MAX_THREADS'] = '2'\n\
                    import polars as pl\n\
                    began = time.perf_counter()\n\
                    pl.scan_parquet(sys.argv[1]).group_by(pl.col('eventTime').dt.date(), 'eventType').len()\
                    .collect(engine='streaming')\n\
                    print(time.perf_counter() - began)",
            },
        }
    }

    /// `None` where it is not there.
    pub fn seconds(&self, file: &EventFile) -> Option<f64> {
        let output = Command::new("python3").args(["-c", self.script]).arg(&file.path).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    }
}
