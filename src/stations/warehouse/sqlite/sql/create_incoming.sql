DROP TABLE IF EXISTS temp.{incoming};
CREATE TEMP TABLE {incoming} (
  "millrace_summary_id" TEXT NOT NULL COLLATE BINARY,
{definitions},
  PRIMARY KEY ({keys}, "millrace_summary_id")
) STRICT, WITHOUT ROWID;
