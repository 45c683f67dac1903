INSERT INTO main.{part} ("millrace_unit_id", "millrace_summary_id", {columns})
SELECT ?1, "millrace_summary_id", {merged_columns}
FROM ({source}) AS "source"
WHERE TRUE
GROUP BY {keys}, "millrace_summary_id"
ON CONFLICT ({keys}, "millrace_unit_id", "millrace_summary_id") DO {on_conflict}
