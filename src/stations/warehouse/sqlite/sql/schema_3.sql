-- Streams count too, and stand in the ledger beside the files. The unit of a stream is one partition of one incarnation of
-- a hub: "kind" is 'stream', "blob" names it for people, and "etag" is its version, the last number that counts, or
-- 'none'. "rows_read" and "rows_rejected" are over all its commits; "load_id" is empty and "size_bytes" 0, as no one load
-- made it. It has no line in the history: that would grow with every batch.

-- How far each stream was counted. "begins" is the first number that it was to count; "applied" the last that counts, or is
-- known to count nothing; null while there was nothing.
CREATE TABLE "millrace_stream" (
  "unit_id"             TEXT NOT NULL COLLATE BINARY PRIMARY KEY REFERENCES "millrace_unit" ("unit_id"),
  "feed"                TEXT NOT NULL COLLATE BINARY,
  "namespace"           TEXT NOT NULL COLLATE BINARY,
  "hub"                 TEXT NOT NULL COLLATE BINARY,
  "incarnation"         TEXT NOT NULL,
  "partition"           TEXT NOT NULL COLLATE BINARY,
  "begins"              INTEGER NOT NULL,
  "applied"             INTEGER,
  "applied_enqueued_at" TEXT
) STRICT, WITHOUT ROWID;

-- Numbers that can never be counted, both inclusive, and why.
CREATE TABLE "millrace_stream_gap" (
  "entry"       INTEGER PRIMARY KEY,
  "unit_id"     TEXT NOT NULL COLLATE BINARY REFERENCES "millrace_unit" ("unit_id"),
  "first"       INTEGER NOT NULL,
  "last"        INTEGER NOT NULL,
  "reason"      TEXT NOT NULL,
  "recorded_at" TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX "millrace_stream_gap_by_unit" ON "millrace_stream_gap" ("unit_id", "first");

-- Which numbers of a stream each summary counts: from "since", given by "generation", to "until"; null while it counts.
-- A summary that was taken out and comes back has a second line.
CREATE TABLE "millrace_stream_summary" (
  "unit_id"    TEXT NOT NULL COLLATE BINARY REFERENCES "millrace_unit" ("unit_id"),
  "summary_id" TEXT NOT NULL COLLATE BINARY,
  "since"      INTEGER NOT NULL,
  "until"      INTEGER,
  "table_name" TEXT NOT NULL COLLATE BINARY,
  "generation" INTEGER NOT NULL,
  PRIMARY KEY ("unit_id", "summary_id", "since")
) STRICT, WITHOUT ROWID;

-- The files of bad events in container quarantine that a commit made valid: a file that is not named here repeats events
-- that another commit decides on. "first" and "last" are the numbers of the first and the last bad event in it.
CREATE TABLE "millrace_stream_quarantine" (
  "feed"    TEXT NOT NULL COLLATE BINARY,
  "name"    TEXT NOT NULL COLLATE BINARY,
  "unit_id" TEXT NOT NULL COLLATE BINARY REFERENCES "millrace_unit" ("unit_id"),
  "first"   INTEGER NOT NULL,
  "last"    INTEGER NOT NULL,
  "events"  INTEGER NOT NULL,
  PRIMARY KEY ("feed", "name")
) STRICT, WITHOUT ROWID;
