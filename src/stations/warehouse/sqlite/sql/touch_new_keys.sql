INSERT OR IGNORE INTO temp.{touched} ({keys})
SELECT {keys} FROM temp.{incoming}
