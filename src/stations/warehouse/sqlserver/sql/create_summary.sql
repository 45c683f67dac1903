CREATE TABLE {table} (
{definitions},
  PRIMARY KEY {summary_clustering} ({keys})
);
