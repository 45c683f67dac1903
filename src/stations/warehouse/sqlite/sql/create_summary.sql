CREATE TABLE main.{table} (
{definitions},
  PRIMARY KEY ({keys})
) STRICT, WITHOUT ROWID;
