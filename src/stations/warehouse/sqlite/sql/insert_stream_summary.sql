INSERT INTO main."millrace_stream_summary" ("unit_id", "summary_id", "since", "table_name", "generation")
VALUES (?1, ?2, ?3, ?4, ?5)
