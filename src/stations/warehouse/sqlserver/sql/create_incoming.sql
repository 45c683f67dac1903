-- Made in a plain batch: what a parameterised call makes is gone when the call ends.
DROP TABLE IF EXISTS {incoming};
CREATE TABLE {incoming} (
  [millrace_summary_id] nvarchar(40) COLLATE Latin1_General_100_BIN2 NOT NULL,
{definitions}
);
