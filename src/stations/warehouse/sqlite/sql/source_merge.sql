-- The new parts, and the summary rows that they meet.
SELECT {columns} FROM temp.{incoming}
UNION ALL
SELECT {stored_columns}
FROM (SELECT DISTINCT {keys} FROM temp.{incoming}) AS "touched"
CROSS JOIN main.{table} AS "stored" ON {stored_matches}
