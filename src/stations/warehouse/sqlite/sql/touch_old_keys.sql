INSERT OR IGNORE INTO temp."millrace_touched" ({keys})
SELECT {keys} FROM main.{part} WHERE "millrace_unit_id" = ?1
