-- The keys that are to be recomputed, and what the rows of a key come to. Sums have room for what no column can hold.
DROP TABLE IF EXISTS {touched};
DROP TABLE IF EXISTS {merged};
CREATE TABLE {touched} (
{key_definitions}
);
CREATE TABLE {merged} (
  [millrace_summary_id] nvarchar(40) COLLATE Latin1_General_100_BIN2 NULL,
{merged_definitions}
);
