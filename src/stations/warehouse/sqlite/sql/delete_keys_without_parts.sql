DELETE FROM main.{table}
WHERE ({keys}) IN (
  SELECT {touched_keys}
  FROM temp.{touched} AS "touched"
  WHERE NOT EXISTS (SELECT 1 FROM main.{part} AS "stored" WHERE {stored_matches})
)
