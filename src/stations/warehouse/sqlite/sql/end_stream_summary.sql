UPDATE main."millrace_stream_summary" SET "until" = ?4
WHERE "unit_id" = ?1 AND "summary_id" = ?2 AND "since" = ?3
