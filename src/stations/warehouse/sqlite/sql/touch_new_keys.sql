INSERT OR IGNORE INTO temp."millrace_touched" ({keys})
SELECT {keys} FROM temp.{incoming}
