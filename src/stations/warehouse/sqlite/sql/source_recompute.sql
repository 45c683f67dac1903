-- All parts, of all units and all summaries, of the touched keys.
SELECT {stored_columns}
FROM temp.{touched} AS "touched"
CROSS JOIN main.{part} AS "stored" ON {stored_matches}
