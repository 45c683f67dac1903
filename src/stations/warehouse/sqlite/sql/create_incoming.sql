-- Named by the table's shape, so that a connection can keep it, and every statement on it, for the next file.
CREATE TEMP TABLE IF NOT EXISTS {incoming} (
  "millrace_summary_id" TEXT NOT NULL COLLATE BINARY,
{definitions},
  PRIMARY KEY ({keys}, "millrace_summary_id")
) STRICT, WITHOUT ROWID
