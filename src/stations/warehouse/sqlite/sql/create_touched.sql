DROP TABLE IF EXISTS temp."millrace_touched";
CREATE TEMP TABLE "millrace_touched" (
{key_definitions},
  PRIMARY KEY ({keys})
) STRICT, WITHOUT ROWID;
