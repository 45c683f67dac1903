INSERT OR IGNORE INTO temp.{touched} ({keys})
SELECT {keys} FROM main.{part} WHERE "millrace_unit_id" = ?1
