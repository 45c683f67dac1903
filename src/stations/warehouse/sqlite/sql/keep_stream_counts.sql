INSERT INTO main.{aside} ({columns})
SELECT {merged_columns}
FROM ({source}) AS "source"
GROUP BY {keys}
