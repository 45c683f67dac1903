INSERT INTO main.{part} ("millrace_unit_id", "millrace_summary_id", {columns})
SELECT ?1, "millrace_summary_id", {columns} FROM temp.{incoming}
ORDER BY {keys}, "millrace_summary_id"
