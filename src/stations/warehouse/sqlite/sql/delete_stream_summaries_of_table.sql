DELETE FROM main."millrace_stream_summary" WHERE "table_name" = ?1
