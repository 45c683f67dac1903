DELETE FROM main."millrace_stream_summary" WHERE "unit_id" = ?1 AND "summary_id" = ?2 AND "since" = ?3
