-- Times are UTC. Names and texts compare by their code units, as in the program. Units are named by a hash, since trailing
-- blanks compare equal in every collation and the keys of an index are limited; for the same reasons names of blobs are
-- ordered by their bytes in UTF-8, which "blob_order" has. Nobody but the program writes here, always under its locks: there
-- are no foreign keys.

-- The versions of these tables that were applied; the highest counts.
CREATE TABLE [millrace].[schema_version] (
  [version] bigint NOT NULL PRIMARY KEY,
  [since]   datetime2(6) NOT NULL
);

-- The ledger: what was counted, and at which version. "kind" is 'file' or 'stream'. A unit whose counts were taken back keeps
-- its row: a message of the same version must not count it again. The unit of a stream is one partition of one incarnation
-- of a hub: "blob" names it for people, and "etag" is its version, the last number that counts, or 'none'; "rows_read" and
-- "rows_rejected" are over all its commits, "load_id" is empty and "size_bytes" 0, as no one load made it.
CREATE TABLE [millrace].[unit] (
  [unit_id]       varbinary(32) NOT NULL PRIMARY KEY,
  [kind]          nvarchar(6) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [feed]          nvarchar(63) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [blob]          nvarchar(2048) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [blob_order]    varbinary(1500) NOT NULL,
  [etag]          nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [generation]    bigint NOT NULL,
  [load_id]       nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [size_bytes]    bigint NOT NULL,
  [sha256]        nvarchar(64) COLLATE Latin1_General_100_BIN2 NULL,
  [rows_read]     bigint NOT NULL,
  [rows_rejected] bigint NOT NULL,
  [quarantine]    nvarchar(4000) COLLATE Latin1_General_100_BIN2 NULL,
  [curated]       nvarchar(4000) COLLATE Latin1_General_100_BIN2 NULL,
  [committed_at]  datetime2(6) NOT NULL,
  [retracted_at]  datetime2(6) NULL
);

CREATE UNIQUE INDEX [unit_by_blob] ON [millrace].[unit] ([feed], [blob_order]);
CREATE INDEX [unit_by_generation] ON [millrace].[unit] ([feed], [generation]);

-- Every commit of a file, and what it displaced. A stream has no line: that would grow with every batch.
CREATE TABLE [millrace].[load_history] (
  [entry]                bigint IDENTITY(1, 1) NOT NULL PRIMARY KEY,
  [unit_id]              varbinary(32) NOT NULL,
  [feed]                 nvarchar(63) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [blob]                 nvarchar(2048) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [etag]                 nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [generation]           bigint NOT NULL,
  [load_id]              nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [outcome]              nvarchar(32) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [rows_read]            bigint NOT NULL,
  [rows_rejected]        bigint NOT NULL,
  [curated]              nvarchar(4000) COLLATE Latin1_General_100_BIN2 NULL,
  [committed_at]         datetime2(6) NOT NULL,
  [displaced_etag]       nvarchar(256) COLLATE Latin1_General_100_BIN2 NULL,
  [displaced_generation] bigint NULL,
  [displaced_load_id]    nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL
);

CREATE INDEX [load_history_by_unit] ON [millrace].[load_history] ([unit_id], [entry]);

-- The number that each meaning of a feed was given. A meaning that comes back gets another number.
CREATE TABLE [millrace].[pipeline_generation] (
  [feed]        nvarchar(63) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [generation]  bigint NOT NULL,
  [fingerprint] nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [since]       datetime2(6) NOT NULL,
  PRIMARY KEY ([feed], [generation])
);

-- How each summary table was made, so that a changed one is seen. "merge" is null for a key.
CREATE TABLE [millrace].[summary_column] (
  [table_name]  nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [position]    bigint NOT NULL,
  [column_name] nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [type]        nvarchar(32) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [merge]       nvarchar(8) COLLATE Latin1_General_100_BIN2 NULL,
  PRIMARY KEY ([table_name], [position])
);

-- How far each stream was counted. "begins" is the first number that it was to count; "applied" the last that counts, or is
-- known to count nothing; null while there was nothing.
CREATE TABLE [millrace].[stream] (
  [unit_id]             varbinary(32) NOT NULL PRIMARY KEY,
  [feed]                nvarchar(63) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [namespace]           nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [hub]                 nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [incarnation]         datetime2(6) NOT NULL,
  [partition]           nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [begins]              bigint NOT NULL,
  [applied]             bigint NULL,
  [applied_enqueued_at] datetime2(6) NULL
);

CREATE INDEX [stream_by_feed] ON [millrace].[stream] ([feed]);

-- Numbers that can never be counted, both inclusive, and why.
CREATE TABLE [millrace].[stream_gap] (
  [entry]       bigint IDENTITY(1, 1) NOT NULL PRIMARY KEY,
  [unit_id]     varbinary(32) NOT NULL,
  [first]       bigint NOT NULL,
  [last]        bigint NOT NULL,
  [reason]      nvarchar(4000) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [recorded_at] datetime2(6) NOT NULL
);

CREATE UNIQUE INDEX [stream_gap_by_unit] ON [millrace].[stream_gap] ([unit_id], [first]);

-- Which numbers of a stream each summary counts: from "since", given by "generation", to "until"; null while it counts.
-- A summary that was taken out and comes back has a second line.
CREATE TABLE [millrace].[stream_summary] (
  [unit_id]    varbinary(32) NOT NULL,
  [summary_id] nvarchar(40) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [since]      bigint NOT NULL,
  [until]      bigint NULL,
  [table_name] nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [generation] bigint NOT NULL,
  PRIMARY KEY ([unit_id], [summary_id], [since])
);

-- The files of bad events in container quarantine that a commit made valid: a file that is not named here repeats events
-- that another commit decides on. "first" and "last" are the numbers of the first and the last bad event in it.
CREATE TABLE [millrace].[stream_quarantine] (
  [feed]       nvarchar(63) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [name]       nvarchar(2048) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [name_order] varbinary(1500) NOT NULL,
  [unit_id]    varbinary(32) NOT NULL,
  [first]      bigint NOT NULL,
  [last]       bigint NOT NULL,
  [events]     bigint NOT NULL,
  PRIMARY KEY NONCLUSTERED ([feed], [name_order])
);
