INSERT OR IGNORE INTO temp.{touched} ({keys})
SELECT {keys} FROM ({differences}) AS "different"
