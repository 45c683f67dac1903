INSERT INTO main.{table} ({columns})
SELECT {merged_columns}
FROM ({source}) AS "source"
WHERE TRUE
GROUP BY {keys}
ON CONFLICT ({keys}) DO {on_conflict}
