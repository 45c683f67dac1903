CREATE TEMP TABLE IF NOT EXISTS {touched} (
{key_definitions},
  PRIMARY KEY ({keys})
) STRICT, WITHOUT ROWID
