-- Times are RFC 3339 in UTC with six digits of fraction, so that they sort as text.

-- The versions of these tables that were applied; the highest counts.
CREATE TABLE "millrace_schema_version" (
  "version" INTEGER NOT NULL,
  "since"   TEXT NOT NULL
) STRICT;

-- The ledger: what was counted, and at which version. "kind" is 'file'.
CREATE TABLE "millrace_unit" (
  "unit_id"       TEXT NOT NULL COLLATE BINARY PRIMARY KEY CHECK (length("unit_id") = 64),
  "kind"          TEXT NOT NULL,
  "feed"          TEXT NOT NULL COLLATE BINARY,
  "blob"          TEXT NOT NULL COLLATE BINARY,
  "etag"          TEXT NOT NULL COLLATE BINARY,
  "generation"    INTEGER NOT NULL,
  "load_id"       TEXT NOT NULL,
  "size_bytes"    INTEGER NOT NULL,
  "sha256"        TEXT,
  "rows_read"     INTEGER NOT NULL,
  "rows_rejected" INTEGER NOT NULL,
  "quarantine"    TEXT,
  "committed_at"  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX "millrace_unit_by_blob" ON "millrace_unit" ("feed", "blob");
CREATE INDEX "millrace_unit_by_generation" ON "millrace_unit" ("feed", "generation");

-- Every commit, and what it displaced. It outlives its units, hence no foreign key.
CREATE TABLE "millrace_load_history" (
  "entry"                INTEGER PRIMARY KEY,
  "unit_id"              TEXT NOT NULL COLLATE BINARY,
  "feed"                 TEXT NOT NULL COLLATE BINARY,
  "blob"                 TEXT NOT NULL COLLATE BINARY,
  "etag"                 TEXT NOT NULL COLLATE BINARY,
  "generation"           INTEGER NOT NULL,
  "load_id"              TEXT NOT NULL,
  "outcome"              TEXT NOT NULL,
  "rows_read"            INTEGER NOT NULL,
  "rows_rejected"        INTEGER NOT NULL,
  "committed_at"         TEXT NOT NULL,
  "displaced_etag"       TEXT,
  "displaced_generation" INTEGER,
  "displaced_load_id"    TEXT
) STRICT;

CREATE INDEX "millrace_load_history_by_unit" ON "millrace_load_history" ("unit_id");

-- The number that each meaning of a feed was given. A meaning that comes back gets another number.
CREATE TABLE "millrace_pipeline_generation" (
  "feed"        TEXT NOT NULL COLLATE BINARY,
  "generation"  INTEGER NOT NULL,
  "fingerprint" TEXT NOT NULL COLLATE BINARY,
  "since"       TEXT NOT NULL,
  PRIMARY KEY ("feed", "generation")
) STRICT, WITHOUT ROWID;

-- How each summary table was made, so that a changed one is seen. "merge" is null for a key.
CREATE TABLE "millrace_summary_column" (
  "table_name"  TEXT NOT NULL COLLATE BINARY,
  "position"    INTEGER NOT NULL,
  "column_name" TEXT NOT NULL COLLATE BINARY,
  "type"        TEXT NOT NULL,
  "merge"       TEXT,
  PRIMARY KEY ("table_name", "position")
) STRICT, WITHOUT ROWID;
