-- What each unit contributes to {table}; keys first, because a summary row is recomputed from all parts of its keys.
CREATE TABLE {part} (
  [millrace_unit_id]    varbinary(32) NOT NULL,
  [millrace_summary_id] nvarchar(40) COLLATE Latin1_General_100_BIN2 NOT NULL,
{definitions}
);

{part_index}

CREATE INDEX [by_unit] ON {part} ([millrace_unit_id]);
