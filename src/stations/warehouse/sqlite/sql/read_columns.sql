SELECT "table_name", "column_name", "type", "merge"
FROM main."millrace_summary_column"
ORDER BY "table_name", "position"
