-- What each unit contributes to {table}; keys first, because a summary row is recomputed from all parts of its keys.
CREATE TABLE main.{part} (
  "millrace_unit_id"    TEXT NOT NULL COLLATE BINARY REFERENCES "millrace_unit" ("unit_id"),
  "millrace_summary_id" TEXT NOT NULL COLLATE BINARY,
{definitions},
  PRIMARY KEY ({keys}, "millrace_unit_id", "millrace_summary_id")
) STRICT, WITHOUT ROWID;

CREATE INDEX main.{part_by_unit} ON {part} ("millrace_unit_id");
