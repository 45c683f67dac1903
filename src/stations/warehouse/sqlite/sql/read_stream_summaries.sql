SELECT "summary_id", "table_name", "since", "until", "generation"
FROM main."millrace_stream_summary"
WHERE "unit_id" = ?1
ORDER BY "since", "table_name", "summary_id"
